"""Lower bounds of theory.md 9 against exhaustive sums, and below the upper bounds of the same class."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest

from bounds import notation as sym
from bounds.blocks import coefficients, output_entropy
from bounds.chaining import dudley
from bounds.constants import DomainError, Sample
from bounds.enclose import Enclosure
from bounds.lower import ABSOLUTE_SUM, absolute_sum, ball_class
from tests.test_line_by_line import PLAIN


@pytest.mark.parametrize("m", range(1, 13))
def test_absolute_sum_is_the_mean_over_all_signs(m):
    total = sum(abs(sum(signs)) for signs in itertools.product((-1, 1), repeat=m))
    assert absolute_sum(m) == Fraction(total, 2**m) == Fraction(str(ABSOLUTE_SUM.subs(sym.m, m)))


def test_szarek_is_attained_at_two_and_cannot_be_raised():
    ratios = [absolute_sum(m) ** 2 / Fraction(m, 2) for m in range(1, 200)]
    assert min(ratios) == 1 == ratios[1]
    assert absolute_sum(2) ** 2 < Fraction(103, 100) * Fraction(2, 2)


@pytest.mark.parametrize("s_A", [-0.2, 0.0, 0.1])
def test_lower_is_below_upper(s_A):
    constants = replace(PLAIN, s_A=s_A, k=1)
    sample = Sample(500, 50)
    lower = ball_class(constants, sample)
    Z = lower.float_upper() / float(absolute_sum(500)) * 500
    upper = dudley(output_entropy(constants, coefficients(constants, 50)), lipschitz=Enclosure.point(1), c=2 * Z, m=500)
    assert lower.upper <= upper.rademacher.upper
    assert lower.float_lower() > upper.rademacher.float_upper() / 600


def test_one_output_only():
    with pytest.raises(DomainError, match="one output"):
        ball_class(PLAIN, Sample(10, 5))
    with pytest.raises(DomainError, match="m >= 1"):
        absolute_sum(0)
