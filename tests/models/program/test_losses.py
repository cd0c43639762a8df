"""Losses of tokens against exact arithmetic: never below the true code length, and two units above it at most."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import bits, exact
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.program import losses as module
from ssm_bounds.models.program.losses import Smoothed, probabilities
from tests.models.program import oracle

ALPHAS = [Fraction(1, 2**j) for j in range(1, 9)]


def scores(z: list[float]) -> list[int]:
    return [round(2.0**36 * oracle.exp(value - max(z))) for value in z]


def units(p: Fraction) -> arb:
    """``-log2 p`` over 2^-24, a point where p is a power of two."""
    if p.numerator == p.denominator.bit_count() == 1:
        return arb((p.denominator.bit_length() - 1) << 24)
    with bits(200):
        return -exact(p).log() / arb(2).log() * 2**24


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    V = int(rng.integers(2, 90))
    return rng.normal(scale=rng.choice([0.0, 0.1, 3.0, 40.0, 900.0]), size=(6, V)), rng.integers(0, V, 6)


@given(st.integers(0, 10**6))
def test_probabilities_are_those_of_the_definition(seed):
    z, _ = draw(seed)
    E, S = probabilities(z)
    assert E.tolist() == [scores(row) for row in z.tolist()]
    assert S.tolist() == [sum(row) for row in E.tolist()] and (E.max(axis=1) == 2**36).all()


def test_the_largest_sum_is_exact():
    E, S = probabilities(np.zeros((1, 2**17)))
    assert S[0] == 2**53 == sum(E[0].tolist())
    assert Smoothed(2**17, Fraction(1, 2)).losses(np.zeros((1, 2**17)), np.array([3]))[0].tolist() == [17 * 2**24 + 1]


@given(st.integers(0, 10**6), st.sampled_from(ALPHAS))
@example(0, Fraction(1, 2**16))
@example(1530, Fraction(1, 2))
def test_a_loss_is_at_least_the_code_length(seed, alpha):
    z, y = draw(seed)
    V = z.shape[1]
    smoothed = Smoothed(V, alpha)
    found, _ = smoothed.losses(z, y)
    assert found.dtype == np.int64
    for row, label, loss in zip(z.tolist(), y.tolist(), found.tolist(), strict=True):
        E = scores(row)
        true = units((1 - alpha) * Fraction(E[label], sum(E)) + alpha / V)
        assert true <= loss and loss - true < 2.001
        value = oracle.ln((1 - float(alpha)) * (E[label] / sum(E)) + float(alpha) / V) * -1.4426950408889634
        assert loss == min(max(math.ceil(value * 2**24) + 1, smoothed.span.low), smoothed.span.high)
        assert smoothed.span.low <= loss <= smoothed.span.high


@given(st.integers(0, 10**6), st.sampled_from(ALPHAS))
def test_what_the_model_expects_is_the_sum_as_defined(seed, alpha):
    z, y = draw(seed)
    V = z.shape[1]
    smoothed = Smoothed(V, alpha)
    _, found = smoothed.losses(z, y)
    for row, expected in zip(z.tolist(), found.tolist(), strict=True):
        E = scores(row)
        p = [a / sum(E) for a in E]
        length = [oracle.ln((1 - float(alpha)) * a + float(alpha) / V) * -1.4426950408889634 for a in p]
        total = sum(round(2.0**24 * a) * round(2.0**16 * b) for a, b in zip(p, length, strict=True))
        assert expected == min(max((total + 2**15) // 2**16, smoothed.span.low), smoothed.span.high)
        mean = sum(Fraction(a, sum(E)) * Fraction(b) for a, b in zip(E, length, strict=True)) * 2**24
        assert abs(expected - mean) < 2**10 * V  # no accuracy is promised: of the size of 2^-16 bits


@pytest.mark.parametrize("V", [2, 3, 79, 256, 50280, 2**17])
@pytest.mark.parametrize("alpha", [*ALPHAS, Fraction(1, 2**16)])
def test_ends_of_the_range_are_rounded_outward_by_one_unit_at_most(V, alpha):
    smoothed = Smoothed(V, alpha)
    a, b = units(1 - alpha + alpha / V), units(alpha / V)
    assert smoothed.span.low <= a < smoothed.span.low + 1.001
    if V & (V - 1):
        assert smoothed.span.high - 1.001 < b <= smoothed.span.high
    else:
        assert smoothed.span.high == int(math.log2(V / alpha)) << 24


def test_powers_of_two_have_no_room_to_err():
    """p = 1/2 of two symbols is one bit at any alpha, exactly: rounding up alone would rest on a last bit."""
    loss, expected = Smoothed(2, Fraction(1, 4)).losses(np.zeros((1, 2)), np.array([0]))
    assert loss.tolist() == [2**24 + 1] and expected.tolist() == [2**24]


def test_the_unit_pays_for_an_error_of_ln(monkeypatch):
    """Any logarithm within 2^-40, here one that is too large by as much, leaves the loss an upper bound."""
    monkeypatch.setattr(module, "ln", lambda x: np.log(x) + 2.0**-40)
    for seed in range(20):
        z, y = draw(seed)
        found, _ = Smoothed(z.shape[1], Fraction(1, 4)).losses(z, y)
        for row, label, loss in zip(z.tolist(), y.tolist(), found.tolist(), strict=True):
            E = scores(row)
            assert units(Fraction(3, 4) * Fraction(E[label], sum(E)) + Fraction(1, 4) / len(E)) <= loss


def test_a_failed_position_loses_all_and_expects_it():
    smoothed = Smoothed(3, Fraction(1, 8))
    z = np.array([[0.0, 1.0, np.nan], [np.nan] * 3, [np.inf, 0.0, 0.0], [0.0, 1.0, 2.0]])
    loss, expected = smoothed.losses(z, np.zeros(4, int))
    assert loss[:3].tolist() == expected[:3].tolist() == [smoothed.span.high] * 3
    assert loss[3] < smoothed.span.high and expected[3] < smoothed.span.high


def test_logits_at_the_ends_of_the_range():
    smoothed = Smoothed(2, Fraction(1, 2))
    loss, _ = smoothed.losses(np.array([[1e308, -1e308], [1e308, -1e308]]), np.array([0, 1]))
    assert loss[0] <= smoothed.span.low + 2 and loss[1] == smoothed.span.high == 2 << 24


@pytest.mark.parametrize(
    ("V", "alpha", "message"),
    [(0, 0.5, "outputs"), (2**17 + 1, 0.5, "outputs"), (5, 1, "alpha"), (5, 0.3, "alpha"), (5, 0, "alpha"),
     (5, Fraction(1, 2**17), "alpha"), (5, -0.5, "alpha")],
)  # fmt: skip
def test_refused(V, alpha, message):
    with pytest.raises(DomainError, match=message):
        Smoothed(V, alpha)


def test_refused_inputs():
    with pytest.raises(DomainError, match=r"expected logits \(n, 5\)"):
        Smoothed(5, 0.5).losses(np.zeros((2, 4)), np.zeros(2, int))
    with pytest.raises(DomainError, match=r"0\.\.4"):
        Smoothed(5, 0.5).losses(np.zeros((2, 5)), np.array([0, 5]))
