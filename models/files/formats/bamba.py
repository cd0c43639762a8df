"""Bamba's Mamba-2 layers; its attention and its MLPs are not read."""

from __future__ import annotations

from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, is_mamba2, places
from ssm_bounds.models.files.formats.mixer2 import plain2
from ssm_bounds.models.files.tensors import Tensors

NAME = "bamba"


def recognises(names: Collection[str], config: Config) -> bool:
    if config:
        return is_mamba2(names) and config.get("model_type") == NAME
    found = places(names)
    plain = all(p.mixer.endswith(".mamba.") and "mamba_decoder" not in p.mixer for p in found)
    other = any(f"{p.block}self_attn.q_proj.weight" in names for p in found)  # Falcon-H1 has both in every layer
    moe = any(".block_sparse_moe." in name or ".shared_mlp." in name for name in names)  # Granite
    return is_mamba2(names) and plain and not other and not moe


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    return plain2(
        file, facts, NAME, norm="input_layernorm", eps="rms_norm_eps", groups="mamba_n_groups", state="mamba_d_state"
    )
