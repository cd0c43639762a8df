"""Tail inversions against exact sums and 50-digit values; zero tolerance on the unsound side."""

from __future__ import annotations

import math
from fractions import Fraction
from math import comb

import mpmath
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps import inversion
from ssm_bounds.bounds.gaps.inversion import binomial_upper, kl_inv
from ssm_bounds.bounds.values import DomainError


def kl(a: Fraction, x: float) -> mpmath.mpf:
    with mpmath.workdps(50):
        x = mpmath.mpf(x)
        a = mpmath.mpf(a.numerator) / a.denominator
        left = a * mpmath.log(a / x) if a else 0
        right = (1 - a) * mpmath.log((1 - a) / (1 - x)) if a < 1 else 0
        return left + right


@given(st.integers(0, 1000), st.one_of(st.floats(1e-9, 30), st.floats(1e-4, 0.3)))
@example(0, 0.5)
@example(999, 1e-6)
def test_kl_inverse(errors, b):
    a = Fraction(errors, 1001)
    found = kl_inv(a, Enclosure.point(b))
    low, high = found.float_lower(), found.float_upper()
    assert a <= high and (high == 1 or kl(a, high) > b)
    assert low < 1 and (low <= a or kl(a, low) <= b)
    assert high - low <= 1e-9


def test_kl_inverse_cannot_be_lowered():
    """At (0, b) the inverse is 1 - e^{-b}: 3 % less is not an upper end."""
    high = kl_inv(Fraction(0), Enclosure.point(0.1)).float_upper()
    assert kl(Fraction(0), 0.97 * high) < 0.1
    assert high == pytest.approx(1 - mpmath.exp(-0.1), rel=1e-12)


def test_kl_inverse_of_an_enclosure_takes_its_worst_end():
    level = Enclosure(Enclosure.point(0.1).lower, Enclosure.point(0.2).upper)
    found = kl_inv(Fraction(1, 5), level)
    assert kl(Fraction(1, 5), found.float_upper()) > 0.2
    assert kl(Fraction(1, 5), found.float_lower()) <= 0.1


def test_kl_inverse_of_everything_wrong():
    assert kl_inv(Fraction(1), Enclosure.point(0.1)).float_upper() == 1
    assert kl_inv(Fraction(3, 2), Enclosure.point(0.1)).float_upper() == 1
    assert kl_inv(Fraction(1, 3), Enclosure.point(0)).float_upper() == pytest.approx(1 / 3)
    with pytest.raises(DomainError):
        kl_inv(Fraction(1, 3), Enclosure.point(-1))


def exact_cdf(errors: int, n: int, x: Fraction) -> Fraction:
    return sum((comb(n, i) * x**i * (1 - x) ** (n - i) for i in range(errors + 1)), Fraction(0))


@given(st.integers(1, 60), st.data(), st.sampled_from([Fraction(1, 20), Fraction(1, 10**6), Fraction(1, 2)]))
def test_binomial_tail(n, data, delta):
    errors = data.draw(st.integers(0, n))
    found = binomial_upper(errors, n, delta)
    low, high = Fraction(found.float_lower()), Fraction(found.float_upper())
    assert high == 1 or exact_cdf(errors, n, high) < delta
    assert errors == n or exact_cdf(errors, n, low) >= delta
    assert high - low < Fraction(1, 10**9)


def test_binomial_tail_beyond_the_double_range():
    """Common libraries underflow here and return 0.0503 (comparators.md 0); the truth is 0.0986."""
    delta = Fraction(1, 2) ** 4328
    assert binomial_upper(1200, 60000, delta).float_upper() == pytest.approx(0.0986, abs=2e-4)


@pytest.mark.parametrize(("errors", "n", "delta"), [(0, 1, 1e-30), (999, 1000, 1e-300), (1, 2, 1e-18)])
def test_binomial_next_to_one(errors, n, delta):
    found = binomial_upper(errors, n, delta)
    high = Fraction(found.float_upper())
    assert high == 1 or exact_cdf(errors, n, high) < Fraction(delta)


def test_binomial_refuses_nonsense():
    with pytest.raises(DomainError, match="errors <= n"):
        binomial_upper(5, 4, 0.05)
    with pytest.raises(DomainError, match="delta"):
        binomial_upper(1, 4, 0.0)


@pytest.mark.parametrize("near", [0.0, 1e-300, 0.01, 0.3, 0.33, 1 / 3, 0.34, 0.999, math.nextafter(1, 0)])
@pytest.mark.parametrize("most", [1 / 3, 1e-9, 0.5, math.nextafter(1, 0)])
def test_bisection_ends_at_the_same_place_from_anywhere(near, most):
    assert inversion._largest(lambda x: x <= most, 0.0, near) == most


@given(st.integers(0, 1000), st.floats(1e-3, 30))
@settings(max_examples=30)
def test_kl_inverse_starts_near_its_end(errors, b):
    """Half of the enclosures of plain bisection at most."""
    a, seen = Fraction(errors, 1001), []
    near = inversion.kl_about(float(a), float(1 - a), b)
    inversion._largest(lambda x: seen.append(x) or kl(a, x) <= b, float(a), near)
    assert len(seen) < 25
