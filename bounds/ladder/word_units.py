"""What the wealth bound says of a word by units: rows or groups, and the losses of each (theory 8.5, 8.12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Self

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.gaps.wealth.units import Wealth, floor, wealth
from ssm_bounds.bounds.ladder.argument import Argument, Cost
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.occam_loss import grid_cost
from ssm_bounds.bounds.ladder.word import OfWord


def mean(losses: Floats) -> Fraction:
    """Of the losses (n,) of units, exactly."""
    return sum(map(Fraction, losses.tolist()), Fraction(0)) / len(losses)


@dataclass(frozen=True, slots=True, eq=False)
class OfUnits(Argument):
    """``losses`` (n,): of each unit, from above, at most 1. ``rows``: the word, and its errors row by row; ``found``:
    the bound of the mean loss at the price of the word, and of its grid."""

    rows: OfWord
    losses: Floats
    found: Wealth

    @classmethod
    def of(cls, rows: OfWord, losses: Floats, **counted: int) -> Self:
        """Raises: DomainError."""
        return cls(rows, losses, wealth(losses, 1, level(rows.word.nats(), rows.delta)), **counted)

    def at(self, delta: Fraction) -> Self:
        """At another delta."""
        rows = replace(self.rows, delta=delta)
        return replace(self, rows=rows, found=wealth(self.losses, 1, level(rows.word.nats(), delta)))

    @property
    def seen(self) -> Fraction:
        """The mean of the losses."""
        return mean(self.losses)

    @property
    def floor(self) -> Enclosure:
        """Source: theory 8.5 (c)."""
        return floor(self.seen, Fraction(1), len(self.losses), level(self.rows.word.nats(), self.rows.delta))

    @property
    def lowest(self) -> str:
        """The floor in words."""
        return f"a bound for all laws cannot usefully fall below {decimal_string(self.floor.lower, side='lower')}"

    @property
    def form(self) -> Mapping[str, Any]:
        """How it came about, for the JSON document."""
        return {"mean": Enclosure.point(self.seen), "form": "wealth", "lambda": self.found.shown, "floor": self.floor}

    def costs(self) -> tuple[Cost, ...]:
        return (*self.rows.costs(), grid_cost())

    def words(self) -> tuple[str, ...]:
        return self.rows.words()
