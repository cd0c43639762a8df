"""*occam-chained*: a word's errors as those of a fixed classifier and what it errs beyond them (theory 8.10, 8.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.gaps.inversion import error_rate
from ssm_bounds.bounds.gaps.wealth.differences import chained
from ssm_bounds.bounds.gaps.wealth.units import wealth
from ssm_bounds.bounds.ladder.argument import Argument, Cost
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.ladder.word_paired import Paired
from ssm_bounds.bounds.ladder.word_units import mean


@dataclass(frozen=True, slots=True, eq=False)
class ChainedErrors(Argument):
    """The error of a word's model is that of the base and their difference, row by row: each is bounded at delta/2, the
    base as one fixed classifier that pays for nothing.

    ``errors``: of the base on the rows, and ``losses`` (n,) its share of errors in each group, from above, where groups
    are the units. ``beyond``: the difference, at delta/2. ``by_number``: output i of the base is read for label i, as
    nothing names it.
    """

    errors: int
    losses: Floats | None
    beyond: Paired
    by_number: bool = False

    @classmethod
    def of(cls, pair: Paired, errors: int, losses: Floats | None = None, *, by_number: bool = False) -> ChainedErrors:
        """At the delta of ``pair``."""
        return cls(errors, losses, pair.at(pair.rows.delta / 2), by_number)

    def at(self, delta: Fraction) -> ChainedErrors:
        """At another delta."""
        return replace(self, beyond=self.beyond.at(delta / 2))

    @property
    def base(self) -> Enclosure:
        """The base's error rate on new rows, at delta/2. Source: theory 8.10, 8.5."""
        rows = self.beyond.rows
        nats = level(Enclosure.point(0), rows.delta)
        if self.losses is None:
            return error_rate(self.errors, rows.m, nats, rows.draws)
        return wealth(self.losses, 1, nats).value

    @property
    def risk(self) -> Enclosure:
        """Source: theory 8.10."""
        return chained(self.base, self.beyond.found.value)

    @property
    def seen(self) -> Enclosure | None:
        """The mean over groups of the base's share of errors; None where rows are the units."""
        return None if self.losses is None else Enclosure.point(mean(self.losses))

    def sentence(self) -> str:
        base, beyond = (decimal_string(each.upper) for each in (self.base, self.beyond.found.value))
        read = ", read by number, output i for label i," if self.by_number else ""
        rate, counted = "error rate", f"{self.errors} errors on {self.beyond.rows.m} rows"
        if self.losses is not None and self.seen is not None:
            rate = "mean over groups of the error rate within the group"
            seen = decimal_string(self.seen.upper)
            counted = f"{len(self.losses)} groups, mean error within a group at most {seen}; {counted}"
        return (
            f"of the base{read} the {rate} is at most {base} ({counted}, a tie or no answer being none), of the word "
            f"above it by at most {beyond}, each at delta/2; {self.beyond.counted}"
        )

    def record(self) -> Mapping[str, Any]:
        groups = {} if self.losses is None else {"units": len(self.losses), "mean": self.seen}
        return {
            "base": {"errors": self.errors, "m": self.beyond.rows.m, **groups, "bound": self.base},
            "beyond": {**self.beyond.record(), "bound": self.beyond.found.value},
        }

    def costs(self) -> tuple[Cost, ...]:
        """Of what the word errs beyond the base: the base pays for nothing."""
        return self.beyond.costs()

    def words(self) -> tuple[str, ...]:
        return self.beyond.words()


def occam_chained(argument: ChainedErrors, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False) -> Rung:
    """The risk of the word's model by way of its base. Source: theory 8.10, 8.5."""
    hypotheses = (Hypothesis.ROWS, *rests_on)
    return Rung("occam-chained", "risk", False, argument.risk, 1, argument, hypotheses, searched=searched)
