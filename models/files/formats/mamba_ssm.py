"""mamba_ssm (state-spaces): ``MambaLMHeadModel`` of Mamba or Mamba-2, its seven-key config, its attention layers.

What its config leaves out is the default of its program, ``norm_epsilon`` among it, which no config of its has.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, is_mamba1, is_mamba2, places, root
from ssm_bounds.models.files.formats.mixer1 import layers1, mixer1
from ssm_bounds.models.files.formats.mixer2 import Program, layers2
from ssm_bounds.models.files.tensors import Tensors

NAME = "mamba_ssm"
EPS = 1e-5
DEFAULTS: dict[str, Any] = {
    "d_state": 128,
    "ngroups": 1,
    "dt_limit": (0.0, float("inf")),
    "norm_before_gate": False,
    "activation": "swish",
}
"""Of its class ``Mamba2``."""


def recognises(names: Collection[str], config: Config) -> bool:
    """transformers took its names, except that of the embedding; its configs have no model_type."""
    ours = f"{root(names)}embedding.weight" in names and (root(names) or "").endswith("backbone.")
    return (is_mamba1(names) or is_mamba2(names)) and ours and "model_type" not in config


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    if facts.config is None:
        facts.assume(f"family mamba_ssm, eps of every norm {EPS:g}: no config")
    else:
        _require_kind(file, facts)
    if is_mamba1(file.tensors):
        return layers1(file, facts, norms=("norm",), eps=EPS, mixer=lambda place: mixer1(file, place.mixer))
    cfg = replace(facts, config=None if facts.config is None else DEFAULTS | (facts.config.get("ssm_cfg") or {}))
    cfg.require_silu("activation")
    limits = cfg.limits("dt_limit")
    before_gate = cfg.flag("norm_before_gate", False, "gated norm before the gate:")
    normed = all(f"{place.mixer}norm.weight" in file for place in places(file.tensors))
    return layers2(
        file,
        facts,
        norms=("norm",),
        eps=EPS,
        said=(cfg.count("ngroups"), cfg.count("d_state")),
        program=lambda G: Program(G, EPS if normed else None, before_gate, limits),
    )


def _require_kind(file: Tensors, facts: Facts) -> None:
    """A config that names another layer or norm than the file has is another model's. Raises: CheckpointError."""
    config = facts.config or {}
    cfg = config.get("ssm_cfg") or {}
    if not isinstance(cfg, dict):
        raise CheckpointError("config.json 'ssm_cfg': expected an object; correct the config")
    found = "Mamba1" if is_mamba1(file.tensors) else "Mamba2"
    if (said := cfg.get("layer", found)) != found:
        raise CheckpointError(f"config.json says layer {said!r}, the tensors are those of {found}; correct the config")
    biased = any(f"{place.block}norm.bias" in file for place in places(file.tensors))
    if config.get("rms_norm", not biased) == biased:
        kind = "a LayerNorm with bias" if biased else "no bias of a LayerNorm"
        raise CheckpointError(
            f"config.json says rms_norm {str(biased).lower()}, the file has {kind}; correct the config"
        )
