"""Classes of a family fixed before the data, with the cells and splits that single them out (theory 7)."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.selection.cells import Cell
from ssm_bounds.bounds.selection.splits import Split

Constants = TypeVar("Constants")
"""The radii of a class of one architecture."""


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
