"""Exponentials, logarithms and sums that come out the same on every machine, for searches whose results are printed.

NumPy's and the platform's own differ in their last bits between processors, versions and numbers of threads, and a
search that compares such numbers may end elsewhere. Here float64 arrays go through ``+ - * /`` and ``rint`` (correctly
rounded by IEEE 754), comparisons and shifts of the exponent, one operation at a time and in a fixed order; what is no
array goes through arb at a fixed precision. Nothing here is certified: arrays come out within about 4e-16, relative.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.balls import START_BITS, bits, exact
from ssm_bounds.bounds.values import Scalar

Floats: TypeAlias = NDArray[np.float64]
Functions: TypeAlias = ModuleType
"""This module, or NumPy itself where speed counts and no certificate comes of it: ``exp``, ``log``, ``logaddexp``."""

LN2 = 0.6931471805599453
_P = (
    0.1666666666666666,
    -0.0027777777777562864,
    6.613756470855508e-05,
    -1.6534058842837582e-06,
    4.1437096880780196e-08,
)
"""Of r (e^r + 1)/(e^r - 1) = 2 + t P(t), t = r^2, on |r| <= ln(2)/2: interpolated at Chebyshev's points, within
7e-18."""
_Q = tuple(
    map(
        float.fromhex,
        (
            "0x1.5555555555558p-1",
            "0x1.99999999952abp-2",
            "0x1.2492492df7663p-2",
            "0x1.c71c62ddb431bp-3",
            "0x1.7462b6e311a89p-3",
            "0x1.39fe16ad885a7p-3",
            "0x1.2b5bd9a316a24p-3",
        ),
    )
)
"""Of ln((1 + s)/(1 - s)) = 2 s + s z Q(z), z = s^2, on 1/sqrt 2 <= (1 + s)/(1 - s) <= sqrt 2, in the same way."""


def _arrays(*numbers: float) -> tuple[Floats, ...]:
    """Without an axis: half of a short operation's time goes into making an array of a number."""
    return tuple(map(np.array, numbers))


_LN2_HIGH, _LN2_LOW = _arrays(float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33"))
"""Of the first 32 bits: its product with an exponent is exact."""
_PER_LN2, _ROOT_HALF = _arrays(1.4426950408889634, 0.7071067811865476)
_ZERO, _HALF, _ONE, _TWO, _LOW, _HIGH, _INFINITY = _arrays(0.0, 0.5, 1.0, 2.0, -1000.0, 1000.0, np.inf)
_BY_R, _BY_S = _arrays(*_P), _arrays(*_Q)


def _polynomial(coefficients: tuple[Floats, ...], x: Floats) -> Floats:
    """By Horner's rule, lowest coefficient first."""
    *rest, before, last = coefficients
    value = last * x
    value += before
    for coefficient in reversed(rest):
        value *= x
        value += coefficient
    return value


def exp(x: Any) -> Floats:
    """``e^x`` of any shape; silently infinity above 709.78 and 0 below -745.2.

    >>> float(exp(0.0)), exp([-800.0, 800.0]).tolist()
    (1.0, [0.0, inf])
    """
    with np.errstate(all="ignore"):
        return _shaped(_exp, x)


def expm1(x: Any) -> Floats:
    """``e^x - 1`` of any shape, accurate near 0."""
    with np.errstate(all="ignore"):
        return _shaped(_expm1, x)


def log(x: Any) -> Floats:
    """``ln x`` of any shape; silently -infinity at 0 and NaN below.

    >>> log([1.0, 2.0, 0.0]).tolist()
    [0.0, 0.6931471805599453, -inf]
    """
    with np.errstate(all="ignore"):
        return _shaped(_log, x)


def log1p(x: Any) -> Floats:
    """``ln(1 + x)`` of any shape, accurate near 0: ``ln u`` for the sum u as rounded, and ``(x - (u - 1))/u``."""
    with np.errstate(all="ignore"):
        return _shaped(_log1p, x)


def logaddexp(a: Any, b: Any) -> Floats:
    """``ln(e^a + e^b)`` of shapes that broadcast."""
    with np.errstate(all="ignore"):
        top, bottom = np.maximum(a, b), np.minimum(a, b)
        gap = np.where(top == bottom, 0.0, bottom - top)  # equal infinities
        return np.asarray(top + _shaped(lambda x: _log1p(_exp(x)), gap))


def _shaped(function: Callable[[Floats], Floats], x: Any) -> Floats:
    """A function of arrays in one axis, of any shape."""
    values = np.asarray(x, dtype=np.float64)
    found: Floats = function(values.reshape(-1)).reshape(values.shape)[()]
    return found


# of arrays in one axis, which they leave as they are; in place, as most of what a short array costs is its making


def _exp(x: Floats) -> Floats:
    rest, k = _reduced(x)
    rest += _ONE
    return np.ldexp(rest, k, out=rest)


def _expm1(x: Floats) -> Floats:
    rest, k = _reduced(x)
    power = np.ldexp(1.0, k)
    return np.where(k > 100, np.ldexp(_ONE + rest, k), power * rest + (power - _ONE))


def _reduced(x: Floats) -> tuple[Floats, NDArray[np.intc]]:
    """``e^r - 1`` and k with ``x = r + k ln 2`` and ``|r| <= ln(2)/2``, for x brought into [-1000, 1000]."""
    high = np.maximum(x, _LOW)
    np.minimum(high, _HIGH, out=high)
    k = high * _PER_LN2
    np.rint(k, out=k)
    high -= k * _LN2_HIGH
    low = k * _LN2_LOW
    r = high - low
    c = r * r
    c *= _polynomial(_BY_R, c)
    np.subtract(r, c, out=c)
    r *= c
    r /= np.subtract(_TWO, c, out=c)
    low -= r
    high -= low
    return high, k.astype(np.intc)


def _log(x: Floats) -> Floats:
    f, exponent = np.frexp(x)
    small = f < _ROOT_HALF
    np.add(f, f, out=f, where=small)  # exact
    f -= _ONE
    k = np.subtract(exponent, small, dtype=np.float64)
    s = f / (f + _TWO)
    z = s * s
    half = f * _HALF
    half *= f
    z *= _polynomial(_BY_S, z)
    z += half
    s *= z
    s += k * _LN2_LOW
    half -= s
    half -= f
    k *= _LN2_HIGH
    k -= half
    if np.count_nonzero((x > _ZERO) & (x < _INFINITY)) < len(x):
        return np.where(x == 0, -np.inf, np.where(x > 0, np.where(x < np.inf, k, x), np.nan))
    return k


def _log1p(x: Floats) -> Floats:
    u = x + _ONE
    found = _log(u)
    more = u - _ONE
    np.subtract(x, more, out=more)
    more /= u
    np.add(found, more, out=found, where=(u > _ZERO) & (u < _INFINITY))
    return found


def total(values: Any, axis: int | None = None) -> Any:
    """The sum along one axis, or of all entries in order, halves added to halves. Numbers or balls.

    >>> total([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], axis=1).tolist(), float(total([1.0, 2.0, 3.0]))
    ([6.0, 15.0], 6.0)
    """
    values = np.asarray(values)
    if axis is None:
        rest = values.ravel()
    else:
        first = axis % values.ndim
        rest = values.swapaxes(0, first) if first < 2 else np.moveaxis(values, first, 0)
    count = len(rest)
    if not count:
        return np.zeros(rest.shape[1:])
    while count > 1:
        half = count // 2
        paired = rest[:half] + rest[half : 2 * half]
        if count % 2:
            paired[0] += rest[-1]
        rest, count = paired, half
    return rest[0]


def log_of(value: Scalar | arb) -> float:
    """``ln`` of one number > 0 of any size, to the nearest float64; -infinity at 0.

    >>> log_of(10**400), log_of(0)
    (921.0340371976183, -inf)
    """
    if value == 0:
        return -float("inf")
    with bits(START_BITS):
        return float(_ball(value).log().mid())


def log2_of(value: Scalar) -> float:
    """``log_2`` of one number > 0 of any size, to the nearest float64.

    >>> log2_of(2**2000), log2_of(Fraction(1, 8))
    (2000.0, -3.0)
    """
    with bits(START_BITS):
        shift = _exponent(value)
        return float(shift + ((_ball(value) * arb(2) ** -shift).log() / arb(2).log()).mid())


def exp_of(value: float) -> float:
    """``e^value`` of one number, to the nearest float64; infinity beyond the range.

    >>> exp_of(1.0)
    2.718281828459045
    """
    with bits(START_BITS):
        return float(arb(value).exp().mid())


def softplus_of(value: float) -> float:
    """``ln(1 + e^value)`` of one number, within a rounding of the sum of ``max(value, 0)`` and the rest."""
    with bits(START_BITS):
        return max(value, 0.0) + float((-abs(arb(value))).exp().log1p().mid())


def _ball(value: Scalar | arb) -> arb:
    return value if isinstance(value, arb) else exact(value)


def _exponent(value: Scalar) -> int:
    ratio = Fraction(value)
    return ratio.numerator.bit_length() - ratio.denominator.bit_length()
