"""What order a file cannot see: what is said, what is refused and by which hypothesis, and rows that cost errors."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.order import HYPOTHESES
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import classifier
from ssm_bounds.models.files.checkpoint import Metadata, read, write
from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.selective_ssm import four_points as module
from ssm_bounds.models.selective_ssm.earlier import run
from ssm_bounds.models.tasks.task import Split, Task, TaskError
from ssm_bounds.order import MET, HypothesisError, IdentityError, order
from ssm_bounds.report.order import document
from tests.conftest import ROOT
from tests.models.files.test_classifier import saved
from tests.ssm_bounds.cli.test_cli import weights

TAPS = Design(V=3, pooling="last")


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    write(path, weights(V=60), Metadata(gate="none", convention="paper"))
    return path


def asking(k: int = 1) -> Task:
    """Context xor order: 40 complete quadruples, and as many rows that ask for nothing."""
    rng = np.random.default_rng(2)
    rows, labels = [], []
    for _ in range(40):
        noise = rng.integers(4, 50, 6).tolist()
        for context, swap in itertools.product((0, 1), repeat=2):
            rows.append([context, *noise, *((3, 2) if swap else (2, 3)), 50])
            labels.append(context ^ swap)
    rows += rng.integers(4, 50, (160, 10)).tolist()
    labels += [0] * 160
    return Task("asking", Split(np.array(rows), np.array(labels)), None, k=k, V=51)


class TestReport:
    def test_of_random_tokens(self, model):
        found = order(model, quadruples=300, seed=5)
        assert found.labelled is None and found.points.quadruples == 300 and found.points.beyond == 0
        assert found.points.residual < 1e-12 < 1e-3 < found.points.moved
        assert [(fact.value, fact.evidence.value) for fact in found.facts] == [
            ("none", "recorded"), ("paper", "recorded"),
        ]  # fmt: skip
        assert found.points == order(model, quadruples=300, seed=5).points != order(model, quadruples=300).points

    def test_logits_that_cannot_be_held_to_it_are_no_success(self, tmp_path):
        path, wild = tmp_path / "wild.safetensors", weights(V=60)
        write(path, replace(wild, A=wild.A * 0 + 400.0), Metadata(gate="softplus"))
        with pytest.raises(DomainError, match="none of 100 quadruples can be held to the identity"):
            order(path, quadruples=100)

    def test_the_recorded_gate_and_convention_are_those_that_run(self, model, tmp_path):
        other = tmp_path / "other.safetensors"
        write(other, weights(V=60), Metadata(gate="softplus", convention="code"))
        bare = tmp_path / "bare.safetensors"
        write(bare, weights(V=60))
        points = [order(path, quadruples=50).points for path in (model, other, bare)]
        assert points[0] != points[1] == points[2]
        assert {fact.evidence.value for fact in order(bare, quadruples=2).facts} == {"assumed"}

    def test_rows_that_ask_for_the_opposite_cost_errors(self, model):
        found = order(model, data=asking(), quadruples=200)
        assert found.points.quadruples == 200 and found.points.beyond == 0
        assert len(found.labelled.found.rows) == 40 and found.labelled.error == Fraction(40, 320)
        # this model, in real arithmetic, is no exception
        task = asking()
        z = run(read(model).weights, task.train, gate="none", convention="paper").z[:, 0]
        for rows in found.labelled.found.rows:
            assert sum((z[row] > 0) != (task.train.y[row] == 1) for row in rows) >= 1

    def test_rows_that_do_not_cost_none(self, model):
        task = asking()
        for name, y in (("order", task.train.x[:, 7] == 3), ("context", task.train.x[:, 0] == 1)):
            other = replace(task, train=Split(task.train.x, y.astype(np.int64)))
            found = order(model, data=other, quadruples=20).labelled
            assert (found.found.rows, found.error, found.found.exhaustive) == ((), 0, True), name

    def test_real_inputs(self, tmp_path):
        path = tmp_path / "real.safetensors"
        write(path, weights(V=None))
        x = np.random.default_rng(0).normal(size=(30, 8, 3))
        found = order(path, data=Task("real", Split(x, np.arange(30) % 2), None, k=1, V=None), quadruples=50)
        assert found.points.quadruples == 50 and found.points.beyond == 0 and not found.labelled.found.rows
        with pytest.raises(DomainError, match="give --data"):
            order(path)

    def test_of_the_authors_models_and_rows(self, shared):
        found = order(
            shared / "checkpoints" / "majority_T200_m1000_seed1.pth",
            data=shared / "data" / "majority_T200_seed1.npz",
            quadruples=500,
        )
        assert found.points.quadruples == 500 and found.points.beyond == 0 and found.points.residual < 1e-12
        assert found.labelled.m == 1000 and found.labelled.found.exhaustive

    def test_every_hypothesis_is_met_for_a_reason(self):
        assert list(HYPOTHESES) == list(MET) == [f"H{i}" for i in range(1, 6)]


class TestRefusals:
    @pytest.mark.parametrize(
        ("design", "name", "why"),
        [
            (Design(V=3, layers=2), "H1", "2 layers"),
            (TAPS, "H1", "convolution of width 4"),
            (Design(V=3, mixer="mamba2", P=4, G=2, k=1), "H3", "between the scan and the output"),
            (Design(V=3, k=1, pooling="mean"), "H3", "mean over the tokens"),
            (Design(V=3, k=1, final_norm=True), "H3", "between the block and the head"),
        ],
        ids=["layers", "convolution", "gated norm", "mean", "final norm"],
    )
    def test_a_stack_is_refused_by_what_it_breaks(self, tmp_path, design, name, why):
        saved(tmp_path, design)
        with pytest.raises(HypothesisError, match=re.escape(f"outside ({name})")) as caught:
            order(tmp_path)
        assert why in str(caught.value) and HYPOTHESES[name] in str(caught.value)
        assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)

    def test_a_block_that_breaks_none_is_not_accused(self, tmp_path):
        saved(tmp_path, Design(V=3, k=1))
        with pytest.raises(HypothesisError, match="holds for this block"):
            order(tmp_path)

    @pytest.mark.parametrize("name", ["hf", "mamba_minimal.pth", "vim_flat.pth", "mamba2.bin", "jamba.safetensors"])
    def test_files_of_others(self, shared, name):
        with pytest.raises(HypothesisError, match=r"outside \(H1\)"):
            order(shared / "field" / name)

    @pytest.mark.parametrize("name", ["lru.pth", "s4d_flat.pth", "corrupt_deflate.npz", "nothing.pth"])
    def test_what_is_no_such_model_is_refused_as_everywhere(self, shared, name):
        with pytest.raises(CheckpointError, match=name):
            order(shared / "field" / name)

    def test_two_directions(self, tmp_path):
        saved(tmp_path, TAPS)
        tensors = classifier.tensors(tmp_path)
        prefix = next(name for name in tensors if name.endswith("A_log")).removesuffix("A_log")
        path = tmp_path / "two.safetensors"
        path.write_bytes(classifier.packed(tensors | {f"{prefix}A_b_log": tensors[f"{prefix}A_log"]}))
        with pytest.raises(HypothesisError, match="reads from both ends"):
            order(path)


class TestErrors:
    def test_a_program_that_computes_another_model_is_seen(self, model, monkeypatch):
        """The mean over the tokens of what the model says after each of them."""

        def mean(weights, split, **options):
            parts = [run(weights, Split(split.x[:, : t + 1], split.y), **options) for t in range(1, split.T)]
            return replace(parts[-1], z=np.mean([part.z for part in parts], axis=0))

        monkeypatch.setattr(module, "run", mean)
        with pytest.raises(IdentityError, match="exceed what rounding can make of 0"):
            order(model, quadruples=20)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"quadruples": 0}, "quadruples: expected"),
            ({"seed": -1}, "seed: expected"),
            ({"data": Task("t", Split(np.full((9, 5), 60), np.zeros(9, int)), None, k=1, V=61)}, r"0\.\.59, found 60"),
            ({"data": Task("t", Split(np.zeros((9, 5), int), np.full(9, 2)), None, k=3, V=1)}, r"labels must lie"),
            ({"data": Task("t", Split(np.zeros((9, 5), int), np.zeros(9, int)), None, k=1, V=1)}, "no row holds"),
            ({"data": Task("t", Split(np.eye(3, dtype=int), np.zeros(3, int)), None, k=1, V=2)}, "need four"),
            ({"data": Task("t", Split(np.zeros((9, 5, 3)), np.zeros(9, int)), None, k=1, V=None)}, "expected tokens"),
        ],
    )
    def test_in_one_line(self, model, arguments, said):
        with pytest.raises(DomainError, match=said) as caught:
            order(model, **arguments)
        assert "\n" not in str(caught.value)

    def test_data_that_are_none(self, model, tmp_path):
        path = tmp_path / "data.npz"
        path.write_bytes(b"PK\x03\x04 nothing")
        with pytest.raises(TaskError, match=r"data\.npz"):
            order(model, data=path)


def test_the_page_names_every_key(model):
    """Those of the document, in its order, and those inside."""
    found = document(order(model, data=asking(), quadruples=20))
    page = (ROOT / "docs" / "order.md").read_text(encoding="utf-8").split("## The JSON document")[1]
    lines = re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M)
    assert [name for name, _ in lines] == list(found)
    said = dict(lines)
    for name, value in found.items():
        inner = value[0] if isinstance(value, list) and isinstance(value[0], dict) else value
        if isinstance(inner, dict):
            assert set(re.findall(r"`(\w+)`", said[name])) == set(inner), name
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["labelled"]["quadruples"] == 40 and found["labelled"]["error_at_least"] == 0.125
    assert found["residual"]["beyond"] == 0 < found["residual"]["rounding_at_most"] < 1e-9
