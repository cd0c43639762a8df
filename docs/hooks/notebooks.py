"""Notebooks as pages, with the outputs that they were committed with: nothing is executed."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"

_STATE = "application/vnd.jupyter.widget-state+json"
_VIEW = "application/vnd.jupyter.widget-view+json"
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.S)
_INLINE = re.compile(r"(?<![\\$`])\$(?![\s`$])([^$]+?)(?<![\s\\])\$(?![\d`])")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path in sorted(FOLDER.glob("*.ipynb")):
        text, images = page(nbformat.read(path, as_version=4), path.stem)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
        for name, content in images.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def page(notebook: NotebookNode, name: str) -> tuple[str, dict[str, bytes]]:
    """Markdown, and the images that it shows by their file name."""
    widgets = notebook.metadata.get("widgets", {}).get(_STATE, {}).get("state", {})
    parts: list[str] = []
    images: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(formulas(cell.source))
        elif cell.cell_type == "code":
            parts.append(_fenced("python", cell.source))
            for output in cell.outputs:
                parts += _shown(output, name, images, widgets)
    return "\n\n".join(part for part in parts if part) + "\n", images


def formulas(text: str) -> str:
    """The dollars of Jupyter as GitHub and this site write formulas."""
    text = _DISPLAY.sub(lambda found: _fenced("math", found[1].strip()), text)
    return _INLINE.sub(lambda found: f"$`{found[1]}`$", text)


def _shown(output: dict[str, Any], name: str, images: dict[str, bytes], widgets: dict[str, Any]) -> Iterator[str]:
    """The richest form of an output that a page without scripts can show; of a slider, its first position."""
    data = output.get("data", {})
    if output["output_type"] == "stream":
        yield _fenced("text", output["text"])
    elif output["output_type"] == "error":
        yield _fenced("text", "\n".join(output["traceback"]))
    elif _VIEW in data:
        yield "*A slider stands here while the notebook runs.*"
        for inner in _behind(data[_VIEW]["model_id"], widgets):
            yield from _shown(inner, name, images, widgets)
    elif "image/png" in data:
        file = f"{name}-{len(images) + 1}.png"
        images[file] = base64.b64decode(data["image/png"])
        yield f"![Figure {len(images)} of this notebook]({file})"
    elif "text/markdown" in data:
        yield formulas(data["text/markdown"])
    elif "text/html" in data:
        yield _fenced("{=html}", data["text/html"])
    elif "text/latex" in data:
        yield _fenced("math", data["text/latex"].strip().strip("$").strip())
    else:
        yield _fenced("text", data.get("text/plain", ""))


def _behind(model: str, widgets: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a widget and its parts show."""
    state = widgets.get(model, {}).get("state", {})
    yield from state.get("outputs", [])
    for child in state.get("children", []):
        yield from _behind(child.removeprefix("IPY_MODEL_"), widgets)


def _fenced(language: str, text: str) -> str:
    """A block of code, or nothing."""
    text = _COLOUR.sub("", text).rstrip("\n")
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
    return f"{ticks}{language}\n{text}\n{ticks}" if text.strip() else ""
