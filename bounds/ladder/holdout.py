"""*holdout*: Clopper-Pearson on fresh test data, the number to beat (theory 8.4); by kl for other draws (8.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import binomial_upper, error_rate
from ssm_bounds.bounds.ladder.argument import Argument
from ssm_bounds.bounds.ladder.occam import level
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import Draws


@dataclass(frozen=True, slots=True)
class Counted(Argument):
    """Errors on n test rows. ``program``: what a file says computes its model; empty where it says nothing of one."""

    errors: int
    n: int
    program: str = ""

    def sentence(self) -> str:
        named = f"; the program is {self.program}" if self.program else ""
        return f"{self.errors} errors on {self.n} test rows{named}"

    def record(self) -> Mapping[str, Any]:
        named = {"program": self.program} if self.program else {}
        return {"n": self.n, "errors": self.errors, **named}


def limit(errors: int, n: int, delta: Fraction, draws: Draws = "iid") -> Enclosure:
    """Error rate after ``errors`` on n test rows of a model that met none of them. Source: theory 8.4, 8.5."""
    if draws == "iid":
        return binomial_upper(errors, n, delta)
    return error_rate(errors, n, level(Enclosure.point(0), delta), draws)


def holdout(errors: int, n: int, delta: Fraction, draws: Draws = "iid", program: str = "") -> Rung:
    """Clopper-Pearson on fresh test data: the number to beat. *holdout-kl*: kl on rows of a finite collection that are
    drawn without replacement. Source: theory 8.4, 8.5."""
    return Rung(
        "holdout" if draws == "iid" else "holdout-kl",
        "risk",
        False,
        limit(errors, n, delta, draws),
        1,
        Counted(errors, n, program),
        (Hypothesis.TEST, Hypothesis.GATE),
        of_test=True,
    )
