"""Every notebook: one question, no logic of its own, committed clean, and executed anew with an answer in numbers."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from tests.conftest import ROOT
from tests.notebooks import NOTEBOOKS, normalised

SECONDS = 120
_NO_NETWORK = """
import sys

def refuse(event, arguments):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        raise OSError("a notebook used the network")

sys.addaudithook(refuse)
"""
every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_six():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


@every
def test_committed_without_output_in_one_layout(path):
    text = path.read_text(encoding="utf-8")
    assert text == normalised(text), "run: python -m tests.notebooks"
    assert all(cell.execution_count is None and not cell.outputs for cell in code(read(path)))


@every
def test_one_question_and_no_logic_of_its_own(path):
    notebook = read(path)
    first = notebook.cells[0]
    assert first.cell_type == "markdown" and first.source.count("**Question.**") == 1 and "?" in first.source
    assert sum(cell.source.count("**Question.**") for cell in notebook.cells) == 1
    assert notebook.cells[-1].cell_type == "code" and "**Answer.**" in notebook.cells[-1].source
    assert len(notebook.cells) <= 16
    for cell in code(notebook):
        tree = ast.parse(TransformerManager().transform_cell(cell.source))
        for node in ast.walk(tree):
            assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef), cell.source
        assert not re.search(r"^\s*[!?]", cell.source, re.M), "no shell"
    assert any("interact(" in cell.source for cell in code(notebook)), "something to play with"


def executed(notebook, folder, monkeypatch):
    """Run far from the repository: with this tree's code, without ``../shared``, without a network.

    In a process of its own: in a long-lived one, answers of a kernel may wait for the end of the time limit.
    """
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "network.py").write_text(_NO_NETWORK)
    path = folder / "notebook.ipynb"
    nbformat.write(notebook, path)
    options = ["--inplace", f"--timeout={SECONDS}", "--kernel_name=python3"]
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", *options, path],
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return read(path)


def widget_outputs(notebook):
    """What sliders show at their first position: the outputs of each Output widget."""
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    return [model["state"]["outputs"] for model in state.values() if model["model_name"] == "OutputModel"]


ANSWERS = {
    "01": r"CERTIFIED: With probability at least 0\.95 .* is at most 0\.0[0-9]+\.",
    "02": r"negative \(-1\.62e\+14\).* range begins at m = 1e\+28 .* gives 4\.01: .* 0\.33\d, .* 0\.29\d, both if",
    "03": r"published .* from about 1e\+11 tokens on, the sharp one from 10 on\. .* is 0\.2944 at .* and 0\.2944 at",
    "04": r"needs 2,167 sequences for .* at most 1, 8,667 .* 0\.5, 216,664 .* 0\.1, if .* in the class \d,\d+,",
    "05": r"mine is PROVED, .* from 1\.00 up .* reaches 1\.0\d+, .* by a factor 4[89]\.",
    "06": r"held \(16 of 16 comparisons\): .* divided by 1[0-6] would be caught",
}


def problems(notebook):
    """Errors (interact shows one of its callback and goes on), what went to stderr, sliders that show nothing."""
    shown = widget_outputs(notebook)
    every = [*(output for cell in code(notebook) for output in cell.outputs), *itertools.chain(*shown)]
    found = [output for output in every if output["output_type"] == "error" or output.get("name") == "stderr"]
    return found + ["a slider shows nothing"] * (not all(shown))


@every
def test_executed_anew_it_answers(path, tmp_path, monkeypatch):
    notebook = executed(read(path), tmp_path, monkeypatch)
    assert not problems(notebook)
    answer = notebook.cells[-1].outputs[-1].data["text/markdown"]
    assert re.search(ANSWERS[path.stem[:2]], answer), answer
    figures = any("image/png" in output.get("data", {}) for cell in code(notebook) for output in cell.outputs)
    assert figures == ("%matplotlib inline" in code(notebook)[0].source)


def test_the_checks_can_fail(tmp_path, monkeypatch):
    sources = (
        "from ipywidgets import interact; interact(lambda x: 1 / x, x=(0, 2, 1));",
        "interact(lambda x: 1 / (x - 1), x=(0, 2, 1));",
        "interact(lambda x: None, x=(0, 2, 1));",
        "import warnings; warnings.warn('a warning')",
        "import socket; interact(lambda x: socket.create_connection(('localhost', 9)), x=(0, 2, 1));",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook = executed(notebook, tmp_path, monkeypatch)
    found = problems(notebook)
    assert [problem["name"] for problem in found if "name" in problem] == ["stderr"]
    errors = {(problem["ename"], problem["evalue"]) for problem in found if "ename" in problem}
    assert errors == {("ZeroDivisionError", "division by zero"), ("OSError", "a notebook used the network")}
    assert found[-1] == "a slider shows nothing" and len(found) == 4
    assert normalised(nbformat.writes(notebook)) != nbformat.writes(notebook) + "\n"
