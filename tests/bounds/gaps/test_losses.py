"""Ranges, Lipschitz constants (tight) and values of the losses."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp, make, margins
from ssm_bounds.bounds.values import DomainError

LOSSES = [Ramp(0.5), Ramp(3), ClippedCrossEntropy(0.7), ClippedCrossEntropy(4)]


@given(
    seed=st.integers(0, 2**32), k=st.sampled_from([1, 2, 5]), loss=st.sampled_from(LOSSES), spread=st.floats(0.01, 5)
)
def test_range_and_lipschitz(seed, k, loss, spread):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, max(k, 2), size=50)
    z, step = spread * rng.normal(size=(50, k)), rng.normal(size=(50, k)) * 10 ** rng.uniform(-4, 1)
    here, there = loss.values(z, y), loss.values(z + step, y)
    assert (here >= 0).all() and (here <= float(loss.range)).all()
    moved = np.linalg.norm(step, axis=1)
    assert (abs(here - there) <= float(loss.lipschitz(k)) * moved * (1 + 1e-9) + 1e-12).all()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [1, 2, 6])
def test_lipschitz_constant_is_attained(loss, k):
    """3 % less is refuted: at the edge of the ramp, or just below the clip with one competitor."""
    h = 1e-6
    if loss.name == "ramp":
        z = np.zeros((1, k)) if k == 1 else np.array([[0.0, 0.0] + [-100.0] * (k - 2)])
        z[0, 0] += float(loss.margin) / 2
    else:
        # margin t with ln(1 + e^{-t}) = c (1 - 1e-4): probability of the right class just above e^{-c}
        t = -math.log(math.expm1(float(loss.clip) * (1 - 1e-4)))
        z = np.array([[t]]) if k == 1 else np.array([[t / 2, -t / 2] + [-100.0] * (k - 2)])
    step = np.array([[h]]) if k == 1 else np.array([[h, -h] + [0.0] * (k - 2)])
    y = np.array([1 if k == 1 else 0])
    slope = abs(loss.values(z + step, y) - loss.values(z, y)).item() / np.linalg.norm(step)
    assert 0.99 * float(loss.lipschitz(k)) < slope < 1.0001 * float(loss.lipschitz(k))


def test_margins():
    z = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
    assert margins(z, np.array([0, 2])).tolist() == [1.0, -1.0]
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(DomainError, match="but the model has 3 outputs"):
            margins(z, np.array(labels))
    with pytest.raises(DomainError, match="but the model has 1 output"):
        margins(z[:, :1], np.array([0, 2]))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cross-entropy", {}, "unbounded"),
        ("hinge", {}, "unknown loss"),
        ("clipped-ce", {}, "needs the level"),
        ("clipped-ce", {"clip": 0}, "must be > 0"),
        ("ramp", {"margin": -1}, "must be > 0"),
    ],
)
def test_refusals(name, options, message):
    with pytest.raises(DomainError, match=message):
        make(name, **options)


def lossless(loss, row, label) -> mpmath.mpf:
    """The loss of a row of float64 logits to sixty digits."""
    z = [mpmath.mpf(value) for value in row]
    others = [z[label] - other for j, other in enumerate(z) if j != label] if len(z) > 1 else []
    leads = others or [z[0] if label else -z[0]]
    exactly = Fraction(loss.margin if loss.name == "ramp" else loss.clip)
    level = mpmath.mpf(exactly.numerator) / exactly.denominator
    if loss.name == "ramp":
        return min(mpmath.mpf(1), max(mpmath.mpf(0), 1 - min(leads) / level))
    return min(level, mpmath.log(1 + mpmath.fsum(mpmath.exp(-lead) for lead in leads)))


@given(
    seed=st.integers(0, 2**32),
    k=st.sampled_from([1, 2, 5]),
    loss=st.sampled_from([*LOSSES, Ramp(Fraction(1, 3)), ClippedCrossEntropy(Fraction(33, 10))]),
    spread=st.sampled_from([1e-9, 0.3, 5, 1e4]),
)
def test_above_is_above_and_close(seed, k, loss, spread):
    rng = np.random.default_rng(seed)
    z, y = spread * rng.normal(size=(20, k)), rng.integers(0, max(k, 2), size=20)
    found = loss.above(z, y)
    with mpmath.workdps(60):
        for value, row, label in zip(found.tolist(), z.tolist(), y.tolist(), strict=True):
            exact = lossless(loss, row, label)
            assert exact <= value <= exact * (1 + mpmath.mpf(2) ** -51) + mpmath.mpf(10) ** -30
    assert found == pytest.approx(loss.values(z, y), rel=1e-9, abs=1e-12)
    assert all(loss.above(z[i : i + 1], y[i : i + 1])[0] == found[i] for i in range(20))  # no value depends on a batch


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_not_finite_costs_the_range(loss):
    z = np.array([[np.nan, 0.0], [np.inf, 0.0], [0.0, -np.inf], [1e308, -1e308], [-1e308, 1e308]])
    found = loss.above(z, np.zeros(5, dtype=int))
    assert found.tolist() == [float(loss.range)] * 3 + [found[3], float(loss.range)]
    assert 0 <= found[3] < 1e-300
    with pytest.raises(DomainError, match="but the model has 2 outputs"):
        loss.above(z, np.full(5, 2))


def test_losses_in_words():
    assert Ramp(1).words == "ramp loss at margin 1.0"
    assert ClippedCrossEntropy(Fraction(7, 2)).words == "cross-entropy clipped at 3.5"
