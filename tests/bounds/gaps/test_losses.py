"""Ranges, Lipschitz constants (tight) and values of the losses."""

from __future__ import annotations

import math
from fractions import Fraction

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


def test_losses_in_words():
    assert Ramp(1).words == "ramp loss at margin 1.0"
    assert ClippedCrossEntropy(Fraction(7, 2)).words == "cross-entropy clipped at 3.5"


@pytest.mark.parametrize(
    ("given", "shown"),
    [(1, "1.0"), (0.1, "0.1"), (Fraction(1, 10), "0.1"), (Fraction(1, 3), "1/3")],
)
def test_a_margin_is_said_as_it_is(given, shown):
    assert Ramp(given).words == f"ramp loss at margin {shown}"
    assert ClippedCrossEntropy(given).words == f"cross-entropy clipped at {shown}"
