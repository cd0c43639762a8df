"""How notebooks are run and committed. ``make notebooks-run`` executes them and writes them back, outputs included.

``python -m tests.notebooks 01 03`` runs some of them. What one machine, one session or one kernel adds is left out, and
a slider is replaced by what it shows at its first position, so that a reader without a kernel sees it too.

:func:`differences` says where outputs differ. Text: equal, its numbers aside. Numbers: equal within 1e-9, so that a
certified one, which is the same everywhere, is equal to the last digit shown; ``TOLERANCES`` of cells that say by a tag
that theirs come from a training or from float64. Images: there, and of the same size within 5 %. Timings are in no
output.
"""

from __future__ import annotations

import base64
import itertools
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tests.conftest import ROOT

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 120
EXACT = (1e-9, 0.0)
TOLERANCES = {"float64": (1e-3, 0.0), "trained": (0.05, 0.01)}
"""Relative and absolute, by tag. float64: searches and sweeps, not certified. trained: what a training found."""

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_VIEW = "application/vnd.jupyter.widget-view+json"
_STATE = "application/vnd.jupyter.widget-state+json"
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:e[-+]?\d+)?")
_NO_NETWORK = """
import sys

def refuse(event, arguments):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        raise OSError("a notebook used the network")

sys.addaudithook(refuse)
"""

EXECUTE = """
import time
from queue import Empty

from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient.cli import main

wait = AsyncZMQSocketChannel.get_msg

async def in_short_waits(self, timeout=None):
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = 1.0 if end is None else min(1.0, max(end - time.monotonic(), 0.0))
        try:
            return await wait(self, left)
        except Empty:
            if end is not None and time.monotonic() >= end:
                raise

AsyncZMQSocketChannel.get_msg = in_short_waits
"""
"""nbclient, waiting for a second at a time. On a busy machine zmq's event loop may miss that an answer came: its file
descriptor tells of changes only. The answer lies there until the wait ends, which was the whole time limit of a cell.
"""


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def executed(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run far from the repository: with this tree's code and the files beside the notebooks, without ``../shared``,
    without a network. Raises: RuntimeError with the end of the traceback.

    In a process of its own, where what :data:`EXECUTE` changes stays.
    """
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "network.py").write_text(_NO_NETWORK)
    for beside in (*FOLDER.glob("*.safetensors"), *FOLDER.glob("*.npz")):
        shutil.copy(beside, folder)
    path = folder / "notebook.ipynb"
    nbformat.write(notebook, path)
    options = ["--inplace", f"--timeout={SECONDS}", "--kernel_name=python3"]
    done = subprocess.run(
        [sys.executable, "-c", f"{EXECUTE}\nmain()", *options, path],
        env={**os.environ, "OMP_NUM_THREADS": "1", "IPYTHONDIR": str(folder / "ipython")},
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return read(path)


def _widgets(notebook: NotebookNode) -> dict[str, Any]:
    return notebook.metadata.get("widgets", {}).get(_STATE, {}).get("state", {})


def problems(notebook: NotebookNode) -> list[Any]:
    """Errors (interact shows one of its callback and goes on), what went to stderr, sliders that show nothing."""
    shown = [each["state"]["outputs"] for each in _widgets(notebook).values() if each["model_name"] == "OutputModel"]
    every = [*(output for cell in code(notebook) for output in cell.outputs), *itertools.chain(*shown)]
    found = [output for output in every if output["output_type"] == "error" or output.get("name") == "stderr"]
    return found + ["a slider shows nothing"] * (not all(shown))


def _shown(output: NotebookNode, widgets: dict[str, Any]) -> Iterator[Any]:
    """The output, or what the widgets in it show. Nothing where their state was not saved."""
    if _VIEW not in output.get("data", {}):
        yield output
        return
    waiting = [output["data"][_VIEW]["model_id"]]
    while waiting:
        state = widgets.get(waiting.pop(), {}).get("state", {})
        yield from state.get("outputs", [])
        waiting += [child.removeprefix("IPY_MODEL_") for child in state.get("children", [])]


def _outputs(cell: NotebookNode, widgets: dict[str, Any], count: int) -> list[NotebookNode]:
    found: list[NotebookNode] = []
    for shown in itertools.chain.from_iterable(_shown(output, widgets) for output in cell.outputs):
        output = nbformat.from_dict(shown)
        if output.output_type == "stream" and found and found[-1].get("name") == output.name:
            found[-1].text += output.text  # when a kernel flushes is chance
            continue
        if "metadata" in output:
            output.metadata = nbformat.from_dict({})
        if "execution_count" in output:
            output.execution_count = count
        found.append(output)
    return found


def normalised(notebook: NotebookNode) -> str:
    """The notebook as it is committed: its own tags and outputs, in nbformat's own layout. The argument is kept."""
    found, widgets = nbformat.from_dict(notebook), _widgets(notebook)
    found.metadata = nbformat.from_dict(_METADATA)
    for cell in found.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    for count, cell in enumerate(code(found), start=1):
        cell.outputs, cell.execution_count = _outputs(cell, widgets, count), count
    nbformat.validate(found)
    return nbformat.writes(found) + "\n"


def texts(output: NotebookNode) -> dict[str, str]:
    """What an output prints, by kind."""
    if output.output_type == "stream":
        return {output.name: output.text}
    return {kind: text for kind, text in output.get("data", {}).items() if not kind.startswith("image/")}


def images(output: NotebookNode) -> dict[str, tuple[int, int]]:
    """Width and height in pixels of each image."""
    found = {}
    for kind, data in output.get("data", {}).items():
        if kind.startswith("image/"):
            if kind != "image/png":
                raise ValueError(f"an image of type {kind}: only image/png is compared")
            found[kind] = struct.unpack(">II", base64.b64decode(data)[16:24])
    return found


def differences(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Where two notebooks, normalised both, differ by more than they may. Empty where nowhere."""
    if [cell.id for cell in committed.cells] != [cell.id for cell in fresh.cells]:
        return ["other cells"]
    found = []
    for cell, again in zip(committed.cells, fresh.cells, strict=True):
        if cell.source != again.source:
            found.append(f"{cell.id}: another source")
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            found += [f"{cell.id}: {each}" for each in _different_outputs(cell.outputs, again.outputs, tags)]
    return found


def _different_outputs(outputs: list[NotebookNode], again: list[NotebookNode], tags: list[str]) -> Iterator[str]:
    if [output.output_type for output in outputs] != [output.output_type for output in again]:
        yield f"{len(outputs)} outputs committed, {len(again)} fresh, or of other types"
        return
    tolerance = next((TOLERANCES[tag] for tag in tags), EXACT)
    for one, other in zip(outputs, again, strict=True):
        mine, theirs, pictures, drawn = texts(one), texts(other), images(one), images(other)
        if mine.keys() != theirs.keys() or pictures.keys() != drawn.keys():
            yield f"{[*mine, *pictures]} committed, {[*theirs, *drawn]} fresh"
            continue
        for kind, text in mine.items():
            yield from (f"{kind}: {each}" for each in _different_texts(text, theirs[kind], tolerance))
        for kind, size in pictures.items():
            if not all(math.isclose(*sides, rel_tol=0.05) for sides in zip(size, drawn[kind], strict=True)):
                yield f"{kind}: {size} pixels committed, {drawn[kind]} fresh"


def _different_texts(text: str, again: str, tolerance: tuple[float, float]) -> Iterator[str]:
    # the width of a column depends on its numbers
    masked, other = (re.sub(" +", " ", _NUMBER.sub(" # ", each)) for each in (text, again))
    if masked != other:
        yield f"the text is\n{text}\nand afresh\n{again}"
        return
    relative, absolute = tolerance
    for one, now in zip(_NUMBER.findall(text), _NUMBER.findall(again), strict=True):
        values = (float(each.replace(",", "")) for each in (one, now))
        if one != now and not math.isclose(*values, rel_tol=relative, abs_tol=absolute):
            yield f"{one} committed, {now} fresh"


def main(chosen: list[str]) -> None:
    for path in NOTEBOOKS:
        if chosen and path.stem[:2] not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(read(path), Path(folder))
        if found := problems(notebook):
            raise SystemExit(f"{path.name}: not written: {found}")
        path.write_text(normalised(notebook), encoding="utf-8")
        print(path.name, f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
