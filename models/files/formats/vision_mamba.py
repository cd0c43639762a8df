"""Vision Mamba (hustvl/Vim, and mambapy's): two directions, the second with weights of its own.

Its names end in ``_b``; of ``A_log`` there are two spellings, ``A_b_log`` and mambapy's ``A_log_b``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from ssm_bounds.models.files.formats.blocks import Config, Facts, Place, Reader, has, is_mamba1, optional, require_shape
from ssm_bounds.models.files.formats.mixer1 import layers1, mixer1, sizes, taps
from ssm_bounds.models.files.tensors import Tensors
from ssm_bounds.models.mamba.weights import Backward, Mamba1

NAME = "vision_mamba"
SPELLINGS = ("A_b_log", "A_log_b")
BACKWARD = frozenset(
    {*SPELLINGS, "D_b", "conv1d_b.weight", "conv1d_b.bias", "x_proj_b.weight", "dt_proj_b.weight", "dt_proj_b.bias"}
)


def recognises(names: Collection[str], config: Config) -> bool:
    two_ways = any(has(names, name) for name in SPELLINGS) and has(names, "x_proj_b.weight")
    return is_mamba1(names) and two_ways and config.get("model_type", NAME) in (NAME, "vim")


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    facts.assume("family vision_mamba: the two directions add up; a variant that halves the sum has the same names")
    eps = facts.eps("norm_epsilon", 1e-5)
    return layers1(file, facts, norms=("norm",), eps=eps, mixer=lambda place: _mixer(file, facts, place))


def _mixer(file: Tensors, facts: Facts, place: Place) -> Callable[[], Mamba1]:
    mixer = place.mixer
    convolved = f"{mixer}conv1d.weight" in file or f"{mixer}conv1d_b.weight" in file
    if not convolved:
        facts.assume("no convolution: the file has no conv1d")
    own_steps = any(f"{mixer}dt_proj_b.{part}" in file for part in ("weight", "bias"))
    if not own_steps:
        facts.assume("dt_proj is that of both directions: the file has no dt_proj_b")
    forward = mixer1(file, mixer, also=BACKWARD, convolved=convolved)
    size, steps = sizes(file, mixer, convolved=convolved), f"{mixer}dt_proj{'_b' if own_steps else ''}"
    d, N, R, k = size.d, size.N, size.R, size.k
    decay = next((mixer + name for name in SPELLINGS if mixer + name in file), mixer + SPELLINGS[0])
    expected = {
        decay: ((d, N), "d, N"),
        f"{mixer}D_b": ((d,), "d"),
        f"{mixer}x_proj_b.weight": ((R + 2 * N, d), "R + 2 N, d"),
        f"{steps}.weight": ((d, R), "d, R"),
    }
    if convolved:
        expected[f"{mixer}conv1d_b.weight"] = ((d, 1, k), "d, 1, k")
    for bias in (f"{mixer}conv1d_b.bias", f"{steps}.bias"):
        if bias in file:
            expected[bias] = ((d,), "d")
    for name, (shape, letters) in expected.items():
        require_shape(file, name, shape, letters)

    def read() -> Mamba1:
        X = file.array(f"{mixer}x_proj_b.weight")
        backward = Backward(
            K=taps(file.array(f"{mixer}conv1d_b.weight")) if convolved else np.ones((d, 1)),
            b=optional(file, f"{mixer}conv1d_b.bias", (d,)),
            X_dt=X[:R],
            X_B=X[R : R + N],
            X_C=X[R + N :],
            W_dt=file.array(f"{steps}.weight"),
            p=optional(file, f"{steps}.bias", (d,)),
            A_log=file.array(decay),
            D=file.array(f"{mixer}D_b"),
        )
        return replace(forward(), directions=2, backward=backward)

    return read
