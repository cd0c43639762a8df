"""Every window of tokens that the convolution of one block can meet, and the ranges of what it makes of them.

Source: theory M5.1, M5.5. Parameters lie in a box around tables: what a token of the vocabulary gives after the input
norm and in_proj, so that few windows are all inputs. Ranges are pairs (low, high), rounded outward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.mamba.silu import silu_range
from ssm_bounds.bounds.architectures.mamba.suprema import Range, modulus
from ssm_bounds.bounds.evaluate.elementary import Floats, total
from ssm_bounds.bounds.evaluate.outward import above, below
from ssm_bounds.bounds.values import require

MOST = 4096
"""Windows that are enumerated: beyond, a table of tokens is no small class either."""
ABSENT = -1


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """``tokens`` (W,k): column i is the token i places back, or ABSENT before the first."""

    tokens: NDArray[np.int64]

    @classmethod
    def of(cls, V: int, k: int, T: int) -> Windows:
        """Of inputs of at most T tokens: all of 1 to min(k, T) tokens. Raises: DomainError for more than MOST."""
        longest = min(k, T)
        count = number(V, longest)
        require(
            count <= MOST, f"{V} tokens have {count} windows of up to {longest}: more than {MOST} are no small table"
        )
        rows = [
            (*window, *[ABSENT] * (k - size))
            for size in range(1, longest + 1)
            for window in product(range(V), repeat=size)
        ]
        return cls(np.array(rows, dtype=np.int64))

    def index(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which window (m,T) ends at each token of rows x (m,T)."""
        V = int(self.tokens.max()) + 1
        longest = int((self.tokens != ABSENT).sum(axis=1).max())
        found = np.empty(x.shape, dtype=np.int64)
        for t in range(x.shape[1]):
            size = min(t + 1, longest)
            place = np.zeros(len(x), dtype=np.int64)
            for i in range(size):  # tokens of a window are digits, the current one first
                place = place * V + x[:, t - i]
            found[:, t] = number(V, size - 1) + place
        return found


def number(V: int, longest: int) -> int:
    """How many windows of 1 to ``longest`` of V tokens there are."""
    return sum(V**size for size in range(1, longest + 1))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the convolution and x_proj give on each window: a, u (W,d); B, C (W,N); low (W,R), the low-rank step."""

    a: Range
    u: Range
    B: Range
    C: Range
    low: Range


def seen(box: Mapping[str, Range], windows: Windows) -> Seen:
    """Of all parameters of a box at once; no number where one leaves the range of float64. Blocks: X (V,d), K (d,k),
    b (d,), X_B, X_C (N,d), X_dt (R,d)."""
    a = convolved(box["X"], box["K"], box["b"], windows)
    u = silu_range(*a)
    return Seen(a, u, *(images(box[name], u) for name in ("X_B", "X_C", "X_dt")))


@np.errstate(all="ignore")
def convolved(X: Range, K: Range, b: Range, windows: Windows) -> Range:
    """``b + sum_i K_i o X_(token i places back)`` (W,n), for X (V,n), K (n,k), b (n,)."""
    at = np.where(windows.tokens == ABSENT, 0, windows.tokens)
    low, high = (np.broadcast_to(end, (len(at), len(end))).copy() for end in b)
    size = np.maximum(-low, high)
    for i in range(at.shape[1]):
        tap = K[0][:, i], K[1][:, i]
        there = (windows.tokens[:, i] != ABSENT)[:, None]
        less, more = (np.where(there, end[at[:, i]], 0.0) for end in times(tap, X))
        low, high, size = low + less, high + more, size + np.maximum(-less, more)
    return below(low, at.shape[1], np.abs(size)), above(high, at.shape[1], np.abs(size))


@np.errstate(all="ignore")
def times(x: Range, y: Range) -> Range:
    """x y of ranges that broadcast."""
    products = [s * t for s in x for t in y]
    lowest, highest = products[0], products[0]
    for each in products[1:]:
        lowest, highest = np.minimum(lowest, each), np.maximum(highest, each)
    return below(lowest), above(highest)


@np.errstate(all="ignore")
def images(rows: Range, u: Range) -> Range:
    """``rows . u`` for rows (n,d) and u (W,d): (W,n)."""
    terms = times((rows[0][None], rows[1][None]), (u[0][:, None], u[1][:, None]))
    d, size = rows[0].shape[1], along_last(modulus(terms))
    return below(along_last(terms[0]), d, size), above(along_last(terms[1]), d, size)


def along_last(values: Floats) -> Floats:
    """Sums along the last axis, in a fixed order."""
    return np.asarray(total(np.moveaxis(values, -1, 0), axis=0))
