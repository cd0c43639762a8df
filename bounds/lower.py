"""Lower bounds (theory.md 9): the exact Rademacher complexity of the ball class on the constant input."""

from __future__ import annotations

from fractions import Fraction
from math import comb

from sympy import Expr, Integer, binomial, floor

from bounds import notation as sym
from bounds.blocks import assignment
from bounds.constants import ClassConstants, Sample, require
from bounds.enclose import Enclosure, enclose, exact

ABSOLUTE_SUM: Expr = sym.m * binomial(sym.m - 1, floor((sym.m - 1) / Integer(2))) / Integer(2) ** (sym.m - 1)
"""``E |sigma_1 + ... + sigma_m|`` over independent signs (theory.md 9.1)."""


def absolute_sum(m: int) -> Fraction:
    """The exact value of ``ABSOLUTE_SUM``; at least sqrt(m/2) (Szarek). Raises: DomainError.

    >>> [str(absolute_sum(m)) for m in (1, 2, 3, 4)]
    ['1', '1', '3/2', '3/2']
    """
    require(m >= 1, f"a sum of signs needs m >= 1, got {m}")
    return Fraction(m * comb(m - 1, (m - 1) // 2), 2 ** (m - 1))


def ball_class(constants: ClassConstants, sample: Sample) -> Enclosure:
    """Exact empirical Rademacher complexity of the outputs (k = 1) on the constant input of norm B_u: Z E|sum|/m.

    ``Z = kappa R_1`` is attained when the class is the full ball class with l1 radii that do not bind
    (theory.md 9.1), so every upper bound for that class is at least this. Raises: DomainError.
    """
    require(constants.k == 1, f"theory.md 9.1 is stated for one output, got k = {constants.k}")
    Z = enclose(sym.kappa * sym.R_1, assignment(constants, sample.T))
    share = exact(absolute_sum(sample.m) / sample.m)
    return Enclosure((Z.lower * share).lower(), (Z.upper * share).upper())
