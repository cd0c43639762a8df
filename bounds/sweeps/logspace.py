"""Stable float64 forms of the gates and the sums over time (``selective_ssm.sums``), as natural logarithms. Not
certified.

Every form keeps about ``1e-15 (1 + |x|)`` of absolute accuracy in the logarithm, x the logarithm itself or an argument
of the same size (``s_A M T``, a gate logit): a value that a double can hold is accurate to 1e-12, relative.
Shapes: arrays that broadcast against each other. ``-inf`` is the logarithm of an exact 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LANGEVIN = tuple(
    float(Fraction(*ratio))
    for ratio in (
        (1, 12), (-1, 720), (1, 30240), (-1, 1209600), (1, 47900160), (-691, 1307674368000), (1, 74724249600),
        (-3617, 10670622842880000), (43867, 5109094217170944000), (-174611, 802857662698291200000),
    )
)  # fmt: skip
"""``B_{2n}/(2n)!``: ``coth(z/2)/2 - 1/z = z (sum_n _LANGEVIN[n] z^{2n})``."""

_TAIL = tuple(1 / math.factorial(n + 2) for n in range(18))


def log(x: Floats) -> Floats:
    """The logarithm, -inf at 0."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def softplus(logit: Floats) -> Floats:
    """``ln(1 + e^logit)`` itself."""
    return np.log1p(np.exp(-np.abs(logit))) + np.maximum(logit, 0.0)


def log_softplus(logit: Floats) -> Floats:
    """Its logarithm, for logits down to -1e308."""
    with np.errstate(divide="ignore"):
        return np.where(logit < -37.0, logit, np.log(softplus(logit)))


def _series(coefficients: Sequence[float], x: Floats) -> Floats:
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def log_geometric(x: Floats, terms: Floats) -> Floats:
    """``ln sum_{t < terms} e^{xt}`` for every real x."""
    decay = -np.abs(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.expm1(decay * terms) / np.expm1(decay)
    return np.log(np.where(decay == 0, terms, ratio)) + np.maximum(x, 0.0) * (terms - 1)


def _log_mean_index(x: Floats, terms: Floats) -> Floats:
    """``ln`` of the mean of t < terms under weights ``e^{-xt}``, x >= 0: ``1/(e^x - 1) - terms/(e^{x terms} - 1)``.

    Where ``x terms < 1`` it is ``(terms-1)/2 - terms G(x terms) + G(x)`` with ``G(z) = coth(z/2)/2 - 1/z``, whose
    series does not cancel.
    """
    z = x * terms

    def langevin(y: Floats) -> Floats:
        return y * _series(_LANGEVIN, y * y)

    y, small = np.minimum(z, 1.0), np.minimum(x, 1.0)
    near = (terms - 1) / 2 - terms * langevin(y) + langevin(small)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = terms * np.exp(-x * (terms - 1)) * np.expm1(-x) / np.expm1(-z)
        return np.where(z < 1.0, np.log(near), -x - np.log(-np.expm1(-x)) + np.log1p(-share))


def log_weighted_geometric(x: Floats, terms: Floats) -> Floats:
    """``ln sum_{t < terms} t e^{xt}``, for every real x; -inf for one term."""
    mean = _log_mean_index(np.abs(x), terms)
    if np.any(x > 0):  # read backwards: t from the far end has the weights of decay
        mean = np.where(x > 0, log(np.maximum(terms - 1 - np.exp(mean), 0.0)), mean)
    return log_geometric(x, terms) + mean


def log_R_1(s_A: Floats, M: Floats, log_M: Floats, T: Floats) -> Floats:
    """theory.md 4.5: ``M sum_{i<T} e^{s_A M i}``."""
    return log_M + log_geometric(s_A * M, T)


def log_R_2(s_A: Floats, M: Floats, log_M: Floats, T: Floats) -> Floats:
    """theory.md 4.5: the lesser of the Riemann form and the plateau for s_A < 0, the exact sum for s_A >= 0."""
    s_A, M, log_M, T = np.broadcast_arrays(s_A, M, log_M, T)
    found = np.empty(s_A.shape)
    decay = s_A < 0
    if decay.any():
        found[decay] = _log_riemann(-s_A[decay] * M[decay], T[decay])
    if not decay.all():
        found[~decay] = log_weighted_geometric((s_A * M)[~decay], T[~decay])
    return 2 * log_M + found


def _log_riemann(y: Floats, T: Floats) -> Floats:
    """``ln min(phi(y) (1 - e^{-z}(1+z))/y^2, T(T-1)/2)``, z = yT: for small z by ``e^{-z} sum_n z^n/(n+2)!``."""
    z = y * T
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = np.where(y == 0, 1.0, y / -np.expm1(-y))
        far = np.log1p(-np.exp(-z) * (1 + z)) - 2 * np.log(y)
        near = 2 * np.log(T) + np.log(_series(_TAIL, np.minimum(z, 1.0))) - z
        plateau = np.log(T) + np.log(T - 1) - math.log(2)
    return np.minimum(np.log(phi) + np.where(z < 1.0, near, far), plateau)
