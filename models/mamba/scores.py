"""What one block in tables answers on rows of tokens, in real arithmetic: a number and how far it can be off.

Every token of a row has one of few windows, on which all but the scan depends: those are enclosed once. The scan runs
in float64 beside its error, entry by entry, with one operation at a time: the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.mamba.suprema import Range, steps
from ssm_bounds.bounds.architectures.mamba.windows import Windows, along_last, images, seen, times
from ssm_bounds.bounds.evaluate.outward import EPS, TINY, above, below, exp_above, exp_below
from ssm_bounds.models.mamba.weights import Array

_NUMBERS = 1 << 22  # states of one batch of rows
_UP = 1 + 2.0**-46  # more than eight roundings of numbers >= 0


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Numbers within ``off`` of ``at``."""

    at: Array
    off: Array

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
        return Near(found, off * _UP + TINY)

    def __add__(self, other: Near) -> Near:
        found = self.at + other.at
        return Near(found, (self.off + other.off + EPS * np.abs(found)) * _UP + TINY)

    def sum(self) -> Near:
        """Along the last axis."""
        count = self.at.shape[-1]
        return Near(along_last(self.at), above(along_last(self.off + count * EPS * np.abs(self.at)), count + 4))


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """What a token contributes, by its window (W,...) or token (V,...): ``decay`` and ``drive`` (W,d,N), ``C`` (W,N),
    ``skip`` (W,d), ``Om`` (V,d), ``rho`` (V,)."""

    decay: Near
    drive: Near
    C: Near
    skip: Near
    Om: Near
    rho: Near


def cells(found: Mapping[str, Range], windows: Windows) -> Cells:
    """Of blocks in tables. Shapes: ``architectures.mamba.telescope.BLOCKS``."""
    part = seen(found, windows)
    low, high = images(found["W_dt"], part.low)
    p = found["p"]
    step = steps((below(low + p[0], 1, np.abs(low) + np.abs(p[0])), above(high + p[1], 1, np.abs(high) + np.abs(p[1]))))
    rates = exp_below(found["A_log"][0]), exp_above(found["A_log"][1])
    passed = times((step[0][:, :, None], step[1][:, :, None]), rates)
    written = times(step, part.u)
    drive = times((written[0][:, :, None], written[1][:, :, None]), (part.B[0][:, None], part.B[1][:, None]))
    decay = exp_below(-passed[1]), np.minimum(exp_above(-passed[0]), 1.0)
    return Cells(
        *map(Near.of, (decay, drive, part.C, times(found["D"], part.u), found["Om"], found["rho"])),
    )


@np.errstate(all="ignore")
def scores(
    found: Mapping[str, Range], windows: Windows, x: NDArray[np.int64], lengths: NDArray[np.int64], *, mean: bool
) -> Near:
    """z (m,) of rows x (m,T) of tokens, read at the last of ``lengths`` (m,) tokens, or averaged over them."""
    made = cells(found, windows)
    states = made.decay.at[0].size
    rows = max(1, _NUMBERS // max(states, x.shape[1]))
    parts = [
        _batch(made, windows.index(x[i : i + rows]), x[i : i + rows], lengths[i : i + rows], mean=mean)
        for i in range(0, len(x), rows)
    ]
    return Near(np.concatenate([part.at for part in parts]), np.concatenate([part.off for part in parts]))


def _batch(
    made: Cells, index: NDArray[np.int64], x: NDArray[np.int64], lengths: NDArray[np.int64], *, mean: bool
) -> Near:
    shape = (len(x), *made.decay.at.shape[1:])
    state, z = Near(np.zeros(shape), np.zeros(shape)), Near(np.zeros(len(x)), np.zeros(len(x)))
    for t in range(int(lengths.max())):
        at = index[:, t]
        state = made.decay[at] * state + made.drive[at]
        ends = lengths == t + 1
        read = lengths > t if mean else ends
        if not read.any():
            continue
        y = (made.C[at[read]][:, None] * state[read]).sum() + made.skip[at[read]]
        token = x[read, t]
        found = (made.Om[token] * y).sum() + made.rho[token]
        total = z[read] + found if mean else found
        z.at[read], z.off[read] = total.at, total.off
    if not mean:
        return z
    share = z.at / lengths
    return Near(share, (z.off / lengths + EPS * np.abs(share)) * _UP + TINY)
