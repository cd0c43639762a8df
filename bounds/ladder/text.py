"""The rungs of a text: bits by bets, of a word alone, beside its base, and chained to it (theory 8.5 to 8.10)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
from flint import arb

from ssm_bounds.bounds.codes.word import Word
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, float_below
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps.wealth import units
from ssm_bounds.bounds.gaps.wealth.differences import chained
from ssm_bounds.bounds.gaps.wealth.documents import NUS, Counts, per_document, per_symbol
from ssm_bounds.bounds.gaps.wealth.grid import Bet
from ssm_bounds.bounds.gaps.wealth.ticks import TICK, Span, Ticks, mean_above, total
from ssm_bounds.bounds.gaps.wealth.tokens import GRID, tokens
from ssm_bounds.bounds.ladder.argument import Argument, Cost, confidence
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.word import bill, paid, told
from ssm_bounds.bounds.values import DomainError

Per: TypeAlias = Literal["token", "document", "symbol"]
"""What is bounded: the mean over the contexts of this text (8.6), over new documents of their means (8.5), or the bits
of new documents over their symbols (8.7)."""


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """The losses of a text. ``losses``: of every symbol, and ``expected`` what was expected of it, or the sum of each
    document and nothing; ``lengths``: symbols of each document, at most ``longest``, which was fixed before the data.
    ``span``: of the loss of a symbol. Shapes: (n,), (n,), (m,), or (m,), None, (m,)."""

    per: Per
    losses: Ticks
    expected: Ticks | None
    lengths: Counts
    longest: int
    span: Span

    @property
    def n(self) -> int:
        """Symbols."""
        return int(self.lengths.sum())

    @property
    def means(self) -> Ticks:
        """Of each document, rounded up."""
        return mean_above(self.losses, self.lengths)

    @property
    def seen(self) -> Fraction:
        """The mean on this text, from above."""
        if self.per == "document":
            return Fraction(total(self.means), len(self.lengths)) * TICK
        return Fraction(total(self.losses), self.n) * TICK

    def bounded(self, nats: Enclosure) -> Bounded:
        """At this level and the price of a bet. Raises: DomainError."""
        if self.per == "token":
            if self.expected is None:
                raise DomainError("losses of a text by token: what was expected of each symbol is missing")
            found = tokens(self.losses, self.expected, self.span, nats)
            return Bounded(found.value, _lambda(found.bet), GRID)
        if self.per == "document":
            found = per_document(self.means, self.span, nats)
            return Bounded(found.value, _lambda(found.bet), units.GRID)
        rate = per_symbol(self.losses, self.lengths, self.longest, self.span, nats)
        return Bounded(rate.value, "none bounds it" if rate.nu is None else f"nu = {rate.nu}", len(NUS))


@dataclass(frozen=True, slots=True)
class Bounded:
    """A bound in bits a symbol, its bet in words, and how many bets were paid for."""

    value: Enclosure
    bet: str
    grid: int


def _lambda(bet: Bet) -> str:
    factor = "infinity" if bet.factor is None else f"{bet.factor:.6g}"
    against = "the largest loss" if bet.kind == "constant" else "the model's own expectation"
    return f"lambda = {factor} against {against}"


def summed(losses: Ticks, lengths: Counts) -> Ticks:
    """Of each document (m,), from the losses of all symbols (n,)."""
    return np.add.reduceat(losses, np.cumsum(lengths) - lengths)


@dataclass(frozen=True, slots=True)
class OfText(Argument):
    """Bits of the model that ``word`` decodes to (None: of one that was there before the text), at ``delta``.

    ``power``: k of the smoothing 2^-k; ``what``: which bits, in words; ``moved``: what the word moves; ``program``:
    what ran; ``remarks``: what else is to be said. ``lengths``: out of how many T was chosen, if no word pays for it.
    """

    losses: Losses
    word: Word | None
    power: int
    delta: Fraction
    bounded: Bounded
    what: str
    program: str
    moved: str = ""
    remarks: tuple[str, ...] = ()
    lengths: int = 1

    @property
    def nats(self) -> Enclosure:
        """Of the word and its smoothing, or of the length."""
        return _nats(self.word, self.lengths)

    @property
    def floor(self) -> Enclosure:
        """Where no bound for all laws of documents can usefully fall below. Source: theory 8.5 (c)."""
        found = self.losses
        return units.floor(found.seen, found.span.most, len(found.lengths), level(self.nats, self.delta))

    def sentence(self) -> str:
        found = self.losses
        seen = f"{decimal_string(Enclosure.point(found.seen).upper)} bits on this text"
        nats = ""
        if self.word is not None:
            coded = f"{self.word.family} of {self.moved}, alpha = 2^-{self.power}"
            nats = f", {decimal_string(self.nats.upper, 3)} nats ({coded})"
        counted = f"{found.n} symbols of {len(found.lengths)} documents"
        return "; ".join((f"{self.what}: {seen}, {counted}{nats}", *self._bet(), *self.remarks))

    def _bet(self) -> tuple[str, ...]:
        bet = f"bet: {self.bounded.bet}"
        if self.losses.per != "document":
            return (bet,)
        low = decimal_string(self.floor.lower, side="lower")
        return bet, f"a bound for all laws cannot usefully fall below {low}: near it only a smaller range or code helps"

    def record(self) -> Mapping[str, Any]:
        found, bounded = self.losses, self.bounded
        return {
            "per": found.per,
            "mean": Enclosure.point(found.seen),
            "symbols": found.n,
            "documents": len(found.lengths),
            "longest": found.longest,
            "range": Fraction(found.span.most),
            "alpha": Fraction(1, 2**self.power),
            "bet": bounded.bet,
            "nats": self.nats,
            "program": self.program,
            **({} if self.word is None else {"family": self.word.family, "moved": self.moved, **bill(self.word)}),
            **({"floor": self.floor} if found.per == "document" else {}),
        }

    def costs(self) -> tuple[Cost, ...]:
        rows = () if self.word is None else paid(self.word)
        chosen = () if self.lengths == 1 else (Cost("T", "price", self.nats, f"ln {self.lengths}"),)
        with bits(START_BITS):
            grid = Cost("bet", "price", Enclosure.of(arb(self.bounded.grid).log()), f"ln {self.bounded.grid}")
        return (*rows, *chosen, grid, confidence(self.delta))

    def words(self) -> tuple[str, ...]:
        return self._bet() if self.word is None else (*self._bet(), *told(self.word))


def of_text(
    losses: Losses, word: Word | None, power: int, delta: Fraction, *, lengths: int = 1, **known: Any
) -> OfText:
    """Bounded at ``delta``. Raises: DomainError."""
    bounded = losses.bounded(level(_nats(word, lengths), delta))
    return OfText(losses, word, power, delta, bounded, lengths=lengths, **known)


def _nats(word: Word | None, lengths: int) -> Enclosure:
    if word is not None:
        return word.nats()
    with bits(START_BITS):
        return Enclosure.of(arb(lengths).log())


@dataclass(frozen=True, slots=True)
class Chained(Argument):
    """The bits of a mixture as those of the base and of what it needs beyond it, each at delta/2 (theory 8.10)."""

    base: OfText
    beyond: OfText

    @property
    def value(self) -> Enclosure:
        return chained(self.base.bounded.value, self.beyond.bounded.value)

    def sentence(self) -> str:
        first, second = (decimal_string(each.bounded.value.upper) for each in (self.base, self.beyond))
        return (
            f"the base at most {first}, the mixture beyond it at most {second}, each at delta/2; "
            f"{self.base.sentence()}; {self.beyond.sentence()}"
        )

    def record(self) -> Mapping[str, Any]:
        return {
            "base": {**self.base.record(), "bound": self.base.bounded.value},
            "beyond": {**self.beyond.record(), "bound": self.beyond.bounded.value},
        }

    def costs(self) -> tuple[Cost, ...]:
        """Of what the mixture needs beyond the base: the base pays for its bet alone."""
        return self.beyond.costs()

    def words(self) -> tuple[str, ...]:
        return (*(f"the base: {line}" for line in self.base.words()), *self.beyond.words())


def uniform(V: int) -> Fraction:
    """``log2 V`` from below, a multiple of 2^-24: what guessing needs.

    >>> uniform(8), float(uniform(79))
    (Fraction(3, 1), 6.303780734539032)
    """
    if V.bit_count() == 1:
        return Fraction(V.bit_length() - 1)
    with bits(START_BITS):
        return Fraction(math.floor(float_below(arb(V).log() / arb(2).log() * 2**24)), 2**24)
