"""Primitives and moves of theory M4.2 and M4.4 from weights: of one mixer, of two, and of a box around one.

Rounded outward, by :mod:`ssm_bounds.models.mamba.measure`. A *box* is a mixer of half-widths >= 0, entry by entry; its
rows count in l2, its matrices in Frobenius norm. Rows of in_proj are parameters times the norm's weight gamma, and W_o
times that of a gated norm: a box has its half-widths there.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ssm_bounds.bounds.architectures.mamba import boxes, perturbation
from ssm_bounds.bounds.architectures.mamba.boxes import Box, Shape2, widened1, widened2
from ssm_bounds.bounds.architectures.mamba.perturbation import (
    Channels,
    Gate,
    Moves1,
    Moves2,
    Primitives1,
    Primitives2,
    joined,
)
from ssm_bounds.bounds.evaluate.outward import EPS, above, norm, norms
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.mamba.measure import (
    Folded,
    folded,
    input_radius,
    matrix_norms,
    rates,
    require_numbers,
    spectral_above,
    tap_norms,
)
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Mamba2

Mixer = TypeVar("Mixer", Mamba1, Mamba2)


def primitives1(layer: Layer, box: Mamba1 | None = None) -> Primitives1:
    """Of a Mamba layer, or of every layer in a box around it. Raises: DomainError where M4.2 does not apply."""
    mixer = _mamba1(layer)
    inputs, gates = folded(mixer.R_x, mixer.c, layer), folded(mixer.R_z, mixer.c_z, layer)
    sizes = matrix_norms(mixer, inputs)
    slow, fast = rates(mixer.A_log)
    own = Primitives1(
        radius=input_radius(layer),
        x=_channels(inputs, mixer.K, mixer.b),
        z=_gate(gates),
        b=norm(mixer.b),
        R_x=sizes.R_x,
        kmax=np.array(sizes.kmax),
        X_B=sizes.X_B,
        X_C=sizes.X_C,
        X_dt=sizes.X_dt,
        W_dt=norms(mixer.W_dt),
        p=mixer.p,
        rates=(slow.min(axis=1), fast.max(axis=1)),
        D=np.abs(mixer.D),
        W_o=sizes.W_o,
    )
    return widened1(own, {} if box is None else _of1(box), mixer.A_log)


def moves1(first: Layer, second: Layer) -> Moves1:
    """Between two Mamba layers. Raises: DomainError where M4.2 does not apply to both with the same inputs."""
    one, other = _mamba1(first), _mamba1(second)
    _require_alike(first, second)
    x, z = (_between(first, second, rows, bias) for rows, bias in (("R_x", "c"), ("R_z", "c_z")))
    names = ("K", "b", "X_dt", "X_B", "X_C", "W_dt", "p", "A_log", "D", "W_o", "b_o")
    rest: dict[str, Any] = {name: _apart(getattr(one, name), getattr(other, name)) for name in names}
    by = replace(one, R_x=x[0], c=x[1], R_z=z[0], c_z=z[1], **rest)
    return boxes.moves1(_of1(by), len(by.D), input_radius(first), lambda matrix: spectral_above(matrix, 0.0, 1))


def box_moves1(layer: Layer, box: Mamba1) -> Moves1:
    """From the centre of a box to any point of it."""
    return boxes.moves1(_of1(box), len(_mamba1(layer).D), input_radius(layer))


def primitives2(layer: Layer, box: Mamba2 | None = None) -> Primitives2:
    """Of a Mamba-2 layer, or of every layer in a box around it. Raises: DomainError where M4.4 does not apply."""
    mixer = _mamba2(layer)
    weighted, error = _weighted(mixer)
    logits = folded(mixer.R_dt, mixer.p, layer)
    own = Primitives2(
        radius=input_radius(layer),
        xBC=_channels(_xBC(layer), mixer.K, mixer.b),
        z=_gate(folded(mixer.R_z, mixer.c_z, layer)),
        r_dt=logits.norms,
        p=np.maximum(logits.shift[1], logits.masked),
        rates=rates(mixer.A_log),
        D=np.abs(mixer.D),
        W_o=spectral_above(weighted, error),
        groups=mixer.groups,
        limits=mixer.limits,
    )
    return widened2(own, {} if box is None else _of2(box), mixer.A_log)


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
    shape = Shape2(len(by.b), len(by.R_x), len(by.p))
    return boxes.moves2(_of2(by), shape, input_radius(first), lambda matrix: spectral_above(matrix, error, 1))


def box_moves2(layer: Layer, box: Mamba2) -> Moves2:
    """From the centre of a box to any point of it."""
    mixer = _mamba2(layer)
    return boxes.moves2(_of2(box), Shape2(len(mixer.b), len(mixer.R_x), len(mixer.p)), input_radius(layer))


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
    zeros: dict[str, Any] = {name: np.zeros_like(x) for name, x in _arrays(mixer).items()}
    return replace(mixer, **zeros)


def _of1(box: Mamba1) -> Box:
    return _arrays(box)


def _of2(box: Mamba2) -> Box:
    found = _arrays(box)
    rows, shift = _stacked(box)
    return found | {"R_xBC": rows, "c_xBC": shift}


def _arrays(mixer: Mamba1 | Mamba2) -> dict[str, Array]:
    return {name: x for name in mixer.__slots__ if isinstance(x := getattr(mixer, name), np.ndarray)}


def _channels(inputs: Folded, K: Array, b: Array) -> Channels:
    return Channels(rows=inputs.norms, offset=inputs.offset, kappa=tap_norms(K), bias=(b, b))


def _gate(gates: Folded) -> Gate:
    return Gate(gates.norms, (np.minimum(gates.shift[0], gates.masked), np.maximum(gates.shift[1], gates.masked)))


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
