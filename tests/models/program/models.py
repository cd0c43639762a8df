"""Random small stacks of both mixers, and inputs for them."""

from __future__ import annotations

import numpy as np

from ssm_bounds.models.program.stack import Embedding, Pooling, Projection, Stack
from tests.mamba import mamba1, mamba2, norm_of

KINDS = ("mamba1", "mamba2")


def stack(
    seed: int, kind: str = "mamba1", tokens: bool = True, pooling: Pooling = "mean", D: int = 8, **sizes
) -> Stack:
    """Two layers, five tokens or two real inputs, three outputs; every bias counts."""
    rng = np.random.default_rng(seed)
    make = {"mamba1": mamba1, "mamba2": mamba2}[kind]
    layers = tuple(make(10 * seed + i, D=D, biases=0.3, norm=norm_of(D, rng=rng), **sizes) for i in range(2))
    entry = Embedding(rng.normal(size=(5, D))) if tokens else Projection(rng.normal(size=(D, 2)), rng.normal(size=D))
    return Stack(entry, layers, norm_of(D, rng=rng), rng.normal(size=(3, D)), rng.normal(size=3), pooling)


def inputs(seed: int, n: int, T: int, tokens: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Rows and lengths between 1 and T."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 5, (n, T)) if tokens else rng.normal(size=(n, T, 2))
    return x, rng.integers(1, T, n, endpoint=True)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Bit for bit, every NaN being one NaN."""
    return (
        a.shape == b.shape
        and np.array_equal(a.view(np.int64)[~np.isnan(a)], b.view(np.int64)[~np.isnan(b)])
        and (np.array_equal(np.isnan(a), np.isnan(b)))
    )
