"""Falcon-H1's Mamba-2 mixers, beside attention in every layer. Its multipliers stand in the config alone."""

from __future__ import annotations

from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, is_mamba2
from ssm_bounds.models.files.formats.mixer2 import Program, layers2
from ssm_bounds.models.files.tensors import Tensors

NAME = "falcon_h1"


def recognises(names: Collection[str], config: Config) -> bool:
    """By its config alone: see ``refused.CONFIG_ONLY``."""
    return is_mamba2(names) and config.get("model_type") == NAME


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    facts.require_silu()
    eps = facts.eps("rms_norm_eps", 1e-5, "eps of every norm")
    limits = facts.limits()
    normed = facts.flag("mamba_rms_norm", False, "norm before out_proj:")
    before_gate = normed and facts.flag("mamba_norm_before_gate", True, "that norm before the gate:")
    into = facts.number("ssm_in_multiplier", 1.0, "ssm_in_multiplier")
    out = facts.number("ssm_out_multiplier", 1.0, "ssm_out_multiplier")
    z, x, B, C, dt = facts.numbers("ssm_multipliers", (1.0,) * 5, "ssm_multipliers")
    return layers2(
        file,
        facts,
        norms=("input_layernorm",),
        eps=eps,
        said=(facts.count("mamba_n_groups"), facts.count("mamba_d_state")),
        program=lambda G: Program(G, eps if normed else None, before_gate, limits, into, (z, x, B, C, dt), out),
    )
