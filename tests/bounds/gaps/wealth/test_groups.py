"""Rows that share a group as one unit: its loss is rounded up by less than a float64, and rows as units fail."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import binomial_upper
from ssm_bounds.bounds.gaps.wealth.groups import means
from ssm_bounds.bounds.gaps.wealth.units import floor, wealth
from ssm_bounds.bounds.values import DomainError


@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 6)), min_size=1, max_size=60))
def test_it_is_the_least_float_above_the_mean(rows):
    values, names = (np.array(each) for each in zip(*rows, strict=True))
    groups = np.unique(names, return_inverse=True)[1]
    found = means(values, groups).tolist()
    for g, mean in enumerate(found):
        own = [value for value, group in zip(values.tolist(), groups.tolist(), strict=True) if group == g]
        assert math.nextafter(mean, -math.inf) < Fraction(sum(own), len(own)) <= Fraction(mean)


def test_a_float_below_is_raised():
    """1/3 and 1/10 are rounded to either side by a division."""
    assert Fraction(1 / 3) < Fraction(1, 3) and Fraction(1 / 10) > Fraction(1, 10)
    assert means(np.array([1, 0, 0]), np.zeros(3, dtype=int))[0] == math.nextafter(1 / 3, 1)
    assert means(np.array([1] + [0] * 9), np.zeros(10, dtype=int))[0] == 1 / 10
    assert means(np.ones(7, dtype=int), np.zeros(7, dtype=int))[0] == 1


@pytest.mark.parametrize("groups", [[0, 0], [0, 0, 2], [-1, 0, 1], [[0, 1, 1]], []])
def test_outside_its_domain(groups):
    with pytest.raises(DomainError, match="groups"):
        means(np.ones(3, dtype=int), np.array(groups, dtype=int))


def chance(n: int, p: float, k: int) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def test_groups_fail_rarely_and_rows_do_not():
    """20 groups of 10 rows, all of one kind: each is wrong as a whole with probability p, and p is what is claimed.
    Counting rows as draws is a control: it fails far too often."""
    delta, n, size = Fraction(1, 10), 20, 10
    nats = Enclosure.point(Fraction(math.log(10)) + Fraction(1, 10**12))
    groups = np.repeat(np.arange(n), size)
    by_groups, by_rows = [], []
    for k in range(n + 1):
        wrong = np.repeat((np.arange(n) < k).astype(int), size)
        by_groups.append(wealth(means(wrong, groups), 1, nats).value.float_upper())
        by_rows.append(binomial_upper(size * k, size * n, delta).float_upper())
    for bounds, most in ((by_groups, delta), (by_rows, None)):
        failing = max(
            sum(chance(n, p, k) for k in range(n + 1) if bounds[k] < p) for p in (i / 200 for i in range(1, 200))
        )
        assert failing <= most if most is not None else failing > 3 * delta


def test_sizes_do_not_weigh():
    """One group of 99 rows that are right and one of a single error: the mean is 1/2."""
    wrong, groups = np.array([0] * 99 + [1]), np.array([0] * 99 + [1])
    assert means(wrong, groups).tolist() == [0.0, 1.0]


def test_near_the_floor_with_many_groups():
    """A ceiling on the slack: no group errs, and the bound is within ln 40 nats of what no bound can beat."""
    losses, nats = means(np.zeros(4000, dtype=int), np.repeat(np.arange(2000), 2)), Enclosure.point(60)
    found = wealth(losses, 1, nats).value.float_upper()
    least = floor(Fraction(0), Fraction(1), 2000, nats).float_upper()
    assert least < found < 1.07 * least
