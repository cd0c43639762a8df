"""What a file says of the residual stream: what tokens become before the first block, and how far it can be followed.

The program of each family, as of transformers 5.24, mamba_ssm and mamba.py: the embedding of a token, times a number of
the config in two families, and every block adds what it gives. Where a file holds anything else outside of its layers
than a last norm and a head (embeddings of positions, say), or an unknown part in a block, its program is not known,
and nothing is said; nor is it of an embedding of more than ``tensors.MAX_ELEMENTS`` numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import takewhile

from ssm_bounds.models.files.formats.blocks import Facts, places, root
from ssm_bounds.models.files.tensors import MAX_ELEMENTS, Tensors, located
from ssm_bounds.models.mamba.weights import Array, Vocabulary

_EITHER = ("embeddings", "embedding")  # transformers renames the second, which mamba_ssm has, when it loads
EMBEDDINGS = {
    "mamba": _EITHER,
    "falcon_mamba": _EITHER,
    "mamba2": _EITHER,
    "mamba_ssm": ("embedding",),
    "jamba": ("embed_tokens",),
    "bamba": ("embed_tokens",),
    "zamba2": ("embed_tokens",),
    "nemotron_h": ("embeddings",),
    "granitemoehybrid": ("embed_tokens",),
    "falcon_h1": ("embed_tokens",),
    "mambapy": ("embedding",),
    "mamba_minimal": ("embedding",),
}
"""Family to the names of its embedding, beside its layers; images, which Vision Mamba reads, have none."""
SCALED = ("granitemoehybrid", "falcon_h1")
"""Families that multiply it by ``embedding_multiplier``."""
MIXED = ("jamba", "bamba", "granitemoehybrid", "falcon_h1")
"""Families whose blocks all have another part after the mixer or beside it, so that only the first one is reached."""

BESIDE = {
    "jamba": ("feed_forward", "pre_ff_layernorm"),
    "bamba": ("feed_forward", "pre_ff_layernorm"),
    "granitemoehybrid": ("shared_mlp", "block_sparse_moe", "post_attention_layernorm"),
    "falcon_h1": ("feed_forward", "pre_ff_layernorm", "self_attn"),
    "mamba_ssm": ("mlp", "norm2"),
}
"""What else stands in the block of a mixer, after it or beside it: any other name could come before it."""

_AFTER = r"(?:norm_f|final_layernorm|norm|lm_head|score|classifier)\.(?:weight|bias)"


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """``vocabulary``: what tokens become before the first block. ``reached``: of so many layers, from the first on, the
    input is known where those before have run: nothing that is not analysed stands between them."""

    vocabulary: Vocabulary
    reached: int


def stream(file: Tensors, facts: Facts, family: str, left: Collection[str]) -> Stream | None:
    """``left``: the names of what is not analysed. None without an embedding, or where something else comes first, as
    the shared attention of Zamba2 does in its hybrid layers.

    Raises: CheckpointError for a multiplier of the config that is no number.
    """
    if family not in EMBEDDINGS:
        return None
    mixers, top = places(file.tensors), root(file.tensors) or ""
    beside = "" if family == "mambapy" else top
    name = next((n for short in EMBEDDINGS[family] if (n := f"{beside}{short}.weight") in file), None)
    inside = re.compile(re.escape(top) + r"layers\.(\d{1,6})\.")
    others = {key: int(match[1]) for key in left if (match := inside.match(key))}
    after = re.compile(f"(?:{re.escape(top)})?{_AFTER}")
    if name is None or any(key != name and key not in others and not after.fullmatch(key) for key in left):
        return None
    first = min(others.values(), default=len(mixers))  # what stands in the block of a mixer comes after it, or beside
    known = (p.index == i <= first and ".mamba_decoder." not in p.mixer for i, p in enumerate(mixers))
    reached = min(sum(takewhile(bool, known)), 1 if family in MIXED else len(mixers))
    parts = {key: key[match.end() :].partition(".")[0] for key in others if (match := inside.match(key))}
    if any(others[key] < reached and part not in BESIDE.get(family, ()) for key, part in parts.items()):
        return None
    D, shape = file.shape(f"{mixers[0].mixer}out_proj.weight")[0], file.shape(name)
    if not reached or len(shape) != 2 or not shape[0] or shape[1] != D or math.prod(shape) > MAX_ELEMENTS:
        return None
    if file.config is None:
        facts.assumed.append("tokens enter the first block as rows of the embedding: no config")
    factor = facts.number("embedding_multiplier", 1.0, "embedding multiplier") if family in SCALED else 1.0
    return Stream(vocabulary(file, name, factor), reached)


def vocabulary(file: Tensors, name: str, factor: float) -> Vocabulary:
    def blocks(rows: int) -> Iterator[Array]:
        with located(file.path):
            for block in file.blocks(name, rows):
                yield block if factor == 1 else block * factor

    return Vocabulary(file.shape(name)[0], blocks, factor != 1)
