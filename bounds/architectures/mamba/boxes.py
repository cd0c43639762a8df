"""Primitives of every mixer in a box around one, and how far its points are from the centre.

Source: theory M4.2, M4.4. A box is half-widths >= 0 by the name of a parameter, entry by entry; what has none does not
move. Rows count in l2, matrices in Frobenius norm. Names of Mamba: R_x, R_z, c, c_z, K, b, X_dt, X_B, X_C, W_dt, p,
A_log, D, W_o, b_o; of Mamba-2, with the channels [x | B | C]: R_xBC, c_xBC, R_z, c_z, R_dt, K, b, p, A_log, D, W_o,
b_o. Rows of in_proj are those of the normed input: parameters times the norm's weight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from ssm_bounds.bounds.architectures.mamba.perturbation import (
    Channels,
    Gate,
    Moves1,
    Moves2,
    Primitives1,
    Primitives2,
)
from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, below, exp_above, exp_below, norm, norms, sum_above

Box: TypeAlias = Mapping[str, Floats]


def widened1(at: Primitives1, box: Box, A_log: Floats) -> Primitives1:
    """From those of the centre, whose A_log (d,N) is."""
    h = _Half(box, len(at.D))
    slow, fast = _rates(A_log, h.entries("A_log", A_log))
    return replace(
        at,
        x=_channels(at.x, h.rows("R_x"), h("c"), h.taps("K"), h("b")),
        z=_gate(at.z, h),
        b=_sum(at.b, h.norm("b")),
        R_x=_sum(at.R_x, h.norm("R_x")),
        kmax=above(at.kmax + (box["K"].max(axis=0) if "K" in box else 0.0)),
        X_B=_sum(at.X_B, h.norm("X_B")),
        X_C=_sum(at.X_C, h.norm("X_C")),
        X_dt=_sum(at.X_dt, h.norm("X_dt")),
        W_dt=above(at.W_dt + h.rows("W_dt")),
        p=around(at.p, h("p"))[1],
        rates=(slow.min(axis=1), fast.max(axis=1)),
        D=above(at.D + h("D")),
        W_o=_sum(at.W_o, h.norm("W_o")),
    )


def widened2(at: Primitives2, box: Box, A_log: Floats) -> Primitives2:
    """From those of the centre, whose A_log (H,) is."""
    h, n = _Half(box, len(at.p)), _Half(box, len(at.xBC.rows))
    return replace(
        at,
        xBC=_channels(at.xBC, n.rows("R_xBC"), n("c_xBC"), n.taps("K"), n("b")),
        z=_gate(at.z, _Half(box, len(at.z.rows))),
        r_dt=above(at.r_dt + h.rows("R_dt")),
        p=around(at.p, h("p"))[1],
        rates=_rates(A_log, h("A_log")),
        D=above(at.D + h("D")),
        W_o=_sum(at.W_o, h.norm("W_o")),
    )


def moves1(by: Box, d: int, radius: float, size: Callable[[Floats], float] = norm) -> Moves1:
    """Of d channels, from the centre to any point of a box; or by differences, of matrices in norm ``size``."""
    h = _Half(by, d)
    return Moves1(
        x=_inputs(h.rows("R_x"), h("c"), radius),
        K=above(h.taps("K")),
        b=above(np.abs(h("b"))),
        z=_inputs(h.rows("R_z"), h("c_z"), radius),
        X_B=h.norm("X_B", size),
        X_C=h.norm("X_C", size),
        X_dt=h.norm("X_dt", size),
        W_dt=above(h.rows("W_dt")),
        p=above(np.abs(h("p"))),
        A_log=above(np.abs(by["A_log"]).max(axis=1)) if "A_log" in by else np.zeros(d),
        D=above(np.abs(h("D"))),
        W_o=h.norm("W_o", size),
        b_o=float(above(h.norm("b_o"))) if "b_o" in by else 0.0,
    )


def moves2(by: Box, shape: Shape2, radius: float, size: Callable[[Floats], float] = norm) -> Moves2:
    """As :func:`moves1`."""
    n, d, h = (_Half(by, count) for count in (shape.n, shape.d, shape.H))
    return Moves2(
        xBC=_inputs(n.rows("R_xBC"), n("c_xBC"), radius),
        K=above(n.taps("K")),
        b=above(np.abs(n("b"))),
        z=_inputs(d.rows("R_z"), d("c_z"), radius),
        logit=_inputs(h.rows("R_dt"), h("p"), radius),
        A_log=above(np.abs(h("A_log"))),
        D=above(np.abs(h("D"))),
        W_o=h.norm("W_o", size),
        b_o=float(above(h.norm("b_o"))) if "b_o" in by else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Shape2:
    """n = d + 2 G N channels of [x | B | C], d of them x; H heads."""

    n: int
    d: int
    H: int

    @classmethod
    def of(cls, at: Primitives2) -> Shape2:
        return cls(len(at.xBC.rows), len(at.z.rows), len(at.p))


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """Half-widths, or differences, of ``size`` rows or entries; zeros where there are none."""

    by: Box
    size: int

    def __call__(self, name: str) -> Floats:
        return self.by[name] if name in self.by else np.zeros(self.size)

    def entries(self, name: str, like: Floats) -> Floats:
        return self.by[name] if name in self.by else np.zeros_like(like)

    def rows(self, name: str) -> Floats:
        return norms(self.by[name]) if name in self.by else np.zeros(self.size)

    def taps(self, name: str) -> Floats:
        return np.asarray(sum_above(np.abs(self.by[name]), axis=1)) if name in self.by else np.zeros(self.size)

    def norm(self, name: str, size: Callable[[Floats], float] = norm) -> float:
        return size(self.by[name]) if name in self.by else 0.0


def around(centre: Floats, half: Floats) -> Range:
    """Both ends; a half-width of 0 costs nothing."""
    return _around((centre, centre), half)


def _around(ends: Range, half: Floats) -> Range:
    low, high = (
        side(end + sign * half, 1, np.abs(end) + half)
        for side, sign, end in zip((below, above), (-1, 1), ends, strict=True)
    )
    return np.where(half > 0, low, ends[0]), np.where(half > 0, high, ends[1])


def _channels(x: Channels, rows: Floats, shift: Floats, taps: Floats, bias: Floats) -> Channels:
    return Channels(
        rows=above(x.rows + rows),
        offset=above(x.offset + shift),
        kappa=above(x.kappa + taps),
        bias=_around(x.bias, bias),
    )


def _gate(z: Gate, h: _Half) -> Gate:
    return Gate(above(z.rows + h.rows("R_z")), _around(z.shift, h("c_z")))


def _rates(A_log: Floats, half: Floats) -> Range:
    low, high = around(A_log, half)
    return exp_below(low), exp_above(high)


def _inputs(rows: Floats, shift: Floats, radius: float) -> Floats:
    return np.asarray(above(radius * rows + np.abs(shift), 3))


def _sum(size: float, more: float) -> float:
    return float(above(size + more)) if more else size
