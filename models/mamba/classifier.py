"""A whole model of Mamba blocks as float64 arrays: what a file says, and where its training started.

A language model classifies at every position: its classes are the tokens, one of which comes next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ssm_bounds.models.mamba.design import Pooling
from ssm_bounds.models.mamba.weights import Array, Layer, Norm


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Shapes: embedding (V,D), or input_weight (D,c) and input_bias (D,); score (k,D), bias (k,), zeros without one.

    Every array is what the file holds, exactly. The final norm is applied after the last block, then tokens are
    pooled; ``pool_before_norm``: the other way round. Without pooling ("none") it is a language model: score (V,D) is
    the embedding where that is tied, and ``symbols`` how its config names what turns a text into tokens. ``pad``: the
    token that fills rows up on the right, None where no row is filled up. ``labels``: what each output is called; two
    for a single output, whose sign decides. ``sha256``: of weights and config, which together are the function.
    ``seed`` and ``start``: where the training started, if the file says so; the start is computed from the seed, in
    float32 numbers, under the names of the file. ``assumed``: what the file leaves open, one sentence each.
    """

    layers: tuple[Layer, ...]
    final_norm: Norm | None
    score: Array
    bias: Array
    pooling: Pooling
    pool_before_norm: bool
    sha256: str
    embedding: Array | None = None
    input_weight: Array | None = None
    input_bias: Array | None = None
    pad: int | None = None
    labels: tuple[str, ...] = ()
    seed: int | None = None
    start: Mapping[str, Array] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    symbols: str | None = None
