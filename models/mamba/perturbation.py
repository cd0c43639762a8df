"""Primitives and moves of theory M4.2 and M4.4 from weights: of one mixer, of two, and of a box around one.

Rounded outward, by :mod:`ssm_bounds.models.mamba.measure`. A *box* is a mixer of half-widths >= 0, entry by entry; its
rows count in l2, its matrices in Frobenius norm. Rows of in_proj are parameters times the norm's weight gamma, and W_o
times that of a gated norm: a box has its half-widths there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ssm_bounds.bounds.architectures.mamba import perturbation
from ssm_bounds.bounds.architectures.mamba.perturbation import (
    Channels,
    Gate,
    Moves1,
    Moves2,
    Primitives1,
    Primitives2,
    joined,
)
from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.evaluate.outward import EPS, above, below, exp_above, exp_below, norm, norms
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.mamba.measure import (
    Folded,
    folded,
    input_radius,
    matrix_norms,
    require_numbers,
    spectral_above,
    tap_norms,
)
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Mamba2

Mixer = TypeVar("Mixer", Mamba1, Mamba2)


def primitives1(layer: Layer, box: Mamba1 | None = None) -> Primitives1:
    """Of a Mamba layer, or of every layer in a box around it. Raises: DomainError where M4.2 does not apply."""
    mixer = _mamba1(layer)
    box = still(mixer) if box is None else box
    inputs, gates = folded(mixer.R_x, mixer.c, layer), folded(mixer.R_z, mixer.c_z, layer)
    sizes = matrix_norms(mixer, inputs)
    slow, fast = _rates(mixer.A_log, box.A_log)
    return Primitives1(
        radius=input_radius(layer),
        x=_channels(inputs, mixer.K, mixer.b, box.R_x, box.c, box.K, box.b),
        z=_gate(gates, box.R_z, box.c_z),
        b=_sum(norm(mixer.b), norm(box.b)),
        R_x=_sum(sizes.R_x, norm(box.R_x)),
        kmax=above(np.array(sizes.kmax) + box.K.max(axis=0)),
        X_B=_sum(sizes.X_B, norm(box.X_B)),
        X_C=_sum(sizes.X_C, norm(box.X_C)),
        X_dt=_sum(sizes.X_dt, norm(box.X_dt)),
        W_dt=above(norms(mixer.W_dt) + norms(box.W_dt)),
        p=_around(mixer.p, box.p)[1],
        rates=(slow.min(axis=1), fast.max(axis=1)),
        D=above(np.abs(mixer.D) + box.D),
        W_o=_sum(sizes.W_o, norm(box.W_o)),
    )


def moves1(first: Layer, second: Layer) -> Moves1:
    """Between two Mamba layers. Raises: DomainError where M4.2 does not apply to both with the same inputs."""
    one, other = _mamba1(first), _mamba1(second)
    _require_alike(first, second)
    x, z = (_between(first, second, rows, bias) for rows, bias in (("R_x", "c"), ("R_z", "c_z")))
    names = ("K", "b", "X_dt", "X_B", "X_C", "W_dt", "p", "A_log", "D", "W_o", "b_o")
    rest: dict[str, Any] = {name: _apart(getattr(one, name), getattr(other, name)) for name in names}
    by = replace(one, R_x=x[0], c=x[1], R_z=z[0], c_z=z[1], **rest)
    return _moves1(by, input_radius(first), lambda matrix: spectral_above(matrix, 0.0, 1))


def box_moves1(layer: Layer, box: Mamba1) -> Moves1:
    """From the centre of a box to any point of it."""
    _mamba1(layer)
    return _moves1(box, input_radius(layer), norm)


def primitives2(layer: Layer, box: Mamba2 | None = None) -> Primitives2:
    """Of a Mamba-2 layer, or of every layer in a box around it. Raises: DomainError where M4.4 does not apply."""
    mixer = _mamba2(layer)
    box = still(mixer) if box is None else box
    weighted, error = _weighted(mixer)
    logits = folded(mixer.R_dt, mixer.p, layer)
    return Primitives2(
        radius=input_radius(layer),
        xBC=_channels(_xBC(layer), mixer.K, mixer.b, *_stacked(box), box.K, box.b),
        z=_gate(folded(mixer.R_z, mixer.c_z, layer), box.R_z, box.c_z),
        r_dt=above(logits.norms + norms(box.R_dt)),
        p=_around(np.maximum(logits.shift[1], logits.masked), box.p)[1],
        rates=_rates(mixer.A_log, box.A_log),
        D=above(np.abs(mixer.D) + box.D),
        W_o=_sum(spectral_above(weighted, error), norm(box.W_o)),
        groups=mixer.groups,
        limits=mixer.limits,
    )


def moves2(first: Layer, second: Layer) -> Moves2:
    """Between two Mamba-2 layers. Raises: DomainError where M4.4 does not apply to both with the same inputs."""
    one, other = _mamba2(first), _mamba2(second)
    _require_alike(first, second)
    apart: dict[str, Any] = {
        rows: _between(first, second, rows, bias)
        for rows, bias in (("R_x", "c"), ("R_z", "c_z"), ("R_B", "c_B"), ("R_C", "c_C"), ("R_dt", "p"))
    }
    (W, error), (other_W, other_error) = _weighted(one), _weighted(other)
    rest: dict[str, Any] = {
        name: _apart(getattr(one, name), getattr(other, name)) for name in ("K", "b", "A_log", "D", "b_o")
    }
    rest |= {rows: found[0] for rows, found in apart.items()}
    by = replace(
        one, c=apart["R_x"][1], c_z=apart["R_z"][1],
        c_B=apart["R_B"][1], c_C=apart["R_C"][1], p=apart["R_dt"][1], W_o=_apart(W, other_W), **rest,
    )  # fmt: skip
    error = error + other_error if by.W_o.any() else 0.0
    return _moves2(by, input_radius(first), lambda matrix: spectral_above(matrix, error, 1))


def box_moves2(layer: Layer, box: Mamba2) -> Moves2:
    """From the centre of a box to any point of it."""
    _mamba2(layer)
    return _moves2(box, input_radius(layer), norm)


def output_move(first: Layer, second: Layer, T: int) -> float:
    """How far the outputs of two mixers can be apart over all normed inputs of at most T tokens (M4.2, M4.4).

    Raises: DomainError where the theorems do not apply.
    """
    if isinstance(first.mixer, Mamba1):
        at, by = joined(primitives1(first), primitives1(second)), moves1(first, second)
        return perturbation.output_move(perturbation.mamba1(at, by, T), at.W_o, by.W_o, by.b_o)
    at2, by2, after = joined(primitives2(first), primitives2(second)), moves2(first, second), first.mixer.norm
    moved = perturbation.mamba2(at2, by2, T)
    if after is None:
        return perturbation.output_move(moved, at2.W_o, by2.W_o, by2.b_o)
    return perturbation.normed_output_move(moved, at2.W_o, by2.W_o, by2.b_o, eps=after.eps, groups=after.groups)


def still(mixer: Mixer) -> Mixer:
    """The box of half-width 0."""
    arrays = {name: x for name in mixer.__slots__ if isinstance(x := getattr(mixer, name), np.ndarray)}
    zeros: dict[str, Any] = {name: np.zeros_like(x) for name, x in arrays.items()}
    return replace(mixer, **zeros)


def _moves1(by: Mamba1, radius: float, size: Callable[[Array], float]) -> Moves1:
    return Moves1(
        x=_input_moves(by.R_x, by.c, radius),
        K=above(tap_norms(np.abs(by.K))),
        b=above(np.abs(by.b)),
        z=_input_moves(by.R_z, by.c_z, radius),
        X_B=size(by.X_B),
        X_C=size(by.X_C),
        X_dt=size(by.X_dt),
        W_dt=above(norms(by.W_dt)),
        p=above(np.abs(by.p)),
        A_log=above(np.abs(by.A_log).max(axis=1)),
        D=above(np.abs(by.D)),
        W_o=size(by.W_o),
        b_o=float(above(norm(by.b_o))),
    )


def _moves2(by: Mamba2, radius: float, size: Callable[[Array], float]) -> Moves2:
    return Moves2(
        xBC=_input_moves(*_stacked(by), radius),
        K=above(tap_norms(np.abs(by.K))),
        b=above(np.abs(by.b)),
        z=_input_moves(by.R_z, by.c_z, radius),
        logit=_input_moves(by.R_dt, by.p, radius),
        A_log=above(np.abs(by.A_log)),
        D=above(np.abs(by.D)),
        W_o=size(by.W_o),
        b_o=float(above(norm(by.b_o))),
    )


def _input_moves(rows: Array, shift: Array, radius: float) -> Array:
    return np.asarray(above(radius * norms(rows) + np.abs(shift), 3))


def _channels(inputs: Folded, K: Array, b: Array, rows: Array, c: Array, taps: Array, bias: Array) -> Channels:
    """At a centre and half-widths."""
    return Channels(
        rows=above(inputs.norms + norms(rows)),
        offset=above(inputs.offset + c),
        kappa=above(tap_norms(K) + tap_norms(taps)),
        bias=_around(b, bias),
    )


def _gate(gates: Folded, rows: Array, c: Array) -> Gate:
    low, high = np.minimum(gates.shift[0], gates.masked), np.maximum(gates.shift[1], gates.masked)
    return Gate(above(gates.norms + norms(rows)), (_around(low, c)[0], _around(high, c)[1]))


def _rates(A_log: Array, half: Array) -> Range:
    low, high = _around(A_log, half)
    return exp_below(low), exp_above(high)


def _around(centre: Array, half: Array) -> Range:
    """Both ends; a half-width of 0 costs nothing."""
    size = np.abs(centre) + half
    low, high = below(centre - half, 1, size), above(centre + half, 1, size)
    return np.where(half > 0, low, centre), np.where(half > 0, high, centre)


def _sum(size: float, more: float) -> float:
    return float(above(size + more)) if more else size


def _apart(first: Array, second: Array) -> Array:
    """Differences rounded to nearest; 0 where both are -infinity."""
    with np.errstate(invalid="ignore"):
        return np.where(first == second, 0.0, first - second)


def _between(first: Layer, second: Layer, rows: str, bias: str) -> tuple[Array, Array]:
    """Differences of folded rows, and bounds of those of what is added, with what folding rounds."""
    weights = [(getattr(layer.mixer, rows), getattr(layer.mixer, bias)) for layer in (first, second)]
    (R, c), (other_R, other_c) = weights
    one, other = folded(R, c, first), folded(other_R, other_c, second)
    same = np.equal(R, other_R).all(axis=1)
    if first.norm is not None and second.norm is not None:
        (gamma, beta), (other_gamma, other_beta) = ((x.gamma, x.beta) for x in (first.norm, second.norm))
        same &= bool((gamma == other_gamma).all()) and (
            beta is other_beta or bool(np.array_equal(np.asarray(beta), np.asarray(other_beta)))
        )
    ends = np.maximum(one.shift[1] - other.shift[0], other.shift[1] - one.shift[0])
    size = np.abs(one.shift[1]) + np.abs(other.shift[1])
    shift = above(np.maximum(ends, np.abs(one.masked - other.masked)), 2, size)
    shift = np.where(same, np.abs(c - other_c), above(shift + one.radius * (one.error + other.error), 3))
    return np.where(same[:, None], 0.0, one.rows - other.rows), np.asarray(shift)


def _stacked(mixer: Mamba2) -> tuple[Array, Array]:
    return np.vstack([mixer.R_x, mixer.R_B, mixer.R_C]), np.hstack([mixer.c, mixer.c_B, mixer.c_C])


def _xBC(layer: Layer) -> Folded:
    return folded(*_stacked(_mamba2(layer)), layer)


def _weighted(mixer: Mamba2) -> tuple[Array, float]:
    """``W_o diag(gamma_n)``, and how far it is off in Frobenius norm."""
    if mixer.norm is None:
        return mixer.W_o, 0.0
    found = mixer.W_o * mixer.norm.gamma
    return found, float(above(EPS * norm(found)))


def _mamba1(layer: Layer) -> Mamba1:
    mixer = layer.mixer
    if not isinstance(mixer, Mamba1):
        raise DomainError(f"{layer.name}: M4.2 is about Mamba, this is a Mamba-2 mixer: see M4.4")
    _require_a_ball(layer)
    require(mixer.inner is None, f"{layer.name}: norms on dt, B and C leave no bound of how far outputs move (M4.5)")
    plain = mixer.directions == 1 and mixer.step_offset == 0
    plain = plain and not any(part.any() for part in (mixer.c_dt, mixer.c_B, mixer.c_C))
    require(plain, f"{layer.name}: M4.2 is not stated for two directions, biases of x_proj or a step offset")
    return mixer


def _mamba2(layer: Layer) -> Mamba2:
    mixer = layer.mixer
    if not isinstance(mixer, Mamba2):
        raise DomainError(f"{layer.name}: M4.4 is about Mamba-2, this is a Mamba mixer: see M4.2")
    _require_a_ball(layer)
    said = f"{layer.name}: M4.4 is not stated for a norm before the gate"
    require(mixer.norm is None or not mixer.norm.before_gate, said)
    return mixer


def _require_a_ball(layer: Layer) -> None:
    require_numbers(layer)
    said = f"{layer.name}: no norm bounds the layer's input; state the largest |v|_2 of an input as its radius"
    require(math.isfinite(input_radius(layer)), said)


def _require_alike(first: Layer, second: Layer) -> None:
    """The same shapes, and the same inputs v to both."""
    one, other = first.mixer, second.mixer
    for name in one.__slots__:
        shapes = [np.shape(getattr(mixer, name)) for mixer in (one, other)]
        if isinstance(getattr(one, name), np.ndarray):
            require(shapes[0] == shapes[1], f"{name}: two sets of one shape, got {shapes[0]} and {shapes[1]}")
    norms_ = [layer.norm and (layer.norm.kind, layer.norm.eps) for layer in (first, second)]
    require(norms_[0] == norms_[1], f"two layers behind norms of one kind and eps, got {norms_[0]} and {norms_[1]}")
    if isinstance(one, Mamba2) and isinstance(other, Mamba2):
        after = [mixer.norm and (mixer.norm.eps, mixer.norm.groups) for mixer in (one, other)]
        facts = [(mixer.limits, mixer.groups, at) for mixer, at in zip((one, other), after, strict=True)]
        require(
            facts[0] == facts[1], f"two mixers with the same limits, groups and norm, got {facts[0]} and {facts[1]}"
        )
    elif isinstance(one, Mamba1) and isinstance(other, Mamba1):
        require(one.convolution == other.convolution, "two mixers with the same convolution")
