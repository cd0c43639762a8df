"""Decimals of any size: outward on both sides, tight to the digits shown, and never a word in the place of a number."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
from flint import arb
from mpmath import mpf

from ssm_bounds.bounds.evaluate.balls import PrecisionError, bits
from ssm_bounds.bounds.evaluate.decimals import decimal_string, number, said

LARGE = [(2, 1100), (3, 10**6), (7, 2**64 - 1), (5, 10**17 + 3), (10, 10**15), (10, 10**18 - 1), (3, 10**19)]


def power(base: int, exponent: int, sign: int = 1) -> arb:
    with bits(400):
        return sign * arb(base) ** exponent


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("side", ["upper", "lower"])
@pytest.mark.parametrize(("base", "exponent"), LARGE)
def test_beyond_the_doubles_it_is_outward_and_tight(base, exponent, side, sign):
    """Against the logarithm in 80 digits: within one unit of the last digit, on the safe side."""
    outward = sign if side == "upper" else -sign
    for digits, text in (
        (4, decimal_string(power(base, exponent, sign), side=side)),
        (17, str(number(power(base, exponent, sign), side))),
    ):
        shown, _, shift = text.partition("e")
        assert shown.startswith("-") is (sign < 0)
        with mpmath.workdps(80):
            exact = mpmath.power(10, exponent * mpmath.log10(base) - int(shift))
            # the ends of the ball, and a double in between, leave 2^-50
            ratio = abs(mpf(shown)) / exact
            assert 1 - mpf(2) ** -200 <= ratio**outward <= 1 + mpf(10) ** (1 - digits) + mpf(2) ** -50


def test_an_exponent_that_is_long_itself_is_rounded_outward():
    with bits(400):
        ends = arb(10) ** (10**22 + 1), -(arb(10) ** (10**22 + 1))
    assert [decimal_string(end, 3) for end in ends] == ["10^(1.01e+22)", "-10^(1e+22)"]
    assert [decimal_string(end, 3, "lower") for end in ends] == ["10^(1e+22)", "-10^(1.01e+22)"]
    with bits(4000):
        assert decimal_string((arb(10) ** 320).exp()) == "10^(4.343e+319)"  # log10 e = 0.43429..
    assert number(ends[0]) == "10^(1.0000000000000003e+22)"


def test_a_small_number_keeps_its_side():
    with bits(400):
        tiny = arb(1) / arb(10) ** 10**15
    assert float(decimal_string(tiny)) > 0 and decimal_string(tiny, side="lower") == "0"


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_what_is_not_finite_has_no_decimal(value):
    with pytest.raises(PrecisionError, match="not finite"):
        decimal_string(arb(value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.123456789, "0.123456789"),
        (1 + 3 * 2**-52, "1.0000000000000007"),
        (Fraction(1, 10**300), "1e-300"),
        (-(10**300), "-1e+300"),
        (Fraction(123456789, 10**9), "0.123456789"),
        (10**6, "1000000"),
        (Fraction(1, 7), "1/7"),
        (Fraction(1, 2**200), f"1/{2**200}"),
    ],
)
def test_a_constant_is_said_exactly(value, shown):
    assert said(value) == shown and Fraction(shown) == Fraction(str(value))
