"""The mixer of Mamba-2 under the names that state-spaces gave it, which every hybrid kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_bounds.models.files.container import CheckpointError, quote
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
from ssm_bounds.models.files.formats.mixer1 import taps
from ssm_bounds.models.files.tensors import Tensors
from ssm_bounds.models.mamba.weights import Array, GatedNorm, Mamba2

NAMES = frozenset(
    {"A_log", "D", "dt_bias", "conv1d.weight", "conv1d.bias", "norm.weight"}
    | {f"{name}.{part}" for name in ("in_proj", "out_proj") for part in ("weight", "bias")}
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Letters as in ``models.mamba.weights``; GN is all that shapes say of groups and states."""

    D: int
    d: int
    H: int
    GN: int
    k: int


@dataclass(frozen=True, slots=True)
class Program:
    """What no tensor says: which norm, which clamp, and Falcon-H1's multipliers of the input, of z, x, B, C, dt, of
    the output. ``norm_eps`` None: the family has no norm before out_proj."""

    groups: int
    norm_eps: float | None
    before_gate: bool = False
    limits: tuple[float, float] = (0.0, math.inf)
    into: float = 1.0
    parts: tuple[float, float, float, float, float] = (1.0, 1.0, 1.0, 1.0, 1.0)
    out: float = 1.0


def sizes(file: Tensors, mixer: str) -> Sizes:
    """Every dimension from the shapes alone. Raises: CheckpointError."""
    (H,) = require_axes(file, f"{mixer}A_log", 1)
    channels, _, k = require_axes(file, f"{mixer}conv1d.weight", 3)
    D, d = require_axes(file, f"{mixer}out_proj.weight", 2)
    if channels <= d or (channels - d) % 2 or d % H:
        raise CheckpointError(
            f"tensor {quote(f'{mixer}conv1d.weight')}: has {channels} channels beside out_proj's {d} and {H} heads, "
            "expected d + 2 G N with H dividing d (a part of d that is an MLP is not supported)"
        )
    size = Sizes(D, d, H, (channels - d) // 2, k)
    require_shapes(file, mixer, size)
    return size


def require_shapes(file: Tensors, mixer: str, size: Sizes) -> None:
    D, d, H, GN, k = size.D, size.d, size.H, size.GN, size.k
    rows, channels = 2 * d + 2 * GN + H, d + 2 * GN
    expected = {
        "D": ((H,), "H"),
        "dt_bias": ((H,), "H"),
        "conv1d.weight": ((channels, 1, k), "d + 2 G N, 1, k"),
        "conv1d.bias": ((channels,), "d + 2 G N"),
        "in_proj.weight": ((rows, D), "2 d + 2 G N + H, D"),
        "in_proj.bias": ((rows,), "2 d + 2 G N + H"),
        "norm.weight": ((d,), "d"),
        "out_proj.bias": ((D,), "D"),
    }
    for name, (shape, letters) in expected.items():
        if mixer + name in file or name in ("D", "dt_bias", "in_proj.weight"):
            require_shape(file, mixer + name, shape, letters)


def groups(file: Tensors, facts: Facts, size: Sizes, said: int | None, states: int | None) -> int:
    """How many groups of B, C and the gated norm: what the config says if it fits the shapes, else what the user does.

    Raises: CheckpointError.
    """
    stated = facts.mixer_groups
    if said is not None and size.GN % said == 0 and (states is None or said * states == size.GN):
        if stated is not None and stated != said:
            raise CheckpointError(f"config says {said} groups, --mixer-groups {stated}; leave the option out")
        G = said
    elif stated is not None:
        G = stated
        facts.assume(f"{G} groups, as stated")
    else:
        found = "no config says it" if said is None else f"config says G = {said}, N = {states}"
        raise CheckpointError(
            f"G N = {size.GN} by the shapes, but {found}; state --mixer-groups G, its number of groups"
        )
    if G < 1 or size.GN % G or size.H % G or size.d % G:
        raise CheckpointError(f"{G} groups do not divide G N = {size.GN}, {size.H} heads and {size.d} channels")
    return G


def mixer2(file: Tensors, mixer: str, size: Sizes, program: Program) -> Callable[[], Mamba2]:
    """What reads the mixer; its names are checked now. Raises: CheckpointError."""
    require_only(file, mixer, NAMES if program.norm_eps is not None else NAMES - {"norm.weight"})
    if program.norm_eps is not None:
        file.shape(f"{mixer}norm.weight")

    def read() -> Mamba2:
        d, H, GN = size.d, size.H, size.GN
        ends = (d, 2 * d, 2 * d + GN, 2 * d + 2 * GN, 2 * d + 2 * GN + H)
        weight = file.array(f"{mixer}in_proj.weight")
        bias = optional(file, f"{mixer}in_proj.bias", (ends[-1],))
        pieces = [slice(start, end) for start, end in zip((0, *ends), ends, strict=False)]
        R_z, R_x, R_B, R_C, R_dt = (
            _scaled(weight[piece], program.into, by) for piece, by in zip(pieces, program.parts, strict=True)
        )
        c_z, c, c_B, c_C, c_dt = (_scaled(bias[piece], by) for piece, by in zip(pieces, program.parts, strict=True))
        norm = None
        if program.norm_eps is not None:
            gamma = file.array(f"{mixer}norm.weight")
            norm = GatedNorm(gamma, program.norm_eps, program.groups, program.before_gate)
        return Mamba2(
            R_z=R_z,
            R_x=R_x,
            R_B=R_B,
            R_C=R_C,
            R_dt=R_dt,
            c_z=c_z,
            c=c,
            c_B=c_B,
            c_C=c_C,
            K=taps(file.array(f"{mixer}conv1d.weight")),
            b=optional(file, f"{mixer}conv1d.bias", (d + 2 * GN,)),
            p=file.array(f"{mixer}dt_bias") + c_dt,
            A_log=file.array(f"{mixer}A_log"),
            D=file.array(f"{mixer}D"),
            W_o=_scaled(file.array(f"{mixer}out_proj.weight"), program.out),
            b_o=_scaled(optional(file, f"{mixer}out_proj.bias", (size.D,)), program.out),
            groups=program.groups,
            norm=norm,
            limits=program.limits,
        )

    return read


def layers2(
    file: Tensors,
    facts: Facts,
    *,
    norms: Sequence[str],
    eps: float,
    said: tuple[int | None, int | None],
    program: Callable[[int], Program],
) -> list[Reader]:
    """One reader per mixer. ``norms``: what the family calls a block's norm. ``said``: the config's G and N.

    Raises: CheckpointError.
    """
    require_whole(file.tensors)
    return [_layer(file, facts, place, norms, eps, said, program) for place in places(file.tensors)]


def plain2(file: Tensors, facts: Facts, family: str, *, norm: str, eps: str, groups: str, state: str) -> list[Reader]:
    """:func:`layers2` of a family without multipliers. ``norm``: what it calls a block's norm; ``eps``, ``groups``,
    ``state``: its config's keys of the eps of every norm, of G and of N. Raises: CheckpointError.
    """
    if facts.config is None:
        facts.assume(f"family {family}: no config")
    facts.require_silu()
    value, limits = facts.eps(eps, 1e-5, "eps of every norm"), facts.limits()
    return layers2(
        file,
        facts,
        norms=(norm,),
        eps=value,
        said=(facts.count(groups), facts.count(state)),
        program=lambda G: Program(G, value, limits=limits),
    )


def _layer(
    file: Tensors,
    facts: Facts,
    place: Place,
    norms: Sequence[str],
    eps: float,
    said: tuple[int | None, int | None],
    program: Callable[[int], Program],
) -> Reader:
    size = sizes(file, place.mixer)
    norm = block_norm(file, facts, place.block, norms, eps, size.D)
    mixer = mixer2(file, place.mixer, size, program(groups(file, facts, size, *said)))
    return reader(place, norm, mixer, facts)


def _scaled(array: Array, *factors: float) -> Array:
    """The product, rounded to nearest. Raises: CheckpointError where it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        for factor in factors:
            array = array if factor == 1 else array * factor
    if not np.isfinite(array).all():
        raise CheckpointError(
            "config.json: a multiplier makes weights infinite, expected finite ones; correct the config"
        )
    return array
