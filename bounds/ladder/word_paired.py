"""*occam-paired*: how much more often than a fixed classifier a word's model errs (theory 8.10, 8.5, 8.12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.ladder.word_units import OfUnits


@dataclass(frozen=True, slots=True, eq=False)
class Paired(OfUnits):
    """``losses`` (n,): of each row, or group, the errors of the word's model less those of the other, from above.
    ``worse`` and ``better``: rows on which one alone errs."""

    worse: int
    better: int

    @property
    def counted(self) -> str:
        """What was seen, and how the difference is bounded."""
        return "; ".join(
            (
                f"the word's model alone errs on {self.worse} of {self.rows.m} rows, the base alone on {self.better}, "
                "a tie being an error of the word's and none of the base",
                self.rows.counted(),
                f"by the wealth bound of the differences at lambda = {self.found.shown}",
            )
        )

    def sentence(self) -> str:
        return f"{self.counted}; {self.lowest}"

    def record(self) -> Mapping[str, Any]:
        own = {"worse": self.worse, "better": self.better, "units": len(self.losses)}
        return {**self.rows.record(), **own, **self.form}


def occam_paired(argument: Paired, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False) -> Rung:
    """The difference of both error rates, by the wealth bound at the price of the word. Source: theory 8.10, 8.5."""
    hypotheses = (Hypothesis.ROWS, *rests_on)
    value = argument.found.value
    return Rung("occam-paired", "difference", False, value, 1, argument, hypotheses, searched=searched)
