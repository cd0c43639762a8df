"""Whole examples of the paper's model to the last bit: what an implementation of its program has to give (theory 8.13).

Made here and by the second writing in ``tests/models/selective_ssm/test_program.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.program.vectors import REAL, TOKENS, Tensors
from ssm_bounds.models.selective_ssm.weights import Weights


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A model, two rows of five inputs, and its logits."""

    weights: Weights
    gate: Gate
    convention: Convention
    x: NDArray
    logits: tuple[tuple[str, ...], ...]


def _tokens() -> Weights:
    """Five tokens, 4 channels, 3 states, 3 outputs. Tensors in the order embedding, A, W_B, W_C, q, p, W."""
    tensors, d, N = Tensors(), 4, 3
    embedding, A, W_B, W_C = tensors(5, d), tensors(d, N), tensors(N, d), tensors(N, d)
    q, p, W = tensors(d), tensors(1), tensors(3, d)
    return Weights(A=A, W_B=W_B, W_C=W_C, q=q, p=p.item(), W=W, embedding=embedding)


def _real() -> Weights:
    """Two real inputs, 3 states, one output, no gate. Tensors in the order A, W_B, W_C, W."""
    tensors, d, N = Tensors(), 2, 3
    A, W_B, W_C, W = tensors(d, N), tensors(N, d), tensors(N, d), tensors(1, d)
    return Weights(A=A, W_B=W_B, W_C=W_C, q=np.zeros(d), p=0.0, W=W)


EXAMPLES = {
    "tokens": Example(
        _tokens(),
        "softplus",
        "code",
        TOKENS,
        (
            ("0x1.d0ad07p-10", "-0x1.66303ccp-9", "0x1.7c9ca8cp-10"),
            ("0x1.9362412p-7", "-0x1.0d7e46cp-6", "0x1.4ac450cp-8"),
        ),
    ),
    "real": Example(
        _real(),
        "none",
        "paper",
        np.concatenate([REAL, REAL[::-1]], axis=2),
        (
            ("0x0p+0", "0x1.4816fbcp-5"),
            ("0x0p+0", "0x1.903aa8p-6"),
        ),
    ),
}
