"""Losses of probabilities as integers, in units of 2^-24 bits: their sums are exact (theory 8.11)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.balls import START_BITS, bits, exact, float_above, float_below
from ssm_bounds.bounds.evaluate.elementary import LN2, Floats, log
from ssm_bounds.bounds.values import require

Ticks: TypeAlias = NDArray[np.int64]
"""Multiples of ``TICK``."""
TICK = Fraction(1, 2**24)
POWERS = range(1, 9)
"""The k of the smoothing alpha = 2^-k that a word chooses from (theory 8.12)."""
MOST_SYMBOLS = 2**17
_MOST = 2**40  # of one loss: 2^16 bits


@dataclass(frozen=True, slots=True)
class Span:
    """The ends a and b of a range, in units of ``TICK``; losses are at most b. Raises: DomainError."""

    low: int
    high: int

    def __post_init__(self) -> None:
        fits = type(self.low) is int and type(self.high) is int and -_MOST < self.low < self.high < _MOST
        require(fits, f"span of losses: needs integers low < high below 2^40, got {self.low!r} and {self.high!r}")

    @property
    def most(self) -> Fraction:
        """b, exact."""
        return self.high * TICK


def checked(losses: Ticks, most: int = _MOST, least: int = -_MOST) -> Ticks:
    """The losses (n,), whole numbers above ``least`` and of at most ``most``. Raises: DomainError."""
    fits = isinstance(losses, np.ndarray) and losses.dtype == np.int64 and losses.ndim == 1 and losses.size > 0
    require(fits, f"losses: needs int64 (n,) in units of 2^-24, got {getattr(losses, 'dtype', type(losses))}")
    require(bool(losses.min() > least), f"losses: one is at most {least} 2^-24")
    require(bool(losses.max() <= most), f"losses: one is above the range, {most} 2^-24")
    return losses


def total(values: Ticks) -> int:
    """The exact sum, beyond 64 bits too."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def own_span(k: int, V: int) -> Span:
    """a and b of the loss ``-log2((1-alpha) p + alpha/V)``, alpha = 2^-k, rounded outward. Source: theory 8.6.

    >>> own_span(1, 2).high == 2 * 2**24, own_span(1, 3).high * 2.0**-24  # log2 6 = 2.58496250...
    (True, 2.584962546825409)
    """
    check_power(k)
    require(2 <= V <= MOST_SYMBOLS, f"loss: needs 2 to 2^17 symbols, got {V}")
    with bits(START_BITS):
        best = arb.log(exact(1 - Fraction(1, 2**k) + Fraction(1, 2**k * V))) / arb(2).log()
        symbols = arb(V.bit_length() - 1) if V.bit_count() == 1 else arb(V).log() / arb(2).log()
        low, high = float_below(-best * 2**24), float_above((k + symbols) * 2**24)
        return Span(math.floor(low), math.ceil(high))


def own(p: Floats, k: int, V: int) -> Ticks:
    """``-log2((1-alpha) p + alpha/V)`` from above, alpha = 2^-k, clipped to :func:`own_span`; b where p is NaN.

    ``p``: probabilities, any shape, each within a rounding or two of what is meant. Derivation: the argument is off by
    a few roundings and the logarithm by a few more, below 2^-40 in all; one unit is added and the sum rounded up.
    Source: theory 8.6, 8.11. Raises: DomainError.

    >>> own(np.array([1.0, 0.0, np.nan]), 1, 2) * 2.0**-24  # -log2 3/4 = 0.415037499...
    array([0.41503757, 2.        , 2.        ])
    """
    span, p = own_span(k, V), probabilities(p)
    alpha = 2.0**-k
    return bits_above((1 - alpha) * p + alpha / V, span.low, span.high)


def expected(p: Floats, losses: Ticks, span: Span) -> Ticks:
    """The mean of the losses (n, V) under probabilities (n, V), about; (n,), in the span, b where p is NaN.

    Exact sums of rounded terms, the same everywhere: what a bet compares with has to be a function of the past, not to
    be accurate. Source: theory 8.6, 8.11.
    """
    p = probabilities(p)
    fits = p.ndim == 2 and p.shape == losses.shape and 1 <= p.shape[1] <= MOST_SYMBOLS
    require(fits, f"expected losses: needs (n, V) twice, got {p.shape} and {losses.shape}")
    checked(losses.ravel())
    bad = np.asarray(np.isnan(p).any(axis=1))
    weights = np.rint(np.where(bad[:, None], 0.0, p) * 2.0**24).astype(np.int64)
    # below 2^24 + V/2 in all, times losses below 2^32 in units of 2^-16
    means = (weights * (losses + 2**7 >> 8)).sum(axis=1) + 2**15 >> 16
    return np.where(bad, span.high, np.clip(means, span.low, span.high))


def mean_above(sums: Ticks, counts: Ticks) -> Ticks:
    """``sum/count`` of each unit, rounded up: the mean loss of a document of count symbols. Source: theory 8.7, 8.11.

    >>> mean_above(np.array([7, -7]), np.array([2, 2])).tolist()
    [4, -3]
    """
    require(bool((counts > 0).all()), "mean losses: a unit has no symbols")
    return -(-np.asarray(sums, dtype=np.int64) // counts)


def check_power(k: int) -> None:
    """Raises: DomainError unless alpha = 2^-k is a smoothing."""
    require(type(k) is int and 1 <= k <= 16, f"smoothing: needs alpha = 2^-k, k = 1..16, got k = {k!r}")


def probabilities(p: Any) -> Floats:
    """Float64 in [0, 1], or NaN where a program has no answer. Raises: DomainError."""
    p = np.asarray(p, dtype=np.float64)
    require(not bool(((p < 0) | (p > 1)).any()), "loss: a probability lies outside [0, 1]")
    return p


def bits_above(q: Floats, low: int, high: int) -> Ticks:
    """``-log2 q`` for q > 0, one unit more and rounded up; ``high`` where q is NaN."""
    found = np.ceil(-log(q) / LN2 * 2.0**24 + 1)
    return np.where(np.isnan(found), high, np.clip(found, low, high)).astype(np.int64)
