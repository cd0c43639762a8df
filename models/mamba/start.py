"""Weights that a number decides: where a training may start, and where a prior may be centred, knowing no data.

The integers are NumPy's Philox, whose raw words are the same everywhere; after them every operation is correctly
rounded or one of ``bounds.evaluate.elementary``, so that all bits are. Which tensors draw, their order, the rule for
each and the layout of each are what makes the start: none of them may change under its seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ssm_bounds.bounds.evaluate.elementary import exp, log
from ssm_bounds.bounds.values import require
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.weights import Array

LARGEST_SEED = 2**64 - 1
_SHORTEST_STEP, _STEP_RANGE = 0.003, 100.0


@dataclass(frozen=True, slots=True)
class Part:
    """One tensor as the file names and lays it out. ``fill`` takes its shape; it is drawn where ``draw`` is there,
    which takes numbers v in (-1,1) of that shape."""

    name: str
    shape: tuple[int, ...]
    fill: Callable[[tuple[int, ...]], Array] = np.zeros
    draw: Callable[[Array], Array] | None = None


def parts(design: Design) -> tuple[Part, ...]:
    """Every tensor, in the order in which they draw. A convolution (channels,1,k) lies as its file has it, the tap of
    the current token last."""
    D = design.D
    if design.V is not None:
        found = [Part("backbone.embeddings.weight", (design.V, D), draw=_matrix(D))]
    else:
        c = design.c or 0
        found = [Part("input_proj.weight", (D, c), draw=_matrix(c)), Part("input_proj.bias", (D,))]
    mixer = _mamba1 if design.mixer == "mamba" else _mamba2
    for i in range(design.layers):
        block = f"backbone.layers.{i}."
        found += [Part(f"{block}norm.weight", (D,), np.ones), *mixer(design, f"{block}mixer.")]
    if design.final_norm:
        found.append(Part("backbone.norm_f.weight", (D,), np.ones))
    if design.pooling == "none":
        return (*found, Part("lm_head.bias", (design.outputs,)))
    return (*found, Part("score.weight", (design.outputs, D)), Part("score.bias", (design.outputs,)))


def _mamba1(design: Design, mixer: str) -> list[Part]:
    D, d, N, R, k = design.D, design.d, design.N, design.R, design.k
    return [
        Part(f"{mixer}in_proj.weight", (2 * d, D), draw=_matrix(D)),
        Part(f"{mixer}conv1d.weight", (d, 1, k), draw=_matrix(k)),
        Part(f"{mixer}conv1d.bias", (d,)),
        Part(f"{mixer}x_proj.weight", (R + 2 * N, d), draw=_matrix(d)),
        Part(f"{mixer}dt_proj.weight", (d, R), draw=_matrix(R)),
        Part(f"{mixer}dt_proj.bias", (d,), draw=_step_bias),
        Part(f"{mixer}A_log", (d, N), _logs),
        Part(f"{mixer}D", (d,), np.ones),
        Part(f"{mixer}out_proj.weight", (D, d), draw=_matrix(d, design.layers)),
    ]


def _mamba2(design: Design, mixer: str) -> list[Part]:
    """By the rules of Mamba-1; in the order in which the program uses them, steps and decays before the norm."""
    D, d, H, k, channels = design.D, design.d, design.H, design.k, design.d + 2 * design.G * design.N
    return [
        Part(f"{mixer}in_proj.weight", (d + channels + H, D), draw=_matrix(D)),
        Part(f"{mixer}conv1d.weight", (channels, 1, k), draw=_matrix(k)),
        Part(f"{mixer}conv1d.bias", (channels,)),
        Part(f"{mixer}dt_bias", (H,), draw=_step_bias),
        Part(f"{mixer}A_log", (H,), _logs),
        Part(f"{mixer}D", (H,), np.ones),
        Part(f"{mixer}norm.weight", (d,), np.ones),
        Part(f"{mixer}out_proj.weight", (D, d), draw=_matrix(d, design.layers)),
    ]


def start(design: Design, seed: int) -> dict[str, Array]:
    """Every tensor by name, float64, the same bits on every machine. Raises: DomainError.

    Matrices, the embedding and the convolution are uniform in +-1/sqrt(fan_in), out_proj in a further 1/sqrt(layers);
    the step ``softplus(bias)`` is log-uniform in [0.003, 0.3]; A_log is ln 1, ln 2, ... over the states (Mamba-2: over
    the heads); norms and D are 1; the head and every other bias are 0.
    """
    require(0 <= seed <= LARGEST_SEED, f"seed: expected a whole number from 0 to 2^64 - 1, got {seed}")
    wanted = parts(design)
    count = sum(math.prod(part.shape) for part in wanted if part.draw is not None)
    words = np.random.Philox(key=seed).random_raw(count)
    v = ((words >> np.uint64(40)).astype(np.float64) - 2.0**23 + 0.5) * 2.0**-23
    tensors, used = {}, 0
    for part in wanted:
        if part.draw is None:
            tensors[part.name] = part.fill(part.shape)
            continue
        size = math.prod(part.shape)
        tensors[part.name] = part.draw(v[used : used + size].reshape(part.shape))
        used += size
    return tensors


def narrowed(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Each number rounded to float32, in which a training takes it, and held as float64."""
    return {name: tensor.astype(np.float32).astype(np.float64) for name, tensor in tensors.items()}


def _matrix(fan_in: int, layers: int = 1) -> Callable[[Array], Array]:
    return lambda v: v / np.sqrt(np.float64(fan_in)) / np.sqrt(np.float64(layers))


def _step_bias(v: Array) -> Array:
    step = exp(log(_SHORTEST_STEP) + (v + 1) / 2 * log(_STEP_RANGE))
    return np.asarray(step + log(1 - exp(-step)))


def _logs(shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(log(np.arange(1, shape[-1] + 1)), shape).copy()
