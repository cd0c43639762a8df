"""Zamba2's Mamba-2 layers, alone or after a shared attention block, which is not read. Its step has a floor."""

from __future__ import annotations

import math
from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, is_mamba2, places
from ssm_bounds.models.files.formats.mixer2 import Program, layers2
from ssm_bounds.models.files.tensors import Tensors

NAME = "zamba2"
GATED_EPS = 1e-5
"""Written into its program, whatever rms_norm_eps says."""


def recognises(names: Collection[str], config: Config) -> bool:
    if config:
        return is_mamba2(names) and config.get("model_type") == NAME
    return is_mamba2(names) and any(".mamba_decoder." in place.mixer for place in places(names))


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    if facts.config is None:
        facts.assume("family zamba2: no config")
    eps = facts.eps("rms_norm_eps", 1e-5)
    floor = facts.number("time_step_min", 0.001, "least step", low=0.0)
    return layers2(
        file,
        facts,
        norms=("input_layernorm",),
        eps=eps,
        said=(facts.count("mamba_ngroups"), facts.count("mamba_d_state")),
        program=lambda G: Program(G, GATED_EPS, limits=(floor, math.inf)),
    )
