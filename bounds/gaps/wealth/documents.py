"""Wealth bounds of documents: the mean loss of each, and the loss per symbol of the population (theory 8.5, 8.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.gaps.wealth import grid
from ssm_bounds.bounds.gaps.wealth.grid import Found
from ssm_bounds.bounds.gaps.wealth.products import log_product, log_product_of_balls
from ssm_bounds.bounds.gaps.wealth.ticks import TICK, Span, Ticks, checked, total
from ssm_bounds.bounds.values import require

Counts: TypeAlias = NDArray[np.int64]
NUS = tuple(1 - Fraction(1, 2**i) for i in range(1, 9)) + tuple(
    Fraction(1, 2) ** (1 + (j + 1) // 2) * (Fraction(181, 128) if j % 2 else 1) for j in range(1, 25)
)
"""``1 - 2^-i``, i = 1..8, and ``2^{-1-j/2}``, j = 1..24, with 181/128 for sqrt 2."""


LONGEST = 2**17
"""Symbols of a document, so that sums of losses stay in 64 bits."""


@dataclass(frozen=True, slots=True)
class PerSymbol:
    """The bound, and the nu that gave it: None where no nu bounds below b."""

    nu: Fraction | None
    value: Enclosure


def per_document(means: Ticks, span: Span, nats: Enclosure) -> Found:
    """Mean over new documents of their mean loss, at level ``nats`` and ln 40. ``means`` (n,): one of each document.

    Source: theory 8.5. Raises: DomainError.
    """
    return grid.least(grid.constant(span), means, means, span, nats)


def per_symbol(scores: Ticks, lengths: Counts, longest: int, span: Span, nats: Enclosure) -> PerSymbol:
    """``E score/E length`` over new documents, at level ``nats`` and ln 32: their expected loss a symbol.

    ``scores``, ``lengths`` (n,): the sum of the losses of each document, at most b each, and their number, 1 to
    ``longest``, which is fixed before the data. Source: theory 8.7. Raises: DomainError.

    >>> import numpy as np
    >>> found = per_symbol(np.full(1000, 5 * 2**24), np.full(1000, 5), 5, Span(0, 4 * 2**24), Enclosure.point(10))
    >>> round(found.value.float_upper(), 3)
    1.04
    """
    require(type(longest) is int and 1 <= longest <= LONGEST, f"documents: T' lies in 1..2^17, got {longest!r}")
    checked(scores, 2**57, -(2**57))
    fits = lengths.shape == scores.shape and lengths.dtype == np.int64 and lengths.min() >= 1
    require(bool(fits and lengths.max() <= longest), f"documents: each has 1 to {longest} symbols, the end included")
    require(bool((scores <= span.high * lengths).all()), "documents: a score is above b for each of its symbols")
    level, nus = grid.paid(nats, len(NUS)), list(NUS)
    low, high = total(scores) // total(lengths), span.high  # up to the mean no sum is above 0; b bounds anyway
    if level.upper.is_finite():
        while low + 1 < high:
            r = (low + high) // 2
            passing = [nu for nu in nus if _about(nu, r, scores, lengths, longest, span) >= level.upper]
            low, high, nus = (low, r, passing) if passing else (r, high, nus)
    if high == span.high:
        return PerSymbol(None, Enclosure.point(span.most))

    def earned(r: int) -> arb:
        gaps, scale = _gaps(r, scores, lengths, longest, span)
        return log_product_of_balls(nus[0] / scale, gaps.tolist())

    return PerSymbol(nus[0], _verified(high, total(scores) // total(lengths), earned, span, level))


def _gaps(r: int, scores: Ticks, lengths: Counts, longest: int, span: Span) -> tuple[Ticks, int]:
    """``r t_i - s_i`` and ``T' (b - r)``, in units of 2^-24."""
    return r * lengths - scores, longest * (span.high - r)


def _about(nu: Fraction, r: int, scores: Ticks, lengths: Counts, longest: int, span: Span) -> float:
    """The sum of (8.7) in float64, to look around: its lambda is rounded."""
    gaps, scale = _gaps(r, scores, lengths, longest, span)
    return float(log_product(float(nu / TICK) / scale, gaps).mid())


def _verified(near: int, mean: int, earned: Callable[[int], arb], span: Span, level: Enclosure) -> Enclosure:
    """The least r that certainly earns the level, and one just below that certainly does not, as the mean does not."""
    with bits(START_BITS):
        above, below, step = near, near - 1, 1
        while above < span.high and not earned(above) >= level.upper:
            above, step = min(span.high, above + step), 2 * step
        step = 1
        while below > mean and not earned(below) < level.lower:
            below, step = max(mean, below - step), 2 * step
        return Enclosure(exact(below * TICK), exact(above * TICK))
