"""A LoRA adapter as the library peft saves it: ``adapter_config.json`` and ``adapter_model.safetensors``.

It is read for the model that it makes of its base, and as where a word of the family lora begins. Nothing of peft is
imported; variants that are no plain sum ``W + (alpha/r) B A`` are refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssm_bounds.bounds.codes.families import RANKS
from ssm_bounds.bounds.codes.moves import lora
from ssm_bounds.models.files import classifier
from ssm_bounds.models.files.container import CheckpointError, quote
from ssm_bounds.models.files.tensors import located, open_tensors, read_json
from ssm_bounds.models.mamba.weights import Array

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
_VARIANTS = (
    "use_dora",
    "use_qalora",
    "fan_in_fan_out",
    "rank_pattern",
    "alpha_pattern",
    "lora_bias",
    "layer_replication",
)


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """``start``: A and (alpha/r) B of each matrix that it moves, and the tensors that it holds whole, by the names of a
    word; ``merged``: every tensor of the model that it makes of its base. Shapes: A (rank,in), B (out,rank)."""

    rank: int
    start: Mapping[str, Array]
    merged: Mapping[str, Array]
    config: Mapping[str, Any]


def is_adapter(path: Path | str) -> bool:
    return (Path(path) / CONFIG).is_file()


def read(path: Path | str, base: Path | str | None) -> Adapter:
    """The adapter in a folder, on the model in the folder ``base``. Raises: CheckpointError, one line."""
    path = Path(path)
    with located(path):
        if base is None:
            raise CheckpointError("is an adapter, which moves a base: give --base FOLDER")
        rank, scale = _checked(read_json(path / CONFIG))
    found = open_tensors(path / WEIGHTS)
    model, tensors = classifier.read(base), classifier.tensors(base)
    with located(path):
        start = dict[str, Array]()
        for stored in sorted(found.tensors):
            name, kind = _named(stored, tensors)
            value = found.array(stored)
            out_in = tensors[name].shape
            wanted = {"A": (rank, *out_in[1:]), "B": (*out_in[:1], rank), "whole": out_in}[kind]
            if value.shape != wanted:
                raise CheckpointError(f"tensor {quote(stored)}: expected shape {wanted}, found {value.shape}")
            start[name if kind == "whole" else f"{name}.{kind}"] = scale * value if kind == "B" else value
        merged = dict(tensors)
        for key, value in start.items():
            if key in merged:
                merged[key] = value
            elif key.endswith(".A"):
                name = key.removesuffix(".A")
                if f"{name}.B" not in start:
                    raise CheckpointError(f"has lora_A of {quote(name)} and no lora_B; save it again")
                merged[name] = lora(merged[name], value, start[f"{name}.B"])  # as a word, the same bits everywhere
            elif f"{key.removesuffix('.B')}.A" not in start:
                raise CheckpointError(f"has lora_B of {quote(key.removesuffix('.B'))} and no lora_A; save it again")
        return Adapter(rank, start, merged, model.config)


def _checked(config: Mapping[str, Any]) -> tuple[int, float]:
    """Rank, and what B A is multiplied by."""
    if config.get("peft_type") != "LORA":
        raise CheckpointError(f"{CONFIG} 'peft_type': expected 'LORA', found {quote(config.get('peft_type'))}")
    for variant in _VARIANTS:
        if config.get(variant):
            raise CheckpointError(f"{CONFIG}: {quote(variant)} is another move than W + (alpha/r) B A; merge it first")
    if config.get("bias", "none") != "none":
        raise CheckpointError(f"{CONFIG} 'bias': expected 'none', found {quote(config['bias'])}")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if type(rank) is not int or rank not in RANKS:
        raise CheckpointError(f"{CONFIG} 'r': a word has ranks {RANKS[0]} to {RANKS[-1]}, found {quote(rank)}")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not 0 < alpha < 2**20:
        raise CheckpointError(f"{CONFIG} 'lora_alpha': expected a number above 0, found {quote(alpha)}")
    return rank, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _named(stored: str, tensors: Mapping[str, Array]) -> tuple[str, str]:
    """The tensor of the base that an entry moves, and how: A, B or whole."""
    name, kind = stored.removeprefix(_PREFIX), "whole"
    for ending, which in ((".lora_A.weight", "A"), (".lora_B.weight", "B")):
        if name.endswith(ending):
            name, kind = f"{name.removesuffix(ending)}.weight", which
    for known in (name, f"backbone.{name}"):
        if known in tensors and (kind == "whole" or tensors[known].ndim == 2):
            return known, kind
    raise CheckpointError(f"moves {quote(stored)}, which is no matrix of its base")
