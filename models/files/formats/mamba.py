"""Mamba as transformers saves it (``MambaForCausalLM``)."""

from __future__ import annotations

from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, has, is_mamba1, root
from ssm_bounds.models.files.formats.mixer1 import layers1, mixer1
from ssm_bounds.models.files.tensors import Tensors

NAME = "mamba"


def recognises(names: Collection[str], config: Config) -> bool:
    """Without a config FalconMamba has the same names; what is assumed is printed."""
    plain = is_mamba1(names) and not has(names, "A_b_log") and not has(names, "dt_layernorm.weight")
    if config:
        return plain and config.get("model_type") == "mamba"
    return plain and (root(names) or "").endswith("backbone.") and f"{root(names)}embedding.weight" not in names


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    if facts.config is None:
        facts.assume("family mamba: no config, and FalconMamba, which norms dt, B and C, has the same names")
    facts.require_silu()
    eps = facts.eps("layer_norm_epsilon", 1e-5)
    return layers1(file, facts, norms=("norm",), eps=eps, mixer=lambda place: mixer1(file, place.mixer))
