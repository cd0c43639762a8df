"""A last block beside a linear function of features: how far its output moves with its parameters (theory M6.4).

**Claim.** Let phi and v_1, ..., v_T be functions of an input, |v_t|_2 < sqrt D, w = y o SiLU(z) what the mixer has at
the last token before any norm, s = 1, or s = sqrt(mean w^2 + eps) where a norm of all channels follows (theory M5.2),

    f = (s (line . phi + beta) + omega . w)/(c + |phi|_2) ,   c > 0 .

From the centre of a box to any point of it f moves by at most the larger of *far* and *near*,

    far  = s^ |d line|_2 + |line|_2 e ,
    near = (s^ |d beta| + |beta| e + sum_j (|omega_j| dw_j + |d omega_j| w^_j))/c ,   e = |dw|_2/sqrt d or 0,

dw_j of M4.2 and M4.4, suprema s^, w^, |omega_j| over the box, |line|_2 and |beta| at its centre.

**Derivation.** The numerator moves by at most ``far |phi| + c near``, s being 1/sqrt d-Lipschitz in w; divided by
``c + |phi|`` this is a mean of far and near with weights |phi| and c.

**Inputs that are trained.** ``h_t = M xi_t``, M (D,c+1), xi_t = (x_t, 1) of any real x_t, normed to v_t. With
``M = Q L``, Q of orthonormal columns and L upper triangular, ``r . v = (Q^T r) . v'``, v' the normed ``L xi`` in the
same norm: with rows ``Q^T r`` the blocks are those of Mamba on c+1 instead of D inputs in the ball of radius sqrt D,
and L. As ``|xi_k| <= nu_k |L xi|``, 1/nu_k the distance of column k of L, or M, from the span of the others, a move of
columns by dl_k moves ``L xi`` by at most ``delta |L xi|``, ``delta = sum_k |dl_k|_2 nu_k``, and v' by M6.1 by at most
``sqrt D delta/(1 - delta)``, whatever x.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ssm_bounds.bounds.architectures.mamba.boxes import Box, Shape2, moves1, moves2, widened1, widened2
from ssm_bounds.bounds.architectures.mamba.perturbation import (
    Moved,
    Moves1,
    Moves2,
    Primitives1,
    Primitives2,
    before,
    largest_input,
    mamba1,
    mamba2,
    readout_move,
)
from ssm_bounds.bounds.architectures.mamba.suprema import Range, gated, images, modulus
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, below, norm, sum_above

OF_READOUT = ("omega", "line", "beta")
ENTRY = "L"
"""The block of the map of real inputs: the upper triangle of L, ``M = Q L``, by columns, that of the bias last."""


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """On a box: moduli of omega (d,). At its centre: |line|_2 and |beta|. ``eps`` of a norm after the gate; ``unit`` is
    c."""

    omega: Floats
    line: float
    beta: float
    eps: float | None
    unit: float


@dataclass(frozen=True, slots=True, eq=False)
class ReadoutMoves:
    omega: Floats  # (d,)
    line: float  # in l2
    beta: float


@dataclass(frozen=True, slots=True, eq=False)
class Last:
    """One block, whose centre has primitives ``at`` and entries ``center``: those of ``boxes`` but for W_o and b_o, and
    omega (d,), line, beta (1,). ``reach``: of a trained map of inputs, nu (c+1,) at its centre."""

    at: Primitives1 | Primitives2
    center: Mapping[str, Range]
    T: int
    eps: float | None
    unit: float
    reach: Floats | None = None

    @property
    def divided(self) -> str:
        """By what the output is divided, beside norms, in words: phi is x_T under a trained map of inputs."""
        feature = "phi" if self.reach is None else "x_T"
        return f"c + |{feature}|_2 (c = {self.unit!r})"


@np.errstate(all="ignore")
def output_moves(readout: Readout, by: ReadoutMoves, moved: Moved) -> tuple[float, float]:
    """far and near."""
    s, turn = divisor(readout, moved)
    far = above(s * by.line + readout.line * turn, 4)
    beside = above(s * by.beta + readout.beta * turn, 4)
    return float(far), float(above((beside + readout_move(moved, readout.omega, by.omega)) / readout.unit, 3))


@np.errstate(all="ignore")
def input_move(columns: Floats, reach: Floats, radius: float) -> float:
    """How far v moves as columns of L do, in l2 each (c+1,): both v are in the ball of ``radius`` in any case."""
    delta = float(sum_above(above(columns * reach)))
    if not delta < 0.5:
        return float(above(2 * radius))
    return float(above(radius * delta / below(1 - delta, 1, 1.0), 3))


def columns(triangle: Floats, count: int) -> Floats:
    """l2 norms (c+1,) of the columns of an upper triangle."""
    return np.array([norm(column) for column in np.split(triangle, np.cumsum(np.arange(1, count)))])


def around(last: Last, box: Box) -> tuple[Primitives1 | Primitives2, Readout]:
    """What holds at every point of a box of half-widths."""
    center = last.center
    A_log, _ = center["A_log"]  # as the file holds it
    wide = {name: _with_spread(h, center[name]) for name, h in box.items()}
    at = (
        _seen(widened1(last.at, wide, A_log), center, wide)
        if isinstance(last.at, Primitives1)
        else widened2(last.at, wide, A_log)
    )
    line, beta = (norm(modulus(center[name])) for name in ("line", "beta"))
    omega = above(modulus(center["omega"]) + box["omega"])
    return at, Readout(omega, line, beta, last.eps, last.unit)


def _with_spread(half: Floats, center: Range) -> Floats:
    """Where a centre is known to an enclosure, primitives are those of a point of it."""
    return half if np.array_equal(*center) else np.asarray(above(half + (center[1] - center[0]), 2))


def _seen(at: Primitives1, center: Mapping[str, Range], box: Box) -> Primitives1:
    """With what rows of x_proj make of the range of u (M1.4, M1.5), row by row, at every point of the box."""
    u, B_u = gated(before(at.x, at.radius)), largest_input(at)
    B, C, low = (images(center[name][0], box[name], u, B_u) for name in ("X_B", "X_C", "X_dt"))
    W, h = center["W_dt"][0], box["W_dt"]
    sides = [(W + sign * h) * end for sign in (-1, 1) for end in low]
    largest = sides[0]
    for side in sides[1:]:
        largest = np.maximum(largest, side)
    size = above((np.abs(W) + h) * modulus(low), 3)
    steps = sum_above(above(largest, 2, size), axis=1)
    return replace(
        at, B=norm(modulus(B)), C=norm(modulus(C)), logit=above(at.p + steps, 1, np.abs(at.p) + np.abs(steps))
    )


@np.errstate(all="ignore")
def moved(last: Last, at: Primitives1 | Primitives2, box: Box) -> Moved:
    """From the centre to any point of a box, in which primitives are ``at``."""
    input_ = 0.0
    if last.reach is not None:
        input_ = input_move(columns(box[ENTRY], len(last.reach)), last.reach, at.radius)
    if isinstance(at, Primitives1):
        return mamba1(at, _carried1(moves1(box, len(at.D), at.radius), at, input_), last.T)
    return mamba2(at, _carried2(moves2(box, Shape2.of(at), at.radius), at, input_), last.T)


def read_moves(box: Box) -> ReadoutMoves:
    return ReadoutMoves(box["omega"], norm(box["line"]), norm(box["beta"]))


def on_box(last: Last, box: Box) -> tuple[float, float]:
    """far and near, from the centre to any point of a box."""
    at, readout = around(last, box)
    return output_moves(readout, read_moves(box), moved(last, at, box))


def furthest(last: Last, box: Box) -> float:
    """The larger of far and near; infinity where one of them is no number."""
    far, near = on_box(last, box)
    if far > near:
        return far
    return near if far <= near else math.inf


def _carried1(by: Moves1, at: Primitives1, input_: float) -> Moves1:
    """With an input that moves too (M4.3)."""
    return replace(by, x=above(by.x + at.x.rows * input_, 2), z=above(by.z + at.z.rows * input_, 2))


def _carried2(by: Moves2, at: Primitives2, input_: float) -> Moves2:
    return replace(
        by,
        xBC=above(by.xBC + at.xBC.rows * input_, 2),
        z=above(by.z + at.z.rows * input_, 2),
        logit=above(by.logit + at.r_dt * input_, 2),
    )


def divisor(readout: Readout, moved: Moved) -> tuple[float, float]:
    """``sup s``, and how far it moves: 1 and 0 without a norm."""
    if readout.eps is None:
        return 1.0, 0.0
    d = len(moved.w)
    square = above(norm(moved.size) ** 2 / d + readout.eps, 4)
    return float(above(np.sqrt(square))), float(above(norm(moved.w) / np.sqrt(d), 3))
