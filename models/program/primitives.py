"""The operations of theory 8.13: the same bits on every machine with IEEE 754 arithmetic, in any batch.

Claim: each function here is a fixed function of its arguments, bit for bit, for any BLAS, number of threads, vector
width and shape of the batch. Derivation: (P) factors of a product are integers, ``|q| <= 2^B``, ``|w| <= 2^18``,
``n 2^(B + 18) <= 2^53``; so in any association every product and partial sum is an integer of modulus at most 2^53,
hence a double, and IEEE multiplication, addition and fused multiplication return it. (R) So are sums of squares.
(E) All else is one correctly rounded or exact operation a call, never contracted and never of a library for
mathematics. The sign of a zero sum is not determined: :func:`mm` adds 0.0, and no other operation lets it reach a
number that is not zero. Excluded: products that add before they multiply (Strassen), emulated float64, x87; subnormal
numbers occur, so flushing them to zero is excluded too (``selftest`` refuses).

A vector lies along axis 0, all other axes are the batch. Where a vector is not below 2^500, NaN included, its ``ok``
is false and zeros take its place in sums. Accuracies: :func:`exp` 7.03e-9, relative; :func:`ln` 2^-40, absolute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.values import require

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_PER_LN2 = float.fromhex("0x1.71547652b82fep+0")
_LN2_HIGH = float.fromhex("0x1.62e42feep-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_EXP = (1.0, 1.0, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040)
_ARTANH = tuple(1 / (2 * i + 1) for i in range(8))
_ROOT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")
_RANGE = 700.0
_SHIFT = 1.5 * 2.0**52 + 1023  # added to an integer k, it leaves k + 1023 in the lowest bits
AT_ONCE = 1 << 14
"""Numbers that go through one function together: they stay in a processor's cache. No result depends on it."""
LARGEST = 2.0**500
WEIGHT_BITS = 18
_LEAST_WEIGHT, _LEAST = -100, -300


def _in_parts(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function of numbers, one part of a large array after another; the argument is left alone."""

    @wraps(function)
    def of(x: Array) -> Array:
        x = np.ascontiguousarray(x, dtype=np.float64)
        out = np.empty_like(x)
        source, target = x.reshape(-1), out.reshape(-1)
        with np.errstate(all="ignore"):
            for start in range(0, x.size, AT_ONCE):
                target[start : start + AT_ONCE] = function(source[start : start + AT_ONCE])
        return out

    return of


def _exp(x: Array) -> Array:
    """``e^x`` of numbers of at most 700, all together; x is used up. Below -700 it is e^-700; NaN stays.

    The last line multiplies by 2^k as ldexp does: the result is a normal number, so nothing is rounded.
    """
    np.maximum(x, -_RANGE, out=x)
    k = x * _PER_LN2
    np.rint(k, out=k)
    x -= k * _LN2_HIGH
    x -= k * _LN2_LOW
    t = x * _EXP[7]
    t += _EXP[6]
    for c in _EXP[5::-1]:
        t *= x
        t += c
    k += _SHIFT
    bits = k.view(np.int64)
    bits <<= 52
    t *= k
    return t


def _artanh2(q: Array) -> Array:
    """``2 artanh(q)``; q is used up."""
    square = q * q
    t = square * _ARTANH[7]
    t += _ARTANH[6]
    for c in _ARTANH[5::-1]:
        t *= square
        t += c
    q *= 2.0
    t *= q
    return t


@_in_parts
def exp(x: Array) -> Array:
    """``e^x`` of x brought into [-700, 700].

    >>> exp(np.array([0.5])).item().hex()
    '0x1.a61298e179000p+0'
    """
    return _exp(np.minimum(x, _RANGE))


def falling_exp(x: Array) -> Array:
    """:func:`exp` of numbers of at most 0; x is used up."""
    if x.size <= 2 * AT_ONCE:
        return _exp(x)
    return exp(x)


@_in_parts
def softplus(x: Array) -> Array:
    """``ln(1 + e^x) = max(x, 0) + 2 artanh(s/(2 + s))``, s = e^-|x|.

    >>> softplus(np.array([0.0])).item().hex()
    '0x1.62e42fe6f2dc4p-1'
    """
    s = _exp(-np.abs(x))
    total = _artanh2(s / (2.0 + s))
    total += np.maximum(x, 0.0)
    return total


@_in_parts
def silu(x: Array) -> Array:
    """``x / (1 + e^-x)``.

    >>> silu(np.array([3.0])).item().hex()
    '0x1.6dc9d8d2a3efep+1'
    """
    e = _exp(-np.abs(x))
    value = np.where(x >= 0, 1.0, e)
    value *= x
    e += 1.0
    value /= e
    return value


@_in_parts
def ln(x: Array) -> Array:
    """``ln x`` of positive finite numbers.

    >>> ln(np.array([0.5])).item().hex()
    '-0x1.62e42fefa39efp-1'
    """
    f, e = np.frexp(x)
    small = f < _ROOT_HALF
    f = np.where(small, f + f, f)
    k = (e - small).astype(np.float64)
    total = _artanh2((f - 1.0) / (f + 1.0))
    total += k * _LN2_LOW
    total += k * _LN2_HIGH
    return total


def log2_ceiling(n: int) -> int:
    """The least k with ``2^k >= n``, n >= 1."""
    return (n - 1).bit_length()


def ints(x: Array, bits: int, least: int) -> tuple[Array, NDArray[np.int32], Flags]:
    """Integers q (n,...), exponents e (...) and ``ok`` (...) of vectors x (n,...): x is about ``q 2^(e - bits)``.

    ``|q| <= 2^bits``: x lies below 2^e, and what is next to it may round to 2^bits itself. ``least`` bounds e below.
    """
    with np.errstate(all="ignore"):
        largest = np.abs(x).max(axis=0)
        ok = largest < LARGEST  # not where NaN
        if not ok.all():
            x, largest = np.where(ok, x, 0.0), np.where(ok, largest, 0.0)
        e = np.maximum(np.frexp(largest)[1], np.int32(least))
        q = x * np.ldexp(1.0, bits - e)  # as ldexp: exact, or below 1/2
        np.rint(q, out=q)
    return q, e, ok


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A matrix (k,n) as integers of 18 bits and a power of two for each row, ``q 2^(e - 18)``."""

    q: Array  # (k,n)
    scale: Array  # (k,1), the powers of two


def matrix(W: Array) -> Matrix:
    """Once for each theta. Raises: DomainError for weights (k,n) that are not below 2^500 in modulus."""
    q, e, ok = ints(W.T, WEIGHT_BITS, _LEAST_WEIGHT)
    require(bool(ok.all()), f"weights have to be finite and below 2^500, row {int(np.argmin(ok))} of {W.shape} is not")
    return Matrix(np.ascontiguousarray(q.T), np.ldexp(1.0, e - WEIGHT_BITS)[:, None])


def product(W: Array, q: Array) -> Array:
    """(k,n) times (n,columns), of integers under (P): any library, order and precision that is exact gives the same."""
    return np.asarray(W @ q)


def mm(x: Array, W: Matrix) -> tuple[Array, Flags]:
    """``W x`` (k,...) of vectors x (n,...), and where it is ``ok`` (...); zeros elsewhere.

    Bits are 23 for n up to 4096 and one less for each doubling, so that (P) holds.
    """
    n, *batch = x.shape
    bits = 23 - max(0, log2_ceiling(n) - 12)
    q, e, ok = ints(x.reshape(n, -1), bits, _LEAST)
    y = product(W.q, q)
    y *= W.scale
    y *= np.ldexp(1.0, e - bits)
    y += 0.0  # -0.0 becomes 0.0
    return y.reshape(-1, *batch), ok.reshape(batch)


def rms(x: Array, gamma: Array, eps: float) -> tuple[Array, Flags]:
    """``x / sqrt(mean x^2 + eps) gamma`` of vectors x (n,...), and where it is ``ok`` (...)."""
    n, *batch = x.shape
    bits = min(20, (53 - log2_ceiling(n)) // 2)
    columns = x.reshape(n, -1)
    q, e, ok = ints(columns, bits, _LEAST)
    q *= q
    mean = np.ldexp(q.sum(axis=0), 2 * (e - bits)) / n
    with np.errstate(all="ignore"):
        y = columns / np.sqrt(mean + eps)
        y *= gamma[:, None]
    return y.reshape(n, *batch), ok.reshape(batch)
