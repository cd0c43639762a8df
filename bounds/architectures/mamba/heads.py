"""How far the output of one Mamba-2 block moves with each of its parameters: first derivatives on a box.

Source: theory M4.4 and M5.2 (b), in tables over the tokens as in M5.1: ``f = rho_v s + sum_j omega_j w_j`` at the last
token v, ``w_j = y_j SiLU(Z_vj)``, ``s = sqrt(mean w^2 + eps)`` with a norm after the gate and 1 without one: a positive
multiple of the logit. For every input of at most T tokens that ends in v and every point of the box, each derivative is
at most ``slopes2``, and f moves by at most ``move2`` from any point of the box that is within the widths of another.
As ``(w_j/(d s))_j``, the gradient of s, is at most ``1/sqrt d`` in l2, so ``|f'| <= s |rho'| + sum_j |omega_j'||w_j| +
sum_j |omega_j||w_j'| + (|rho|/sqrt d) |w'|_2``, and no ``1/sqrt eps`` comes in. Clamped steps move no faster than free
ones almost everywhere on a path, which is all that is used. Products of suprema, each from above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ssm_bounds.bounds.architectures.mamba.silu import silu_range, steepest
from ssm_bounds.bounds.architectures.mamba.sums import R_1, R_g, R_s
from ssm_bounds.bounds.architectures.mamba.suprema import Range, clamped, modulus, steps
from ssm_bounds.bounds.architectures.mamba.windows import Windows, along_last, convolved
from ssm_bounds.bounds.evaluate.elementary import Floats, total
from ssm_bounds.bounds.evaluate.outward import above, exp_above, exp_below, sum_above

BLOCKS2 = ("XBC", "Z", "L", "omega", "rho", "K", "b", "A_log", "D")
"""With n = d + 2 G N channels of [x | B | C]: XBC (V,n), Z (V,d), L (V,H), the logits of the steps; omega (d,); rho
(V,); K (n,k); b (n,); A_log, D (H,)."""
OF_READOUT = ("omega", "rho")
_OF_LAST = ("Z", "rho")  # only the row of the last token moves the output of an input
_OF_ALL = ("XBC", "L")  # at each place one row counts, and it may be any

Slopes2: TypeAlias = Mapping[str, Floats]
"""By block, the last token first (V,...): of Z and rho its own row, of XBC and L all rows at once, by column."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """What no training moves: ``groups`` of B and C, the limits of a step, eps of the norm after the gate (None: there
    is none)."""

    groups: int
    limits: tuple[float, float]
    eps: float | None


@np.errstate(all="ignore")
def slopes2(at: Mapping[str, Range], windows: Windows, fixed: Fixed, T: int) -> Slopes2:
    """On the box ``at``; infinity, or no number, where nothing bounds a derivative. Axes v, j, n: the last token, the
    channel, the state of its group."""
    d, H, V = len(at["omega"][0]), len(at["A_log"][0]), len(at["rho"][0])
    head, group = np.arange(d) * H // d, np.arange(d) * fixed.groups // d
    largest = {name: modulus(found) for name, found in at.items()}
    a = convolved(at["XBC"], at["K"], at["b"], windows)
    (u, B, C), (u_slope, B_slope, C_slope) = (
        np.split(each, [d, d + (each.shape[1] - d) // 2], axis=1) for each in (modulus(silu_range(*a)), steepest(*a))
    )
    last = windows.tokens[:, 0]
    u_last, slope_last, C_last, C_slope_last = (
        np.stack([part[last == v].max(axis=0) for v in range(V)]) for part in (u, u_slope, C, C_slope)
    )
    C_last, C_slope_last = (part.reshape(V, fixed.groups, -1)[:, group] for part in (C_last, C_slope_last))
    driven, by_u, by_B = (_largest(x, y, fixed.groups) for x, y in ((u, B), (u_slope, B), (u, B_slope)))
    M = clamped(steps(at["L"]), fixed.limits)[1].max(axis=0)
    slow, fast = exp_below(at["A_log"][0]), exp_above(at["A_log"][1])
    first, gate, rate = (sums[head] for sums in (R_1(slow, M, T), R_g(slow, M, T), R_s(slow, fast, M, T)))
    omega, D, rho = largest["omega"], largest["D"][head], largest["rho"]
    gated, gate_slope = modulus(silu_range(*at["Z"])), steepest(*at["Z"])
    state = along_last(C_last * driven)
    y = state * first + D * u_last
    w = gated * y
    if fixed.eps is None:
        share, scale = np.zeros(V), np.ones(V)
    else:
        share = rho / np.sqrt(d)
        scale = np.sqrt(above(along_last(w * w) / d + fixed.eps, d + 4))

    def read(moved: Floats, parts: int) -> Floats:
        """Of w' (v,j,...), in which each of so many parts of the channels moves alone: (v,parts,...)."""
        beside = (1,) * (moved.ndim - 2)
        shape = (V, parts, d // parts, *moved.shape[2:])
        summed, squares = (
            total(np.moveaxis(each.reshape(shape), 2, 0), axis=0)
            for each in (omega.reshape(d, *beside) * moved, moved * moved)
        )
        return np.asarray(summed + share.reshape(V, 1, *beside) * np.sqrt(above(squares, d)))

    own = gated * (along_last(C_last * by_u) * first + D * slope_last)
    through = (gated * first)[:, :, None]
    conv = np.hstack(
        [
            read(own, d),
            read(through * C_last * by_B, fixed.groups).reshape(V, -1),
            read(through * C_slope_last * driven, fixed.groups).reshape(V, -1),
        ]
    )
    found = {
        "XBC": conv * total(largest["K"], axis=1),
        "Z": read(gate_slope * y, d),
        "L": read(gated * state * gate, H),
        "omega": w,
        "rho": scale,
        "K": conv[:, :, None] * largest["XBC"].max(axis=0)[:, None] + 0 * largest["K"],
        "b": conv,
        "A_log": read(gated * state * rate, H),
        "D": read(gated * u_last, H),
    }
    # sums and products of numbers >= 0, which are relatively exact
    return {name: above(found[name], 2 * (d + C.shape[1]) + 64) for name in BLOCKS2}


@np.errstate(all="ignore")
def move2(found: Slopes2, width: Mapping[str, Floats]) -> float:
    """``max_v sum_i |df/dtheta_i| h_i`` from above; infinity where it is no number."""
    sums = []
    for name, h in width.items():
        by_entry = found[name] * (h if name in _OF_LAST else h.max(axis=0) if name in _OF_ALL else h[None])
        sums.append(sum_above(above(by_entry.reshape(len(by_entry), -1)), axis=1))
    moved = float(above(sum(sums), len(sums)).max())
    return float("inf") if np.isnan(moved) else moved


def by_entry(found: Slopes2) -> dict[str, Floats]:
    """In the shapes of the blocks, the mean over last tokens; rows that move together share it."""
    V = len(found["rho"])
    means = {name: total(each, axis=0) / V for name, each in found.items()}
    return {
        name: each / V if name in _OF_LAST else np.broadcast_to(means[name] / V, each.shape)
        if name in _OF_ALL else means[name]
        for name, each in found.items()
    }  # fmt: skip


def _largest(left: Floats, right: Floats, groups: int) -> Floats:
    """``max_w left_wj right_wn`` (d,N), n over the states of the group of j."""
    d = left.shape[1]
    found, group = np.zeros((d, right.shape[1] // groups)), np.arange(d) * groups // d
    for x, y in zip(left, right, strict=True):
        found = np.maximum(found, x[:, None] * y.reshape(groups, -1)[group])
    return found
