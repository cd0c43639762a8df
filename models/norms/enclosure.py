"""The squared spectral norm of a matrix between two numbers, in float64 with a proven margin (``norms.spectral``)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from ssm_bounds.models.norms.exact import sqrt_up, square
from ssm_bounds.models.selective_ssm.weights import Array

_UNIT = 1.01 * 2.0**-53  # u, and room for 1/(1 - n u)^2 and for rounding what it multiplies, while n^2 < 2^46
_LARGE = 256  # rows from which on an iteration is quicker than a decomposition
_LONGEST, _LOOKED = 400, 10  # steps of the iteration, and after how many it is looked whether more are of use
_TINY = 2.0**-400  # above all that underflow, gradual or to 0, can add: it is at most 2^-1022 at a time


def enclosure(matrix: Array) -> tuple[Fraction, Fraction]:
    """Below and above the *squared* norm of a matrix (n, m), n <= m < 2^23, its largest entry in [1/2, 1) but for sign:
    what is scaled to there has lost at most 2^-1022 of an entry, which ``_TINY`` covers, and a norm of at least 1/2.
    """
    gram, error = _gram(matrix)
    vector, shift, root = _by_iteration(gram) or _by_decomposition(gram)
    trace = math.fsum(gram.diagonal())
    return max(Fraction(1, 4), _below(matrix, vector, trace)), _above(gram, error, shift, root)


_Guess: TypeAlias = tuple[Array, float, Array]  # a vector near the top one, a shift near the top value, and its root


def _by_decomposition(gram: Array) -> _Guess:
    values, vectors = np.linalg.eigh(gram)
    return vectors[:, -1], float(values[-1]), vectors * np.sqrt(values[-1] - np.minimum(values, values[-1]))


def _by_iteration(gram: Array) -> _Guess | None:
    """Lanczos for the top, then Cholesky a little above it: a tenth of the time of all eigenvectors. None where it is
    not worth it, or where the value that was found is not the top one and Cholesky fails."""
    if (n := len(gram)) < _LARGE:
        return None
    value, vector = _lanczos(gram)
    rest, shift = -gram, value * (1 + 64 * n * 2.0**-53)
    rest.flat[:: n + 1] += shift
    try:
        return vector, shift, np.asarray(np.linalg.cholesky(rest), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None


def _lanczos(gram: Array) -> tuple[float, Array]:
    """About the top value and its vector, each new direction orthogonal to all before; nothing proven rests on it."""
    n = len(gram)
    basis, diagonal, beside = np.zeros((_LONGEST, n)), list[float](), list[float]()
    new, before = np.random.default_rng(0).standard_normal(n), 0.0
    for k in range(_LONGEST):
        basis[k] = new / np.linalg.norm(new)
        new = gram @ basis[k]
        diagonal.append(float(new @ basis[k]))
        for _ in range(2):
            new -= (basis[: k + 1] @ new) @ basis[: k + 1]
        beside.append(float(np.linalg.norm(new)))
        ended = k + 1 == _LONGEST or beside[k] <= 2.0**-40 * max(diagonal)
        if (k + 1) % _LOOKED and not ended:
            continue
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1))
        if ended or values[-1] - before <= 2.0**-50 * values[-1]:
            break
        before = values[-1]
    return float(values[-1]), vectors[:, -1] @ basis[: k + 1]


def _above(gram: Array, error: Fraction, shift: float, root: Array) -> Fraction:
    """Above the largest eigenvalue of ``W W^T``, which ``gram`` is but for ``error``; ``shift`` and ``root`` are any.

    Claim: ``lambda <= shift + |R| + error + error' + u max |gram_ii - shift|``, R as computed from
    ``shift I - gram - root root^T``, in Frobenius norm, and error' that of the product, as by :func:`_gram`.
    Derivation: ``W W^T = shift I - root root^T - X`` with X the exact difference, and ``root root^T`` >= 0, so
    ``lambda <= shift + |X|``, whatever ``root`` is. X is R but for the error of both products, and for two
    subtractions on the diagonal and one beside it, each off by at most u times its result: in norm by u times the
    largest of the first, and by u|R|. The norm of n^2 numbers, squared and summed in any order, is off by
    ``gamma_{n^2+2}``, in the room of ``_UNIT``.
    This is the argument of Rump 2006 (Verification of positive definiteness, BIT 46) for a root that need not be
    Cholesky's: its residual is computed, not bounded beforehand.
    """
    product, product_error = _gram(root)
    rest = -gram
    rest.flat[:: len(rest) + 1] += shift
    largest = float(np.abs(rest.diagonal()).max())
    rest -= product
    residual = 1.01 * float(np.linalg.norm(rest)) + _UNIT * largest
    return Fraction(shift) + Fraction(residual) + error + product_error


def _below(matrix: Array, vector: Array, trace: float) -> Fraction:
    """Below ``|v^T W|^2/|v|^2``, so below the squared norm of a matrix (n, m); ``trace`` is that of its Gram matrix.

    Claim: ``|v^T W|/|v| >= a - delta``, a the exact ``|y|/|v|`` of the computed y = v^T W, and
    ``delta = gamma_n |W|_F``; hence the square is at least ``a^2 - 2 a delta`` (below 0 where a < delta).
    Derivation: y_j is off by at most ``gamma_n sum_i |v_i||W_ij| <= gamma_n |v||W_j|`` (Cauchy-Schwarz), so y by at
    most ``gamma_n |v||W|_F``, and by what underflows, whatever the length of v: ``_TINY`` over |v|, at most
    ``_TINY (1 + 1/|v|^2)``. ``|W|_F^2`` is the trace but for the room of ``_UNIT``.
    """
    length = square(vector)
    quotient = square(_times(vector[None, :], matrix)) / length
    delta = Fraction(_UNIT * len(matrix) * math.sqrt(trace)) + Fraction(_TINY) * (1 + 1 / length)
    return quotient - 2 * delta * Fraction(sqrt_up(quotient))


def _gram(x: Array) -> tuple[Array, Fraction]:
    """``X X^T`` of a matrix (n, m) in float64, and how far in spectral norm it can be off.

    Claim: by ``gamma_m |X|_F^2``. Derivation: entry (i, j) is off by at most ``gamma_m |x_i||x_j|``
    (Cauchy-Schwarz), and the matrix of these bounds has rank one and the norm ``gamma_m sum |x_i|^2``, which bounds
    that of every matrix with smaller entries, symmetric or not. The trace is ``|X|_F^2`` within ``1 +- gamma_m``.
    """
    gram = _times(x, x.T)
    return gram, Fraction(_UNIT * x.shape[1] * math.fsum(gram.diagonal())) + Fraction(_TINY)


def _times(x: Array, y: Array) -> Array:
    return x @ y
