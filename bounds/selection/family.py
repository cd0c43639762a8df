"""A family of classes fixed before the data: which constants have cells, and what singles a class out (theory 7)."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Literal, TypeVar

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.selection.cells import Cell
from ssm_bounds.bounds.selection.splits import Split

Constants = TypeVar("Constants")
"""The radii of a class of one architecture."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One constant that is chosen after the data, by the cell that contains it.

    ``cell``: its name. ``bounds``: the constant of the class. ``of``: what the cell contains, in symbols of what was
    measured; of a cap on the gates, the largest logit. ``kind``: of its grid. ``gate``, ``l1``: only in classes with a
    gate, with l1 radii. ``norms``: only in classes in these norms (None: in all).
    """

    cell: str
    bounds: str
    of: sympy.Expr
    kind: Literal["positive", "bias", "abscissa", "cap"] = "positive"
    gate: bool = False
    l1: bool = False
    norms: str | None = None


@dataclass(frozen=True, slots=True)
class SelectedClass(Generic[Constants]):
    """A class of the family fixed before the data, with the cells and splits that single it out.

    ``weight``: pi, the product of the weights of cells, splits and options.
    """

    constants: Constants
    cells: tuple[Cell, ...]
    options: int
    splits: tuple[Split, ...] = ()

    @property
    def weight(self) -> Fraction:
        paid = [cell.weight for cell in self.cells] + [split.weight for split in self.splits]
        return math.prod(paid, start=Fraction(1, self.options))

    @property
    def price(self) -> Enclosure:
        """``ln(1/pi)`` in nats."""
        return _log_inverse(self.weight)

    def cell(self, name: str) -> Cell | None:
        return next((cell for cell in self.cells if cell.name == name), None)


@functools.lru_cache(maxsize=256)
def _log_inverse(weight: Fraction) -> Enclosure:
    return enclose(sympy.log(sym.r), {sym.r: 1 / weight}) if weight < 1 else Enclosure.point(0)
