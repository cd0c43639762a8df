"""A file with a linear S4D layer, from the question to its certificate in every form."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ssm_bounds
from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.cli import main
from ssm_bounds.lti import AS_ASSUMED, LtiQuestion
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.report.document import documents, schema
from ssm_bounds.report.html.page import page
from ssm_bounds.report.tables import latex, markdown
from tests.s4d import layer, tensors

OF_ROWS = "tau-class"
NAMES = ["lti-h2", "lti-l1", "lti-geometric", "lti-cover"]
STATED = {"m": 25000, "T": 500, "input_bound": 1}


def saved(path, **sizes):
    torch.save({name: torch.tensor(value) for name, value in tensors(layer(**sizes)).items()}, path)
    return path


def task(m=60, T=9, d=3, *, test=False, size=0.999) -> Task:
    """Inputs of norm below ``size``."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, m, T, d))
    x *= size * rng.random((2, m, T, 1)) / np.linalg.norm(x, axis=-1, keepdims=True)
    train, other = (Split(each, (each[:, -1, 0] > 0).astype(np.int64)) for each in x)
    return Task("toy", train, other if test else None, k=1, V=None)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("s4d") / "s4d.pth")


@pytest.fixture(scope="module")
def found(file):
    return ssm_bounds.certify(ssm_bounds.ask(file, **STATED))


class TestCertificate:
    def test_the_ladder(self, found):
        assert isinstance(found.question, LtiQuestion)
        assert [rung.name for rung in found.rungs] == NAMES and found.compared == 4
        assert all(rung.conditions == ("inputs have l2 norm at most 1 by design", AS_ASSUMED) for rung in found.rungs)
        assert all(rung.verdict is Verdict.CONDITIONAL for rung in found.rungs)

    def test_the_claim_is_the_smallest_at_its_share(self, found):
        assert [claim.share for claim in found.claims] == [Fraction(1, 80)] * 4
        smallest = min(found.claims, key=lambda claim: claim.value.float_upper())
        assert found.headline.rung == smallest.rung.name and found.headline.value is smallest.value
        # at its share a claim is larger than by itself
        assert smallest.value.upper > found.rung(smallest.rung.name).value.upper
        assert found.headline.kind == "gap" and not found.headline.vacuous

    def test_the_sentence_says_whose_class_and_on_what(self, found):
        sentence = found.headline.sentence
        assert "over the 25000 training rows, for every model of the class that the linear S4D model" in sentence
        assert sentence.endswith(f"if inputs have l2 norm at most 1 by design, and if {AS_ASSUMED}.")
        assert any("without an activation" in line for line in found.question.standing)
        assumed = {fact.name for fact in found.question.facts if fact.evidence is ssm_bounds.Evidence.ASSUMED}
        assert assumed == {"layer", "output"}

    def test_several_outputs_have_a_cover(self, tmp_path):
        found = ssm_bounds.certify(ssm_bounds.ask(saved(tmp_path / "s4d.pth", k=3), **STATED))
        assert [rung.name for rung in found.rungs] == ["lti-cover"] and found.compared == 1
        assert any("are about one output; this model has 3" in line for line in found.question.notes)

    def test_another_file_is_asked_as_before(self, tmp_path):
        (tmp_path / "other.pth").write_bytes(b"no model")
        with pytest.raises(ValueError, match=r"expected a file of torch\.save or safetensors"):
            ssm_bounds.ask(tmp_path / "other.pth", **STATED)


class TestReports:
    def test_the_document_follows_the_schema(self, found):
        document = documents([found])
        jsonschema.validate(document, schema())
        (shown,) = document["certificates"]
        assert shown["checkpoint"]["format"] == "s4d"
        assert shown["setting"] | {"d": 3, "N": 2, "k": 1, "V": None, "gate": "none"} == shown["setting"]
        assert shown["constants"] is None and shown["empirical"] is None
        details = {rung["rung"]: rung["details"] for rung in shown["rungs"]}
        assert set(details["lti-h2"]) == {"rademacher", "price", "class"}
        assert details["lti-geometric"]["class"].keys() == {"K_rho", "s_lambda"}
        assert details["lti-cover"]["parameter_count"] == 12 + 12 + 3 + 3
        assert set(details["lti-cover"]["by_block"]) == {"lambda", "c", "D", "w"}
        json.dumps(document, allow_nan=False)

    def test_texts(self, found):
        for text in (markdown([found]), latex([found]), page([found])):
            assert all(name in text for name in NAMES)
        assert "linear S4D model" in page([found]) and page([found]) == page([found])

    def test_every_form_of_the_command(self, file, tmp_path):
        stated = ["--m", "25000", "--T", "500", "--input-bound", "1"]
        for form in ("table", "json", "html", "markdown", "latex"):
            result = CliRunner().invoke(main, ["certify", str(file), *stated, "--format", form])
            assert result.exit_code == 0 and "lti-cover" in result.output, result.output

    def test_beside_another_model(self, file, tmp_path):
        other = saved(tmp_path / "other.pth", k=2)
        result = CliRunner().invoke(
            main, ["certify", str(file), str(other), "--m", "25000", "--T", "500", "--input-bound", "1"]
        )
        assert result.exit_code == 0 and "other.pth" in result.output

    def test_no_risk_is_claimed(self, file):
        stated = ["--m", "25000", "--T", "500", "--input-bound", "1", "--require", "0.2", "--accept-conditions"]
        result = CliRunner().invoke(main, ["certify", str(file), *stated])
        assert result.exit_code == 1
        assert "the headline is no risk: no bound of this kind of model is one" in result.stderr


class TestData:
    def test_rows_are_counted_and_checked(self, file):
        found = ssm_bounds.certify(ssm_bounds.ask(file, data=task(test=True), input_bound=1))
        facts = {fact.name: (fact.value, fact.evidence) for fact in found.question.facts}
        assert facts["m"] == (60, ssm_bounds.Evidence.CHECKED) and facts["T"] == (9, ssm_bounds.Evidence.CHECKED)
        assert facts["distinct training rows"] == (60, ssm_bounds.Evidence.CHECKED)
        assert [rung.name for rung in found.rungs] == [*NAMES, OF_ROWS] and found.headline.kind == "gap"
        assert found.compared == 5 and {claim.share for claim in found.claims} == {Fraction(1, 100)}
        assert "the test rows are not used: no program of a linear S4D model is run" in found.question.notes
        assert "test rows" not in found.headline.sentence
        document = documents([found])
        jsonschema.validate(document, schema())
        assert document["certificates"][0]["empirical"] is None and "lti-h2" in page([found])

    def test_tau_class_rests_on_no_bound_of_the_inputs(self, file):
        found = ssm_bounds.certify(ssm_bounds.ask(file, data=task(), input_bound=1))
        assert found.rung(OF_ROWS).conditions == (AS_ASSUMED,)
        document = documents([found])
        jsonschema.validate(document, schema())
        details = {rung["rung"]: rung["details"] for rung in document["certificates"][0]["rungs"]}
        assert details[OF_ROWS]["class"].keys() == {"psi_1"}
        facts = {fact.name: fact.value for fact in found.question.facts}
        assert facts["psi_1"] == facts["l1"] and 0 < facts["q_x"] < 1 and "psi_2" not in facts
        for text in (markdown([found]), latex([found]), page([found])):
            assert OF_ROWS in text

    def test_with_moments_that_were_fixed_before(self, file, tmp_path):
        moments = tmp_path / "before.npz"
        np.savez(moments, mean=np.full((9, 3), 0.1), deviation=np.full((9, 3), 0.5))
        found = ssm_bounds.certify(ssm_bounds.ask(file, data=task(), input_bound=1, input_moments=moments))
        rung = found.rung(OF_ROWS)
        sha256 = hashlib.sha256(moments.read_bytes()).hexdigest()
        words = f"the mean and the deviation in {moments} (sha256 {sha256[:8]}...) were fixed before the sample"
        assert rung.conditions[0] == words and rung.refusal is None
        assert {cell.name for cell in rung.argument.selected.cells} == {"psi_1", "psi_2"}
        facts = {fact.name: fact.value for fact in found.question.facts}
        assert facts["psi_1"] == pytest.approx(facts["l1"] / 2, rel=1e-9)
        assert facts["input moments sha256"] == sha256
        jsonschema.validate(documents([found]), schema())

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("correction", [0, 1])
    @pytest.mark.parametrize("longer", [0, 2])
    def test_the_moments_of_the_sample_are_refused(self, file, tmp_path, dtype, correction, longer):
        x, moments = task().train.x.astype(np.float64), tmp_path / "own.npz"
        mean, deviation = x.mean(0), x.std(0, ddof=correction)
        ahead = np.zeros((longer, 3))
        np.savez(
            moments,
            mean=np.concatenate([ahead, mean]).astype(dtype),
            deviation=np.concatenate([ahead + 1, deviation]).astype(dtype),
        )
        asked = ssm_bounds.ask(file, data=task(), T=9 + longer, input_bound=1, input_moments=moments)
        found = ssm_bounds.certify(asked)
        assert found.rung(OF_ROWS).refusal == f"the mean and the deviation in {moments} are those of the training rows"
        assert all(found.rung(name).refusal is None for name in NAMES)
        jsonschema.validate(documents([found]), schema())

    def test_moments_of_other_rows_are_not_refused(self, file, tmp_path):
        """Of all rows but one; and 0 and 1, which the sample may have."""
        train = task().train
        for mean, deviation in ((train.x[1:].mean(0), train.x[1:].std(0)), (np.zeros((9, 3)), np.ones((9, 3)))):
            np.savez(tmp_path / "m.npz", mean=mean.astype(np.float64), deviation=deviation.astype(np.float64))
            asked = ssm_bounds.ask(file, data=task(), input_bound=1, input_moments=tmp_path / "m.npz")
            assert ssm_bounds.certify(asked).rung(OF_ROWS).refusal is None

    def test_moments_are_not_written_over(self, file, tmp_path):
        moments = tmp_path / "before.npz"
        np.savez(moments, mean=np.full((9, 3), 0.1), deviation=np.full((9, 3), 0.5))
        before = moments.read_bytes()
        rows = task().train
        np.savez(tmp_path / "rows.npz", x_train=rows.x, y_train=rows.y)
        stated = ["--data", tmp_path / "rows.npz", "--input-bound", "1", "--input-moments", moments, "--out", moments]
        result = CliRunner().invoke(main, ["certify", str(file), *map(str, stated)])
        assert result.exit_code == 2 and "this file is read or written already" in result.stderr
        assert moments.read_bytes() == before

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"mean": np.zeros((9, 2)), "deviation": np.ones((9, 2))}, r"mean: expected .* = \(9, 3\), found \(9, 2\)"),
            ({"mean": np.zeros((9, 3)), "deviation": np.zeros((9, 3))}, "deviation: expected values above 0, found 0"),
            ({"mean": np.zeros((9, 3))}, "array 'deviation' is missing; expected mean and deviation"),
            ({"mean": np.zeros((9, 3), int), "deviation": np.ones((9, 3))}, "mean: expected float32 or float64"),
            ({"mean": np.full((9, 3), np.nan), "deviation": np.ones((9, 3))}, "mean: expected finite values, found 27"),
            ({"mean": np.array([None]), "deviation": np.ones((9, 3))}, "array 'mean' cannot be read"),
        ],
    )
    def test_moments_that_do_not_fit(self, file, tmp_path, arrays, message):
        np.savez(tmp_path / "before.npz", **arrays)
        with pytest.raises(ValueError, match=message) as caught:
            ssm_bounds.ask(file, data=task(), input_bound=1, input_moments=tmp_path / "before.npz")
        assert "before.npz: " in str(caught.value) and "\n" not in str(caught.value)

    def test_moments_of_no_archive(self, file, tmp_path):
        (tmp_path / "before.npz").write_bytes(b"nothing")
        with pytest.raises(ValueError, match=r"before\.npz: not an \.npz archive"):
            ssm_bounds.ask(file, data=task(), input_bound=1, input_moments=tmp_path / "before.npz")

    def test_longer_sequences_than_the_rows(self, file):
        assert ssm_bounds.ask(file, data=task(), T=12, input_bound=1).setting.sample.T == 12

    @pytest.mark.parametrize(
        ("data", "stated", "message"),
        [
            (task(), {"input_bound": 0.5}, "the training rows reach norm 0.99.*, above --input-bound 0.5"),
            (task(d=2), {}, r"expected real inputs \(n, T, 3\), found shape \(60, 9, 2\)"),
            (task(), {"T": 8}, "the training rows have length 9, above T = 8"),
            (task(), {"m": 61}, "--m 61 contradicts the data, which have m = 60"),
            (task(), {"test": "rows.npz"}, "no program of a linear S4D model is run on test rows"),
        ],
    )
    def test_what_the_rows_contradict(self, file, data, stated, message):
        with pytest.raises(DomainError, match=message):
            ssm_bounds.ask(file, **({"data": data, "input_bound": 1} | stated))

    def test_repeated_rows_are_a_condition(self, file):
        one = task().train
        rows = Split(np.repeat(one.x[:10], 6, axis=0), np.repeat(one.y[:10], 6))
        found = ssm_bounds.certify(ssm_bounds.ask(file, data=Task("toy", rows, None, k=1, V=None), input_bound=1))
        assert any("repeated rows" in condition for condition in found.headline.conditions)


REFUSED = {
    "no bound": ({"input_bound": None}, "real-valued inputs need a bound on |u_t| stated before the data"),
    "no length": ({"T": None}, "the file does not record T: give --T"),
    "no rows": ({"m": None}, "the file does not record m: give --m"),
    "gate": ({"gate": "softplus"}, "a linear S4D model has no --gate; leave it out"),
    "vocabulary": ({"inputs": "vocabulary"}, "a linear S4D model has no --inputs"),
    "embedding": ({"embedding": "fixed"}, "a linear S4D model has no --embedding"),
    "margin": ({"margin": "auto"}, "no bound of a linear S4D model chooses a margin"),
    "negative": ({"input_bound": -1}, "--input-bound: -1 is not above 0"),
    "moments": ({"input_moments": Path("m.npz")}, "--input-moments is of tau-class, and goes with --data FILE"),
    "occam": ({"search": ssm_bounds.Search(occam=True)}, "--occam is not there for a linear S4D model"),
    "base": ({"search": ssm_bounds.Search(base=Path("b"))}, "--base is for folders of Mamba blocks"),
    "base data": ({"search": ssm_bounds.Search(base_data=Path("b"))}, "--base-data is for folders of Mamba blocks"),
    "resume": ({"search": ssm_bounds.Search(resume=True)}, "--resume is for folders of Mamba blocks"),
    "family": ({"search": ssm_bounds.Search(family="head")}, "--family is for folders of Mamba blocks"),
    "loss": ({"loss": "cross-entropy"}, "is unbounded"),
    "delta": ({"delta": 1}, "--delta, a probability: 1 is not above 0 and below 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_apply_is_refused_in_one_line(file, case):
    stated, message = REFUSED[case]
    with pytest.raises(DomainError) as caught:
        ssm_bounds.ask(file, **(STATED | stated))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_only_the_papers_model_has(file):
    question = ssm_bounds.ask(file, **STATED)
    for call in (lambda: ssm_bounds.explain(question), lambda: ssm_bounds.sweep("scale", {"T": [10]}, question)):
        with pytest.raises(DomainError, match=r"only a model with one selective SSM .* has this, got a LtiQuestion"):
            call()


def test_a_layer_with_an_activation_has_no_certificate(tmp_path):
    found = tensors(layer()) | {"output_linear.0.weight": np.zeros((6, 3, 1), np.float32)}
    torch.save({name: torch.tensor(value) for name, value in found.items()}, tmp_path / "s4d.pth")
    result = CliRunner().invoke(
        main, ["certify", str(tmp_path / "s4d.pth"), "--m", "9", "--T", "9", "--input-bound", "1"]
    )
    assert result.exit_code == 2 and result.stdout == ""
    assert "an activation and a mixing layer follow this S4D layer" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_condition_names_the_bound_that_was_used(file):
    """Not rounded up beyond it: 1.002798 is below 1.0028."""
    found = ssm_bounds.certify(ssm_bounds.ask(file, m=1000, T=50, input_bound="1.002798"))
    assert (
        "at most 1.002798 by design" in found.headline.sentence and "ramp loss at margin 1.0" in found.headline.sentence
    )
    facts = {fact.name: fact.value for fact in found.question.facts}
    assert facts["B_u"] == 1.002798 and 0 < facts["h2"] <= facts["l1"]


def test_a_layer_without_couplings_has_its_skip_alone(tmp_path):
    """All of C zero: every bound is there, and none leaves its grid."""
    silent = {name: torch.tensor(value) for name, value in tensors(layer()).items()}
    silent["kernel.C"] = torch.zeros_like(silent["kernel.C"])
    torch.save(silent, tmp_path / "s4d.pth")
    found = ssm_bounds.certify(ssm_bounds.ask(tmp_path / "s4d.pth", **STATED))
    assert [rung.name for rung in found.rungs] == NAMES and not any(rung.refusal for rung in found.rungs)
