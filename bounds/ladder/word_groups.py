"""*occam-groups*: the mean over groups of the error rate within the group, of a word's model (theory 8.5, 8.12)."""

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
class OfGroups(Argument):
    """``losses`` (n,): of each group the share of errors among its rows, from above. ``rows``: the same word, and its
    errors row by row. The wealth bound is the one form: it was chosen before any data, and only its grid is paid."""

    rows: OfWord
    losses: Floats
    found: Wealth

    @classmethod
    def of(cls, rows: OfWord, losses: Floats) -> OfGroups:
        """Raises: DomainError."""
        return cls(rows, losses, wealth(losses, 1, level(rows.word.nats(), rows.delta)))

    def at(self, delta: Fraction) -> OfGroups:
        return OfGroups.of(replace(self.rows, delta=delta), self.losses)

    @property
    def risk(self) -> Enclosure:
        """Source: theory 8.5."""
        return self.found.value

    @property
    def seen(self) -> Fraction:
        """The mean of the losses."""
        return sum(map(Fraction, self.losses.tolist()), Fraction(0)) / len(self.losses)

    @property
    def floor(self) -> Enclosure:
        """Source: theory 8.5 (c)."""
        return floor(self.seen, Fraction(1), len(self.losses), level(self.rows.word.nats(), self.rows.delta))

    def sentence(self) -> str:
        seen = decimal_string(Enclosure.point(self.seen).upper)
        n, lowest = len(self.losses), decimal_string(self.floor.lower, side="lower")
        return "; ".join(
            (
                f"{n} group{'' if n == 1 else 's'} of {self.rows.m} rows, mean error within a group at most {seen}",
                self.rows.counted(),
                f"by the wealth bound of the groups at lambda = {self.found.shown}",
                f"a bound for all laws cannot usefully fall below {lowest}: near it only a shorter word "
                "or more groups help",
            )
        )

    def record(self) -> Mapping[str, Any]:
        own = {
            "groups": len(self.losses),
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


def occam_groups(argument: OfGroups, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False) -> Rung:
    """The mean over groups, by the wealth bound at the price of the word. Source: theory 8.5, 8.12."""
    hypotheses = (Hypothesis.ROWS, *rests_on)
    return Rung("occam-groups", "risk", False, argument.risk, 1, argument, hypotheses, searched=searched)
