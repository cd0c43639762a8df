"""Families that are not read, each by its name: what gives it away, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssm_bounds.models.files.container import CheckpointError, Tensor, quote
from ssm_bounds.models.files.formats.blocks import has, is_mamba2, places
from ssm_bounds.models.files.tensors import FLOATS

WHAT = "what is read: Mamba, FalconMamba, Mamba-2, the Mamba layers of hybrids, Vision Mamba"
CONFIG_ONLY = {
    "granitemoehybrid": "Granite, whose residual_multiplier stands",
    "falcon_h1": "Falcon-H1, whose multipliers stand",
}
"""model_type to why it is not read without its config."""

_QUANTISED = (".absmax", ".quant_map", ".quant_state", ".qweight", ".qzeros", ".SCB", ".weight_scale", ".scales")


def refuse(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
    """Raises: CheckpointError, one line, where the names, dtypes or config are those of a family that is not read."""
    if problem := _quantised(tensors, config) or _family(tensors) or _without_config(tensors, config):
        raise CheckpointError(problem)


def _quantised(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> str | None:
    marks = [name for name in tensors if any(mark in name for mark in _QUANTISED)]
    packed = [
        name
        for name, tensor in tensors.items()
        if name.endswith(".weight") and tensor.dtype not in FLOATS and not tensor.dtype.startswith(("complex", "C"))
    ]
    if found := sorted(marks + packed):
        return f"is quantised (tensor {quote(found[0])}): its weights are rounded; name the model it was made from"
    if config.get("quantization_config") is not None:
        return "is quantised (config.json 'quantization_config'): name the model it was made from"
    return None


def _family(tensors: Mapping[str, Tensor]) -> str | None:
    leaves: dict[str, str] = {}
    for name in sorted(tensors):
        leaves.setdefault(name.rsplit(".", 1)[-1], name)

    def first(*wanted: str) -> str | None:
        return leaves[wanted[0]] if all(name in leaves for name in wanted) else None

    families = (
        (first("Lambda_re", "Lambda_im"), "S5, a state-space model that selects nothing"),
        (first("nu_log", "theta_log"), "LRU, a linear recurrence that selects nothing"),
        (first("log_A_real", "A_imag") or first("A_imag"), "S4D, which has no layer of Mamba to inspect"),
        (first("A_logs", "Ds"), "VMamba, which scans in four directions"),
    )
    for mark, family in families:
        if mark:
            return f"is {family} (tensor {quote(mark)}); {WHAT}"
    steps = [name for name in sorted(tensors) if name.endswith(".dt_bias")]
    if steps and not any(name.endswith("A_log") for name in tensors):
        return f"is Mamba-3, whose decay depends on the data (tensor {quote(steps[0])} without A_log); {WHAT}"
    if any(name.endswith((".x_proj_weight", ".dt_proj_weight")) for name in tensors):
        return f"is Zamba of the first version, whose Mamba layers have several heads; {WHAT}"
    if wrong := [
        name for name, tensor in tensors.items() if tensor.dtype in ("complex64", "complex128", "C64", "C128")
    ]:
        return f"has a complex state matrix (tensor {quote(sorted(wrong)[0])}), another architecture; {WHAT}"
    if {"W_B", "W_C", "A"} <= leaves.keys():
        return "is a classifier with one selective SSM, which has no layer of Mamba; ssm-bounds certify reads it"
    if any(name.endswith("A_b_log") for name in tensors) and not has(tensors, "x_proj_b.weight"):
        return f"is a bidirectional Mamba whose second direction has a decay of its own alone (bimamba v1); {WHAT}"
    return None


def _without_config(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> str | None:
    if config or not is_mamba2(tensors):
        return None
    found = places(tensors)
    if any(f"{place.block}self_attn.q_proj.weight" in tensors for place in found):
        return _needs("falcon_h1")
    if any(".block_sparse_moe." in name or ".shared_mlp." in name for name in tensors):
        return _needs("granitemoehybrid")
    return None


def _needs(family: str) -> str:
    return f"is {CONFIG_ONLY[family]} in its config.json alone; give the folder that holds it"
