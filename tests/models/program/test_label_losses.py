"""Losses of labels against sixty digits: never below, and within the units that are claimed."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, CodeLength, Ramp
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.program import label_losses as module
from ssm_bounds.models.program.label_losses import above
from tests.models.program import oracle

LOSSES = [Ramp(0.5), Ramp(3), Ramp(Fraction(1, 3)), ClippedCrossEntropy(0.7), ClippedCrossEntropy(Fraction(33, 10))]
UNIT = mpmath.mpf(2) ** -24


def lossless(loss, row, label) -> mpmath.mpf:
    """The loss of a row of float64 logits to sixty digits."""
    z = [mpmath.mpf(value) for value in row]
    leads = [z[label] - other for j, other in enumerate(z) if j != label]
    exactly = Fraction(loss.margin if loss.name == "ramp" else loss.clip)
    level = mpmath.mpf(exactly.numerator) / exactly.denominator
    if loss.name == "ramp":
        return min(mpmath.mpf(1), max(mpmath.mpf(0), 1 - min(leads) / level))
    return min(level, mpmath.log(1 + mpmath.fsum(mpmath.exp(-lead) for lead in leads)))


def second(z: list[float], label: int) -> int:
    """The units of a cross-entropy, as the page says: numbers one after another."""
    E = [round(2.0**36 * oracle.exp(value - max(z))) for value in z]
    share = (2 * E[label] - 1) / (2 * sum(E) + len(z))
    return int(np.ceil(-oracle.ln(share) * 2.0**24)) + 1


@given(
    seed=st.integers(0, 2**32),
    V=st.sampled_from([2, 5, 900]),
    loss=st.sampled_from(LOSSES),
    spread=st.sampled_from([0.0, 1e-9, 0.3, 5, 1e4]),
)
@example(0, 2, ClippedCrossEntropy(8), 3)
def test_above_is_above_and_close(seed, V, loss, spread):
    rng = np.random.default_rng(seed)
    z, y = spread * rng.normal(size=(6, V)), rng.integers(0, V, size=6)
    found, most = above(loss, z, y), 1 if loss.name == "ramp" else 3.1
    with mpmath.workdps(60):
        for value, row, label in zip(found.tolist(), z.tolist(), y.tolist(), strict=True):
            exact = lossless(loss, row, label)
            assert exact <= value < exact + most * UNIT
            units = value * 2**24
            below = value < loss.range
            assert units == int(units) if below else value < loss.range + UNIT / 2**20
            assert not below or loss.name == "ramp" or units == second(row, label)
    assert all(above(loss, z[i : i + 1], y[i : i + 1])[0] == found[i] for i in range(6))  # no value depends on a batch


def test_the_unit_pays_for_the_errors_of_exp_and_ln(monkeypatch):
    """Of any functions within 7.03e-9 and 2^-40, here those that lower a loss; a tenth of the unit is not enough."""
    loss, rng = ClippedCrossEntropy(8), np.random.default_rng(0)

    def scores(z):
        d = z - z.max(axis=1, keepdims=True)
        E = np.rint(2.0**36 * np.exp(d) * np.where(np.arange(2) == 0, 1 + 7.03e-9, 1 - 7.03e-9)).astype(np.int64)
        return E, E.sum(axis=1)

    monkeypatch.setattr(module, "probabilities", scores)
    monkeypatch.setattr(module, "ln", lambda x: np.log(x) + 2.0**-40)
    z = np.abs(rng.normal(scale=2, size=(4000, 2))) * [0, 1]  # label 0, and the other logit is the largest
    found = above(loss, z, np.zeros(4000, dtype=int)).tolist()
    with mpmath.workdps(60):
        pairs = zip(found, z.tolist(), strict=True)
        least = min((value - lossless(loss, row, 0)) / UNIT for value, row in pairs if value < 8)
    assert 0.7 < least < 0.9


def test_how_far_above_a_cross_entropy_it_can_be():
    """A loss just below 8 of 2^10 outputs, the last 1022 of which are counted twice: E is 1, and 2^36 e^d just above
    1/2. It was claimed once to be within 3 units."""
    z = np.full((1, 1024), -25.646445680717974)
    z[0, :2] = 0, -7.971105199
    (found,) = above(ClippedCrossEntropy(8), z, np.array([1])).tolist()
    with mpmath.workdps(60):
        exact = lossless(ClippedCrossEntropy(8), z[0].tolist(), 1)
        assert exact < 8 and 3.067 < (found - exact) / UNIT < 3.1


def test_what_is_not_finite_costs_the_range():
    z = np.array([[np.nan, 0.0], [np.inf, 0.0], [0.0, -np.inf], [1e308, -1e308], [-1e308, 1e308], [0.0, 60.0]])
    for loss in LOSSES:
        found = above(loss, z, np.zeros(6, dtype=int))
        assert len(set(found[[0, 1, 2, 4, 5]].tolist())) == 1
        assert found[0] >= Fraction(loss.range) > Fraction(np.nextafter(found[0], 0))
        assert 0 <= found[3] <= 2.0**-23


def test_a_probability_of_zero_costs_the_clip():
    assert above(ClippedCrossEntropy(100), np.array([[0.0, 26.0]]), np.array([0])).tolist() == [100.0]


def test_refused():
    with pytest.raises(DomainError, match="2 outputs or more"):
        above(Ramp(1), np.zeros((2, 1)), np.zeros(2, dtype=int))
    with pytest.raises(DomainError, match=r"0\.\.1"):
        above(Ramp(1), np.zeros((2, 2)), np.full(2, 2))
    with pytest.raises(TypeError, match="code length"):
        above(CodeLength(5), np.zeros((2, 2)), np.zeros(2, dtype=int))
