"""Mamba-2 as transformers saves it (``Mamba2ForCausalLM``)."""

from __future__ import annotations

from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, is_mamba2, places, root
from ssm_bounds.models.files.formats.mixer2 import plain2
from ssm_bounds.models.files.tensors import Tensors

NAME = "mamba2"


def recognises(names: Collection[str], config: Config) -> bool:
    if config:
        return is_mamba2(names) and config.get("model_type") == NAME
    before = root(names) or ""
    mixers = tuple(place.mixer for place in places(names))
    # Nemotron-H calls its attention and its MLPs mixers too
    pure = all(name.startswith(mixers) for name in names if name.startswith(f"{before}layers.") and ".mixer." in name)
    return is_mamba2(names) and pure and before.endswith("backbone.") and f"{before}embedding.weight" not in names


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    return plain2(file, facts, NAME, norm="norm", eps="layer_norm_epsilon", groups="n_groups", state="state_size")
