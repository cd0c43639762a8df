"""What one block in tables answers on rows of tokens, in real arithmetic: a number and how far it can be off.

Every token of a row has one of few windows, on which all but the scan depends: those are enclosed once. The scan runs
in float64 beside its error, entry by entry, with one operation at a time: the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.mamba.heads import Fixed
from ssm_bounds.bounds.architectures.mamba.silu import silu_range
from ssm_bounds.bounds.architectures.mamba.suprema import Range, clamped, steps
from ssm_bounds.bounds.architectures.mamba.windows import Windows, convolved, images, seen, times
from ssm_bounds.bounds.evaluate.outward import EPS, TINY, above, below, exp_above, exp_below
from ssm_bounds.models.mamba.near import UP, Near
from ssm_bounds.models.mamba.weights import Array

_NUMBERS = 1 << 22  # states of one batch of rows


@dataclass(frozen=True, slots=True, eq=False)
class Normed:
    """A norm after the gate: z is that of the block times ``sqrt(mean w^2 + eps)``, w what passes ``gate`` (V,d)."""

    gate: Near
    eps: float


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """What a token contributes, by its window (W,...) or token (V,...): ``decay`` (W,d,N or 1), ``drive`` (W,d,N),
    ``C`` (W,1 or d,N), ``skip`` (W,d), ``Om`` (V,d), ``rho`` (V,)."""

    decay: Near
    drive: Near
    C: Near
    skip: Near
    Om: Near
    rho: Near
    normed: Normed | None = None

    def read(self, token: NDArray[np.int64], y: Near) -> Near:
        """``rho + Om . y`` after tokens (m,), for y (m,d); rho times the norm's divisor where there is one."""
        rho = self.rho[token]
        if self.normed is not None:
            w, d = self.normed.gate[token] * y, y.at.shape[1]
            rho = (
                rho
                * (
                    (w * w * Near.of((below(1.0 / d), above(1.0 / d)))).sum()
                    + Near(np.array(self.normed.eps), np.array(0.0))
                ).root()
            )
        return (self.Om[token] * y).sum() + rho


@np.errstate(all="ignore")
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
        decay=Near.of(decay),
        drive=Near.of(drive),
        C=Near.of(_each(part.C, lambda end: end[:, None])),
        skip=Near.of(times(found["D"], part.u)),
        Om=Near.of(found["Om"]),
        rho=Near.of(found["rho"]),
    )


@np.errstate(all="ignore")
def cells2(found: Mapping[str, Range], windows: Windows, fixed: Fixed) -> Cells:
    """Of blocks in tables. Shapes: ``architectures.mamba.heads.BLOCKS2``."""
    d, H = len(found["omega"][0]), len(found["A_log"][0])
    head, group = np.arange(d) * H // d, np.arange(d) * fixed.groups // d
    last = windows.tokens[:, 0]
    after = silu_range(*convolved(found["XBC"], found["K"], found["b"], windows))
    u = _each(after, lambda end: end[:, :d])
    states = _each(after, lambda end: end[:, d:].reshape(len(end), 2, fixed.groups, -1)[:, :, group])
    B, C = _each(states, lambda end: end[:, 0]), _each(states, lambda end: end[:, 1])
    step = clamped(steps(found["L"]), fixed.limits)
    passed = times(step, (exp_below(found["A_log"][0]), exp_above(found["A_log"][1])))
    decay = exp_below(-passed[1]), np.minimum(exp_above(-passed[0]), 1.0)
    written = _each(times(_each(step, lambda end: end[last][:, head]), u), lambda end: end[:, :, None])
    gate = silu_range(*found["Z"])
    return Cells(
        decay=Near.of(_each(decay, lambda end: end[last][:, head, None])),
        drive=Near.of(times(written, B)),
        C=Near.of(C),
        skip=Near.of(times(_each(found["D"], lambda end: end[head]), u)),
        Om=Near.of(times(found["omega"], gate)),
        rho=Near.of(found["rho"]),
        normed=None if fixed.eps is None else Normed(Near.of(gate), fixed.eps),
    )


def _each(values: Range, turned: Callable[[Array], Array]) -> Range:
    return turned(values[0]), turned(values[1])


def scores(
    found: Mapping[str, Range], windows: Windows, x: NDArray[np.int64], lengths: NDArray[np.int64], *, mean: bool
) -> Near:
    """z (m,) of rows x (m,T) of tokens, read at the last of ``lengths`` (m,) tokens, or averaged over them."""
    return scored(cells(found, windows), windows, x, lengths, mean=mean)


@np.errstate(all="ignore")
def scored(made: Cells, windows: Windows, x: NDArray[np.int64], lengths: NDArray[np.int64], *, mean: bool) -> Near:
    """The same, of what tokens contribute."""
    states = made.drive.at[0].size
    rows = max(1, _NUMBERS // max(states, x.shape[1]))
    parts = [
        _batch(made, windows.index(x[i : i + rows]), x[i : i + rows], lengths[i : i + rows], mean=mean)
        for i in range(0, len(x), rows)
    ]
    return Near(np.concatenate([part.at for part in parts]), np.concatenate([part.off for part in parts]))


def _batch(
    made: Cells, index: NDArray[np.int64], x: NDArray[np.int64], lengths: NDArray[np.int64], *, mean: bool
) -> Near:
    shape = (len(x), *made.drive.at.shape[1:])
    state, z = Near(np.zeros(shape), np.zeros(shape)), Near(np.zeros(len(x)), np.zeros(len(x)))
    for t in range(int(lengths.max())):
        at = index[:, t]
        state = made.decay[at] * state + made.drive[at]
        ends = lengths == t + 1
        read = lengths > t if mean else ends
        if not read.any():
            continue
        y = (made.C[at[read]] * state[read]).sum() + made.skip[at[read]]
        found = made.read(x[read, t], y)
        total = z[read] + found if mean else found
        z.at[read], z.off[read] = total.at, total.off
    if not mean:
        return z
    share = z.at / lengths
    return Near(share, (z.off / lengths + EPS * np.abs(share)) * UP + TINY)
