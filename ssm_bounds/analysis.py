"""One mixer over all inputs of length at most T: theory M1 to M3 composed, before anything is said of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ssm_bounds.bounds.architectures.mamba.paper import Paper, core, published_sums
from ssm_bounds.bounds.architectures.mamba.sums import R_1
from ssm_bounds.bounds.architectures.mamba.suprema import (
    Range,
    Window,
    clamped,
    convolved,
    gated,
    image_norm,
    images,
    images_by_lines,
    input_norm,
    modulus,
    narrower,
    normed,
    on_both_paths,
    output_norm,
    scanned,
    steps,
)
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.outward import above, below, norm, norms, sum_above
from ssm_bounds.models.mamba.measure import (
    Folded,
    backward,
    entrywise_l1,
    folded,
    gate_rows,
    input_radius,
    rates,
    root_above,
    spectral_above,
    step_bias,
    tap_norms,
    weighted_norm,
    window_norm,
)
from ssm_bounds.models.mamba.weights import Array, GatedNorm, InnerNorms, Layer, Mamba1, Mamba2


@dataclass(frozen=True, slots=True, eq=False)
class _Convolved:
    """Channels after the convolution and SiLU: their range, a bound of |u|_2, and what they come from."""

    u: Range
    B_u: float
    a: Range
    window: Window

    def images(self, rows: Array, error: Array) -> Range:
        """M1.4; for more inputs than 64 lines gain nothing."""
        found = images(rows, error, self.u, self.B_u)
        if self.window.rows.shape[1] > 64:
            return found
        return narrower(found, images_by_lines(rows, error, self.u, self.a, self.window))


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Numbers of one layer before None stands for what is not finite; arrays by channel, steps by head or channel."""

    B_u: float
    u: Array
    step: Range
    rates: Range
    state: Array
    scan: Array
    scan_l2: float
    later_scan_l2: float
    out: float
    paper: Paper | None
    notes: tuple[str, ...]
    limits_act: bool = False


def analysis(layer: Layer, T: int) -> Analysis:
    """Of inputs of length at most ``T``; infinity where nothing bounds a number. ``layer`` holds finite numbers."""
    mixer = layer.mixer
    if math.isinf(input_radius(layer)):
        return _unbounded(mixer)
    return _mamba1(mixer, layer, T) if isinstance(mixer, Mamba1) else _mamba2(mixer, layer, T)


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """One direction of a Mamba mixer."""

    B_u: float
    u: Array
    step: Range
    rates: Range
    state: Array
    scans: tuple[Array, Array]  # at T and at 2T
    paper: Paper | None


def _way(mixer: Mamba1, inputs: Folded, T: int) -> _Way:
    found = _convolved(inputs, mixer.K, mixer.b, mixer.convolution == "causal")
    U = modulus(found.u)
    slow, fast = rates(mixer.A_log)
    rows, error = gate_rows(mixer)
    step = steps(_logits(mixer, rows, error, found), mixer.step_offset)
    (B, each_B, B_B), (C, each_C, B_C) = (
        _token(matrix, shift, None if mixer.inner is None else getattr(mixer.inner, name), found)
        for name, matrix, shift in (("B", mixer.X_B, mixer.c_B), ("C", mixer.X_C, mixer.c_C))
    )
    pairs, lambda_, M = above(each_B * each_C), slow.min(axis=1), step[1]
    first = R_1(lambda_, M, T)
    at_T, at_2T = (
        scanned(U, B, C, pairs, R_1(lambda_, M, length), R_1(slow, M[:, None], length)) for length in (T, 2 * T)
    )
    paper = _paper(mixer, rows, error, (found.B_u, B_B, B_C), (slow, fast), step, above(first * U), T)
    return _Way(found.B_u, U, step, (slow, fast), above(U * B * first, 2), (at_T, at_2T), paper)


def _mamba1(mixer: Mamba1, layer: Layer, T: int) -> Analysis:
    inputs, gates = folded(mixer.R_x, mixer.c, layer), folded(mixer.R_z, mixer.c_z, layer)
    mixers = [one for one in (mixer, backward(mixer)) if one is not None]
    ways = [_way(one, inputs, T) for one in mixers]
    times = mixer.directions if len(ways) == 1 else 1  # both directions of shared weights have the same bounds
    scans = [above(sum(way.scans[at] for way in ways) * times, 2) for at in (0, 1)]
    skips = sum(np.abs(one.D) * way.u for one, way in zip(mixers, ways, strict=True)) * times
    return Analysis(
        B_u=float(np.max([way.B_u for way in ways])),
        u=np.concatenate([way.u for way in ways]),
        step=_joined([way.step for way in ways]),
        rates=_joined([way.rates for way in ways]),
        state=np.concatenate([way.state for way in ways]),
        scan=scans[0],
        scan_l2=norm(scans[0]),
        later_scan_l2=norm(scans[1]),
        out=_out(mixer.W_o, mixer.b_o, above(above(scans[0] + skips, 5) * modulus(gated(gates.range)))),
        paper=ways[0].paper,
        notes=_variants(mixer),
    )


def _joined(ranges: list[Range]) -> Range:
    low, high = zip(*ranges, strict=True)
    return np.concatenate(low), np.concatenate(high)


def _mamba2(mixer: Mamba2, layer: Layer, T: int) -> Analysis:
    d, GN, H, G = len(mixer.R_x), len(mixer.R_B), len(mixer.A_log), mixer.groups
    rows = folded(np.vstack([mixer.R_x, mixer.R_B, mixer.R_C]), np.hstack([mixer.c, mixer.c_B, mixer.c_C]), layer)
    gates, logits = folded(mixer.R_z, mixer.c_z, layer), folded(mixer.R_dt, mixer.p, layer).range
    parts = slice(0, d), slice(d, d + GN), slice(d + GN, d + 2 * GN)
    every = modulus(gated(convolved(mixer.K, mixer.b, rows.range, now=rows.unmasked)))
    U, each_B, each_C = (every[part] for part in parts)
    heads, *lengths = (
        np.array([_part_norm(rows, mixer, every, piece) for piece in _pieces(part, count)])
        for part, count in zip(parts, (H, G, G), strict=True)
    )
    apart = sum_above(above(each_B * each_C).reshape(G, GN // G), axis=1)
    of_group = np.arange(H) * G // H
    B, pairs = lengths[0][of_group], np.fmin(above(lengths[0] * lengths[1]), apart)[of_group]
    slow, fast = rates(mixer.A_log)
    free = steps(logits)
    step = on_both_paths(free, mixer.limits)
    by_channel = np.arange(d) * H // d
    first, later = (R_1(slow, step[1], length) for length in (T, 2 * T))
    scans = [above(pairs * total) for total in (first, later)]
    y = above(U * above(scans[0] + np.abs(mixer.D))[by_channel])
    Z = modulus(gated(gates.range))
    notes = []
    prefill = clamped(free, mixer.limits)
    if limits_act := bool((prefill[0] > step[0]).any() or (prefill[1] < step[1]).any()):
        notes.append(
            f"step limits act: prefill keeps the step within [{shown(prefill[0].min(), 'lower')}, "
            f"{shown(prefill[1].max())}], but one-token decoding may ignore them, so all numbers hold for both"
        )
    return Analysis(
        B_u=float(np.fmin(_part_norm(rows, mixer, every, parts[0]), norm(heads))),
        u=U,
        step=step,
        rates=(slow[:, None], fast[:, None]),
        state=above(U * (above(B * first))[by_channel]),
        scan=above(U * scans[0][by_channel]),
        scan_l2=norm(above(heads * scans[0])),
        later_scan_l2=norm(above(heads * scans[1])),
        out=_gated_out(mixer, y, Z),
        paper=None,
        notes=(*notes, "the paper's quantities are not defined here: B and C are no linear images of u"),
        limits_act=limits_act,
    )


def _unbounded(mixer: Mamba1 | Mamba2) -> Analysis:
    """A layer whose input nothing bounds: only its rates, and what the step limits are on both paths, are known."""
    slow, fast = rates(mixer.A_log if isinstance(mixer, Mamba1) else mixer.A_log[:, None])
    nothing = np.full(len(mixer.R_x), math.inf)
    step = np.zeros(len(slow)), np.full(len(slow), math.inf)
    return Analysis(
        math.inf, nothing, step, (slow, fast), nothing, nothing, math.inf, math.inf, math.inf, None,
        ("no norm bounds the layer's input: nothing but its rates is known",),
    )  # fmt: skip


def _convolved(inputs: Folded, K: Array, b: Array, causal: bool) -> _Convolved:
    a = convolved(K, b, inputs.range, causal, inputs.unmasked if causal else None)
    u = gated(a)
    B_u = input_norm(modulus(u), b, tap_norms(K), inputs.offset, window_norm(inputs, K))
    window = Window(K, b, inputs.rows, inputs.error, inputs.shift, inputs.masked, inputs.radius)
    return _Convolved(u, B_u, a, window)


def _pieces(whole: slice, count: int) -> list[slice]:
    """Its heads or groups."""
    start, size = whole.start, whole.stop - whole.start
    return [slice(start + i * size // count, start + (i + 1) * size // count) for i in range(count)]


def _part_norm(rows: Folded, mixer: Mamba2, every: Array, part: slice) -> float:
    """A bound of the l2 norm of some of the channels of [x | B | C] after the convolution; ``every``: their moduli."""
    inputs, K = rows.part(part), mixer.K[part]
    return input_norm(every[part], mixer.b[part], tap_norms(K), inputs.offset, window_norm(inputs, K))


def _logits(mixer: Mamba1, rows: Array, error: Array, inputs: _Convolved) -> Range:
    if isinstance(mixer.inner, InnerNorms):
        low = high = mixer.p  # x_proj's bias comes before the norm
        reach = above(norms(mixer.W_dt * mixer.inner.dt) * root_above(mixer.W_dt.shape[1]), 2)
        below_p, above_p = -reach, reach
    else:
        low, high = step_bias(mixer)
        below_p, above_p = inputs.images(rows, error)
    return (
        below(low + below_p, 1, np.abs(low) + np.abs(below_p)),
        above(high + above_p, 1, np.abs(high) + np.abs(above_p)),
    )


def _token(matrix: Array, shift: Array, gamma: Array | None, inputs: _Convolved) -> tuple[float, Array, float]:
    """Bounds of |B_t|_2, of each |B_{t,n}| (M1.5) and of |X_B|_2, which counts where no norm follows."""
    if gamma is not None:
        reach = root_above(len(gamma))
        return float(above(reach * np.abs(gamma).max())), np.asarray(above(reach * np.abs(gamma))), math.inf
    each = above(modulus(inputs.images(matrix, np.zeros_like(matrix))) + np.abs(shift))
    spectral = spectral_above(matrix)
    return image_norm(spectral, each, shift, inputs.B_u), each, spectral


def _out(W_o: Array, b_o: Array, o: Array) -> float:
    if not np.isfinite(o).all():
        return math.inf
    plain = above(spectral_above(W_o) * norm(o))
    return float(above(norm(b_o) + output_norm(W_o, o, float(np.fmin(plain, weighted_norm(W_o, o))))))


def _gated_out(mixer: Mamba2, y: Array, Z: Array) -> float:
    W_o, b_o, gated_norm = mixer.W_o, mixer.b_o, mixer.norm
    if gated_norm is None:
        return _out(W_o, b_o, above(y * Z))
    d = len(y)
    if gated_norm.before_gate:
        whole = spectral_above(W_o * gated_norm.gamma * Z, 0.0, 2)
        return float(above(norm(b_o) + root_above(d) * whole, 2))
    return float(above(norm(b_o) + _normed_out(W_o * gated_norm.gamma, gated_norm, above(y * Z))))


def _normed_out(weighted: Array, applied: GatedNorm, o: Array) -> float:
    """M3.3; ``weighted`` is W_o diag gamma, each entry rounded once."""
    G, D = applied.groups, len(weighted)
    lengths = above(normed(o, applied.eps, G) * root_above(o.size // G))
    blocks = above(norms(weighted.reshape(D * G, -1))).reshape(D, G)
    by_rows = norm(sum_above(above(blocks * lengths), axis=1))
    return float(np.fmin(above(spectral_above(weighted, 0.0, 1) * norm(lengths)), by_rows))


def _paper(
    mixer: Mamba1,
    rows: Array,
    error: Array,
    lengths: tuple[float, float, float],
    bounds: Range,
    step: Range,
    reach: Array,
    T: int,
) -> Paper | None:
    """``lengths``: B_u, B_B, B_C."""
    if mixer.inner is not None or mixer.directions == 2 or mixer.c_B.any() or mixer.c_C.any():
        return None
    (B_u, B_B, B_C), M_Delta = lengths, float(step[1].max())
    abscissa, least = -float(bounds[0].min()) + 0.0, float(step[0].min())
    rho_A, S_1, S_2 = published_sums(abscissa, least, T)
    published, sharp = core(B_B, B_C, B_u, M_Delta, S_1, reach)
    low, high = step_bias(mixer)
    return Paper(
        B_u=B_u, B_B=B_B, B_C=B_C, M_B=entrywise_l1(mixer.X_B), M_C=entrywise_l1(mixer.X_C),
        B_q=float(above(norms(rows) + norms(error)).max()), p_lo=float(low.min()), p_hi=float(high.max()),
        M_Delta=M_Delta, Delta_min=least, rho_A=rho_A, S_1=S_1, S_2=S_2, published_sup=published, sharp_sup=sharp,
    )  # fmt: skip


def _variants(mixer: Mamba1) -> tuple[str, ...]:
    found = []
    if mixer.inner is not None:
        found.append("norms on dt, B and C bound them whatever x_proj is; the paper's quantities are not defined here")
    if mixer.convolution == "same":
        found.append("the convolution also sees later tokens: its ranges hold, but are not claimed to be exact")
    if mixer.directions == 2:
        found.append("two directions: scan and output add up, states and steps are those of each")
    if mixer.c_B.any() or mixer.c_C.any():
        found.append("x_proj adds biases to B or C, which the paper's core bound does not have")
    return tuple(found)


def shown(value: float, side: Literal["lower", "upper"] = "upper") -> str:
    """Six digits, rounded outward; fewer where they are the number."""
    short = f"{value:.6g}"
    if float(short) == value:
        return short
    return decimal_string(Enclosure.point(float(value)).upper, 6, side)
