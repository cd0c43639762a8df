"""The spectral norm of a matrix, rounded up to one number that no machine's LAPACK, BLAS or processor can change.

A proof decides of each candidate whether it is at least the norm, so that whoever decides it decides alike. LAPACK's
decompositions are guesses. Of BLAS one thing is believed: that an entry of a product is the sum of its n products in
some order, each operation rounded to the nearest or fused with the one before (so no Strassen): it is then off by at
most ``gamma_n sum |x||y|``, ``gamma_n = n u/(1 - n u)``, ``u = 2^-53`` (Higham, Accuracy and Stability, 2002, (3.5)).

Up to 64 rows or columns candidates are all float64 numbers: a guess gives an exact lower bound, and from there exact
arithmetic decides. With more rows and columns candidates are a grid, the numbers of 24 bits: float64 encloses the norm,
mostly between two neighbours, and exact arithmetic decides of the candidates in between.
"""

from __future__ import annotations

import math
from fractions import Fraction
from operator import mul

import flint
import numpy as np

from ssm_bounds.bounds.values import require
from ssm_bounds.models.norms.enclosure import enclosure
from ssm_bounds.models.norms.exact import exponent, integers, round_up, sqrt_up, square
from ssm_bounds.models.selective_ssm.weights import Array

_SMALL = 64  # rows or columns up to which every float64 is a candidate, and a characteristic polynomial is affordable
_GRID = 2**29  # every so many float64 numbers one has 24 bits
_PRIME = 2**61 - 1


def spectral(matrix: Array) -> float:
    """The largest singular value of a matrix (n, m), rounded up.

    Up to 64 rows or columns it is the least float64 that is at least the norm. With more of both it is the least number
    of 24 bits that is at least the norm, so above it by at most 2^-23 of it; where the norm *is* of 24 bits, has
    no simple proof (:func:`_plainly`) and so takes exact arithmetic to decide, the next one.

    Raises: DomainError for entries that are not finite, and for norms beyond the float64 range.

    >>> spectral(np.array([[3.0, 0.0], [0.0, -4.0]]))
    4.0
    >>> spectral(0.1 * np.eye(65)) == math.ceil(0.1 * 2**27) / 2**27
    True
    """
    require(bool(np.isfinite(matrix).all()), "a spectral norm is asked of a matrix with entries that are not finite")
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    if len(short) == 1 or not matrix.any():
        return sqrt_up(square(matrix))
    return _least_float(short) if len(short) <= _SMALL else _least_of_grid(short)


def is_spectral_bound(bound: float | Fraction, matrix: Array) -> bool:
    """Whether ``bound`` >= 0 is at least the spectral norm of a matrix (n, m): whether ``bound^2 I - W W^T`` >= 0.

    That matrix is exact, in integers, and decided by what is plain of it, by balls, and by integers where these cannot.
    With more than 64 rows and columns False proves nothing in two cases: the determinant is a multiple of 2^61 - 1, as
    it is where the bound is a singular value, so that precision may be of no use; and 2048 bits do not decide.
    """
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    n = len(short)
    *entries, factor = _in_one_unit(short, Fraction(bound))
    w = flint.fmpz_mat(n, short.shape[1], entries)
    diagonal = flint.fmpz_mat(n, n, [factor * factor if i == j else 0 for i in range(n) for j in range(n)])
    rest = diagonal - w * w.transpose()
    if sign := _plainly(rest, factor * factor) or _in_balls(rest, 128) or _in_balls(rest, 128 + n):
        return sign > 0
    if n <= _SMALL:
        return _semidefinite(rest)
    return flint.nmod_mat(rest, _PRIME).det() != 0 and _in_balls(rest, 2048) > 0


def _least_float(short: Array) -> float:
    low, step = sqrt_up(_rayleigh(short)), 1  # every smaller float64 is below the norm
    if is_spectral_bound(low, short):
        return low
    while not is_spectral_bound(high := _later(low, step), short):
        low, step = high, 2 * step
    while (gap := _place(high) - _place(low)) > 1:
        middle = _later(low, gap // 2)
        low, high = (low, middle) if is_spectral_bound(middle, short) else (middle, high)
    return high


def _least_of_grid(short: Array) -> float:
    """The enclosure leaves the candidates from ``low`` to ``high``, mostly one, and the last is a bound.

    It is strict, so a candidate that *is* the norm always comes to :func:`is_spectral_bound`, which says of it the same
    everywhere. One that is not is decided alike by whoever decides it: what float64 tells apart, a relative distance
    of some n^2 u, balls of 128 + n bits do too. That last is seen, not proven; without it a bound stays one.
    """
    power = exponent(short)
    scale = Fraction(2) ** power
    low, high = (-(-_place(sqrt_up(end)) // _GRID) for end in enclosure(np.ldexp(short, -power)))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_spectral_bound(_float(middle * _GRID) * scale, short) else (middle + 1, high)
    return round_up(_float(high * _GRID) * scale)


def _plainly(rest: flint.fmpz_mat, square: int) -> int:
    """What needs no elimination, of ``rest = square I - W W^T``: 1 if it is semidefinite, -1 if not, else 0.

    An entry below 0 on the diagonal says not. Diagonal dominance says it is (Gershgorin; equality counts, as for
    orthogonal rows, all of one length), and so does ``|W|_F^2 <= square`` (equality for rank one).
    """
    rows, n = rest.tolist(), rest.nrows()
    if any(row[i] < 0 for i, row in enumerate(rows)):
        return -1
    dominant = all(2 * row[i] >= sum(map(abs, row)) for i, row in enumerate(rows))
    return int(dominant or sum(row[i] for i, row in enumerate(rows)) >= (n - 1) * square)


def _in_balls(matrix: flint.fmpz_mat, precision: int) -> int:
    with flint.ctx.workprec(precision):
        return _definiteness(flint.arb_mat(matrix))


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


def _semidefinite(matrix: flint.fmpz_mat) -> bool:
    """A polynomial with real roots alone has none below 0 just if the signs of its coefficients alternate
    (Descartes)."""
    n = matrix.nrows()
    return all(value * (-1) ** (n - power) >= 0 for power, value in enumerate(matrix.charpoly().coeffs()))


def _in_one_unit(matrix: Array, number: Fraction) -> list[int]:
    """The entries and the number, whose denominator is a power of two, as integers in one unit."""
    entries, unit = integers(matrix)
    common = max(unit.denominator, number.denominator)
    return [*(x * (common // unit.denominator) for x in entries), int(number * common)]


def _rayleigh(matrix: Array) -> Fraction:
    """``|W v|^2/|v|^2`` at about a singular vector v, exactly: at most the squared norm, and close to it."""
    scaled = np.ldexp(matrix, -exponent(matrix))  # the guess must neither overflow nor vanish
    v = np.linalg.svd(scaled, full_matrices=False)[2][0]
    (entries, unit), (factors, _) = integers(matrix), integers(v)
    m = len(factors)
    images = (sum(map(mul, entries[i : i + m], factors)) for i in range(0, len(entries), m))
    return sum(image * image for image in images) * unit**2 / sum(factor * factor for factor in factors)


def _place(x: float) -> int:
    """Which float64 >= 0 it is, counted from 0."""
    return int(np.float64(x).view(np.int64))


def _float(place: int) -> Fraction:
    return Fraction(float(np.int64(place).view(np.float64)))


def _later(x: float, steps: int) -> float:
    """The float64 so many steps above one >= 0. Raises: DomainError beyond the largest."""
    later = float(np.int64(_place(x) + steps).view(np.float64))
    require(later < math.inf, "a norm of these weights exceeds the largest float64, 1.8e308; rescale the model")
    return later
