"""Float64 numbers as what they are, integers times a power of two, and back: rounded up to the least float64 above."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ssm_bounds.bounds.values import require
from ssm_bounds.models.selective_ssm.weights import Array


def integers(array: Array) -> tuple[list[int], Fraction]:
    """The entries, exactly, as integers in one common unit, a power of two."""
    ratios = [value.as_integer_ratio() for value in array.ravel().tolist()]
    common = max(denominator for _, denominator in ratios)
    return [numerator * (common // denominator) for numerator, denominator in ratios], Fraction(1, common)


def exponent(array: Array) -> int:
    """The power of two that the largest absolute entry is next below."""
    return int(np.frexp(max(array.max(), -array.min()))[1])


def square(array: Array) -> Fraction:
    """``sum x^2``, exactly."""
    numerators, unit = integers(array)
    return sum(x * x for x in numerators) * unit**2


def sqrt_up(square: Fraction) -> float:
    """The least float64 that is at least the square root: a root of over 64 bits, rounded up, then again to 53."""
    shift = max(0, 66 + (square.denominator.bit_length() - square.numerator.bit_length()) // 2)
    root = math.isqrt(max(0, math.ceil(square * 4**shift) - 1)) + 1 if square else 0
    return round_up(Fraction(root, 2**shift))


def round_up(exact: Fraction) -> float:
    """The least float64 that is at least ``exact``; the division of integers is correctly rounded to the nearest.

    Raises: DomainError beyond the largest.
    """
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = math.inf
    rounded = nearest if nearest >= exact else math.nextafter(nearest, math.inf)
    require(rounded < math.inf, "a norm of these weights exceeds the largest float64, 1.8e308; rescale the model")
    return rounded
