"""How far the output of one Mamba block moves with each of its parameters: first and second derivatives on a box.

Source: theory M5.5, in the tables of M5.1: ``z = rho_v + sum_j Om_vj y_j`` at the last token v. For every input of at
most T tokens and every point of the box, ``|dz/dtheta_i| <= first`` and ``|d^2z/dtheta_i^2| <= second``. Products of
suprema, each from above but for products below 2^-1000, which only a vacuous bound could have; the sums over time take
the rates at their lower end, what stands before them at their upper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ssm_bounds.bounds.architectures.mamba.silu import steepest
from ssm_bounds.bounds.architectures.mamba.sums import R_1, R_2, R_3, R_g, R_s
from ssm_bounds.bounds.architectures.mamba.suprema import Range, modulus
from ssm_bounds.bounds.architectures.mamba.windows import Windows, along_last, images, seen
from ssm_bounds.bounds.evaluate.elementary import Floats, total
from ssm_bounds.bounds.evaluate.outward import above, exp_above, exp_below, softplus_above

BLOCKS = ("X", "Om", "rho", "K", "b", "X_dt", "W_dt", "p", "X_B", "X_C", "A_log", "D")
"""X, Om (V,d); rho (V,); K (d,k); b, p, D (d,); X_dt (R,d); W_dt (d,R); X_B, X_C (N,d); A_log (d,N)."""
OF_TOKENS = ("Om", "rho")
"""Of these only the row of the last token moves the output of an input."""


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """By block, in its shape."""

    first: Mapping[str, Floats]
    second: Mapping[str, Floats]


def box(center: Mapping[str, Range], width: Mapping[str, Floats]) -> dict[str, Range]:
    """Every point within ``width`` of what lies in ``center``."""
    found = {}
    for name, (low, high) in center.items():
        size = np.maximum(np.abs(low), np.abs(high)) + width[name]
        found[name] = low - above(width[name]) - above(0.0, 1, size), high + above(width[name]) + above(0.0, 1, size)
    return found


@np.errstate(all="ignore")
def slopes(at: Mapping[str, Range], windows: Windows, T: int) -> Slopes:
    """On the box ``at``; infinity where nothing bounds a derivative."""
    part = seen(at, windows)
    u, B, low = modulus(part.u), modulus(part.B), modulus(part.low)
    U = u.max(axis=0)
    C_hat, B_hat = modulus(part.C).max(axis=0), B.max(axis=0)
    pairs = _largest(u, u)  # sup |u_j u_i|
    v = _largest(u, B)  # (d,N): sup |B_n u_j|
    d_r = low.max(axis=0)
    L = steepest(*part.a).max(axis=0)
    largest = {name: modulus(found) for name, found in at.items()}
    logits = images(at["W_dt"], part.low)[1].max(axis=0)
    M = softplus_above(above(at["p"][1] + logits, 1, np.abs(at["p"][1]) + np.abs(logits)))[:, None]
    slow, a = exp_below(at["A_log"][0]), exp_above(at["A_log"][1])
    first, second, third = (sum_(slow, M, T) for sum_ in (R_1, R_2, R_3))
    R_p = R_g(slow, M, T)
    R_pp = first + 3 * a * second + a * a * third
    Om, D, W = largest["Om"].max(axis=0), largest["D"], largest["W_dt"]
    kappa = total(largest["K"], axis=1)
    G = Om[:, None] * C_hat * v
    P1, P2 = (total(G * each, axis=1) for each in (R_p, R_pp))
    e1, e2 = _jets(largest, U, L, C_hat, B_hat, v, first, R_p, R_pp)
    alpha = {"X": kappa, "K": largest["X"].max(axis=0)[:, None], "b": np.ones_like(L)}
    by_alpha = {
        name: (
            np.broadcast_to(size * _beside(e1, size), largest[name].shape),
            np.broadcast_to(size * size * _beside(e2, size), largest[name].shape),
        )
        for name, size in alpha.items()
    }
    by_matrix = total(W * W * P2[:, None], axis=0), total(W * P1[:, None], axis=0)
    y = total(C_hat * v * first, axis=1) + D * U
    zero = {name: np.zeros_like(value) for name, value in largest.items()}
    one = {
        "Om": np.broadcast_to(y, largest["Om"].shape),
        "rho": np.ones_like(largest["rho"]),
        "D": Om * U,
        "X_C": total(Om[:, None] * v * first, axis=0)[:, None] * U,
        "X_B": C_hat[:, None] * total((Om[:, None] * first)[:, :, None] * pairs[:, None, :], axis=0),
        "A_log": G * R_s(slow, a, M, T),
        "p": P1,
        "W_dt": P1[:, None] * d_r,
        "X_dt": by_matrix[1][:, None] * U,
    }
    two = {
        "A_log": G * (a * second + a * a * third),
        "p": P2,
        "W_dt": P2[:, None] * d_r * d_r,
        "X_dt": by_matrix[0][:, None] * (U * U),
    }
    one |= {name: pair[0] for name, pair in by_alpha.items()}
    two |= {name: pair[1] for name, pair in by_alpha.items()}
    terms = sum(slow.shape) * 2 + 64  # of sums and products of numbers >= 0, which are relatively exact
    return Slopes(
        {name: above(one[name], terms) for name in BLOCKS},
        {name: above(two[name], terms) if name in two else zero[name] for name in BLOCKS},
    )


def _jets(
    largest: Mapping[str, Floats],
    U: Floats,
    L: Floats,
    C_hat: Floats,
    B_hat: Floats,
    v: Floats,
    R: Floats,
    R_p: Floats,
    R_pp: Floats,
) -> tuple[Floats, Floats]:
    """First and second derivative in what moves ``a_i`` at unit rate (d,): ``|u_i'| <= L_i``, ``|u_i''| <= 1/2``.

    Axes i, j, n: the channel that moves, the channel it is read in, the state.
    """
    Om, same = largest["Om"].max(axis=0)[None, :, None], np.eye(len(U))[:, :, None]
    X_B, X_C = (largest[name].T[:, None, :] for name in ("X_B", "X_C"))
    gate = total(largest["W_dt"].T[:, None, :] * largest["X_dt"][:, :, None], axis=0)[:, :, None]  # (i,j,1)
    slope, bend = L[:, None, None], 0.5
    C, B, u_j = C_hat[None, None, :], B_hat[None, None, :], U[None, :, None]
    C1, B1, u1, l1 = X_C * slope, X_B * slope, same * slope, gate * slope
    C2, B2, u2, l2 = X_C * bend, X_B * bend, same * bend, gate * bend
    w1, w2 = R_p * l1, R_pp * l1 * l1 + R_p * l2
    F = B1 * u_j + B * u1
    one = C1 * v * R + C * F * R + C * v * w1
    two = (
        C2 * v * R
        + C * (B2 * u_j + 2 * B1 * u1 + B * u2) * R
        + C * v * w2
        + 2 * (C1 * F * R + C1 * v * w1 + C * F * w1)
    )
    skip = largest["Om"].max(axis=0) * largest["D"]

    def read(jet: Floats, own: Floats) -> Floats:
        return np.asarray(along_last(along_last(Om * jet)) + skip * own)

    return read(one, L), read(two, np.full_like(L, bend))


def _beside(by_channel: Floats, size: Floats) -> Floats:
    return by_channel[:, None] if size.ndim == 2 else by_channel


def _largest(left: Floats, right: Floats) -> Floats:
    """``max_w left_wi right_wj`` for left (W,i), right (W,j)."""
    found = np.zeros((left.shape[1], right.shape[1]))
    for x, y in zip(left, right, strict=True):
        found = np.maximum(found, np.multiply.outer(x, y))
    return found
