"""*bounded-loss*: no model does worse than the range of its loss; a start for ``bounds/ladder/NAME.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.argument import Argument
from ssm_bounds.bounds.ladder.registry import Asked
from ssm_bounds.bounds.ladder.rung import OF_A_CLASS, Kind, Rung
from ssm_bounds.bounds.values import Scalar


@dataclass(frozen=True, slots=True)
class Range(Argument):
    """What a report prints of the number: its sentence, and its numbers by the keys of the JSON document."""

    most: Scalar

    def sentence(self) -> str:
        return f"a loss is at most {float(self.most):g}"

    def record(self) -> Mapping[str, Any]:
        return {"range": self.most}


@dataclass(frozen=True, slots=True)
class BoundedLoss:
    """One theorem. ``source`` is a heading under docs/theory, and a statement of the ledger."""

    name: str = "bounded-loss"
    source: str = "theory.md 6.1"
    kind: Kind = "gap"
    two_sided: bool = True
    paid: bool = True

    def supports(self, asked: Asked) -> str | None:
        """What is missing, in one line; None where nothing is."""
        return None

    def __call__(self, asked: Asked, delta: Fraction) -> Rung:
        most = asked.setting.loss.range
        return Rung(self.name, self.kind, self.two_sided, Enclosure.point(most), most, Range(most), rests_on=OF_A_CLASS)


BOUND = BoundedLoss()
