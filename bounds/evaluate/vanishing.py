"""Sums of the table that vanish to second order at small arguments: which they are, and the series that stand for them.

Float64, for ``evaluate.logs``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import exp

Floats = NDArray[np.float64]


class Gamma(sympy.Function):
    """``1 - e^{-z} (1 + z)``, the lower incomplete gamma function of 2, by its series at 0 <= z < 1."""


class Weighted(sympy.Function):
    """``sum_{t < n} t e^{xt}`` by a series at ``0 < |x n| < 1``."""


def small(node: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr] | None:
    """What must be below 1 for a series to stand for a sum of the table, and the series; None for any other sum."""
    for power in node.atoms(exp):
        z = -power.args[0]
        if node == 1 - exp(-z) * (1 + z):
            return z, Gamma(z)
    for power in node.atoms(sympy.Pow):
        ratio = 1 - power.base
        for n in node.free_symbols if power.exp == -2 else ():
            if node == ratio * (1 - ratio**n) / (1 - ratio) ** 2 - n * ratio**n / (1 - ratio):
                return sympy.Abs(sympy.log(ratio)) * n, Weighted(sympy.log(ratio), n)
    return None


_TAIL = tuple(1 / math.factorial(n + 2) for n in range(18))
_LANGEVIN = tuple(
    float(Fraction(*ratio))
    for ratio in (
        (1, 12), (-1, 720), (1, 30240), (-1, 1209600), (1, 47900160), (-691, 1307674368000), (1, 74724249600),
        (-3617, 10670622842880000), (43867, 5109094217170944000), (-174611, 802857662698291200000),
    )
)  # fmt: skip
"""``B_{2n}/(2n)!``: ``coth(z/2)/2 - 1/z = z (sum_n _LANGEVIN[n] z^{2n})``."""


def _series(coefficients: Sequence[float], x: Floats) -> Floats:
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def tail(z: Floats) -> Floats:
    """``sum_n z^n/(n+2)!``: :class:`Gamma` is ``z^2 e^{-z}`` times it."""
    return _series(_TAIL, z)


def weighted(x: Floats, terms: Floats) -> Floats:
    """:class:`Weighted`: the sum of weights times their mean index ``1/(e^-x - 1) - n/(e^{-xn} - 1)``, in which the
    poles cancel."""

    def langevin(y: Floats) -> Floats:
        return y * _series(_LANGEVIN, y * y)

    z = x * terms
    mean = (terms - 1) / 2 + terms * langevin(z) - langevin(x)
    found: Floats = np.expm1(z) / np.expm1(x) * mean
    return found
