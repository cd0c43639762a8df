"""A certificate of a rounded or drawn model says which program computes it, and counts by what its file names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.certificate import certify
from ssm_bounds.evidence import Evidence
from ssm_bounds.inquiry import Search
from ssm_bounds.models.files.checkpoint import Checkpoint, Metadata, read, write
from ssm_bounds.models.selective_ssm.programs import EARLIER, EXACT, Answers
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.question import ask
from ssm_bounds.report.document import document
from ssm_bounds.report.tables import markdown
from tests.conftest import ROOT
from tests.questions import asked
from tests.ssm_bounds.cli.test_cli import run, weights

DATA = majority(200, 6, seed=1)
EXAMPLE = ROOT / "docs" / "examples" / "majority_T200_rounded.safetensors"
OCCAM, DRAW = "occam", "one-draw"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, Path]:
    """A rounded and a drawn model, as the command writes them."""
    folder = tmp_path_factory.mktemp("saved")
    found = {OCCAM: folder / "rounded.safetensors", DRAW: folder / "drawn.safetensors"}
    record = {"m": None, "gate": None, "embedding": "trained"}
    certify(asked(weights(V=2), record, data=DATA, search=Search(occam=True, budget=1, save=found[OCCAM])))
    certify(asked(weights(V=2), record, data=DATA, search=Search(one_draw=True, budget=1, save=found[DRAW])))
    return found


def record(metadata: Metadata, rung: str) -> dict:
    return dict((metadata.occam if rung == OCCAM else metadata.one_draw) or {})


def renamed(path: Path, rung: str, folder: Path, **program) -> Path:
    """The same model in a file that names another program, or none."""
    found = read(path)
    old = {name: value for name, value in record(found.metadata, rung).items() if name != "program"}
    key = "occam" if rung == OCCAM else "one_draw"
    write(folder / "renamed.safetensors", found.weights, replace(found.metadata, **{key: old | program}))
    return folder / "renamed.safetensors"


@pytest.mark.parametrize("rung", [OCCAM, DRAW])
class TestFiles:
    def test_a_new_file_names_the_exact_program(self, saved, rung):
        assert record(read(saved[rung]).metadata, rung)["program"] == {"name": "ssm-bounds 8.13", "version": 1}

    def test_a_file_that_names_none_is_of_the_earlier_one(self, saved, rung, tmp_path):
        for path, program, evidence in (
            (saved[rung], EXACT, Evidence.RECORDED),
            (renamed(saved[rung], rung, tmp_path), EARLIER, Evidence.ASSUMED),
        ):
            question = ask(path, data=DATA)
            gate, convention = question.setting.measured.gate, question.convention
            counted = program.run(question.checkpoint.weights, DATA.train, gate, convention).errors
            found = certify(question).rung(rung)
            details = found.argument.record()
            assert details["errors"] == counted and details["program"] == str(program)
            assert f"the program is {program}" in found.argument.sentence()
            (fact,) = (each for each in question.facts if each.name.startswith("program of the"))
            assert (fact.value, fact.evidence) == (str(program), evidence)
            assert any(f"runs as the program {program}, which was fixed" in each for each in question.standing)

    def test_which_one_counts(self, saved, rung, tmp_path, monkeypatch):
        """Of two that disagree, the one that the file names."""
        from ssm_bounds.models.selective_ssm import programs

        def always(n):
            return lambda weights, data, gate, convention: Answers(np.zeros((data.m, 2)), data.y, n)

        first, second = replace(EXACT, run=always(3)), replace(EARLIER, run=always(7))
        monkeypatch.setattr(programs, "EXACT", first)
        monkeypatch.setattr(programs, "EARLIER", second)
        for program, errors in (({}, 7), ({"program": EARLIER.record()}, 7), ({"program": EXACT.record()}, 3)):
            path = renamed(saved[rung], rung, tmp_path, **program)
            assert certify(ask(path, data=DATA)).rung(rung).argument.record()["errors"] == errors

    @pytest.mark.parametrize(
        "said", [{"name": "ssm-bounds 8.13", "version": 2}, {"name": "another", "version": 1}, None, "ssm-bounds 8.13"]
    )
    @pytest.mark.parametrize("data", [True, False])
    def test_an_unknown_one_is_refused_in_one_line(self, saved, rung, tmp_path, said, data):
        path = renamed(saved[rung], rung, tmp_path, program=said)
        file = tmp_path / "data.npz"
        np.savez(file, x_train=DATA.train.x, y_train=DATA.train.y)
        result = run("certify", path, *(["--data", file] if data else []))
        assert result.exit_code == 2 and result.stderr.count("\n") == 1 and not result.stdout, result.output
        assert (
            str(path) in result.stderr and "this version of the tool knows ssm-bounds 8.13, version 1" in result.stderr
        )
        with pytest.raises(DomainError, match="of the program"):
            ask(path, data=DATA)

    def test_the_document_and_the_tables_say_it(self, saved, rung):
        found = certify(ask(saved[rung], data=DATA))
        (printed,) = (each for each in document(found)["rungs"] if each["rung"] == rung)
        assert printed["details"]["program"] == "ssm-bounds 8.13, version 1"
        assert json.dumps(printed) and "the program is ssm-bounds 8.13, version 1" in printed["reason"]
        assert "ssm-bounds 8.13, version 1" in markdown([found])


def test_a_search_says_it_too():
    question = asked(weights(V=2), {"m": None}, data=DATA, search=Search(occam=True, certify_loss=True, budget=1))
    (said,) = (each for each in question.standing if "runs as" in each)
    assert said == (
        "for occam and occam-loss: the rounded model runs as the program ssm-bounds 8.13, version 1, which was fixed "
        "before the data"
    )
    found = certify(question)
    for name in (OCCAM, "occam-loss"):
        assert found.rung(name).argument.record()["program"] == "ssm-bounds 8.13, version 1"
        assert "the program is ssm-bounds 8.13, version 1" in found.rung(name).argument.sentence()


def test_nothing_is_said_of_a_program_that_does_not_run(saved):
    assert not any("runs as" in each for each in ask(saved[OCCAM], m=200).standing)
    assert not any("runs as" in each for each in asked(weights(V=2), {"m": None}, data=DATA).standing)


def test_the_example_of_the_earlier_program_gives_its_number(shared, tmp_path):
    """It was shipped before programs had names; by 8.13 it would be the same."""
    rows = np.load(shared / "data" / "majority_T200_seed1.npz")
    np.savez(tmp_path / "train.npz", x_train=rows["x_train"], y_train=rows["y_train"])
    question = ask(EXAMPLE, data=tmp_path / "train.npz", search=Search(certify_loss=True), loss="clipped-ce", clip=3)
    found = certify(question)
    assert found.verdict == "CERTIFIED" and "is at most 0.07845." in found.headline.sentence
    argument = found.rung(OCCAM).argument
    assert decimal_string(found.rung(OCCAM).value.upper) == "0.07680"
    assert argument.record()["errors"] == 18 and argument.record()["program"] == str(EARLIER)
    assert "records" not in argument.sentence()
    assert found.rung("occam-loss").value.float_upper() == pytest.approx(0.29349680893, abs=1e-11)
    example: Checkpoint = read(EXAMPLE)
    assert "program" not in (example.metadata.occam or {})
    assert EXACT.run(example.weights, question.task.train, "softplus", "code").errors == 18
