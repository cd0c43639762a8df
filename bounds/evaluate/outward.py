"""Float64 arrays rounded outward, the same on every machine: ends of ranges, suprema, sums, products of matrices.

Claim: :func:`above` is at least, :func:`below` at most the exact value of what was computed in at most ``terms``
operations. Derivation: each operation is off by at most ``u = 2^-53`` times a modulus of at most ``size``, or by
2^-1074 where it underflows; n of them by ``n u/(1 - n u)`` times that (Higham 2002, lemma 3.1), and the allowance is
``(8 n + 16) u size + 2^-1000``, its own rounding included, for n < 2^40. Sums go through ``elementary.total``, products
of matrices through integers that BLAS adds exactly, in whatever order. What is not finite stays so, or becomes NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.elementary import Floats, total

EPS = 2.0**-52
TINY = 2.0**-1000
LARGEST = float(np.finfo(np.float64).max)
# Roundings allowed to a function of ``elementary``: it takes fewer than 30 operations on numbers below 1.42, after
# formulas within 1e-16 (tests/bounds/evaluate/test_outward.py encloses those), for a result of at least 0.28; or, where
# the result is near 0, operations that are each relatively exact.
_FUNCTION = 64
_BLOCK = 2**17  # numbers


def above(value: Any, terms: int = 1, size: Any = None) -> Any:
    """At least the exact value; ``size`` bounds the moduli on the way, by default that of the result."""
    return value + (4 * terms + 8) * EPS * np.abs(value if size is None else size) + TINY


def below(value: Any, terms: int = 1, size: Any = None) -> Any:
    """At most the exact value, and at most the largest float64."""
    return -above(-np.minimum(value, LARGEST), terms, size)


def positive_below(value: Any, terms: int = 1) -> Any:
    """At most the exact value, which is at least 0."""
    return np.maximum(below(value, terms), 0.0)


def sum_above(values: Floats, axis: int | None = None) -> Any:
    """Along one axis (0 or 1), or of all entries; the entries are exact or themselves rounded up."""
    count = values.size if axis is None else values.shape[axis]
    return above(total(values, axis), count, total(np.abs(values), axis))


def norms(rows: Floats) -> Floats:
    """l2 norms of rows (n,m) -> (n,), from above."""
    return by_blocks(_norms, rows)


def _norms(rows: Floats) -> Floats:
    found: Floats = above(np.sqrt(sum_above(np.square(rows), axis=1)))
    return np.where(rows.any(axis=1), found, 0.0)


def by_blocks(function: Callable[..., Floats], *matrices: Floats) -> Floats:
    """What ``function`` says of each row of matrices (n,m), a few rows at a time, so that what it needs on the way
    stays small and near: (n,) or, of several rows of answers, (p,n)."""
    size = max(1, _BLOCK // max(1, matrices[0].shape[1]))
    starts = range(0, max(1, len(matrices[0])), size)
    return np.concatenate([function(*(each[i : i + size] for each in matrices)) for i in starts], axis=-1)


def norm(values: Floats) -> float:
    """The l2 norm of all entries, from above."""
    return float(norms(values.reshape(1, -1))[0])


def exp_above(x: Any) -> Floats:
    """``e^x`` from above. Beyond 1000 and below -1000 ``elementary`` has infinity and 0."""
    return np.asarray(above(elementary.exp(x), _FUNCTION))


def exp_below(x: Any) -> Floats:
    return np.asarray(positive_below(elementary.exp(x), _FUNCTION))


def forgotten_above(x: Any) -> Floats:
    """``1 - e^-x`` for x >= 0, from above."""
    return np.minimum(above(-elementary.expm1(-np.asarray(x)), _FUNCTION), 1.0)


def forgotten_below(x: Any) -> Floats:
    return np.asarray(positive_below(-elementary.expm1(-np.asarray(x)), _FUNCTION))


def softplus_above(x: Any) -> Floats:
    """``ln(1 + e^x)`` from above."""
    return np.asarray(above(_softplus(x), _FUNCTION))


def softplus_below(x: Any) -> Floats:
    return np.asarray(positive_below(_softplus(x), _FUNCTION))


def _softplus(x: Any) -> Floats:
    """Both summands are at least 0, so relative errors stay; ``e^-|x|`` is relatively exact, and log1p keeps that."""
    return np.maximum(x, 0.0) + elementary.log1p(elementary.exp(-np.abs(x)))


def product(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """left . right, (n,r) and (r,m) -> (n,m), and a bound of how far each entry is off.

    Claim: ``r 2^-(2 b - 2)`` times the powers of two next above the largest entries of row and column, with
    ``b = (52 - log2 r)/2`` bits. Derivation: scaled below 1, x is ``(x_1 + x_2 2^-b) 2^-b + e``, integers
    ``|x_1|, 2|x_2| <= 2^b`` and ``|e| <= 2^-(2b+1)``; so is y. Sums of r products of integers stay below 2^53: BLAS
    has them exactly. Left out are ``x e'``, ``e y`` (r times ``2^-(2b+1)`` each, and their product), and the three
    sums of the parts round r 2^-52 at most.
    """
    r = left.shape[1]
    bits = (52 - max(1, r - 1).bit_length()) // 2
    (x, x_power), (y, y_power) = _sliced(left, bits), _sliced(right.T, bits)
    middle = x[0] @ y[1].T + x[1] @ y[0].T
    parts = x[0] @ y[0].T + np.ldexp(middle, -bits) + np.ldexp(x[1] @ y[1].T, -2 * bits)
    power = np.add.outer(x_power, y_power)
    return np.ldexp(parts, power - 2 * bits), above(np.ldexp(r * 2.0 ** -(2 * bits - 2), power))


def ends(blocks: Iterable[tuple[Floats, Floats]], right: Floats) -> tuple[Floats, Floats]:
    """The ends (m,) of each column of left . right, (n,r) and (r,m), ``left`` given by blocks of rows, each with how
    far in l2 every row of it can be off (n,).

    Claim: entries are within ``(|x - x'| + off)|y| + |x'||y - y'|`` of ``x'.y'``, the parts of b bits, which BLAS has
    exactly (:func:`product`). Derivation: Cauchy-Schwarz; what a part leaves is a float64, so it is exact. Rows of one
    block are cut at one power of two, so that a product takes no more than BLAS and two comparisons.
    """
    columns = np.ascontiguousarray(right.T)
    bits = (52 - max(1, columns.shape[1] - 1).bit_length()) // 2
    powers = _powers(columns)
    y = np.rint(np.ldexp(columns, bits - powers[:, None]))
    lost, length = norms(columns - np.ldexp(y, powers[:, None] - bits)), norms(columns)
    low, high = np.full(len(columns), np.inf), np.full(len(columns), -np.inf)
    for rows, off in blocks:
        power = _powers(rows.reshape(1, -1))[0]
        x = np.rint(np.ldexp(rows, bits - power))
        left = above(norms(rows - np.ldexp(x, power - bits)) + off).max()
        error = above(left * length + norms(np.ldexp(x, power - bits)).max() * lost, 3)
        found = x @ y.T
        least, most = (np.ldexp(end, power + powers - 2 * bits) for end in (found.min(axis=0), found.max(axis=0)))
        low = np.minimum(low, below(least - error, 1, np.abs(least) + error))
        high = np.maximum(high, above(most + error, 1, np.abs(most) + error))
    return low, high


def _powers(rows: Floats) -> Any:
    """The power of two next above the largest entry of each row."""
    largest = np.abs(rows).max(axis=1)
    return np.where(largest > 0, np.frexp(largest)[1], -1000)  # zeros lose nothing


def _sliced(rows: Floats, bits: int) -> tuple[tuple[Floats, Floats], Any]:
    power = _powers(rows)
    scaled = np.ldexp(rows, bits - power[:, None])
    first = np.rint(scaled)
    return (first, np.rint(np.ldexp(scaled - first, bits))), power
