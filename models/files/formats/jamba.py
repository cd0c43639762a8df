"""Jamba's Mamba layers, with learned norms on dt, B and C; its attention and its MLPs are not read.

Two spellings of a block's norm: ``input_layernorm`` (transformers) and ``norm``.
"""

from __future__ import annotations

from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, has, is_mamba1, places
from ssm_bounds.models.files.formats.mixer1 import layers1, learned_norms, mixer1
from ssm_bounds.models.files.tensors import Tensors

NAME = "jamba"
INNER = {"dt": "dt_layernorm.weight", "B": "b_layernorm.weight", "C": "c_layernorm.weight"}


def recognises(names: Collection[str], config: Config) -> bool:
    normed = is_mamba1(names) and all(has(names, name) for name in INNER.values())
    return normed and config.get("model_type", NAME) == NAME and all(".mamba." in p.mixer for p in places(names))


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    facts.require_silu()
    eps = facts.eps("rms_norm_eps", 1e-6, "eps of every norm")

    return layers1(
        file,
        facts,
        norms=("input_layernorm", "norm"),
        eps=eps,
        mixer=lambda place: mixer1(
            file, place.mixer, learned_norms(file, place.mixer, INNER, eps), frozenset(INNER.values())
        ),
    )
