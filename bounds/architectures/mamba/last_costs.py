"""About what the widths of a box around a last block cost: a search, on which nothing certified rests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from ssm_bounds.bounds.architectures.mamba.boxes import Box, Shape2, moves2
from ssm_bounds.bounds.architectures.mamba.last import ENTRY, Last, Readout, columns, divisor, moved
from ssm_bounds.bounds.architectures.mamba.perturbation import (
    Moved,
    Primitives1,
    Primitives2,
    convolved,
    convolved_moves,
    largest_input,
    places,
    reach1,
    reach2,
)
from ssm_bounds.bounds.evaluate.elementary import Floats, total
from ssm_bounds.bounds.evaluate.outward import norm, norms

Costs: TypeAlias = Mapping[str, Floats]


@np.errstate(all="ignore")
def costs(last: Last, at: Primitives1 | Primitives2, readout: Readout, box: Box) -> Costs:
    """About the derivative of ``c near`` in each half-width, by block; that of ``far`` for line. The norm after the
    gate counts as if near and far did alike."""
    found = moved(last, at, box)
    s, _ = divisor(readout, found)
    pull = readout.omega
    if readout.eps is not None:
        share = (readout.beta + readout.unit * readout.line) / np.sqrt(len(found.w))
        pull = pull + share * found.w / max(norm(found.w), 1e-300)
    of_block, of_input = (
        _costs1(last, at, found, pull, box) if isinstance(at, Primitives1) else _costs2(last, at, pull, box)
    )
    named = of_block | {"omega": found.size, "beta": np.full(1, s), "line": s * _unit(box["line"])}
    if last.reach is not None:
        count = np.arange(1, len(last.reach) + 1)
        own = at.radius * last.reach / np.maximum(columns(box[ENTRY], len(count)), 1e-300)
        named[ENTRY] = of_input * np.repeat(own, count) * box[ENTRY]
    return {name: named[name] for name in box}


def _costs1(last: Last, at: Primitives1, found: Moved, pull: Floats, box: Box) -> tuple[dict[str, Floats], float]:
    r, B_u, N = reach1(at, last.T), largest_input(at), box["A_log"].shape[1]
    state, weight = r.B * r.C, pull * r.Z
    first, gate = weight * r.first * r.U, weight * state * r.U * r.gate
    together = total(first * (r.C * at.X_B + r.B * at.X_C) + gate * at.W_dt * at.X_dt)
    u = (weight * (r.first * state + r.D) + together * found.u / max(norm(found.u), 1e-300)) * r.slope
    chi, z = at.x.offset + at.radius * at.x.rows, pull * r.Y * r.slope_z
    of_input = total(u * at.x.kappa * at.x.rows + z * at.z.rows)
    return {
        "b": u,
        "K": (u * chi)[:, None] + 0 * box["K"],
        "R_x": (u * at.x.kappa * at.radius)[:, None] * _by_row(box["R_x"]),
        "R_z": (z * at.radius)[:, None] * _by_row(box["R_z"]),
        "X_B": total(first * r.C) * B_u * _unit(box["X_B"]),
        "X_C": total(first * r.B) * B_u * _unit(box["X_C"]),
        "X_dt": total(gate * at.W_dt) * B_u * _unit(box["X_dt"]),
        "W_dt": (gate * at.X_dt * B_u)[:, None] * _by_row(box["W_dt"]),
        "p": gate,
        "A_log": (weight * state * r.U * r.rate / N)[:, None] + 0 * box["A_log"],
        "D": weight * r.U,
    }, float(of_input)


def _costs2(last: Last, at: Primitives2, pull: Floats, box: Box) -> tuple[dict[str, Floats], float]:
    r, by = reach2(at, last.T), moves2(box, Shape2.of(at), at.radius)
    d, of_head, of_group = places(at)
    _, slope = convolved(at.xBC, at.radius)
    u = convolved_moves(at.xBC, at.radius, slope, by.b, by.K, by.xBC)
    state, weight = r.B * r.C, pull * r.Z
    first, gate = weight * r.first * r.U, weight * state * r.U * r.gate

    def summed(values: Floats, places: np.ndarray, count: int) -> Floats:
        return np.array([total(values[places == i]) for i in range(count)])

    parts = [weight * (r.first * state + r.D)]
    for each, part in zip((first * r.C, first * r.B), np.split(u[d:], 2), strict=True):
        rows = part.reshape(at.groups, -1)
        parts.append((summed(each, of_group, at.groups)[:, None] * _by_row(rows)).ravel())
    conv, H = np.concatenate(parts) * slope, len(at.p)
    chi, z = at.xBC.offset + at.radius * at.xBC.rows, pull * r.Y * r.slope_z
    logit = summed(gate, of_head, H)
    of_input = total(conv * at.xBC.kappa * at.xBC.rows) + total(z * at.z.rows) + total(logit * at.r_dt)
    return {
        "b": conv,
        "K": (conv * chi)[:, None] + 0 * box["K"],
        "R_xBC": (conv * at.xBC.kappa * at.radius)[:, None] * _by_row(box["R_xBC"]),
        "R_z": (z * at.radius)[:, None] * _by_row(box["R_z"]),
        "R_dt": (logit * at.radius)[:, None] * _by_row(box["R_dt"]),
        "p": logit,
        "A_log": summed(weight * state * r.U * r.rate, of_head, H),
        "D": summed(weight * r.U, of_head, H),
    }, float(of_input)


def _unit(values: Floats) -> Floats:
    return values / max(norm(values), 1e-300)


def _by_row(rows: Floats) -> Floats:
    return rows / np.maximum(norms(rows), 1e-300)[:, None]
