"""Nemotron-H's Mamba-2 layers; its attention, MLP and expert layers are not read. Its step has a floor."""

from __future__ import annotations

import math
from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, is_mamba2, places, root
from ssm_bounds.models.files.formats.mixer2 import Program, layers2
from ssm_bounds.models.files.tensors import Tensors

NAME = "nemotron_h"
_OTHERS = ("q_proj.weight", "up_proj.weight", "gate.weight")


def recognises(names: Collection[str], config: Config) -> bool:
    if config:
        return is_mamba2(names) and config.get("model_type") == NAME
    stack = f"{root(names)}layers."
    mixed = any(name.startswith(stack) and name.split(".mixer.")[-1] in _OTHERS for name in names)
    return is_mamba2(names) and mixed and all(place.mixer.endswith(".mixer.") for place in places(names))


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    if facts.config is None:
        facts.assume("family nemotron_h: no config")
    facts.require_silu("mamba_hidden_act")
    eps = facts.eps("layer_norm_epsilon", 1e-5, "eps of every norm")
    # time_step_limit stands in its config too, and is ignored by its program; old configs say mamba_dt_min
    old = (facts.config or {}).get("mamba_dt_min") is not None
    floor = facts.number("mamba_dt_min" if old else "time_step_min", 0.001, "least step", low=0.0)
    return layers2(
        file,
        facts,
        norms=("norm",),
        eps=eps,
        said=(facts.count("mamba_n_groups", facts.count("n_groups")), facts.count("ssm_state_size")),
        program=lambda G: Program(G, eps, limits=(floor, math.inf)),
    )
