"""*occam-groups*: the mean over groups of the error rate within the group, of a word's model (theory 8.5, 8.12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.ladder.word_units import OfUnits


@dataclass(frozen=True, slots=True, eq=False)
class OfGroups(OfUnits):
    """``losses`` (n,): of each group the share of errors among its rows, from above. The wealth bound is the one form:
    it was chosen before any data, and only its grid is paid."""

    @property
    def risk(self) -> Enclosure:
        """Source: theory 8.5."""
        return self.found.value

    def sentence(self) -> str:
        seen = decimal_string(Enclosure.point(self.seen).upper)
        n = len(self.losses)
        return "; ".join(
            (
                f"{n} group{'' if n == 1 else 's'} of {self.rows.m} rows, mean error within a group at most {seen}",
                self.rows.counted(),
                f"by the wealth bound of the groups at lambda = {self.found.shown}",
                f"{self.lowest}: near it only a shorter word or more groups help",
            )
        )

    def record(self) -> Mapping[str, Any]:
        return {**self.rows.record(), "groups": len(self.losses), **self.form}


def occam_groups(argument: OfGroups, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False) -> Rung:
    """The mean over groups, by the wealth bound at the price of the word. Source: theory 8.5, 8.12."""
    hypotheses = (Hypothesis.ROWS, *rests_on)
    return Rung("occam-groups", "risk", False, argument.risk, 1, argument, hypotheses, searched=searched)
