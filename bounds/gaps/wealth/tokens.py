"""The wealth bound of tokens: the mean of their conditional expected losses, whatever the text's law (theory 8.6)."""

from __future__ import annotations

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.wealth import grid
from ssm_bounds.bounds.gaps.wealth.grid import Bet, Found
from ssm_bounds.bounds.gaps.wealth.ticks import Span, Ticks

GRID = 64


def bets(span: Span) -> tuple[Bet, ...]:
    """The grid, fixed by the span alone: the 40 bets of 8.5 against b, and 24 against the model's own expectation."""
    return grid.constant(span) + grid.own(span)


def tokens(losses: Ticks, expected: Ticks, span: Span, nats: Enclosure) -> Found:
    """Mean over k of ``E[D_k | what came before]`` on the contexts of this very text, at level ``nats`` and ln 64.

    ``losses`` (n,): of the symbols of all documents, in one fixed order, at most b; ``expected`` (n,): in the span,
    each a function of theta and of what came before its symbol. n may depend on the data. Source: theory 8.6. Raises:
    DomainError.

    >>> import numpy as np
    >>> losses = np.full(10**5, 3 * 2**24)  # 3 bits each, as expected: only the price is left
    >>> round(tokens(losses, losses, Span(0, 8 * 2**24), Enclosure.point(100)).value.float_upper(), 3)
    3.005
    """
    return grid.least(bets(span), losses, expected, span, nats)
