"""The bets of a grid, and the one that bounds a mean loss best: each is enclosed, and all are paid (theory 8.11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.gaps.wealth import units
from ssm_bounds.bounds.gaps.wealth.products import log_product
from ssm_bounds.bounds.gaps.wealth.ticks import TICK, Span, Ticks, checked, total
from ssm_bounds.bounds.values import require

Kind = Literal["constant", "own"]
THIRDS = tuple(map(float.fromhex, ("0x1p+0", "0x1.965fea53d6e3dp-1", "0x1.428a2f98d728bp-1")))
"""``2^{-j/3}``, j < 3, as doubles."""


@dataclass(frozen=True, slots=True)
class Bet:
    """``lambda``: this double, in units of 1/bit; None is infinity. ``kind``: losses are held against b ("constant") or
    against what was expected of them ("own")."""

    kind: Kind
    factor: float | None


@dataclass(frozen=True, slots=True)
class Found:
    """The bound, and the bet that gave it."""

    bet: Bet
    value: Enclosure


def constant(span: Span) -> tuple[Bet, ...]:
    """The 40 bets of 8.5: their lambda are dyadic, of few digits."""
    return tuple(Bet("constant", None if each is None else float(each)) for each in units.bets(span.most))


def own(span: Span) -> tuple[Bet, ...]:
    """``(31/32) 2^{-j/3}/(b - a)``, j < 24: the doubles that these roundings give, each below 1/(b - a)."""
    width = float((span.high - span.low) * TICK)
    return tuple(Bet("own", 31 / 32 * THIRDS[j % 3] * 2.0 ** -(j // 3) / width) for j in range(24))


def paid(nats: Enclosure, bets: int) -> Enclosure:
    """``L + ln(number of bets)``. Raises: DomainError."""
    require(bool(nats.lower >= 0), f"wealth bound: needs a level >= 0, got {nats}")
    with bits(START_BITS):
        return Enclosure.of(nats.ball() + arb(bets).log())


def least(bets: Sequence[Bet], losses: Ticks, expected: Ticks, span: Span, nats: Enclosure) -> Found:
    """The bet of the least upper end among all, at level ``nats`` and their number. Raises: DomainError.

    ``losses`` (n,): at most b; ``expected`` (n,): in the span, each a function of what was known before its loss.
    """
    level = paid(nats, len(bets))
    sides = {kind: _side(kind, losses, expected, span) for kind in {bet.kind for bet in bets}}
    found = [Found(bet, _bound(bet, *sides[bet.kind], span, level)) for bet in bets]
    return min(found, key=lambda each: each.value.upper)


def bound(bet: Bet, losses: Ticks, expected: Ticks, span: Span, nats: Enclosure) -> Enclosure:
    """(8.5) or (8.6) at one bet that was fixed before the data: at most b. Raises: DomainError."""
    return _bound(bet, *_side(bet.kind, losses, expected, span), span, paid(nats, 1))


def _side(kind: Kind, losses: Ticks, expected: Ticks, span: Span) -> tuple[Ticks, Fraction]:
    """``h_k - D_k`` in units of 2^-24, and the mean of h."""
    checked(losses, span.high)
    if kind == "constant":
        return span.high - losses, span.most
    checked(expected, span.high)
    fits = expected.shape == losses.shape and int(expected.min()) >= span.low
    require(fits, f"wealth bound: needs an expected loss in [a, b] for each of {len(losses)}; clip them")
    return expected - losses, Fraction(total(expected), len(losses)) * TICK


def _bound(bet: Bet, gaps: Ticks, guess: Fraction, span: Span, nats: Enclosure) -> Enclosure:
    if bet.kind == "own":
        fits = bet.factor is not None and Fraction(bet.factor) * (span.high - span.low) * TICK < 1
        require(fits, f"wealth bound: against an expectation needs lambda (b - a) < 1, got lambda = {bet.factor}")
    require(bet.factor is None or bet.factor > 0, f"wealth bound: needs lambda > 0, got {bet.factor}")
    if not nats.upper.is_finite() or (bet.factor is None and not gaps.all()):
        return Enclosure.point(span.most)
    with bits(START_BITS):
        factor = None if bet.factor is None else exact(bet.factor)
        exponent = (log_product(bet.factor, gaps) - nats.ball()) / len(gaps)
        return Enclosure.of(arb.min(units.solved(factor, exact(guess), exponent), exact(span.most)))
