"""A classifier made of Mamba blocks before it has weights: its sizes, and how outputs of tokens become logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.values import require

Mixer: TypeAlias = Literal["mamba", "mamba2"]
Pooling: TypeAlias = Literal["last", "mean", "none"]
"""none: logits at every position, by the embedding and a bias: a language model."""


@dataclass(frozen=True, slots=True)
class Design:
    """``h = h + mixer(rms(h))``, ``layers`` times, from an embedding of V tokens or a linear map of c reals; then the
    final norm if there is one, the pooling over the valid tokens, the linear head. Letters as in
    ``models.mamba.weights``; P channels of a head and G groups are of Mamba-2. A language model has no pooling, and its
    head is its embedding.

    ``outputs`` 1: a binary task, the sign of the logit. ``pool_before_norm``: the mean is taken before the final norm,
    so that the norm multiplies the logits of a row by one positive number. ``pad``: the token that fills rows up on the
    right.
    Raises: DomainError.
    """

    mixer: Mixer = "mamba"
    V: int | None = None
    c: int | None = None
    outputs: int = 1
    layers: int = 1
    D: int = 8
    expand: int = 2
    N: int = 4
    k: int = 4
    P: int = 8
    G: int = 1
    final_norm: bool = False
    pooling: Pooling = "last"
    pool_before_norm: bool = False
    pad: int | None = None
    eps: float = 1e-5

    def __post_init__(self) -> None:
        for name, value, kind in (("mixer", self.mixer, Mixer), ("pooling", self.pooling, Pooling)):
            require(value in get_args(kind), f"{name}: expected one of {', '.join(get_args(kind))}, got {value!r}")
        require((self.V is None) != (self.c is None), f"expected tokens (V) or real inputs (c), got {self.V}, {self.c}")
        for name in ("outputs", "layers", "D", "expand", "N", "k", "P", "G"):
            require(getattr(self, name) >= 1, f"{name}: expected a whole number >= 1, got {getattr(self, name)}")
        for name, size in (("V", self.V), ("c", self.c)):
            require(size is None or size >= 1, f"{name}: expected a whole number >= 1, got {size}")
        require(self.eps > 0, f"eps: expected a number above 0, got {self.eps}")
        if self.pooling == "none":
            require(self.V is not None and self.outputs == self.V, "a language model has as many outputs as tokens")
        if self.mixer == "mamba2":
            require(self.d % self.P == 0, f"{self.d} channels do not divide into heads of {self.P} (--head-dim)")
            require(self.H % self.G == 0, f"{self.H} heads do not divide into {self.G} groups")
        require(
            not self.pool_before_norm or (self.final_norm and self.pooling == "mean"),
            "pool_before_norm says which comes first, a final norm or the mean: it needs both",
        )
        require(
            self.pad is None or (self.V is not None and 0 <= self.pad < self.V),
            f"padding token {self.pad}: expected one of the tokens, 0 to {(self.V or 0) - 1}",
        )

    @property
    def d(self) -> int:
        """Channels."""
        return self.expand * self.D

    @property
    def R(self) -> int:
        """Rank of the step of Mamba-1."""
        return -(-self.D // 16)

    @property
    def H(self) -> int:
        """Heads of Mamba-2."""
        return self.d // self.P


def lengths(x: NDArray[np.integer | np.floating], pad: int | None) -> NDArray[np.int64]:
    """Valid tokens of each row (n,T) that token ``pad`` fills up on the right; T for all without one.

    A causal program cannot see what comes later, so only the pooling asks. Raises: DomainError for a row of padding
    alone, or with padding before another token.

    >>> lengths(np.array([[3, 1, 0], [2, 2, 2]]), pad=0).tolist()
    [2, 3]
    """
    n, T = x.shape[:2]
    if pad is None:
        return np.full(n, T)
    found = np.count_nonzero(x != pad, axis=1)
    for row, length in enumerate(found):
        require(length > 0, f"row {row} is padding alone (token {pad}), expected at least one other token")
        require(
            bool((x[row, length:] == pad).all()),
            f"row {row} has padding (token {pad}) before another token; pad on the right, with a token of its own",
        )
    return found.astype(np.int64)
