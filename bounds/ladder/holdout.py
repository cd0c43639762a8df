"""*holdout*: Clopper-Pearson on fresh test data, the number to beat (theory 8.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ssm_bounds.bounds.gaps.inversion import binomial_upper
from ssm_bounds.bounds.ladder.argument import Argument
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung


@dataclass(frozen=True, slots=True)
class Counted(Argument):
    """Errors on n test rows."""

    errors: int
    n: int

    def sentence(self) -> str:
        return f"{self.errors} errors on {self.n} test rows"

    def record(self) -> Mapping[str, Any]:
        return {"n": self.n, "errors": self.errors}


def holdout(errors: int, n: int, delta: Fraction) -> Rung:
    """Clopper-Pearson on fresh test data: the number to beat. Source: theory 8.4."""
    return Rung(
        "holdout",
        "risk",
        False,
        binomial_upper(errors, n, delta),
        1,
        Counted(errors, n),
        (Hypothesis.TEST, Hypothesis.GATE),
        of_test=True,
    )
