"""The mixer of Mamba-1 under the names that state-spaces gave it, which most families kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.files.formats.blocks import (
    Facts,
    Place,
    Reader,
    block_norm,
    optional,
    places,
    reader,
    require_axes,
    require_only,
    require_shape,
    require_whole,
)
from ssm_bounds.models.files.tensors import Tensors
from ssm_bounds.models.mamba.weights import InnerNorms, Mamba1

NAMES = frozenset(
    {"A_log", "D", "conv1d.weight", "dt_proj.weight", "in_proj.weight", "out_proj.weight", "x_proj.weight"}
    | {f"{name}.bias" for name in ("conv1d", "dt_proj", "in_proj", "out_proj", "x_proj")}
)
"""Biases may be missing; any other name is another mixer."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Letters as in ``models.mamba.weights``."""

    D: int
    d: int
    N: int
    R: int
    k: int


def sizes(file: Tensors, mixer: str, convolved: bool = True) -> Sizes:
    """Every dimension from the shapes alone; a config may lie. Raises: CheckpointError."""
    d, N = require_axes(file, f"{mixer}A_log", 2)
    _, R = require_axes(file, f"{mixer}dt_proj.weight", 2)
    k = require_axes(file, f"{mixer}conv1d.weight", 3)[2] if convolved else 1
    D, _ = require_axes(file, f"{mixer}out_proj.weight", 2)
    found = Sizes(D, d, N, R, k)
    require_shapes(file, mixer, found, convolved)
    return found


def require_shapes(file: Tensors, mixer: str, size: Sizes, convolved: bool) -> None:
    D, d, N, R, k = size.D, size.d, size.N, size.R, size.k
    expected: Mapping[str, tuple[tuple[int, ...], str]] = {
        "A_log": ((d, N), "d, N"),
        "D": ((d,), "d"),
        "conv1d.weight": ((d, 1, k), "d, 1, k"),
        "conv1d.bias": ((d,), "d"),
        "dt_proj.weight": ((d, R), "d, R"),
        "dt_proj.bias": ((d,), "d"),
        "in_proj.weight": ((2 * d, D), "2 d, D"),
        "in_proj.bias": ((2 * d,), "2 d"),
        "x_proj.weight": ((R + 2 * N, d), "R + 2 N, d"),
        "x_proj.bias": ((R + 2 * N,), "R + 2 N"),
        "out_proj.weight": ((D, d), "D, d"),
        "out_proj.bias": ((D,), "D"),
    }
    for name, (shape, letters) in expected.items():
        if mixer + name in file or not (name.endswith(".bias") or (name == "conv1d.weight" and not convolved)):
            require_shape(file, mixer + name, shape, letters)


def mixer1(
    file: Tensors,
    mixer: str,
    inner: Callable[[Sizes], InnerNorms] | None = None,
    also: frozenset[str] = frozenset(),
    convolved: bool = True,
) -> Callable[[], Mamba1]:
    """What reads the mixer; its shapes are checked now. ``also``: names beside ``NAMES``. Raises: CheckpointError."""
    size = sizes(file, mixer, convolved)
    require_only(file, mixer, NAMES | also)

    def read() -> Mamba1:
        d, N, R = size.d, size.N, size.R
        rows, bias = file.array(f"{mixer}in_proj.weight"), optional(file, f"{mixer}in_proj.bias", (2 * d,))
        X, c_X = file.array(f"{mixer}x_proj.weight"), optional(file, f"{mixer}x_proj.bias", (R + 2 * N,))
        return Mamba1(
            R_x=rows[:d],
            R_z=rows[d:],
            c=bias[:d],
            c_z=bias[d:],
            K=taps(file.array(f"{mixer}conv1d.weight")) if convolved else np.ones((d, 1)),
            b=optional(file, f"{mixer}conv1d.bias", (d,)),
            X_dt=X[:R],
            X_B=X[R : R + N],
            X_C=X[R + N :],
            c_dt=c_X[:R],
            c_B=c_X[R : R + N],
            c_C=c_X[R + N :],
            W_dt=file.array(f"{mixer}dt_proj.weight"),
            p=optional(file, f"{mixer}dt_proj.bias", (d,)),
            A_log=file.array(f"{mixer}A_log"),
            D=file.array(f"{mixer}D"),
            W_o=file.array(f"{mixer}out_proj.weight"),
            b_o=optional(file, f"{mixer}out_proj.bias", (size.D,)),
            inner=inner(size) if inner else None,
        )

    return read


def taps(weight: np.ndarray) -> np.ndarray:
    """(d,1,k) of a convolution to (d,k): its last tap meets the newest token, ours the current one first."""
    return np.ascontiguousarray(weight[:, 0, ::-1])


def learned_norms(file: Tensors, mixer: str, names: Mapping[str, str], eps: float) -> Callable[[Sizes], InnerNorms]:
    """Jamba's norms of dt, B and C; ``names``: dt, B, C to the suffix. Raises: CheckpointError."""
    size = sizes(file, mixer)
    for part, length in (("dt", size.R), ("B", size.N), ("C", size.N)):
        require_shape(file, f"{mixer}{names[part]}", (length,), "R" if part == "dt" else "N")
    return lambda size: InnerNorms(**{part: file.array(f"{mixer}{name}") for part, name in names.items()}, eps=eps)


def layers1(
    file: Tensors,
    facts: Facts,
    *,
    norms: Sequence[str],
    eps: float,
    mixer: Callable[[Place], Callable[[], Mamba1]],
) -> list[Reader]:
    """One reader per mixer. ``norms``: what the family calls a block's norm. Raises: CheckpointError."""
    if facts.mixer_groups is not None:
        raise CheckpointError("is Mamba-1, whose mixers have no groups; leave --mixer-groups out")
    require_whole(file.tensors)
    found = []
    for place in places(file.tensors):
        read = mixer(place)
        D = file.shape(f"{place.mixer}out_proj.weight")[0]
        found.append(reader(place, block_norm(file, facts, place.block, norms, eps, D), read, facts))
    return found
