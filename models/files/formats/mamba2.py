"""Mamba-2 as transformers saves it (``Mamba2ForCausalLM``)."""

from __future__ import annotations

from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, is_mamba2, places, root
from ssm_bounds.models.files.formats.mixer2 import Program, layers2
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
    if facts.config is None:
        facts.assume("family mamba2: no config")
    facts.require_silu()
    eps = facts.eps("layer_norm_epsilon", 1e-5, "eps of every norm")
    limits = facts.limits()
    return layers2(
        file,
        facts,
        norms=("norm",),
        eps=eps,
        said=(facts.count("n_groups"), facts.count("state_size")),
        program=lambda G: Program(G, eps, limits=limits),
    )
