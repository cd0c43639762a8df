"""How far a mixer's output moves with its parameters and its input, over all inputs of at most T tokens, from above.

Source: theory M4.2, M4.3, M4.4. On the straight path between two parameter sets every norm is at most the larger of its
ends. *Primitives* are norms and ranges that hold at both ends, *moves* are norms of differences; all that follows is
monotone in both. Lower ends of ranges are rounded down, all else up. Masks are allowed. Letters of shapes: d channels,
k taps, H heads, G groups of N states, n = d + 2 G N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.mamba.silu import steepest
from ssm_bounds.bounds.architectures.mamba.sums import R_1, R_a, R_g, R_s
from ssm_bounds.bounds.architectures.mamba.suprema import (
    Range,
    gated,
    input_norm,
    modulus,
    normed,
    on_both_paths,
    steps,
)
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, below, norm, norms, sum_above

Primitives = TypeVar("Primitives")
Places: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """Inputs ``x_j = r_j . v + c_j`` of a convolution, (n,) each."""

    rows: Floats  # |r_j|_2
    offset: Floats  # |c_j|, and what a masked token gives
    kappa: Floats  # |K_j|_1
    bias: Range  # b_j


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """``z_j = r_{z,j} . v + c_{z,j}``, (d,) each."""

    rows: Floats  # |r_{z,j}|_2
    shift: Range  # c_{z,j}, and what a masked token gives


@dataclass(frozen=True, slots=True, eq=False)
class Primitives1:
    """M4.2: of a Mamba mixer whose inputs are |v_t|_2 <= radius; matrices by their spectral norms. ``B``, ``C`` and
    ``logit`` (d,): suprema of |B_t|_2, |C_t|_2 and of the logits of the steps that are known otherwise (M1.4, M1.5)."""

    radius: float
    x: Channels
    z: Gate
    b: float  # |b|_2
    R_x: float
    kmax: Floats  # (k,): max_j |K_ji|
    X_B: float
    X_C: float
    X_dt: float
    W_dt: Floats  # (d,): |W_{dt,j}|_2
    p: Floats  # (d,): upper ends
    rates: Range  # (d,): of e^A_log over the states of each channel
    D: Floats  # (d,): |D_j|
    W_o: float
    B: float = math.inf
    C: float = math.inf
    logit: Floats | float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Moves1:
    """M4.2: norms of differences. An input that moves by |dv| adds ``|r_j| |dv|`` to ``x`` and ``|r_{z,j}| |dv|`` to
    ``z`` (M4.3)."""

    x: Floats  # (d,): rho |dr_j|_2 + |dc_j|
    K: Floats  # (d,): |dK_j|_1
    b: Floats  # (d,)
    z: Floats  # (d,): rho |dr_{z,j}|_2 + |dc_{z,j}|
    X_B: float
    X_C: float
    X_dt: float
    W_dt: Floats  # (d,): |dW_{dt,j}|_2
    p: Floats  # (d,)
    A_log: Floats  # (d,): max_n |dA_log,jn|
    D: Floats  # (d,)
    W_o: float
    b_o: float


@dataclass(frozen=True, slots=True, eq=False)
class Primitives2:
    """M4.4: of a Mamba-2 mixer; ``xBC`` holds the channels of [x | B | C]. With a norm after the gate ``W_o`` is the
    spectral norm of W_o diag(gamma_n)."""

    radius: float
    xBC: Channels
    z: Gate
    r_dt: Floats  # (H,): |r_{dt,h}|_2
    p: Floats  # (H,): upper ends
    rates: Range  # (H,)
    D: Floats  # (H,): |D_h|
    W_o: float
    groups: int
    limits: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Moves2:
    """M4.4: ``logit`` (H,) is ``|dp_h| + rho |dr_{dt,h}|_2``, with ``|r_{dt,h}| |dv|`` for an input that moves."""

    xBC: Floats  # (n,)
    K: Floats  # (n,)
    b: Floats  # (n,)
    z: Floats  # (d,)
    logit: Floats  # (H,)
    A_log: Floats  # (H,)
    D: Floats  # (H,)
    W_o: float
    b_o: float


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """Suprema on the path, (d,) each: of |u_j|, of |SiLU'| before it, of |B_t|_2 and |C_t|_2, of the step, the sums of
    M4, |D_j|, of |y_j|, of |SiLU(z_j)| and |SiLU'(z_j)|. ``rate`` is R_a, or R_s where a clock has one rate."""

    U: Floats
    slope: Floats
    B: Floats
    C: Floats
    M: Floats
    first: Floats  # R_1
    gate: Floats  # R_g
    rate: Floats
    D: Floats
    Y: Floats
    Z: Floats
    slope_z: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """How far u, the logits, y and SiLU(z) move, (d,) each; the largest modulus of ``w = y o SiLU(z)`` and its move."""

    u: Floats
    logit: Floats
    y: Floats
    z: Floats
    size: Floats
    w: Floats


def joined(first: Primitives, second: Primitives) -> Primitives:
    """Primitives that hold at both sets."""
    found: Primitives = _joined(first, second)
    return found


def _joined(first: Any, second: Any) -> Any:
    if is_dataclass(first) and not isinstance(first, type):
        return replace(
            first, **{f.name: _joined(getattr(first, f.name), getattr(second, f.name)) for f in fields(first)}
        )
    if isinstance(first, tuple):
        return np.minimum(first[0], second[0]), np.maximum(first[1], second[1])
    return np.maximum(first, second) if isinstance(first, np.ndarray) else max(first, second)


def largest_input(at: Primitives1) -> float:
    """``B_u``: the smaller of ``|U|_2`` and ``|b|_2 + |kappa o c|_2 + rho |R_x|_2 sum_i kmax_i``."""
    U, _ = convolved(at.x, at.radius)
    windows = float(above(at.radius * at.R_x * sum_above(at.kmax), 2))
    return input_norm(U, np.array([at.b]), at.x.kappa, at.x.offset, windows)


@np.errstate(all="ignore")
def reach1(at: Primitives1, T: int) -> Reach:
    """M4.2."""
    U, slope = convolved(at.x, at.radius)
    B_u = largest_input(at)
    B, C = (np.full(len(U), min(above(norm_ * B_u), most)) for norm_, most in ((at.X_B, at.B), (at.X_C, at.C)))
    _, logit = _around((at.p, at.p), above(at.W_dt * at.X_dt * B_u, 2))
    logit = np.fmin(logit, at.logit)
    _, M = steps((logit, logit))
    return _reach(U, slope, B, C, M, R_a(*at.rates, M, T), at.rates[0], at.D, at.z, at.radius, T)


@np.errstate(all="ignore")
def mamba1(at: Primitives1, by: Moves1, T: int) -> Moved:
    """M4.2: how far ``w = y o SiLU(z)`` moves, channel by channel."""
    reach, B_u = reach1(at, T), largest_input(at)
    u = convolved_moves(at.x, at.radius, reach.slope, by.b, by.K, by.x)
    du = norm(u)
    B, C = (np.asarray(above(B_u * move + matrix * du, 3)) for matrix, move in ((at.X_B, by.X_B), (at.X_C, by.X_C)))
    through_rank = B_u * (at.X_dt * by.W_dt + at.W_dt * by.X_dt)
    logit = above(by.p + through_rank + at.W_dt * at.X_dt * du, 8)
    return _moved(reach, u, B, C, logit, by.A_log, by.D, by.z)


@np.errstate(all="ignore")
def reach2(at: Primitives2, T: int) -> Reach:
    """M4.4; the step as it is with its limits and without them (M2.1)."""
    every, slope = convolved(at.xBC, at.radius)
    d, of_head, of_group = places(at)
    B, C = (norms(part.reshape(at.groups, -1))[of_group] for part in np.split(every[d:], 2))
    _, M = on_both_paths(steps(_around((at.p, at.p), above(at.radius * at.r_dt))), at.limits)
    slow, fast = (end[of_head] for end in at.rates)
    M = M[of_head]
    return _reach(every[:d], slope[:d], B, C, M, R_s(slow, fast, M, T), slow, at.D[of_head], at.z, at.radius, T)


@np.errstate(all="ignore")
def mamba2(at: Primitives2, by: Moves2, T: int) -> Moved:
    """M4.4: how far ``w = y o SiLU(z)``, before any norm, moves channel by channel."""
    _, slope = convolved(at.xBC, at.radius)
    d, of_head, of_group = places(at)
    u = convolved_moves(at.xBC, at.radius, slope, by.b, by.K, by.xBC)
    B, C = (norms(part.reshape(at.groups, -1))[of_group] for part in np.split(u[d:], 2))
    logit, A_log, D = (part[of_head] for part in (by.logit, by.A_log, by.D))
    return _moved(reach2(at, T), u[:d], B, C, logit, A_log, D, by.z)


@np.errstate(all="ignore")
def output_move(moved: Moved, W_o: float, by_W_o: float, by_b_o: float) -> float:
    """M4.2: ``|out - out^|_2 <= |db_o|_2 + |dW_o|_2 |(Y_j Z_j)| + |W_o|_2 |(Z_j dy_j + Y_j dz_j)|``."""
    return _sure(above(by_b_o + by_W_o * norm(moved.size) + W_o * norm(moved.w), 4))


@np.errstate(all="ignore")
def readout_move(moved: Moved, omega: Floats, by_omega: Floats) -> float:
    """M4.3: of ``omega . w``, from moduli of omega (d,) at both sets and of its move."""
    return _sure(sum_above(above(omega * moved.w + by_omega * moved.size, 2)))


@np.errstate(all="ignore")
def normed_output_move(moved: Moved, W_o: float, by_W_o: float, by_b_o: float, *, eps: float, groups: int) -> float:
    """M4.4 through an RMS norm over ``groups`` of channels: its outputs are those of M3.3, its Lipschitz constant is
    ``eps^(-1/2)`` (M6.1)."""
    size = len(moved.size) // groups
    length = norm(above(normed(moved.size, eps, groups) * np.sqrt(size), 2))
    return _sure(above(by_b_o + by_W_o * length + W_o * norm(moved.w) / np.sqrt(eps), 6))


def lipschitz1(at: Primitives1, T: int) -> float:
    """M4.3: ``Lip(mixer)``, the move of an output per unit of ``|dv| = sup_t |dv_t|_2``."""
    none = np.zeros_like(at.D)
    inputs = Moves1(at.x.rows, none, none, at.z.rows, 0.0, 0.0, 0.0, none, none, none, none, 0.0, 0.0)
    return output_move(mamba1(at, inputs, T), at.W_o, 0.0, 0.0)


@np.errstate(all="ignore")
def coefficients1(at: Primitives1, T: int) -> dict[str, Floats]:
    """M4.3: the move of an output per unit of one block alone, by channel (d,) but for whole matrices: W_o, X_B, X_C,
    X_dt in spectral norm, r, r_z, W_dt rows in l2, K rows in l1, A_log rows in their largest entry."""
    reach, B_u = reach1(at, T), largest_input(at)
    B, C, state = reach.B, reach.C, reach.B * reach.C
    weight, gate = reach.Z * reach.U * reach.first, reach.Z * reach.U * reach.gate
    shared = weight * (C * at.X_B + B * at.X_C) + state * gate * at.W_dt * at.X_dt  # per unit of |du|_2
    own = reach.Z * (reach.first * state + reach.D)  # of its own channel
    u = at.W_o * reach.slope * np.sqrt(norm(above(shared, 12)) ** 2 + own * (2 * shared + own))
    chi = at.x.offset + at.radius * at.x.rows
    found = {
        "W_o": norm(above(reach.Y * reach.Z)),
        "r_z": at.W_o * reach.Y * reach.slope_z * at.radius,
        "c_z": at.W_o * reach.Y * reach.slope_z,
        "D": at.W_o * reach.Z * reach.U,
        "X_C": at.W_o * B[0] * B_u * norm(above(weight, 2)),
        "X_B": at.W_o * C[0] * B_u * norm(above(weight, 2)),
        "p": at.W_o * state * gate,
        "W_dt": at.W_o * state * gate * at.X_dt * B_u,
        "X_dt": at.W_o * state[0] * B_u * norm(above(gate * at.W_dt, 3)),
        "A_log": at.W_o * state * reach.Z * reach.U * reach.rate,
        "b": u,
        "K": u * chi,
        "r": u * at.x.kappa * at.radius,
        "c": u * at.x.kappa,
    }
    return {name: np.asarray(above(value, 40)) for name, value in found.items()}


def before(x: Channels, radius: float) -> Range:
    """``b_j +- kappa_j chi_j``, which SiLU is applied to."""
    return _around(x.bias, above(x.kappa * (x.offset + radius * x.rows), 3))


def convolved(x: Channels, radius: float) -> Range:
    """``U_j = sup |u_j|`` and ``L_j = sup |SiLU'|`` on ``b_j +- kappa_j chi_j``."""
    a = before(x, radius)
    return modulus(gated(a)), steepest(*a)


def convolved_moves(x: Channels, radius: float, slope: Floats, b: Floats, K: Floats, dx: Floats) -> Floats:
    """``du_j = L_j (|db_j| + chi_j |dK_j|_1 + kappa_j |dx_j|)``."""
    return np.asarray(above(slope * (b + (x.offset + radius * x.rows) * K + x.kappa * dx), 8))


def _reach(
    U: Floats, slope: Floats, B: Floats, C: Floats, M: Floats, rate: Floats, slow: Floats, D: Floats, z: Gate,
    radius: float, T: int,
) -> Reach:  # fmt: skip
    first = R_1(slow, M, T)
    Y = above(U * (B * C * first + D), 4)
    range_z = _around(z.shift, above(radius * z.rows))
    Z = modulus(gated(range_z))
    return Reach(U, slope, B, C, M, first, R_g(slow, M, T), rate, D, Y, Z, steepest(*range_z))


def _moved(r: Reach, u: Floats, B: Floats, C: Floats, logit: Floats, A_log: Floats, D: Floats, z: Floats) -> Moved:
    """``dy_j`` of M4.2 and M4.4, which is one formula: C, B, u, the gate, A_log and D, each through its sum."""
    inputs = r.first * (r.U * (r.C * B + r.B * C) + r.B * r.C * u)
    clocks = r.B * r.C * r.U * (r.gate * logit + r.rate * A_log)
    y, dz = above(inputs + clocks + r.U * D + r.D * u, 20), above(r.slope_z * z)
    return Moved(u, logit, y, dz, above(r.Y * r.Z), above(r.Z * y + r.Y * dz, 3))


def _around(ends: Range, reach: Floats) -> Range:
    low, high = ends
    return below(low - reach, 1, np.abs(low) + reach), above(high + reach, 1, np.abs(high) + reach)


def places(at: Primitives2) -> tuple[int, Places, Places]:
    """How many channels, and the head and group of each."""
    d, H = len(at.z.rows), len(at.p)
    return d, np.arange(d) * H // d, np.arange(d) * at.groups // d


def _sure(value: Any) -> float:
    """Infinity for what overflowed to no number."""
    return float("inf") if np.isnan(value) else float(value)
