"""FalconMamba: Mamba with weightless norms on dt, B and C, which no tensor tells."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, has, is_mamba1
from ssm_bounds.models.files.formats.mixer1 import Sizes, layers1, mixer1
from ssm_bounds.models.files.tensors import Tensors
from ssm_bounds.models.mamba.weights import InnerNorms

NAME = "falcon_mamba"


def recognises(names: Collection[str], config: Config) -> bool:
    """By its config alone."""
    plain = is_mamba1(names) and not has(names, "A_b_log") and not has(names, "dt_layernorm.weight")
    return plain and config.get("model_type") == "falcon_mamba"


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    facts.require_silu()
    eps = facts.eps("layer_norm_epsilon", 1e-5)
    inner_eps = facts.eps("mixer_rms_eps", 1e-6, "eps of the norms of dt, B, C")

    def inner(size: Sizes) -> InnerNorms:
        return InnerNorms(np.ones(size.R), np.ones(size.N), np.ones(size.N), inner_eps)

    return layers1(file, facts, norms=("norm",), eps=eps, mixer=lambda place: mixer1(file, place.mixer, inner))
