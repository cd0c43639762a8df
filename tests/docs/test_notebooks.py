"""Every notebook: one question, no logic of its own, committed as executed, and executed anew with the same answer."""

from __future__ import annotations

import ast
import asyncio
import base64
import math
import re
import struct
from queue import Empty

import nbformat
import numpy as np
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import ssm_bounds
from ssm_bounds.experiments.run import TASKS
from tests.notebooks import (
    EXECUTE,
    FOLDER,
    NOTEBOOKS,
    TOLERANCES,
    code,
    differences,
    executed,
    images,
    normalised,
    problems,
    read,
    texts,
)

MOST_BYTES = 1_500_000
every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def plain(cell):
    """The Python of a cell, without magics."""
    return ast.parse(TransformerManager().transform_cell(cell.source))


def test_they_are_numbered():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(1, 12)]


@every
def test_one_question_and_no_logic_of_its_own(path):
    notebook = read(path)
    first = notebook.cells[0]
    assert first.cell_type == "markdown" and first.source.count("**Question.**") == 1 and "?" in first.source
    assert sum(cell.source.count("**Question.**") for cell in notebook.cells) == 1
    assert notebook.cells[-1].cell_type == "code" and "**Answer.**" in notebook.cells[-1].source
    assert len(notebook.cells) <= 16
    for cell in code(notebook):
        for node in ast.walk(plain(cell)):
            assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef), cell.source
        assert not re.search(r"^\s*[!?]", cell.source, re.M), "no shell"
    assert any("interact(" in cell.source for cell in code(notebook)), "something to play with"


class TestTheFirst:
    """What a stranger opens: the public face, on files that lie beside it."""

    def test_four_lines_import(self):
        nodes = [node for cell in code(read(NOTEBOOKS[0])) for node in ast.walk(plain(cell))]
        imports = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        assert len(imports) <= 4 and "import ssm_bounds" in imports
        assert not any(re.match(r"(from|import) (ssm_bounds\.|bounds|models|proofs)", line) for line in imports)
        used = {
            node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "ssm_bounds"
        }
        assert {"ask", "certify", "explain", "sweep"} <= used <= set(ssm_bounds.__all__)

    def test_its_data_are_those_of_the_command_that_it_names(self):
        (words,) = re.findall(
            r"`ssm-bounds train majority (.*?)`", " ".join(read(NOTEBOOKS[0]).cells[2].source.split())
        )
        option = dict(re.findall(r"--([\w-]+) (\S+)", words))
        task = TASKS["majority"](int(option["m"]), int(option["T"]), seed=int(option["seed"]))
        data = np.load(FOLDER / option["save-data"])
        for name, split in (("train", task.train), ("test", task.test)):
            assert np.array_equal(data[f"x_{name}"], split.x) and np.array_equal(data[f"y_{name}"], split.y)
        checkpoint = ssm_bounds.read(FOLDER / option["out"])
        metadata, weights = checkpoint.metadata, checkpoint.weights
        assert (metadata.m, metadata.T) == (task.train.m, 20) and metadata.embedding == "trained"
        assert [weights.d, weights.N] == [int(option["d"]), int(option["N"])]


class TestCommitted:
    @every
    def test_as_it_was_executed(self, path):
        notebook = read(path)
        assert path.read_text(encoding="utf-8") == normalised(notebook), "run: make notebooks-run"
        assert notebook.cells[-1].outputs and "widgets" not in notebook.metadata
        assert {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])} <= set(TOLERANCES)
        assert not problems(notebook)

    @every
    def test_nothing_of_one_machine_is_printed(self, path):
        for cell in code(read(path)):
            for text in (text for output in cell.outputs for text in texts(output).values()):
                assert not of_one_machine(text), text

    def test_the_patterns_find_what_they_look_for(self):
        for text in ("in /tmp/x/y.npz", "'/root/a'", r"C:\Users\a", "<object at 0x7f12ab34cd56>", "took 1.5 s", "12 ms",
                     "3 seconds", "file:///home/a"):  # fmt: skip
            assert of_one_machine(text), text
        for text in ("left/right = 0.99", "</td></tr>", "X = [[0, -20 pi], [pi/5, 0]]", "7.9 time units", "1 shown"):
            assert not of_one_machine(text), text

    def test_small(self):
        files = list(FOLDER.iterdir())
        assert {file.suffix for file in files if file.is_file()} == {".ipynb", ".npz", ".safetensors"}
        assert sum(file.stat().st_size for file in files) < MOST_BYTES


def of_one_machine(text):
    """Absolute paths, addresses in memory, timings."""
    return re.search(
        r"(?<![\w.<)\]])/{1,3}\w[\w.-]*/|[A-Z]:\\|\b0x[0-9a-f]{6,}|\d (?:[mu]?s|seconds?|minutes?)\b", text
    )


ANSWERS = {
    "01": r"CERTIFIED: With probability at least 0\.95 .* is at most 0\.0[0-9]+\.",
    "02": r"negative \(-1\.62e\+14\).* range begins at m = 1e\+28 .* gives 4\.01: .* 0\.33\d, .* 0\.29\d, both if",
    "03": r"published .* from about 1e\+11 tokens on, the sharp one from 10 on\. .* is 0\.2944 at .* and 0\.2944 at",
    "04": r"needs 2,167 sequences for .* at most 1, 8,667 .* 0\.5, 216,664 .* 0\.1, if .* in the class \d,\d+,",
    "05": r"mine is PROVED, .* from 1\.00 up .* reaches 1\.0\d+, .* by a factor 4[89]\.",
    "06": r"held \(16 of 16 comparisons\): .* divided by 1[0-6] would be caught",
    "07": r"layer 0 at least 7\d\.\d% .* from 2,\d{3} tokens on; .* 1 at least 3\d\.\d% .* from 2,\d{3} tokens on\.",
    "08": r"rounded head on this base errs on at most 0\.0[12]\d of new rows, if .* trained on at most 0\.0[01]\d\.",
    "11": r"flat in 6 of 14 rows: .* has 0\.2823 .* with 225 .* and 0\.4216 with 513, .* with 528 has 0\.4168, ",
    "09": r"reaches 0\.03 of tau on white inputs and 0\.48 on slow ones\. .* a gap of at most 0\.287 here\.",
    "10": r"sees order .* by \d\d % .* or more.* alike .* at best 0 of 40 .* layers have all 40\. .* at least 14\.4 %",
}


class TestExecuted:
    """One execution of each."""

    @pytest.fixture(scope="class", params=NOTEBOOKS, ids=lambda path: path.stem)
    @classmethod
    def run(cls, request, tmp_path_factory):
        return request.param, executed(read(request.param), tmp_path_factory.mktemp("notebook"))

    def test_it_answers(self, run):
        path, notebook = run
        assert not problems(notebook)
        answer = notebook.cells[-1].outputs[-1].data["text/markdown"]
        assert re.search(ANSWERS[path.stem[:2]], answer), answer
        figures = any(images(output) for cell in code(notebook) for output in cell.outputs)
        assert figures == ("%matplotlib inline" in code(notebook)[0].source)

    def test_it_prints_what_is_committed(self, run):
        path, notebook = run
        found = differences(read(path), nbformat.reads(normalised(notebook), as_version=4))
        assert not found, "\n".join([*found, "run: make notebooks-run"])


def test_the_checks_can_fail(tmp_path):
    sources = (
        "from ipywidgets import interact; interact(lambda x: 1 / x, x=(0, 2, 1));",
        "interact(lambda x: 1 / (x - 1), x=(0, 2, 1));",
        "interact(lambda x: None, x=(0, 2, 1));",
        "import warnings; warnings.warn('a warning')",
        "import socket; interact(lambda x: socket.create_connection(('localhost', 9)), x=(0, 2, 1));",
    )
    notebook = executed(new_notebook(cells=[new_code_cell(source) for source in sources]), tmp_path)
    found = problems(notebook)
    assert [problem["name"] for problem in found if "name" in problem] == ["stderr"]
    errors = {(problem["ename"], problem["evalue"]) for problem in found if "ename" in problem}
    assert errors == {("ZeroDivisionError", "division by zero"), ("OSError", "a notebook used the network")}
    assert found[-1] == "a slider shows nothing" and len(found) == 4
    shown = code(nbformat.reads(normalised(notebook), as_version=4))
    assert shown[0].outputs[0].data["text/plain"] == "1.0", "a slider is replaced by what it shows"
    assert [output.output_type for output in shown[1].outputs] == ["error"] and not shown[2].outputs


def test_an_answer_whose_arrival_was_missed_is_found_a_second_later():
    """A poll that no message wakes tells of it when it ends: at the time limit of the cell, if that were one wait."""
    names: dict = {}
    exec(EXECUTE, names)
    channels = names["AsyncZMQSocketChannel"]
    get_msg, channels.get_msg = channels.get_msg, names["wait"]  # in this process as it was

    class Deaf:
        """A socket with a message from the third second on."""

        waited = 0.0

        async def poll(self, milliseconds):
            self.waited += math.inf if milliseconds is None else milliseconds / 1000
            return self.waited > 2.5

    class Channel(channels):
        def __init__(self):
            self.socket = Deaf()

        async def _recv(self):
            return {"content": "an answer"}

    for limit in (120, None):
        channel = Channel()
        assert asyncio.run(get_msg(channel, timeout=limit)) == {"content": "an answer"}
        assert channel.socket.waited == 3.0
    with pytest.raises(Empty):
        asyncio.run(get_msg(Channel(), timeout=0))


def image(width, height):
    return base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)).decode()


class TestTheComparison:
    """What is a difference, and what is none."""

    def notebook(self, text="at most 0.2944\n", *, tags=(), source="print(bound)", size=(640, 400)):
        outputs = [
            new_output("stream", name="stdout", text=text),
            new_output("display_data", data={"text/plain": "<Figure size 640x400>", "image/png": image(*size)}),
        ]
        cell = new_code_cell(source, id="cell-02", outputs=outputs, metadata={"tags": list(tags)})
        return new_notebook(cells=[new_markdown_cell("# One", id="cell-01"), cell])

    def test_none(self):
        assert differences(self.notebook(), self.notebook()) == []

    @pytest.mark.parametrize(
        "text", ["at most 0.2945\n", "at most 0.29440001\n", "at most -0.2944\n", "at most 2944\n"]
    )
    def test_a_number(self, text):
        (found,) = differences(self.notebook(), self.notebook(text))
        assert found.startswith("cell-02: stdout: 0.2944 committed, ")

    @pytest.mark.parametrize(("tag", "near", "far"), [("float64", "0.2945", "0.2950"), ("trained", "0.3000", "0.3300")])
    def test_a_number_that_is_not_certified(self, tag, near, far):
        committed = self.notebook(tags=[tag])
        assert differences(committed, self.notebook(f"at most {near}\n", tags=[tag])) == []
        assert len(differences(committed, self.notebook(f"at most {far}\n", tags=[tag]))) == 1
        # what may differ is for the committed notebook to say
        assert len(differences(self.notebook(), self.notebook(f"at most {near}\n", tags=[tag]))) == 1

    def test_thousands_are_one_number(self):
        one, other = (self.notebook(text, tags=["float64"]) for text in ("needs 216,664\n", "needs 216,665\n"))
        assert differences(one, other) == []
        assert len(differences(self.notebook("needs 216,664"), self.notebook("needs 216,665"))) == 1

    @pytest.mark.parametrize("text", ["at least 0.2944\n", "at most 0.2944 or so\n", "at most\n", "", "at most nan\n"])
    def test_text(self, text):
        (found,) = differences(self.notebook(), self.notebook(text))
        assert "the text is" in found

    def test_the_width_of_a_column_is_none(self):
        one, other = (self.notebook(text, tags=["trained"]) for text in ("a   0.1\nb  10.0\n", "a  0.102\nb 10.01\n"))
        assert differences(one, other) == []

    def test_a_missing_output(self):
        less = self.notebook()
        less.cells[1].outputs.pop()
        assert "2 outputs committed, 1 fresh" in differences(self.notebook(), less)[0]
        assert "1 outputs committed, 2 fresh" in differences(less, self.notebook())[0]

    def test_a_missing_figure(self):
        less = self.notebook()
        del less.cells[1].outputs[1].data["image/png"]
        assert "image/png" in differences(self.notebook(), less)[0]

    def test_a_figure_of_another_size(self):
        assert differences(self.notebook(), self.notebook(size=(645, 398))) == []
        assert "pixels" in differences(self.notebook(), self.notebook(size=(640, 500)))[0]

    def test_a_stale_source(self):
        assert differences(self.notebook(), self.notebook(source="print(2)")) == ["cell-02: another source"]

    def test_other_cells(self):
        more = self.notebook()
        more.cells.append(new_markdown_cell("# Two", id="cell-03"))
        assert differences(self.notebook(), more) == ["other cells"]

    def test_what_a_session_adds_is_not_committed(self):
        saved = self.notebook()
        saved.metadata = nbformat.from_dict({"kernelspec": {"name": "mine", "display_name": "Mine"}, "widgets": {}})
        cell = saved.cells[1]
        cell.metadata = nbformat.from_dict({"execution": {"iopub.status.busy": "2025"}, "tags": ["trained"]})
        cell.execution_count = 17
        cell.outputs.insert(1, new_output("stream", name="stdout", text="and more"))
        text = normalised(saved)
        assert normalised(nbformat.reads(text, as_version=4)) == text
        assert not re.search("mine|iopub|17|widgets", text) and "trained" in text
        assert cell.execution_count == 17, "the argument is kept"
        first, _ = nbformat.reads(text, as_version=4).cells[1].outputs
        assert first.text == "at most 0.2944\nand more"
