"""A trained model's measured gaps beside its whole ladder of bounds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssm_bounds.bounds.ladder.rung import Verdict
from ssm_bounds.certificate import certify
from ssm_bounds.experiments.run import Record, RunConfig, run
from ssm_bounds.models.files import atomic
from ssm_bounds.question import Question, ask

MEASURED: Mapping[str, str] = {"gap": "ramp", "excess": "margin"}
"""By the kind of a rung, the gap of ``Record.gaps`` that it bounds. A rung of kind "risk" bounds the risk itself."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One rung: its upper end (infinite where it does not apply), and which measured gap it holds against."""

    name: str
    kind: str
    two_sided: bool
    upper: float
    verdict: str

    def holds(self, gaps: Mapping[str, float], *, divided_by: float = 1.0) -> bool | None:
        """Is the measured gap at most the bound? None where there is nothing to compare, or a gap is NaN.

        The bound is on the risk under the distribution; a test set measures that up to its own sampling error.
        """
        gap = gaps.get(MEASURED.get(self.kind, ""), math.nan)
        if math.isnan(gap):
            return None
        return (abs(gap) if self.two_sided else gap) <= self.upper / divided_by


@dataclass(frozen=True, slots=True)
class Compared:
    """One trained model: its record, and its ladder."""

    record: Record
    bounds: tuple[Bound, ...]

    def violations(self) -> tuple[str, ...]:
        """Rungs below the measured gap; none under a shift, where the bounds are silent about the test set."""
        if self.record.shift is not None:
            return ()
        gaps = self.record.gaps()
        return tuple(bound.name for bound in self.bounds if bound.holds(gaps) is False)

    def row(self) -> dict[str, Any]:
        """The record's row, and a column ``bound_<rung>`` for each bound."""
        return self.record.row() | {f"bound_{bound.name}": bound.upper for bound in self.bounds}


def climb(question: Question) -> tuple[Bound, ...]:
    """The ladder of theory 6.5 without scores of the data."""
    return tuple(
        Bound(
            rung.name,
            rung.kind,
            rung.two_sided,
            rung.value.float_upper() if rung.verdict is not Verdict.REFUSED else math.inf,
            rung.verdict.value,
        )
        for rung in certify(question).rungs
    )


def compare(config: RunConfig, folder: Path) -> Compared | None:
    """:func:`ssm_bounds.experiments.run.run`, and the ladder of the model, kept in ``ladder.json`` beside it.

    None after Ctrl-C. Picklable both ways. Raises: ValueError, OSError.
    """
    record = run(config, folder)
    if record.status == "interrupted":
        return None
    return Compared(record, _ladder(record, folder / config.key))


def _ladder(record: Record, place: Path) -> tuple[Bound, ...]:
    path = place / "ladder.json"
    if path.exists():
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            return tuple(Bound(**row | {"upper": float(row["upper"])}) for row in rows)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a ladder of bounds; remove it, and it is made again") from error
    config = record.config
    bounds = climb(ask(place / "model.safetensors", input_bound=config.input_bound, delta=config.delta))
    rows = [
        {"name": each.name, "kind": each.kind, "two_sided": each.two_sided, "upper": repr(each.upper)}
        | {"verdict": each.verdict}
        for each in bounds
    ]
    atomic.write(path, (json.dumps(rows, indent=1) + "\n").encode())
    return bounds
