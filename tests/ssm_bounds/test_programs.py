"""A certificate of a rounded or drawn model says which program computes it, and counts by what its file names."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ssm_bounds.bounds.codes import fit
from ssm_bounds.bounds.codes.scheme import PLAIN
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps.inversion import binomial_upper
from ssm_bounds.bounds.gaps.losses import Ramp
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.certificate import certify, sentence
from ssm_bounds.evidence import Evidence
from ssm_bounds.inquiry import Search
from ssm_bounds.models.files.checkpoint import Checkpoint, Metadata, read, write
from ssm_bounds.models.program.label_losses import above
from ssm_bounds.models.searches import rounded
from ssm_bounds.models.selective_ssm.programs import EARLIER, EXACT, Answers
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Split
from ssm_bounds.question import ask
from ssm_bounds.report.document import document, outcome, rows
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import SEVERAL, markdown
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
            (fact,) = (each for each in question.facts if each.name == "program of the file's model")
            assert (fact.value, fact.evidence) == (str(program), evidence)
            (said,) = (each for each in question.standing if f"runs as the program {program}, which was fixed" in each)
            assert ("its file names no program, so that this one counts it" in said) == (program is EARLIER)

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


@pytest.fixture(scope="module")
def apart(tmp_path_factory) -> dict[str, Path]:
    """A rounded majority vote beside a channel that grows until its y is above 2^38: in a product by 8.13, of 23 bits,
    the vote is then 0. ``exact``, ``earlier``: the file names this program, and ``silent``: none; ``rows``: data."""
    T, rng, folder = 15, np.random.default_rng(0), tmp_path_factory.mktemp("apart")
    x, fresh = rng.integers(0, 2, (300, T)), rng.integers(0, 2, (100, T))
    votes = {"x_train": x, "y_train": 2 * x.sum(1) > T, "x_test": fresh, "y_test": 2 * fresh.sum(1) > T}
    found = {"rows": folder / "rows.npz"}
    np.savez(found["rows"], **{name: rows.astype(int) for name, rows in votes.items()})
    read_last, embedding = np.array([[0, 0, 1.0]]), np.array([[1, -1, 1.0], [1, 1, 1]])
    decays, parts = np.array([[3.0], [0], [0]]), {"W_B": read_last, "W_C": read_last, "embedding": embedding}
    model = Weights(A=decays, q=np.zeros(3), p=0.0, W=np.array([[0, 1.0, 0]]), **parts)
    layout = rounded.layout_of(model, "none")
    code = fit.shortest(layout, rounded.blocks(model, layout), (PLAIN,))
    code, integers = code.representative(code.integers(rounded.blocks(model, layout)))
    coded = rounded.assembled(code.decoded(integers))
    for name, said in {"exact": EXACT.record(), "earlier": EARLIER.record(), "silent": None}.items():
        occam = code.record() | {"delta": "1/20", "errors": 0} | ({} if said is None else {"program": said})
        found[name] = folder / f"{name}.safetensors"
        metadata = Metadata(m=300, T=T, gate="none", convention="code", embedding="trained", occam=occam)
        write(found[name], coded, metadata)
    return found


class TestOneProgram:
    """Where two programs disagree on every row, nothing of a file is counted by the one that it does not name."""

    def test_rows_and_the_holdout_are_counted_by_it(self, apart):
        for name, program, wrong in (("exact", EXACT, 1), ("earlier", EARLIER, 0), ("silent", EARLIER, 0)):
            found = certify(ask(apart[name], data=apart["rows"]))
            holdout = found.rung("holdout").argument
            assert holdout.record() == {"n": 100, "errors": 100 * wrong, "program": str(program)}
            assert f"the program is {program}" in holdout.sentence()
            assert found.rung(OCCAM).argument.record()["errors"] == 300 * wrong
            claimed = next(claim for claim in found.claims if claim.rung.name == "holdout")
            assert claimed.value == binomial_upper(100 * wrong, 100, claimed.share)
            counts, lines = document(found)["empirical"], dict(outcome(found))
            for which, n in (("train", 300), ("test", 100)):
                assert (counts[which]["counted"], counts[which]["program"]) == (n * wrong, str(program))
                assert counts[which]["program_errors"] == n * wrong
                assert f"({n * wrong} rows) by {program}" in lines[which]
            assert ("in real arithmetic margins <= 1.0" in lines["train"]) == (program is EXACT)
            assert counts["train"]["loss"] == pytest.approx(1 if wrong else 0)
            assert any(f"for occam and holdout: the rounded model runs as the program {program}, which was fixed"
                       in line for line in found.question.standing)  # fmt: skip

    def test_bounds_in_real_arithmetic_are_no_headline_of_another_function(self, apart):
        found = certify(ask(apart["exact"], data=apart["rows"]))
        assert found.headline.vacuous and found.headline.rung == OCCAM
        assert found.met(Fraction(1, 2), accept_conditions=True) is not None
        of_norms = [claim for claim in found.claims if claim.rung.name in ("margin", "margin-groups", "pac-bayes")]
        assert len(of_norms) == 3 and all(claim.elsewhere for claim in of_norms)
        assert min(claim.ratio for claim in of_norms) < 1
        for claim in of_norms:
            text = sentence(found.question, claim)
            assert "the error rate of the real-arithmetic model of these weights (sha256 " in text
            assert text in {each["sentence"] for each in document(found)["beside"]}
        assert not any("it computes the real-arithmetic model" in line for line in found.question.standing)
        assert any("ssm-bounds 8.13, version 1 rounds" in note for note in found.question.notes)
        why = {row.rung: row.why for row in rows(found)}
        for name in ("scale", "margin", "pac-bayes"):
            assert why[name].endswith("; of the real-arithmetic model") and "hold-out" not in why[name]

    def test_without_rows_they_are_about_the_real_arithmetic_model(self, apart):
        found = certify(ask(apart["exact"]))
        assert "the real-arithmetic model of these weights (sha256 " in found.headline.sentence
        assert not any("it computes the real-arithmetic model" in line for line in found.question.standing)

    def test_what_has_a_radius_is_as_it_was(self, apart):
        """The number of claims, their shares and their values are the same whatever the file names."""
        one, other = (certify(ask(apart[name], data=apart["rows"])) for name in ("exact", "silent"))
        assert [claim.share for claim in one.claims] == [claim.share for claim in other.claims]
        assert [claim.value for claim in one.claims[:3]] == [claim.value for claim in other.claims[:3]]
        assert not any(claim.elsewhere for claim in other.claims)
        assert any("it computes the real-arithmetic model" in line for line in other.question.standing)

    def test_a_model_that_is_looked_for_and_that_of_the_file(self, apart):
        question = ask(apart["silent"], data=apart["rows"], search=Search(occam=True, budget=1))
        assert [line for line in question.standing if "runs as" in line] == [
            "for occam: the rounded model runs as the program ssm-bounds 8.13, version 1, which was fixed before the "
            "data",
            "for holdout: the rounded model of the file runs as the program ssm-bounds selective SSM, version 1, which "
            "was fixed before the data: its file names no program, so that this one counts it",
        ]
        (fact,) = (fact for fact in question.facts if "program" in fact.name)
        assert (fact.name, fact.value) == ("program of the file's model", str(EARLIER))
        found = certify(question)
        assert found.rung("holdout").argument.record()["program"] == str(EARLIER)
        assert "it answers as the given model, run by ssm-bounds selective SSM, version 1, on " in (
            found.rung(OCCAM).argument.sentence()
        )

    def test_of_several_files_each_has_its_own_lines(self, apart):
        found = [certify(ask(apart[name], data=apart["rows"])) for name in ("exact", "silent")]
        text = markdown(found)
        parts = dict(part.split("**", 1) for part in text.split("\n**")[1:])
        exact, silent, each = (parts[key] for key in (str(apart["exact"]), str(apart["silent"]), "assumed of each"))
        assert "runs as the program ssm-bounds 8.13" in exact and "runs as the program ssm-bounds sel" in silent
        assert "runs as" not in each and "identically distributed" in each and SEVERAL in each
        assert "it computes the real-arithmetic model" in silent and "it computes the real" not in exact + each
        html = page(found).split('aria-labelledby="c2-unchecked"')
        assert "runs as the program ssm-bounds 8.13" not in html[1].split("</ol>")[0]

    def test_two_programs_in_one_file_are_refused(self, apart, saved, tmp_path):
        file, drawn = read(apart["exact"]), record(read(saved[DRAW]).metadata, DRAW)
        two = replace(file.metadata, one_draw=drawn | {"program": EARLIER.record()})
        write(tmp_path / "two.safetensors", file.weights, two)
        with pytest.raises(
            DomainError, match=r"names ssm-bounds 8\.13, version 1 and ssm-bounds selective SSM, version"
        ):
            ask(tmp_path / "two.safetensors", data=apart["rows"])


@pytest.mark.parametrize("label", [0, 1])
def test_one_output_of_the_earlier_program_is_the_logit_of_label_1(apart, label):
    """Beside a 0, which is that of label 0: losses and errors see the same model."""
    weights, x = read(apart["silent"]).weights, np.load(apart["rows"])["x_train"]
    found = EARLIER.run(weights, Split(x, np.full(len(x), label)), "none", "code")
    votes = 2 * x.sum(1) > 15
    assert found.errors == np.count_nonzero(votes != label)
    assert not found.z[:, 0].any() and ((found.z[:, 1] > 0) == votes).all()
    assert ((above(Ramp(1), found.z, found.y) < 1) == (votes == label)).all()


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
    known = np.load(shared / "data" / "majority_T200_seed1.npz")
    np.savez(tmp_path / "train.npz", x_train=known["x_train"], y_train=known["y_train"])
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
