"""What a word may do with each tensor of a classifier's file (theory 8.12)."""

from __future__ import annotations

from collections.abc import Mapping

from ssm_bounds.bounds.codes.families import Part, Role
from ssm_bounds.models.mamba.weights import Array

_MATRICES = ("in_proj.weight", "x_proj.weight", "dt_proj.weight", "out_proj.weight", "input_proj.weight")
_VECTORS = ("conv1d.weight", "norm.weight", "norm_f.weight", ".bias", "dt_bias", ".D")


def parts(tensors: Mapping[str, Array]) -> dict[str, Part]:
    """The shape and the role of each, in their order; embeddings and decays move in no family but full and subspace.

    >>> import numpy as np
    >>> parts({"score.bias": np.zeros(2), "backbone.layers.0.mixer.A_log": np.zeros((4, 2))})
    {'score.bias': Part(shape=(2,), role='head'), 'backbone.layers.0.mixer.A_log': Part(shape=(4, 2), role='other')}
    """
    return {name: Part(value.shape, role(name)) for name, value in tensors.items()}


def role(name: str) -> Role:
    """By its name in the file."""
    if name.startswith(("score.", "lm_head.")):
        return "head"
    if name.endswith(_MATRICES):
        return "matrix"
    return "vector" if name.endswith(_VECTORS) else "other"
