"""Numbers that are known but for a proven error, entry by entry, in float64: the same bits on every machine.

Every operation is on its own, elementwise or in a fixed order; products of matrices are exact integers to BLAS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ssm_bounds.bounds.architectures.mamba.silu import SLOPE, silu
from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.architectures.mamba.windows import along_last
from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.outward import EPS, TINY, above, below, norms, product, softplus_above, softplus_below
from ssm_bounds.models.mamba.weights import Array

UP = 1 + 2.0**-46  # more than eight roundings of numbers >= 0
_FUNCTION = 400 * EPS  # of a result: of exp 64 roundings, of SiLU 80, each 4 EPS (evaluate.outward)


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Numbers within ``off`` of ``at``."""

    at: Array
    off: Array

    @classmethod
    def exactly(cls, values: Array) -> Near:
        return cls(values, np.zeros_like(values))

    @classmethod
    def of(cls, found: Range) -> Near:
        middle = found[0] + (found[1] - found[0]) / 2
        off = np.maximum(found[1] - middle, middle - found[0])
        return cls(middle, above(off, 2, np.abs(middle) + np.abs(off)))

    def __getitem__(self, index: Any) -> Near:
        return Near(self.at[index], self.off[index])

    def __mul__(self, other: Near) -> Near:
        found, size, across = self.at * other.at, np.abs(self.at), np.abs(other.at)
        off = size * other.off + self.off * across + self.off * other.off + EPS * np.abs(found)
        return Near(found, off * UP + TINY)

    def __add__(self, other: Near) -> Near:
        found = self.at + other.at
        return Near(found, (self.off + other.off + EPS * np.abs(found)) * UP + TINY)

    def sum(self, axis: int = -1) -> Near:
        at, off = (np.moveaxis(part, axis, -1) for part in (self.at, self.off))
        count = at.shape[-1]
        return Near(along_last(at), above(along_last(off + count * EPS * np.abs(at)), count + 4))

    def root(self) -> Near:
        """Of what is at least 0."""
        return Near.of((below(np.sqrt(np.maximum(self.at - self.off, 0.0)), 4), above(np.sqrt(self.at + self.off), 4)))

    def inverse(self) -> Near:
        """Of what is above 0; no number where that is not sure."""
        low = below(self.at - self.off)
        return Near.of((below(1 / above(self.at + self.off)), above(1 / np.where(low > 0, low, np.nan))))

    def silu(self) -> Near:
        found = silu(self.at)
        return Near(found, above(SLOPE * self.off + _FUNCTION * np.abs(found), 4))

    def softplus(self) -> Near:
        return Near.of((softplus_below(self.at - self.off), softplus_above(self.at + self.off)))

    def decay(self) -> Near:
        """``e^-x`` of x >= 0."""
        found = elementary.exp(-self.at)
        off = above(found * (2 * self.off + _FUNCTION), 4)
        sure = self.off <= 1  # e^y - 1 <= 2 y there
        return Near(np.where(sure, found, 0.5), np.where(sure, off, 0.5))

    def image(self, rows: Array) -> Near:
        """``rows . x`` for exact rows (n,r) and x (r,...): (n,...)."""
        r, *shape = self.at.shape
        found, error = product(rows, self.at.reshape(r, -1))
        off = above(error + norms(rows)[:, None] * norms(np.ascontiguousarray(self.off.reshape(r, -1).T)), 3)
        return Near(found.reshape(-1, *shape), off.reshape(-1, *shape))
