"""Losses as whole multiples of 2^-24 (theory 8.11): never below the true ones, and hardly above."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.gaps.wealth.differences import difference, smoothed, span
from ssm_bounds.bounds.gaps.wealth.ticks import POWERS, Span, checked, expected, mean_above, own, own_span, total
from ssm_bounds.bounds.values import DomainError

SYMBOLS = (2, 3, 79, 256, 2**17)
EACH = pytest.mark.parametrize("k", [*POWERS, 12])


def bits(value: Fraction) -> mpmath.mpf:
    """``-log2`` to 50 digits, in units of 2^-24."""
    with mpmath.workdps(50):
        return -mpmath.log(mpmath.mpf(value.numerator) / value.denominator, 2) * 2**24


@EACH
@pytest.mark.parametrize("V", SYMBOLS)
def test_the_span_is_rounded_outward(k, V):
    found, alpha = own_span(k, V), Fraction(1, 2**k)
    low, high = bits(1 - alpha + alpha / V), bits(alpha / V)
    assert low - 1 <= found.low <= low and high <= found.high < high + 1
    assert (found.high == high) == (V.bit_count() == 1)


@EACH
@pytest.mark.parametrize("V", SYMBOLS)
def test_own_losses_are_above_the_true_ones_by_at_most_two_units(k, V):
    rng = np.random.default_rng(k * V)
    p = np.concatenate([rng.uniform(size=30), rng.uniform(size=20) ** 30, [0.0, 1.0, 2.0**-60, 1 - 2.0**-53]])
    alpha, ends = Fraction(1, 2**k), own_span(k, V)
    for value, loss in zip(p.tolist(), own(p, k, V).tolist(), strict=True):
        exact = bits((1 - alpha) * Fraction(value) + alpha / V)
        assert exact <= loss < exact + 2.01
        assert loss > exact + 0.99 or loss == ends.high  # the unit that covers the logarithm's error is there
    assert own(np.array([np.nan]), k, V).tolist() == [ends.high]


@EACH
def test_differences_are_above_the_true_ones_by_at_most_two_units(k):
    rng = np.random.default_rng(k)
    base = smoothed(rng.uniform(size=50) ** 20, 6, 79)
    p = rng.uniform(size=50) ** rng.integers(1, 40, size=50)
    p[0], p[1], base[1] = 0.0, 1.0, 2.0**-13 / 79
    alpha = Fraction(1, 2**k)
    for one, other, loss in zip(p.tolist(), base.tolist(), difference(p, base, k).tolist(), strict=True):
        exact = bits((1 - alpha) * Fraction(one) / Fraction(other) + alpha)
        assert exact <= loss < exact + 2.01 and loss <= k * 2**24
    assert difference(np.array([np.nan, 0.0]), np.ones(2), k).tolist() == [k * 2**24] * 2
    assert span(k) == Span(-4 * 2**24, k * 2**24)


def test_a_smoothed_base_is_the_mixture_with_the_uniform_law():
    assert smoothed(np.array([0.0, 1.0]), 1, 4).tolist() == [0.125, 0.625]


@given(st.integers(0, 2**32), st.integers(2, 90))
def test_expected_losses_are_about_the_mean(seed, V):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(V, 0.2), size=5)
    ends = own_span(4, V)
    losses = own(p, 4, V)
    found = expected(p, losses, ends)
    assert found == pytest.approx((p * losses).sum(axis=1), abs=2**10)
    p[2, V - 1] = np.nan
    broken = expected(p, losses, ends)
    assert broken[2] == ends.high and np.array_equal(np.delete(broken, 2), np.delete(found, 2))
    # the same for each row alone, in any batch
    assert expected(p[3:4], losses[3:4], ends)[0] == found[3]
    assert expected(p, losses + 2**30, ends).max() == ends.high


@given(st.lists(st.tuples(st.integers(-(2**50), 2**50), st.integers(1, 2**15)), min_size=1))
def test_means_of_documents_are_rounded_up(pairs):
    sums, counts = (np.array(each) for each in zip(*pairs, strict=True))
    for s, t, mean in zip(sums.tolist(), counts.tolist(), mean_above(sums, counts).tolist(), strict=True):
        assert Fraction(s, t) <= mean < Fraction(s, t) + 1


def test_sums_are_exact_beyond_64_bits():
    assert total(np.full(2**21 + 5, 2**40 - 1)) == (2**21 + 5) * (2**40 - 1)
    assert total(np.full(3 * 2**20, -(2**40) + 1)) == 3 * 2**20 * (1 - 2**40)
    assert total(np.full(9, -(2**63))) == -9 * 2**63


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Span(5, 5), "low < high"),
        (lambda: Span(0, 2**41), "below 2\\^40"),
        (lambda: own_span(0, 2), "k = 1..16"),
        (lambda: own_span(1, 1), "2 to 2\\^17 symbols"),
        (lambda: own_span(1, 2**17 + 1), "2 to 2\\^17 symbols"),
        (lambda: own(np.array([1.5]), 1, 2), r"outside \[0, 1\]"),
        (lambda: own(np.array([-1e-30]), 1, 2), r"outside \[0, 1\]"),
        (lambda: difference(np.ones(2), np.array([1.0, 0.0]), 1), "above 0 everywhere"),
        (lambda: difference(np.ones(2), np.array([1.0, np.nan]), 1), "above 0 everywhere"),
        (lambda: difference(np.ones(2), np.ones(1), 1), "as many"),
        (lambda: checked(np.zeros(2)), "int64"),
        (lambda: checked(np.zeros((2, 2), dtype=np.int64)), "int64"),
        (lambda: checked(np.zeros(0, dtype=np.int64)), "int64"),
        (lambda: checked(np.array([7]), 6), "above the range"),
        (lambda: checked(np.array([-(2**40)])), "at most -1099511627776"),
        (lambda: mean_above(np.array([1]), np.array([0])), "no symbols"),
        (lambda: expected(np.ones((1, 2)), np.ones((1, 3), dtype=np.int64), Span(0, 9)), "twice"),
    ],
)
def test_outside_its_domain(make, message):
    with pytest.raises(DomainError, match=message):
        make()
