"""The command as a person meets it: the documented JSON, many files, every format, and bad input in one line."""

from __future__ import annotations

import gc
import json
import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner, Result
from flint import arb

from ssm_bounds.bounds.evaluate.decimals import decimal_string, number
from ssm_bounds.cli import main
from ssm_bounds.models.files.checkpoint import Metadata, read, write
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks import rows
from ssm_bounds.report.document import schema

TOP = ["checkpoint", "headline", "headline_conditional", "beside", "claim", "verdict", "best", "compared",
       "standing_assumptions", "facts", "notes", "setting", "rungs", "empirical", "constants", "class", "sums", "beta",
       "trace"]  # fmt: skip
CONSTANTS = ["s_A", "B_A", "M_A", "B_u", "B_B", "M_B", "B_C", "M_C", "B_q", "M_q", "p", "B_w", "M_w", "Delta_min",
             "M_Delta", "M_Delta_ball"]  # fmt: skip
RUNG = ["rung", "kind", "sided", "verdict", "conditions", "refusal", "value", "risk", "would_be", "lower", "vacuous",
        "comparison", "reason", "before_selection", "details"]  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def document(*arguments: object) -> dict:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    jsonschema.validate(found, schema())
    return found["certificates"][0]


def weights(d: int = 3, N: int = 2, k: int = 1, V: int | None = 4, seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    return Weights(
        A=-rng.uniform(0.1, 2, size=(d, N)),
        W_B=rng.normal(size=(N, d)),
        W_C=rng.normal(size=(N, d)),
        q=0.1 * rng.normal(size=d),
        p=-0.5,
        W=rng.normal(size=(k, d)),
        embedding=None if V is None else rng.normal(size=(V, d)),
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    write(path, weights(), Metadata(task="toy", m=400, T=6, gate="softplus", convention="code", embedding="trained"))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    path = tmp_path / "data.npz"
    np.savez(path, x_train=rng.integers(0, 4, (400, 6)), y_train=rng.integers(0, 2, 400),
             x_test=rng.integers(0, 4, (50, 6)), y_test=rng.integers(0, 2, 50))  # fmt: skip
    return path


class TestJson:
    def test_keys_are_the_documented_ones(self, model, data):
        found = document("certify", model, "--data", data)
        assert list(found) == TOP
        assert list(found["checkpoint"]) == ["path", "format", "sha256"]
        assert list(found["setting"]) == ["m", "T", "d", "N", "k", "V", "gate", "convention", "delta", "loss", "inputs",
                                          "embedding", "models_on_test"]  # fmt: skip
        assert list(found["setting"]["loss"]) == ["name", "margin", "c", "l"]
        assert list(found["constants"]) == CONSTANTS
        assert list(found["class"]) == [*CONSTANTS, "p_lo", "p_hi", "B_product", "v_product", "groups", "margin",
                                        "log_inverse_weight"]  # fmt: skip
        assert list(found["sums"]) == ["rho", "S_1", "S_2", "R_1", "R_2"]
        assert list(found["beta"]) == ["A", "B", "C", "g", "w", "e"]
        names = ["published", "repaired", "sharp", "scale", "margin", "scale-groups", "margin-groups", "pac-bayes"]
        assert [rung["rung"] for rung in found["rungs"]] == [*names, "holdout"]
        assert all(list(rung) == RUNG for rung in found["rungs"])
        assert list(found["best"]) == ["rung", "kind", "value"]
        assert list(found["headline"]) == ["sentence", "rung", "kind", "value", "delta", "verdict", "conditions",
                                           "vacuous"]  # fmt: skip
        assert list(found["empirical"]) == ["train", "test", "trivial"]
        for name in ("train", "test"):
            assert list(found["empirical"][name]) == ["n", "loss", "errors", "program_errors", "margin_errors",
                                                      "within_radius", "radius", "program", "counted"]  # fmt: skip

    def test_values(self, model):
        found = document("certify", model)
        assert found["setting"] | {"loss": None} == {
            "m": 400, "T": 6, "d": 3, "N": 2, "k": 1, "V": 4, "gate": "softplus", "convention": "code", "delta": 0.05,
            "loss": None, "inputs": "ball", "embedding": "trained", "models_on_test": 1,
        }  # fmt: skip
        assert found["verdict"] == "CERTIFIED"
        assert found["empirical"] is None
        for rung in found["rungs"]:
            if rung["verdict"] == "REFUSED":
                quoted = [rung[key] for key in ("value", "risk", "lower", "before_selection")]
                assert not any(quoted) and rung["details"] == {}
            else:
                assert rung["lower"] <= rung["value"] and rung["vacuous"] == (rung["value"] >= 1)
        # R_1 is at the measured constants: M (1 - r^T)/(1 - r)
        r = math.exp(found["constants"]["s_A"] * found["constants"]["M_Delta"])
        assert found["sums"]["R_1"] == pytest.approx(found["constants"]["M_Delta"] * (1 - r**6) / (1 - r))
        assert found["sums"]["rho"] == pytest.approx(
            math.exp(found["constants"]["s_A"] * found["constants"]["Delta_min"])
        )
        assert found["beta"]["A"] == pytest.approx(
            math.prod(found["constants"][n] for n in ("B_w", "B_B", "B_C")) * found["constants"]["B_u"] ** 3
            * found["sums"]["R_2"]
        )  # fmt: skip

    def test_values_beyond_the_double_range_are_strings(self, tmp_path):
        wild = weights()
        path = tmp_path / "wild.safetensors"
        write(path, Weights(A=wild.A + 40, W_B=wild.W_B, W_C=wild.W_C, q=wild.q, p=wild.p, W=wild.W,
                            embedding=wild.embedding), Metadata())  # fmt: skip
        found = document("certify", path, "--m", 100, "--T", 5000)
        assert found["sums"]["R_2"].split("e+")[1].isdigit()
        assert isinstance(found["beta"]["A"], str)
        assert isinstance(found["rungs"][3]["value"], float)

    def test_many_paths_give_a_list(self, model, tmp_path):
        found = json.loads(run("certify", model, model, "--format", "json").stdout)
        jsonschema.validate(found, schema())
        assert [entry["checkpoint"]["path"] for entry in found["certificates"]] == [str(model)] * 2

    def test_no_gate(self, model, tmp_path):
        path = tmp_path / "none.safetensors"
        write(path, weights(), Metadata())
        found = document("certify", path, "--m", 10, "--T", 5, "--gate", "none")
        assert found["beta"]["g"] is None and found["constants"]["M_Delta"] == 1.0
        assert {fact["name"]: fact["evidence"] for fact in found["facts"]}["gate"] == "stated"
        assert not any("gate" in condition for rung in found["rungs"] for condition in rung["conditions"])


class TestEmbedding:
    def test_default_follows_the_metadata(self, model, tmp_path):
        assert document("certify", model)["setting"]["embedding"] == "trained"
        bare = tmp_path / "bare.safetensors"
        write(bare, weights(), Metadata())
        found = document("certify", bare, "--m", 10, "--T", 5)
        assert found["setting"]["embedding"] == "fixed"
        assert found["verdict"] == "CONDITIONAL"
        conditions = found["headline"]["conditions"]
        assert "the embedding was fixed before the sample" in conditions
        assert any("gate is softplus" in condition for condition in conditions)
        assert all(condition in found["claim"] for condition in conditions)

    def test_a_recorded_fixed_embedding_stays_a_condition(self, tmp_path):
        """One word of metadata cannot make a fact about the past checked."""
        path = tmp_path / "fixed.safetensors"
        write(path, weights(), Metadata(m=10, T=5, gate="softplus", embedding="fixed"))
        found = document("certify", path)
        assert found["verdict"] == "CONDITIONAL"
        assert found["headline"]["conditions"] == ["the embedding was fixed before the sample"]

    def test_real_valued_inputs(self, tmp_path):
        path = tmp_path / "real.safetensors"
        write(path, weights(V=None), Metadata(m=10, T=5, gate="softplus", embedding="none"))
        found = document("certify", path, "--input-bound", 2)
        assert found["setting"]["embedding"] == "none" and found["constants"]["B_u"] == 2.0
        assert any("l2 norm at most 2 by design" in line for line in found["headline"]["conditions"])
        assert "--input-bound" in run("certify", path).stderr
        for norm, accepted in ((2.0, True), (2.0000001, False)):
            data = tmp_path / "data.npz"
            x = np.zeros((10, 5, 3))
            x[3, 2, 1] = norm
            np.savez(data, x_train=x, y_train=np.arange(10) % 2)
            result = run("certify", path, "--input-bound", 2, "--data", data)
            assert (result.exit_code == 0) == accepted
            assert accepted or "reach norm" in result.stderr

    def test_a_claim_against_the_record_is_not_believed(self, model):
        """The file says that the embedding was trained; a person who says 'fixed' gets no number."""
        found = document("certify", model, "--embedding", "fixed")
        assert found["verdict"] == "REFUSED" and found["headline"]["value"] is None
        assert "records that the embedding was trained" in found["claim"]
        assert all(rung["verdict"] == "REFUSED" and rung["value"] is None for rung in found["rungs"])

    def test_an_input_bound_is_rounded_up(self, tmp_path):
        path = tmp_path / "real.safetensors"
        write(path, weights(V=None), Metadata(m=10, T=5))
        for text in ("0.3", "0.1", "2", "1e-300"):
            found = document("certify", path, "--input-bound", text)["constants"]["B_u"]
            assert Fraction(found) >= Fraction(text) > Fraction(math.nextafter(found, 0))


class TestTextForms:
    @pytest.mark.parametrize("form", ["table", "markdown", "latex"])
    @pytest.mark.parametrize("copies", [1, 3])
    def test_formats_print_every_rung(self, model, form, copies):
        result = run("certify", *[model] * copies, "--format", form)
        assert result.exit_code == 0
        for name in ("published", "repaired", "sharp", "scale", "margin", "CERTIFIED"):
            assert name in result.stdout
        assert "groups" in result.stdout  # narrow headers break margin-groups at its hyphen

    @pytest.mark.parametrize("form", ["table", "markdown", "latex"])
    @pytest.mark.parametrize("copies", [1, 2])
    def test_what_a_file_says_is_not_obeyed_by_a_terminal(self, tmp_path, form, copies):
        said = "\x1b[2J\x1b[31m\rCERTIFIED: \u202e\n"
        path = tmp_path / f"{said}.safetensors"
        record = Metadata(task=said, m=400, T=6, gate="softplus", embedding="trained", extra={"shift": said})
        write(path, weights(), record)
        result = run("certify", *[path] * copies, path.with_name(f"{said}.missing"), "--format", form)
        assert result.exit_code == 2 and "no such file" in result.stderr
        for text in (result.stdout, result.stderr):
            assert "[31m" in text and all(line.isprintable() for line in text.split("\n"))
        assert result.stderr.count("\n") == 1

    def test_a_narrow_console_cuts_no_number(self, model):
        found = [rung["value"] for rung in document("certify", model)["rungs"]]
        values = ["refused" if value is None else decimal_string(arb(value)) for value in found]
        shown = run("certify", *[model] * 3).stdout
        assert all(shown.count(value) >= 3 for value in values)

    def test_groups_are_shown(self, tmp_path):
        slow = weights(d=6, N=4)
        A = slow.A - 3
        A[2, 1] = -1e-4
        path = tmp_path / "slow.safetensors"
        write(path, replace(slow, A=A), Metadata(m=10**5, T=400, gate="softplus", embedding="fixed"))
        found = document("certify", path)
        rung = next(rung for rung in found["rungs"] if rung["rung"] == "margin-groups")
        assert found["rungs"][-1]["rung"] == found["best"]["rung"] == "pac-bayes"
        assert [group["items"] for group in rung["details"]["groups"]["rows"]] == [1, 3]
        assert found["class"]["groups"] == rung["details"]["groups"]
        assert [step["source"] for step in found["trace"]["pac-bayes"]] == ["theory.md 8.3"] * 4
        shown = run("certify", path, "--format", "markdown").stdout
        assert "decay groups A 1+" in shown and "vocabulary constants" not in shown
        words = run("certify", path, "--inputs", "vocabulary", "--format", "markdown").stdout
        assert "vocabulary constants" in words
        assert document("certify", path, "--inputs", "vocabulary")["class"]["v_product"] > 0

    def test_groups_that_do_not_pay_are_shown_as_such(self, tmp_path):
        path = tmp_path / "even.safetensors"
        write(path, replace(weights(), A=np.full((3, 2), -0.5)), Metadata(m=1000, T=6, gate="softplus"))
        shown = run("certify", path, "--embedding", "fixed", "--format", "markdown").stdout
        assert shown.count("one decay group (no split pays); no better than") == 2

    def test_out_writes_the_file(self, model, tmp_path):
        for form in ("table", "json", "markdown", "latex"):
            out = tmp_path / f"report.{form}"
            result = run("certify", model, "--format", form, "--out", out)
            assert result.exit_code == 0 and result.stdout == ""
            assert "margin" in out.read_text()

    def test_certified_risk_stands_beside_the_test_error(self, model, data):
        shown = " ".join(run("certify", model, "--data", data).stdout.split())
        assert "the error rate of the model" in shown and "holdout" in shown

    def test_automatic_margin(self, model, data):
        found = document("certify", model, "--data", data, "--margin", "auto")
        assert found["setting"]["loss"]["margin"] != 1.0


BAD = {
    "no m": (["--T", "5"], "give --m"),
    "no T": (["--m", "5"], "give --T"),
    "plain cross-entropy": (["--m", "5", "--T", "5", "--loss", "cross-entropy"], "unbounded"),
    "no clip": (["--m", "5", "--T", "5", "--loss", "clipped-ce"], "--clip"),
    "vocabulary and trained": (["--m", "5", "--T", "5", "--inputs", "vocabulary", "--embedding", "trained"], "convex"),
    "auto without data": (["--m", "5", "--T", "5", "--margin", "auto"], "--data"),
    "test without data": (["--m", "5", "--T", "5", "--test", "x.npz"], "--data"),
    "bound with embedding": (["--m", "5", "--T", "5", "--input-bound", "2"], "embedding"),
    "missing data": (["--m", "5", "--T", "5", "--data", "absent.npz"], "absent.npz"),
}


def test_the_rows_are_hashed_once_for_all_models_of_a_command(tmp_path, model, data, monkeypatch):
    paths = [tmp_path / f"{i}.safetensors" for i in range(3)]
    for i, path in enumerate(paths):
        write(path, weights(seed=i), read(model).metadata)
    hashed, hashes = [], rows.row_hashes
    monkeypatch.setattr(rows, "row_hashes", lambda x: hashed.append(len(x)) or hashes(x))
    assert run("certify", *paths, "--data", data).exit_code == 0
    with np.load(data) as found:
        assert hashed == [len(found[name]) for name in ("x_train", "x_test") if name in found]


def test_what_is_loaded_is_no_garbage_between_two_files(tmp_path, model, monkeypatch):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    document("certify", model)
    assert not frozen, "one file is soon done"
    document("certify", model, model)
    assert frozen == [True]


def test_numbers_are_rounded_outward():
    third = arb(1) / 3
    assert Fraction(number(third)) > Fraction(1, 3) > Fraction(number(third, "lower"))
    assert decimal_string(third, 3) == "0.334" and decimal_string(-third, 3) == "-0.333"
    assert decimal_string(arb(10) ** 500, 3) in ("1e+500", "1.01e+500")
    assert number(arb(10) ** 500, "lower").startswith("9.9999")


def test_the_probability_is_not_rounded_up(model):
    for delta, shown in (("0.05", "0.95"), ("1e-11", "0.99999999999"), ("1e-14", "0.999999999999")):
        text = run("certify", model, "--delta", delta, "--format", "markdown").stdout
        assert f"probability at least {shown} over" in text


def test_a_gate_taken_by_default_is_a_condition(tmp_path):
    path = tmp_path / "bare.safetensors"
    write(path, weights(), Metadata(m=10, T=5, embedding="trained"))
    assert document("certify", path)["verdict"] == "CONDITIONAL"
    assert document("certify", path, "--gate", "softplus")["verdict"] == "CERTIFIED"


@pytest.mark.parametrize(("p", "code"), [(-2e4, 0), (-1e6, 2)])
def test_a_very_negative_bias(tmp_path, p, code):
    """Gates of e^{-20000} are a number; what 2^18 bits do not resolve is one line, not a traceback."""
    path = tmp_path / "far.safetensors"
    w = weights()
    far = Weights(A=w.A, W_B=w.W_B, W_C=w.W_C, q=w.q, p=p, W=w.W, embedding=w.embedding)
    write(path, far, Metadata(m=10, T=5, gate="softplus"))
    result = run("certify", path)
    assert result.exit_code == code
    assert result.stderr.count("\n") == (code == 2)


class TestBadInput:
    def test_longer_rows_than_T(self, model, tmp_path):
        long = tmp_path / "long.npz"
        np.savez(long, x_train=np.zeros((400, 7), dtype=int), y_train=np.arange(400) % 2)
        assert "above T = 6" in run("certify", model, "--data", long).stderr

    def test_test_rows_that_are_the_training_rows(self, model, tmp_path):
        x, y = np.random.default_rng(2).integers(0, 4, (400, 6)), np.arange(400) % 2
        same = tmp_path / "same.npz"
        np.savez(same, x_train=x, y_train=y, x_test=x, y_test=y)
        found = document("certify", model, "--data", same)
        (holdout,) = (rung for rung in found["rungs"] if rung["rung"] == "holdout")
        assert (
            holdout["verdict"] == "REFUSED"
            and holdout["value"] is None
            and "more than chance allows" in holdout["refusal"]
        )

    def test_overflow_is_one_line(self, tmp_path):
        path = tmp_path / "real.safetensors"
        write(path, weights(V=None), Metadata(m=10, T=5))
        result = run("certify", path, "--input-bound", "1e400")
        assert result.exit_code == 2 and result.stderr.count("\n") == 1

    @pytest.mark.parametrize("name", BAD)
    def test_one_line_and_exit_code_two(self, name, tmp_path):
        path = tmp_path / "bare.safetensors"
        write(path, weights(), Metadata())
        options, message = BAD[name]
        result = run("certify", path, *options)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""

    @pytest.mark.parametrize("value", ["0", "1", "-3", "abc", "nan", "1/0"])
    def test_delta_outside_the_unit_interval(self, model, value):
        result = run("certify", model, "--delta", value)
        assert result.exit_code == 2 and "--delta" in result.stderr and result.stderr.count("\n") == 1

    def test_contradictions_of_the_record(self, model):
        assert "contradicts the file" in run("certify", model, "--m", 399).stderr
        assert "contradicts the file" in run("certify", model, "--T", 5).stderr
        assert "contradicts the file" in run("certify", model, "--gate", "none").stderr
        assert run("certify", model, "--T", 7).exit_code == 0

    def test_rows_must_equal_m(self, model, tmp_path):
        few = tmp_path / "few.npz"
        np.savez(few, x_train=np.zeros((3, 6), dtype=int), y_train=np.array([0, 1, 0]))
        assert "m = 400, but the training data has 3 rows" in run("certify", model, "--data", few).stderr

    def test_the_good_are_printed_and_the_bad_named(self, model, tmp_path):
        broken = tmp_path / "broken.pth"
        broken.write_bytes(b"broken")
        result = run("certify", broken, model, tmp_path / "absent.pth", "--format", "json")
        assert result.exit_code == 2
        found = json.loads(result.stdout)
        jsonschema.validate(found, schema())
        assert [entry["checkpoint"]["path"] for entry in found["certificates"]] == [str(model)]
        assert [Path(entry["path"]).name for entry in found["failed"]] == ["broken.pth", "absent.pth"]
        assert len(result.stderr.splitlines()) == 2
        assert "broken.pth" in result.stderr and "absent.pth" in result.stderr

    def test_unwritable_output(self, model, tmp_path):
        result = run("certify", model, "--format", "json", "--out", tmp_path / "no" / "where.json")
        assert result.exit_code == 2 and "there is no directory" in result.stderr

    def test_no_traceback_from_a_real_process(self, tmp_path):
        broken = tmp_path / "broken.pth"
        broken.write_bytes(b"broken")
        command = [sys.executable, "-c", "from ssm_bounds.cli import main; main()", "certify", str(broken)]
        done = subprocess.run([*command, "--m", "10", "--T", "10"], capture_output=True, text=True)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1


def test_authors_models(shared):
    """The second of the issue's commands: three models in one table, s_A >= 0 among them."""
    paths = sorted((shared / "checkpoints").glob("*.pth"))
    result = run("certify", *paths, "--T", 500, "--m", 1000, "--format", "json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["certificates"]
    assert [entry["setting"]["k"] for entry in found] == [1, 10, 1]
    assert found[2]["constants"]["s_A"] > 0
    published = [entry["rungs"][0] for entry in found]
    assert all(rung["verdict"] == "REFUSED" and rung["value"] is None for rung in published)
    assert all(rung["would_be"] < 0 for rung in published)


def test_authors_listops_with_its_data(shared):
    folder = shared / "data" / "listops_T100"
    found = document(
        "certify", shared / "checkpoints" / "listops_T100_m1000_seed1.pth", "--T", 105, "--m", 1000,
        "--data", folder / "train.tsv", "--test", folder / "test.tsv",
    )  # fmt: skip
    assert found["empirical"]["train"]["n"] == 1000
    assert found["empirical"]["train"]["errors"] < 850
    assert found["rungs"][-1]["rung"] == "holdout" and found["rungs"][-1]["value"] < 0.9


def test_help_has_examples():
    assert "ssm-bounds certify" in run("certify", "--help").output
    assert "ssm-bounds train majority" in run("--help").output
    assert "0.1.0" in run("--version").output


class TestSearches:
    """--occam and --one-draw: a number with a search, and the same number without one."""

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("trained")
        model, data = folder / "model.safetensors", folder / "data.npz"
        arguments = ["--m", "200", "--T", "12", "--epochs", "3", "--out", str(model), "--save-data", str(data)]
        assert CliRunner().invoke(main, ["train", "majority", *arguments]).exit_code == 0
        return model, data

    @pytest.mark.parametrize(("flag", "name"), [("--occam", "occam"), ("--one-draw", "one-draw")])
    def test_the_saved_model_certifies_itself(self, trained, tmp_path, flag, name):
        model, data = trained
        saved = tmp_path / "saved.safetensors"
        searched = self.rung(name, str(model), "--data", str(data), flag, "--budget", "4", "--save", str(saved))
        again = self.rung(name, str(saved), "--data", str(data))
        assert searched["value"] == again["value"] < 1
        assert searched["kind"] == "risk"
        assert searched["verdict"] == ("CERTIFIED" if name == "occam" else "CONDITIONAL")
        assert searched["before_selection"] is None
        assert searched["details"]["nats"]["upper"] > 0

    def test_a_changed_model_is_not_the_recorded_one(self, trained, tmp_path):
        model, data = trained
        saved = tmp_path / "saved.safetensors"
        self.rung("one-draw", str(model), "--data", str(data), "--one-draw", "--budget", "2", "--save", str(saved))
        checkpoint = read(saved)
        weights = replace(checkpoint.weights, p=checkpoint.weights.p + 1)
        write(saved, weights, checkpoint.metadata)
        result = CliRunner().invoke(main, ["certify", str(saved), "--data", str(data)])
        assert result.exit_code == 2 and "not those that the file's record" in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--occam"], "give --data"),
            (["--certify-loss"], "needs the training data: give --data"),
            (["--data", "x.npz", "--save", "y"], "goes with one of"),
            (["--data", "x.npz", "--occam", "--one-draw", "--save", "y"], "goes with one of"),
            (["second.pth", "--data", "x.npz", "--occam"], "one checkpoint at a time"),
        ],
    )
    def test_what_makes_no_sense(self, arguments, message):
        result = CliRunner().invoke(main, ["certify", "model.pth", *arguments])
        assert result.exit_code == 2 and message in result.stderr

    @pytest.fixture(scope="class")
    @classmethod
    def coded(cls, trained, tmp_path_factory):
        """A rounded model, its data, and what the search printed of its mean loss."""
        model, data = trained
        saved = tmp_path_factory.mktemp("coded") / "saved.safetensors"
        options = ["--data", data, "--occam", "--certify-loss", "--budget", 2, "--save", saved]
        return saved, data, document("certify", model, *options)

    def test_the_mean_loss_stands_beside_the_risk(self, coded):
        saved, data, searched = coded
        found = document("certify", saved, "--data", data, "--certify-loss")
        for each in (searched, found):
            names = [rung["rung"] for rung in each["rungs"]]
            assert names.index("occam-loss") == names.index("occam") + 1
        rung, again = (next(r for r in each["rungs"] if r["rung"] == "occam-loss") for each in (searched, found))
        assert rung == again and (rung["kind"], rung["sided"], rung["verdict"]) == ("loss", "one", "CERTIFIED")
        details = rung["details"]
        assert rung["value"] == min(details["kl"]["upper"], details["wealth"]["upper"]) and rung["risk"] is None
        assert details["mean"]["upper"] < details["floor"]["lower"] < rung["value"] < 1 == details["range"]

    def test_the_mean_loss_is_compared_with_nothing(self, coded):
        saved, data, _ = coded
        without, beside = (document("certify", saved, "--data", data, *more) for more in ([], ["--certify-loss"]))
        assert without["rungs"] == [rung for rung in beside["rungs"] if rung["rung"] != "occam-loss"]
        for key in ("headline", "headline_conditional", "compared", "best", "trace", "empirical"):
            assert without[key] == beside[key]

    @pytest.mark.parametrize("form", ["table", "markdown", "latex", "html"])
    @pytest.mark.parametrize(
        ("stated", "words"),
        [
            (["--margin", "0.5"], "the mean ramp loss at margin 0.5 of the rounded model (sha256 "),
            (["--loss", "clipped-ce", "--clip", "3"], "the mean cross-entropy clipped at 3.0 of the rounded model"),
        ],
    )
    def test_every_format_says_whose_mean_loss(self, coded, form, stated, words):
        saved, data, _ = coded
        result = run("certify", saved, "--data", data, "--certify-loss", *stated, "--format", form)
        assert result.exit_code == 0, result.stderr
        text = " ".join(result.stdout.split())
        assert "occam-loss" in text and words in text and "With probability at least 0.95 over the 200" in text
        assert "usefully" in text

    @pytest.mark.parametrize(
        ("stated", "message"),
        [
            ([], "certifies a rounded model in a code, and the file records none: give --occam"),
            (["--occam", "--margin", "auto"], "--margin auto chooses the ramp with them"),
            (["--occam", "--loss", "cross-entropy"], "loss 'cross-entropy' is unbounded"),
            (["--occam", "--loss", "clipped-ce"], "needs the level c"),
        ],
    )
    def test_a_mean_loss_that_cannot_be_certified(self, trained, stated, message):
        model, data = trained
        result = run("certify", model, "--data", data, "--certify-loss", *stated)
        assert result.exit_code == 2 and message in result.stderr and not result.stdout
        assert result.stderr.count("\n") == 1

    def test_a_clipped_loss_may_stand_beside_a_chosen_margin(self, coded):
        saved, data, _ = coded
        options = ["--loss", "clipped-ce", "--clip", "2", "--certify-loss"]
        values = [
            next(r["value"] for r in document("certify", saved, "--data", data, *options, *more)["rungs"]
                 if r["rung"] == "occam-loss")
            for more in ([], ["--margin", "auto"])
        ]  # fmt: skip
        assert values[0] == values[1]

    @staticmethod
    def rung(name: str, *arguments: str):
        result = CliRunner().invoke(main, ["certify", *arguments, "--format", "json"])
        assert result.exit_code == 0, result.stderr
        return next(rung for rung in json.loads(result.stdout)["certificates"][0]["rungs"] if rung["rung"] == name)
