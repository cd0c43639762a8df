"""The identity on models of theory 1, within proven radii; and what breaks it, which is far outside of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ssm_bounds.models.files.checkpoint import read
from ssm_bounds.models.selective_ssm.earlier import run
from ssm_bounds.models.selective_ssm.four_points import FourPoints, compared, four_points, joined
from ssm_bounds.models.selective_ssm.radius import of_logits, radius
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.quadruples import Quadruples, cut, drawn
from ssm_bounds.models.tasks.task import Split
from tests.ssm_bounds.cli.test_cli import weights

IMDB, LISTOPS, MAJORITY = "imdb_T500_m25000_seed1", "listops_T100_m1000_seed1", "majority_T200_m1000_seed1"


def checkpoint(shared, name) -> Weights:
    return read(shared / "checkpoints" / f"{name}.pth").weights


def require_identity(found: FourPoints, count: int, *, moved: float) -> None:
    """Within rounding everywhere, with radii that leave no room for anything else, while order does move logits."""
    assert (found.quadruples, found.beyond, found.open) == (count, 0, 0)
    assert found.residual <= 1e-11 and found.radius <= 1e-7
    assert found.moved >= moved


class TestAuthors:
    @pytest.mark.parametrize("convention", ["code", "paper"])
    @pytest.mark.parametrize(("name", "moved"), [(IMDB, 1.5), (LISTOPS, 1.0), (MAJORITY, 0.5)])
    def test_on_random_tokens(self, shared, name, moved, convention):
        found = checkpoint(shared, name)
        assert found.V is not None
        require_identity(four_points(found, drawn(found.V, 2000, 1), convention=convention), 2000, moved=moved)

    @pytest.mark.parametrize(
        ("name", "data", "moved"),
        [(LISTOPS, "listops_T100/train.tsv", 0.5), (MAJORITY, "majority_T200_seed1.npz", 0.01)],
    )
    def test_on_their_rows(self, shared, name, data, moved):
        x = read_task(shared / "data" / data).train.x
        require_identity(four_points(checkpoint(shared, name), cut(x, 1000, 1)), 1000, moved=moved)


class TestModels:
    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize(("gate", "convention"), list(itertools.product(("softplus", "none"), ("code", "paper"))))
    def test_any_weights_gate_and_convention(self, gate, convention, seed):
        model = weights(d=3, N=2, k=1 + seed, V=5, seed=seed)
        A = model.A * np.array([1, -0.1])  # one state grows
        model = Weights(A, model.W_B, model.W_C, model.q, model.p, model.W, model.embedding)
        found = four_points(model, drawn(5, 200, seed), gate=gate, convention=convention)
        require_identity(found, 200, moved=1e-3)

    def test_real_inputs(self):
        x = np.random.default_rng(0).normal(size=(50, 9, 3))
        require_identity(four_points(weights(V=None), cut(x, 200, 0)), 200, moved=1e-3)

    def test_a_model_that_overflows_is_counted_apart(self):
        model = weights(V=3)
        wild = Weights(model.A + 500, model.W_B, model.W_C, model.q, model.p, model.W, model.embedding)
        found = four_points(wild, drawn(3, 20, 0))
        assert found.open == found.quadruples == 20 and found.residual == found.moved == 0

    def test_the_radius_of_a_logit_is_that_of_its_margin(self):
        model, rng = weights(V=6), np.random.default_rng(0)
        split = Split(rng.integers(0, 6, (20, 8)), rng.integers(0, 2, 20))
        found = run(model, split)
        assert np.array_equal(of_logits(found)[:, 0], radius(found, split.y))


def recurrence(x, *, mean=False, normalised=False, mixing=False, position=False, layers=1):
    """A small linear recurrence on tokens (n,T), with one thing that the identity does not cover."""
    rng = np.random.default_rng(0)
    V, N = 5, 3
    E, g, C = -rng.uniform(0.1, 1, (layers, V, N)), rng.normal(size=(V, N)), rng.normal(size=(V, N))
    turn = np.eye(N) + 0.3 * rng.normal(size=(V, N, N)) if mixing else None
    T = x.shape[1]
    z, seen = np.zeros((len(x), N)), []
    inputs = g[x]
    for layer in range(layers):
        z, seen = np.zeros((len(x), N)), []
        for t in range(T):
            u = x[:, t]
            step = E[layer, u] * (10 / T if normalised else 1) + (0.05 * t if position else 0)
            z = (np.einsum("nij,nj->ni", turn[u], z) if turn is not None else np.exp(step) * z) + inputs[:, t]
            seen.append(z * C[u])
        if layer + 1 < layers:
            inputs = np.stack(seen, axis=1)
    read = np.stack(seen).mean(axis=0) if mean else seen[-1]
    return read.sum(axis=1)[:, None]


class TestControls:
    """Logits of other models, under a radius as that of the program."""

    def beyond(self, batch: Quadruples, **changes) -> FourPoints:
        z = np.stack([recurrence(x, **changes) for x in batch.sequences()])
        return compared(z, 1e-9 * np.abs(z))

    @pytest.mark.parametrize(
        "changes", [{"mean": True}, {"normalised": True}, {"mixing": True}, {"position": True}, {"layers": 2}], ids=str
    )
    def test_each_hypothesis_is_needed(self, changes):
        (batch,) = drawn(5, 300, 0)
        assert self.beyond(batch, **changes).beyond > 250

    def test_the_recurrence_itself_is_covered(self):
        (batch,) = drawn(5, 300, 0)
        found = self.beyond(batch)
        assert found.beyond == 0 and found.residual < 1e-11 < 0.1 < found.moved

    def test_a_clock_normalised_by_the_length_needs_two_lengths(self):
        x = np.random.default_rng(0).integers(0, 5, (200, 12))
        (batch,) = cut(x, 300, 0)
        assert self.beyond(batch, normalised=True).beyond == 0

    def test_another_last_token_is_not_covered(self):
        """Without the suffix, and with blocks that end in another token than their reversals."""
        (batch,) = drawn(5, 300, 0)
        z = []
        for x in batch.sequences():
            shorter = [row[None, : len(row) - end] for row, end in zip(x, batch.block[:, 1], strict=True)]
            z.append([(recurrence(row)[0, 0], row[0, -1]) for row in shorter])
        logits, last = np.moveaxis(np.array(z), -1, 0)
        differ = last[0] != last[1]
        z = logits[:, differ, None]
        assert differ.sum() > 200 and compared(z, 1e-9 * np.abs(z)).beyond > 0.9 * differ.sum()


class TestCompared:
    def test_numbers(self):
        z = np.array([[4.0, 0.0], [1.0, 0.0], [2.0, 0.0], [-1.0, 0.5]]).reshape(4, 1, 2)
        found = compared(z, np.zeros_like(z))
        assert found.residual == 0.5 / 4 and found.beyond == 1
        assert 0.75 * (1 - 1e-12) <= found.moved <= 0.75

    def test_a_residual_within_the_radii_is_not_beyond(self):
        z = np.array([1.0, 0.0, 0.0, -1.0 + 2.0**-40]).reshape(4, 1, 1)
        for share, beyond in ((0.24, 1), (0.26, 0)):
            assert compared(z, np.full_like(z, share * 2.0**-40)).beyond == beyond

    def test_what_moved_is_a_lower_bound(self):
        z = np.array([1.0, 0.5, 1.0, 0.5]).reshape(4, 1, 1)
        found = compared(z, np.full_like(z, 0.25))
        assert found.moved == 0  # every value from 0.25 on may be the same
        assert 0.3 < compared(z, np.full_like(z, 0.05)).moved <= 0.4 / 1.05

    def test_radii_as_large_as_the_logits_tell_nothing(self):
        """Ten in all where the largest logit is 10: open; a percent less, and the quadruple counts."""
        z = np.array([10.0, 1.0, 2.0, 0.0]).reshape(4, 1, 1)
        assert compared(z, np.full((4, 1, 1), 2.5)).open == 1
        assert compared(z, np.full((4, 1, 1), 2.475)).open == 0
        assert compared(np.zeros((4, 1, 1)), np.zeros((4, 1, 1))).open == 0

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e305])
    def test_what_is_not_finite_or_huge_is_counted_apart(self, bad):
        z = np.array([[4.0, bad], [1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]]).reshape(4, 2, 1)
        within = np.zeros_like(z)
        found = compared(z, within)
        assert (found.quadruples, found.open, found.beyond, found.residual) == (2, 1, 0, 0)
        within[2, 0] = bad
        assert compared(z, within).open == 2

    def test_zeros_have_no_order(self):
        found = compared(np.zeros((4, 3, 2)), np.zeros((4, 3, 2)))
        assert (found.residual, found.moved, found.beyond, found.open) == (0, 0, 0, 0)

    def test_batches_are_joined(self):
        parts = [FourPoints(2, 1e-15, 1e-12, 0.5, 0, 1), FourPoints(3, 1e-16, 1e-11, 0.7, 1, 0)]
        assert joined(parts) == FourPoints(5, 1e-15, 1e-11, 0.7, 1, 1)
        assert joined([]).quadruples == 0
