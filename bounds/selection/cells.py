"""Paying for constants chosen after the data: grids and weights fixed before it (theory 7).

Positive constants lie on the grid ``2^{j/8}``, j in Z, each point rounded up to a double (the grid is fixed all the
same); s_A on its signed version and 0; p in [j, j+1]. With probability 1 - delta all cells hold at once, a cell at
``delta pi``, pi the product of its weights: ``ln(1/pi)`` is the price.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy

from ssm_bounds.bounds.evaluate.balls import enclose, float_above
from ssm_bounds.bounds.evaluate.elementary import log2_of
from ssm_bounds.bounds.values import DomainError, Scalar

STEPS = 8
"""Points of the grid to a factor of two."""
LARGEST_INDEX = STEPS * 1000


@dataclass(frozen=True, slots=True)
class Cell:
    """One constant's cell: its name, the bound it puts on the constant, where it lies on the grid, its weight."""

    name: str
    value: Scalar
    position: str
    weight: Fraction


def inverse_weight(j: Any) -> Any:
    """``2(|j|+1)(|j|+2)``, of an integer or of an array."""
    return 2 * (abs(j) + 1) * (abs(j) + 2)


def index_weight(j: int) -> Fraction:
    """``1/(2(|j|+1)(|j|+2))``: sums to 3/4 over the integers.

    >>> float(sum(index_weight(j) for j in range(-9999, 10000))) < 0.75
    True
    """
    return Fraction(1, inverse_weight(j))


@functools.lru_cache(maxsize=4096)
def grid(numerator: int, denominator: int = 1) -> float:
    """``2^{numerator/(8 denominator)}`` rounded up to a double."""
    exponent = sympy.Rational(numerator, STEPS * denominator)
    return float_above(enclose(sympy.Pow(2, exponent), {}).upper)


def index_above(value: Fraction) -> int:
    """The least j with ``value <= grid(j)``."""
    if value <= 0:
        return 0
    j = math.ceil(STEPS * log2_of(value))
    if j < -LARGEST_INDEX:
        return -LARGEST_INDEX  # the smallest point of the grid contains what is smaller still
    if j > LARGEST_INDEX:
        raise DomainError(f"a constant of about 2^{j // STEPS} is outside the grid of theory 7 (up to 2^1000)")
    while value > Fraction(grid(j)):
        j += 1
    while value <= Fraction(grid(j - 1)):
        j -= 1
    return j


def positive_cell(name: str, value: Scalar) -> Cell:
    """The least cell that contains a constant >= 0 (which must be rounded up already); j = 0 for the constant 0.

    >>> cell = positive_cell("B_q", 1.5)
    >>> cell.position, cell.weight
    ('2^(5/8)', Fraction(1, 84))
    """
    j = index_above(Fraction(value))
    return Cell(name, grid(j), f"2^({j}/8)", index_weight(j))


@functools.lru_cache(maxsize=4096)
def abscissa_cells(s_A: Scalar) -> tuple[Cell, ...]:
    """Cells that contain the spectral abscissa, best guess first; weights 1/4 (3/4 grid), 1/4 for {0}."""
    value = Fraction(s_A)
    zero = Cell("s_A", 0.0, "0", Fraction(1, 4))
    if value == 0:
        return (zero,)
    j = index_above(abs(value))
    if value > 0:
        return (Cell("s_A", grid(j), f"2^({j}/8)", index_weight(j) / 4),)
    if abs(value) < Fraction(grid(j)):
        j -= 1  # the decay rate is rounded down
    if j < -LARGEST_INDEX:
        return (zero,)
    return (Cell("s_A", -grid(j), f"-2^({j}/8)", index_weight(j) / 4), zero)


def bias_cell(p: Scalar) -> Cell:
    """[j, j+1] with j = floor p; ``value`` is p_hi = j + 1."""
    j = math.floor(Fraction(p))
    return Cell("p", j + 1, f"[{j}, {j + 1}]", index_weight(j))


def refined_cells(s_A: Cell, cap: Cell, T: int, measured_s_A: Fraction, measured_M: Fraction) -> tuple[Cell, Cell]:
    """Both coarse cells split geometrically into K = max(1, ceil(s_A M T/4)) parts (theory 7, for s_A > 0)."""
    K = max(1, math.ceil(Fraction(s_A.value) * Fraction(cap.value) * T / 4))
    return _part(s_A, measured_s_A, K), _part(cap, measured_M, K)


def _part(cell: Cell, value: Fraction, K: int) -> Cell:
    if K == 1:
        return cell
    top = index_above(value)
    low, high = 0, K  # grid((top-1) + low/K) < value <= grid((top-1) + high/K)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if value <= Fraction(grid((top - 1) * K + middle, K)) else (middle, high)
    numerator = (top - 1) * K + high
    return replace(cell, value=grid(numerator, K), position=f"2^({numerator}/{8 * K})", weight=cell.weight / K)
