"""Averages through several blocks: the rules by hand, never below what members reach, and each constant needed."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.architectures.lti.deep import (
    GELU,
    RELU,
    Contraction,
    affine,
    average,
    pointwise,
    residual,
    system,
)
from ssm_bounds.bounds.evaluate.balls import bits
from ssm_bounds.bounds.values import DomainError


def test_rules():
    block = affine(2, 3).then(pointwise(RELU)).then(affine(Fraction(1, 2), 1))
    assert block == Contraction(2, 4)  # 2, then 2, then 1/2; 3 -> 6 -> 3 + 1
    assert residual(-Fraction(1, 2), block) == Contraction(Fraction(5, 2), 4)
    assert system(4).then(block) == Contraction(8, 4)
    found = average(residual(1, system(3).then(pointwise(1))), h2=2, inputs=5, readout=Fraction(1, 2), m=100)
    assert found.lower <= 3.5 <= found.upper  # (1/2)(1 + 2 . 3) 2 . 5/10


def test_depth_multiplies():
    one = residual(1, system(2).then(pointwise(RELU)).then(affine(3)))
    assert one.gain == 13 and one.then(one).gain == 169 and one.then(one).offset == 0


def test_the_slope_of_gelu():
    """Phi(x) + x phi(x) is largest at sqrt 2, where its derivative (2 - x^2) phi(x) is 0."""
    with bits(128):
        root = arb(2).sqrt()
        largest = (1 + (root / arb(2).sqrt()).erf()) / 2 + root * (-arb(1)).exp() / (2 * arb.pi()).sqrt()
        assert largest < arb(GELU.numerator) / GELU.denominator < largest * 1.00001


def exact(outputs: np.ndarray) -> float:
    """``E sup |(1/m) sum_i sigma_i z_i|_inf`` over members, all signs: outputs (members, m, entries)."""
    m = outputs.shape[1]
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=m)))
    return float(np.abs(np.einsum("si,kie->ske", signs, outputs)).max(axis=(1, 2)).mean()) / m


class TestBlocks:
    """Both sides exactly, for finite sets of members."""

    @given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 3))
    def test_each_block(self, seed, m, e):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(6, m, e)) * rng.choice([0.1, 1.0, 3.0])
        before, slack = exact(z), 1 + 1e-12
        W, b = rng.normal(size=(4, e, e)), rng.normal(size=(4, e))
        moved = np.concatenate([z @ each.T + shift for each, shift in zip(W, b, strict=True)])
        rule = affine(float(np.abs(W).sum(axis=2).max()), float(np.abs(b).max()))
        assert exact(moved) <= (rule.gain * before + rule.offset / math.sqrt(m)) * slack
        assert exact(np.maximum(z, 0)) <= pointwise(RELU).gain * before * slack
        rest = residual(0.5, pointwise(RELU))
        assert exact(0.5 * z + np.maximum(z, 0)) <= rest.gain * before * slack

    def test_a_gain_is_attained(self):
        z = np.array([[[1.0], [1.0]]])
        assert exact(3 * z) == pytest.approx(3 * exact(z))

    def test_an_offset_is_attained_by_one_row(self):
        assert exact(np.array([[[2.0]]])) == 2.0 == affine(0, 2).offset

    def test_the_slack_of_a_rectifier_is_recorded(self):
        """Two members on two rows come out as large as they went in: of the proven 2 at most half is needed here."""
        z = np.array([[[1.0], [-1.0]], [[-1.0], [1.0]]])
        assert exact(np.maximum(z, 0)) / exact(z) == 1.0 == pointwise(RELU).gain / 2


def test_a_whole_model_is_below():
    """Random members of w relu(W (h * u)): what they reach with all signs is below the bound, by less than 8."""
    rng = np.random.default_rng(0)
    m, T, e = 6, 4, 2
    u = rng.normal(size=(m, T))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    found = []
    for _ in range(4000):
        h = rng.normal(size=(e, T))
        h /= np.linalg.norm(h, axis=1, keepdims=True)
        W = rng.normal(size=(e, e))
        W /= np.abs(W).sum(axis=1, keepdims=True)
        w = rng.normal(size=e)
        w /= np.abs(w).sum()
        found.append(np.maximum(u @ h.T @ W.T, 0) @ w)
    bound = average(affine(1).then(pointwise(RELU)), h2=1, inputs=1, readout=1, m=m).float_upper()
    assert bound / 8 < exact(np.array(found)[:, :, None]) <= bound


@pytest.mark.parametrize("bad", [-1, math.inf, math.nan, True])
def test_what_is_no_gain(bad):
    with pytest.raises(DomainError):
        Contraction(bad)
    with pytest.raises(DomainError):
        average(Contraction(1), h2=bad, inputs=1, readout=1, m=1)
