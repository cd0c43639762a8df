"""Sums over time for rates in [lambda, Lambda], steps in (0, M], at most T tokens, from above. Source: theory M4.

``lambda_`` >= 0 and ``Lambda`` are numbers that enclose the rates, ``M`` is at least the largest step: each sum is a
bound over all such sequences, so that only its own evaluation is rounded. All broadcast.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, forgotten_above, forgotten_below, positive_below

_FUNCTION = 160  # roundings allowed to a tail: its exponential has 64
_SERIES = 20  # on [0, 1] what is left out is below 1/22!
_BENT = 3 / math.e - 1


@np.errstate(all="ignore")
def R_1(lambda_: Any, M: Any, T: int) -> Floats:
    """``sum_i c_i e^(-lambda tau_i)``: ``M (1 - e^(-lambda M T))/(1 - e^(-lambda M))``, at most M T."""
    last = forgotten_above(above(lambda_ * M * T, 2))
    share = above(last / forgotten_below(positive_below(lambda_ * M)))
    return np.asarray(above(M * np.fmin(share, T)))  # 0/0, where lambda M vanishes, is T


@np.errstate(all="ignore")
def R_2(lambda_: Any, M: Any, T: int) -> Floats:
    """``sum_i c_i tau_i e^(-lambda tau_i)``."""
    closed = above(_phi(lambda_, M) * (M * T) ** 2 * _tail(2, positive_below(lambda_ * M * T, 2)), 8)
    return np.fmin(closed, above(M * M * (T * (T - 1) / 2), 4))


@np.errstate(all="ignore")
def R_3(lambda_: Any, M: Any, T: int) -> Floats:
    """``sum_i c_i tau_i^2 e^(-lambda tau_i)``."""
    closed = above(2 * _phi(lambda_, M) * _power(M * T, 3) * _tail(3, positive_below(lambda_ * M * T, 2)), 10)
    return np.fmin(closed, above(M * M * M * ((T - 1) * T * (2 * T - 1) / 6), 6))


@np.errstate(all="ignore")
def R_g(lambda_: Any, M: Any, T: int) -> Floats:
    """A moving gate (M4.0): ``min(R_1 + lambda R_2, (1 + lambda M/2) R_1)``."""
    first = R_1(lambda_, M, T)
    return np.fmin(above(first + lambda_ * R_2(lambda_, M, T), 2), above(first + lambda_ * M / 2 * first, 4))


@np.errstate(all="ignore")
def R_s(lambda_: Any, Lambda: Any, M: Any, T: int) -> Floats:
    """A moving A_log where each clock has one rate (M4.1)."""
    return np.fmin(above(Lambda * R_2(lambda_, M, T)), R_1(lambda_, M, T))


@np.errstate(all="ignore")
def R_a(lambda_: Any, Lambda: Any, M: Any, T: int) -> Floats:
    """A moving A_log with several rates per clock (M4.1): ``min(Lambda R_2, phi I, (T - 1) M/e)``."""
    within = above(_phi(lambda_, M) * _largest_share(lambda_, Lambda, above(M * T)))
    plateau = above((T - 1) * M / math.e, 4)
    return np.fmin(np.fmin(above(Lambda * R_2(lambda_, M, T)), within), plateau)


def _largest_share(lambda_: Any, Lambda: Any, L: Any) -> Floats:
    """``I``, the integral up to L of ``max x tau e^(-x tau)`` over the rates.

    Where rounding picks the wrong branch, ``Lambda L`` or ``lambda L`` is 1 but for some 2^-50, and there the branches
    differ by less than the square of that. The last is
    ``(1 - 3/e)/Lambda + (3/e - e^-y (1 + y))/lambda`` with y = lambda L.
    """
    lambda_, Lambda, L = (np.asarray(x, dtype=np.float64) for x in (lambda_, Lambda, L))
    x, y = Lambda * L, lambda_ * L
    rising = above(Lambda * L * L * _tail(2, positive_below(x)), 4)
    flat = above(L / math.e - _BENT / Lambda, 8, L)
    fading = elementary.exp(-y) * (1 + y)
    falling = above((3 / math.e - fading) / lambda_ - _BENT / Lambda, _FUNCTION, 3 / lambda_)
    return np.where(x <= 1, rising, np.where(y <= 1, flat, falling))


def _phi(lambda_: Any, M: Any) -> Floats:
    """``x/(1 - e^-x)`` at ``x = lambda M``, which rises and is at most 1 + x."""
    x = above(lambda_ * M)
    return np.fmin(above(x / forgotten_below(x)), above(1 + x))


def _tail(n: int, y: Any) -> Floats:
    """``P(n, y)/y^n``, P the regularised lower gamma function: ``int_0^1 s^(n-1) e^(-y s) ds/(n-1)!`` falls in y."""
    y = np.minimum(y, 1e100)
    small = np.minimum(y, 1.0)
    terms = np.zeros_like(small)
    for k in reversed(range(_SERIES)):
        terms = (terms * small + 1) / (n + k)
    series = elementary.exp(-small) * terms / math.factorial(n - 1)
    start = sum(_power(y, k) / math.factorial(k) for k in range(n))
    closed = above(1 - elementary.exp(-y) * start, _FUNCTION, 1.0) / _power(y, n)
    return np.asarray(above(np.where(y <= 1, series, closed), _FUNCTION))


def _power(x: Any, n: int) -> Any:
    """x^n by products: a library's power differs in its last bits between processors."""
    found = np.ones_like(x)
    for _ in range(n):
        found = found * x
    return found
