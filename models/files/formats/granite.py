"""Granite 4 (``GraniteMoeHybrid``): its Mamba-2 layers. What a block adds is scaled, which only the config says."""

from __future__ import annotations

from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, is_mamba2
from ssm_bounds.models.files.formats.mixer2 import Program, layers2
from ssm_bounds.models.files.tensors import Tensors

NAME = "granitemoehybrid"


def recognises(names: Collection[str], config: Config) -> bool:
    """By its config alone: see ``refused.CONFIG_ONLY``."""
    return is_mamba2(names) and config.get("model_type") == NAME


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    facts.require_silu()
    eps = facts.eps("rms_norm_eps", 1e-6, "eps of every norm")
    limits = facts.limits()
    out = facts.number("residual_multiplier", 1.0, "residual multiplier")
    return layers2(
        file,
        facts,
        norms=("input_layernorm",),
        eps=eps,
        said=(facts.count("mamba_n_groups"), facts.count("mamba_d_state")),
        program=lambda G: Program(G, eps, limits=limits, out=out),
    )
