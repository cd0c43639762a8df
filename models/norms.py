"""From weights to the constants of theory.md 1. Every norm is the least float64 that is at least the exact one.

So it is the same on every machine.

Exact steps use integers: a float64 is an integer times a power of two. Where that is too slow (the embedding's rows),
float64 arithmetic with a proven error margin first leaves the few rows that can be the largest.
Where no closed form exists (the spectral norm), a float64 guess gives an exact lower bound; from there arb balls decide
of each float64 whether it is below the norm, and integers where balls cannot (equality).
"""

from __future__ import annotations

import math
from fractions import Fraction
from operator import mul

import flint
import numpy as np

from bounds.constants import DomainError, Gate, MeasuredConstants, require
from models.weights import Array, Weights

_EPS = 2.0**-52
_EXACT_ROWS = 64  # up to which a characteristic polynomial is affordable


def measure(
    weights: Weights, *, gate: Gate, input_bound: float | None = None, vocabulary: bool = True
) -> MeasuredConstants:
    """Constants of one model. ``input_bound`` is B_u for real-valued inputs; an embedding has its own.
    ``vocabulary=False`` skips ``logit_max`` and the constants of theory.md 5.3, passes over the embedding that only
    vocabulary inputs need.

    Radii are rounded up; s_A, p and B_A are exact; gate "none" (Delta = 1) leaves p and q out.
    Source: theory.md 1. Raises: DomainError for an input bound that is missing, superfluous or not above 0, and for
    norms beyond the float64 range.
    """
    embedding, gated = weights.embedding, gate != "none"
    words = embedding if vocabulary else None
    B_u, B_w = _input_radius(embedding, input_bound), spectral(weights.W)
    return MeasuredConstants(
        d=weights.d,
        N=weights.N,
        k=weights.k,
        V=weights.V,
        gate=gate,
        s_A=float(weights.A.max()),
        B_A=float(np.abs(weights.A).max()),
        M_A=entrywise_l1(weights.A),
        B_u=B_u,
        B_B=spectral(weights.W_B),
        M_B=entrywise_l1(weights.W_B),
        B_C=spectral(weights.W_C),
        M_C=entrywise_l1(weights.W_C),
        B_q=l2(weights.q) if gated else 0.0,
        M_q=entrywise_l1(weights.q) if gated else 0.0,
        p=weights.p if gated else 0.0,
        B_w=B_w,
        M_w=entrywise_l1(weights.W),
        logit_max=max_logit(words, weights.q, weights.p) if gated and words is not None else None,
        decays=tuple(map(tuple, weights.A.tolist())),
        v_B=None if words is None else max_image_l2(words, weights.W_B),
        v_C=None if words is None else max_image_l2(words, weights.W_C),
        v_w=None if words is None else min(max_readout_l1(words, weights.W), _round_up(Fraction(B_w) * Fraction(B_u))),
    )


def entrywise_l1(array: Array) -> float:
    """The least float64 that is at least ``sum |x|`` over all entries.

    >>> entrywise_l1(np.array([[1.0, -(2.0**-60)]])) == 1 + 2.0**-52
    True
    """
    numerators, unit = _integers(array)
    return _round_up(sum(map(abs, numerators)) * unit)


def l2(vector: Array) -> float:
    """The least float64 that is at least ``|vector|_2``.

    >>> l2(np.array([3.0, 4.0]))
    5.0
    """
    return _sqrt_up(_square(vector))


def spectral(matrix: Array) -> float:
    """The least float64 that is at least the largest singular value of a matrix (n, m).

    With more than 64 rows and columns a norm that *is* a float64 may come out as the next one.

    >>> spectral(np.array([[3.0, 0.0], [0.0, -4.0]]))
    4.0
    """
    if min(matrix.shape) == 1 or not matrix.any():
        return l2(matrix)
    low, step = _sqrt_up(_rayleigh(matrix)), 1  # every smaller float64 is below the norm
    if is_spectral_bound(low, matrix):
        return low
    while not is_spectral_bound(high := _later(low, step), matrix):
        low, step = high, 2 * step
    while (gap := _place(high) - _place(low)) > 1:
        middle = _later(low, gap // 2)
        low, high = (low, middle) if is_spectral_bound(middle, matrix) else (middle, high)
    return high


def is_spectral_bound(bound: float, matrix: Array) -> bool:
    """Whether ``bound`` is at least the spectral norm of a matrix (n, m): whether ``bound^2 I - W W^T`` >= 0.

    Decided in balls of rising precision, and by integers where they cannot; in what is left (more than 64 rows and
    columns, and equality up to 2000 bits) False proves nothing.
    """
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    n = len(short)
    for precision in (128 + n, 2048):
        with flint.ctx.workprec(precision):
            w, square = flint.arb_mat(short.tolist()), flint.arb(bound) ** 2
            diagonal = flint.arb_mat([[square if i == j else 0 for j in range(n)] for i in range(n)])
            if sign := _definiteness(diagonal - w * w.transpose()):
                return sign > 0
    return n <= _EXACT_ROWS and _semidefinite(bound, short)


def _definiteness(matrix: flint.arb_mat) -> int:
    """1 if proven positive definite, -1 if proven not to be semidefinite, else 0: of [[P, Q], [Q^T, R]], P and the
    Schur complement R - Q^T P^-1 Q decide."""
    if (n := matrix.nrows()) == 1:
        return int(matrix[0, 0] > 0) - int(matrix[0, 0] < 0)
    rows, low, high = matrix.tolist(), slice(n // 2), slice(n // 2, n)
    P, Q, R = (
        flint.arb_mat([row[across] for row in rows[down]]) for down, across in ((low, low), (low, high), (high, high))
    )
    if (sign := _definiteness(P)) <= 0:
        return sign
    try:
        return _definiteness(R - Q.transpose() * P.solve(Q))
    except ZeroDivisionError:  # P is regular, but not provably so in the order in which solve eliminates
        return 0


def _semidefinite(bound: float, matrix: Array) -> bool:
    """Whether ``bound^2 I - W W^T`` >= 0, exactly: a polynomial with real roots alone has none below 0 just if the
    signs of its coefficients alternate (Descartes)."""
    n = len(matrix)
    *entries, factor = _integers(np.append(matrix.ravel(), bound))[0]
    w = flint.fmpz_mat(n, matrix.shape[1], entries)
    diagonal = flint.fmpz_mat(n, n, [factor * factor if i == j else 0 for i in range(n) for j in range(n)])
    coefficients = (diagonal - w * w.transpose()).charpoly().coeffs()
    return all(coefficient * (-1) ** (n - power) >= 0 for power, coefficient in enumerate(coefficients))


def _rayleigh(matrix: Array) -> Fraction:
    """``|W v|^2/|v|^2`` at about a singular vector v, exactly: at most the squared norm, and close to it."""
    scaled = np.ldexp(matrix, -_exponent(matrix))  # the guess must neither overflow nor vanish
    v = np.linalg.svd(scaled, full_matrices=False)[2][0]
    (entries, unit), (factors, _) = _integers(matrix), _integers(v)
    m = len(factors)
    images = (sum(map(mul, entries[i : i + m], factors)) for i in range(0, len(entries), m))
    return sum(image * image for image in images) * unit**2 / sum(factor * factor for factor in factors)


def _place(x: float) -> int:
    """Which float64 >= 0 it is, counted from 0."""
    return int(np.float64(x).view(np.int64))


def _later(x: float, steps: int) -> float:
    """The float64 so many steps above one >= 0. Raises: DomainError beyond the largest."""
    later = float(np.int64(_place(x) + steps).view(np.float64))
    require(later < math.inf, "a norm of these weights exceeds the largest float64, 1.8e308; rescale the model")
    return later


def max_row_l2(rows: Array) -> float:
    """The least float64 that is at least the l2 norm of every row of a matrix (V, d).

    Float64 finds the rows that can be largest: d squares, summed in any order, come out within a factor 1 +- d eps, so
    that of a largest row is at least 1 - 2 d eps of the largest computed (what underflows after scaling is far below).
    Those rows are then squared exactly.
    """
    if not rows.any():
        return 0.0
    scaled = _scaled(rows)
    squares = np.einsum("vd,vd->v", scaled, scaled)
    near = rows[squares >= squares.max() * (1 - 4 * rows.shape[1] * _EPS)]
    distinct = np.unique(np.sort(np.abs(near), axis=1), axis=0)  # all one-hot rows are one
    return _sqrt_up(max(map(_square, distinct)))


def max_logit(rows: Array, q: Array, p: float) -> float:
    """The least float64 that is at least ``p + q.e_v`` for every row e_v of a matrix (V, d).

    Float64 finds the rows that can be largest: q.e_v, summed in any order, is off by at most ``d eps |q|.|e_v|``, plus
    2^-1000 for what underflows after scaling. Those rows are then multiplied exactly.
    """
    if not q.any() or not rows.any():
        return p
    scaled, scaled_q = _scaled(rows), _scaled(q)
    logits = np.einsum("vd,d->v", scaled, scaled_q)
    margin = 2 * len(q) * _EPS * np.einsum("vd,d->v", np.abs(scaled), np.abs(scaled_q)) + 2.0**-1000
    near = rows[logits + margin >= (logits - margin).max()]
    factors, q_unit = _integers(q)
    best = max(
        sum(map(mul, factors, numerators)) * unit
        for numerators, unit in map(_integers, np.unique(near * (q != 0), axis=0))
    )
    return _round_up(Fraction(p) + best * q_unit)


def max_image_l2(rows: Array, matrix: Array) -> float:
    """The least float64 that is at least ``|X e_v|_2`` for every row e_v of (V, d), X a matrix (n, d).

    Float64 finds the rows that can be largest: an entry of X e_v is off by at most ``d eps |X|.|e_v|`` and what
    underflows, hence the norm by the norm of that and its own rounding. Those rows are then multiplied exactly.
    """
    if not rows.any() or not matrix.any():
        return 0.0
    scaled, by = _scaled(rows), _scaled(matrix)
    lengths = np.sqrt(np.square(scaled @ by.T).sum(axis=1))
    sizes = np.sqrt(np.square(np.abs(scaled) @ np.abs(by).T).sum(axis=1))
    margin = 4 * (sum(matrix.shape) + 4) * _EPS * sizes + 2.0**-500
    near = np.unique(rows[lengths + margin >= (lengths - margin).max()], axis=0)
    (factors, unit), (entries, row_unit) = _integers(matrix), _integers(near)
    d = matrix.shape[1]
    best = max(
        sum(sum(map(mul, factors[i : i + d], entries[v : v + d])) ** 2 for i in range(0, len(factors), d))
        for v in range(0, len(entries), d)
    )
    return _sqrt_up(best * (unit * row_unit) ** 2)


def max_readout_l1(rows: Array, matrix: Array) -> float:
    """Upper bound of ``sup_{|a|=1} |(W^T a) o e_v|_1`` over every row e_v of (V, d), W a matrix (k, d).

    ``sum_j |W_j|_2 |e_vj|`` over the columns of W: exact for one output, else the triangle inequality.
    """
    return max_logit(np.abs(rows), np.array([l2(column) for column in matrix.T]), 0.0)


def _input_radius(embedding: Array | None, input_bound: float | None) -> float:
    if embedding is not None:
        require(input_bound is None, f"input_bound: the embedding's rows bound the inputs, got {input_bound!r} as well")
        return max_row_l2(embedding)
    if input_bound is None or not 0 < input_bound < math.inf:
        raise DomainError(
            f"input_bound: real-valued inputs need a bound of their l2 norm, finite and above 0, got {input_bound!r}"
        )
    return input_bound


def _exponent(array: Array) -> int:
    """The power of two that the largest absolute entry is next below."""
    return int(np.frexp(max(array.max(), -array.min()))[1])


def _scaled(array: Array) -> Array:
    """The array times a power of two that brings its largest absolute entry into [2^-75, 1), or [1/2, 1) if normal."""
    return array * 2.0 ** min(1000, -_exponent(array))


def _integers(array: Array) -> tuple[list[int], Fraction]:
    """The entries, exactly, as integers in one common unit, a power of two."""
    ratios = [value.as_integer_ratio() for value in array.ravel().tolist()]
    common = max(denominator for _, denominator in ratios)
    return [numerator * (common // denominator) for numerator, denominator in ratios], Fraction(1, common)


def _square(array: Array) -> Fraction:
    """``sum x^2``, exactly."""
    numerators, unit = _integers(array)
    return sum(x * x for x in numerators) * unit**2


def _sqrt_up(square: Fraction) -> float:
    """The least float64 that is at least the square root: a root of over 64 bits, rounded up, then again to 53."""
    shift = max(0, 66 + (square.denominator.bit_length() - square.numerator.bit_length()) // 2)
    root = math.isqrt(max(0, math.ceil(square * 4**shift) - 1)) + 1 if square else 0
    return _round_up(Fraction(root, 2**shift))


def _round_up(exact: Fraction) -> float:
    """The least float64 that is at least ``exact``; the division of integers is correctly rounded to the nearest."""
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = math.inf
    rounded = nearest if nearest >= exact else math.nextafter(nearest, math.inf)
    require(rounded < math.inf, "a norm of these weights exceeds the largest float64, 1.8e308; rescale the model")
    return rounded
