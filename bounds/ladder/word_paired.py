"""*occam-paired*: how much more often than a fixed classifier a word's model errs (theory 8.10, 8.5, 8.12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.gaps.wealth.units import Wealth, floor, wealth
from ssm_bounds.bounds.ladder.argument import Argument, Cost
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.occam_loss import grid_cost
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.ladder.word import OfWord


@dataclass(frozen=True, slots=True, eq=False)
class Paired(Argument):
    """``losses`` (n,): of each row, or group, the errors of the word's model less those of the other, from above; at
    most 1. ``worse`` and ``better``: rows on which one alone errs. ``rows``: the word and its errors."""

    rows: OfWord
    losses: Floats
    worse: int
    better: int
    found: Wealth

    @classmethod
    def of(cls, rows: OfWord, losses: Floats, worse: int, better: int) -> Paired:
        """Raises: DomainError."""
        return cls(rows, losses, worse, better, wealth(losses, 1, level(rows.word.nats(), rows.delta)))

    def at(self, delta: Fraction) -> Paired:
        return Paired.of(replace(self.rows, delta=delta), self.losses, self.worse, self.better)

    @property
    def seen(self) -> Fraction:
        """The mean of the differences."""
        return sum(map(Fraction, self.losses.tolist()), Fraction(0)) / len(self.losses)

    @property
    def floor(self) -> Enclosure:
        """Source: theory 8.5 (c)."""
        return floor(self.seen, Fraction(1), len(self.losses), level(self.rows.word.nats(), self.rows.delta))

    def sentence(self) -> str:
        lowest = decimal_string(self.floor.lower, side="lower")
        return "; ".join(
            (
                f"the word's model alone errs on {self.worse} of {self.rows.m} rows, the base alone on {self.better}, "
                "a tie being an error of the word's and none of the base",
                self.rows.counted(),
                f"by the wealth bound of the differences at lambda = {self.found.shown}",
                f"a bound for all laws cannot usefully fall below {lowest}",
            )
        )

    def record(self) -> Mapping[str, Any]:
        own = {
            "worse": self.worse,
            "better": self.better,
            "units": len(self.losses),
            "mean": Enclosure.point(self.seen),
            "form": "wealth",
            "lambda": self.found.shown,
            "floor": self.floor,
        }
        return {**self.rows.record(), **own}

    def costs(self) -> tuple[Cost, ...]:
        return (*self.rows.costs(), grid_cost())

    def words(self) -> tuple[str, ...]:
        return self.rows.words()


def occam_paired(argument: Paired, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False) -> Rung:
    """The difference of both error rates, by the wealth bound at the price of the word. Source: theory 8.10, 8.5."""
    hypotheses = (Hypothesis.ROWS, *rests_on)
    value = argument.found.value
    return Rung("occam-paired", "difference", False, value, 1, argument, hypotheses, searched=searched)
