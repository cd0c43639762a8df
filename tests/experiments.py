"""Every experiment that measures numbers, in every preset, by the command that a user would type: ``make experiments``.

What is made stays in a folder, so that an interrupted run goes on; the report says what was reached, beside what must
be, and is kept in ``docs/experiments.md``, behind what is told there of the trainings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ssm_bounds.experiments.catalogue import MEASURED, measured
from ssm_bounds.experiments.experiment import PRESETS, Criterion, Preset
from ssm_bounds.experiments.measurement import acceptance, measure
from ssm_bounds.experiments.pool import local

MARK = "<!-- what follows was printed by make experiments -->\n"


def section(name: str, preset: Preset, place: Path, workers: int) -> tuple[str, tuple[Criterion, ...]]:
    """Of one experiment in one preset: what it says, and what missed."""
    found = measure(name, preset, place / f"{name}-{preset}", local(workers))
    if not found.criteria:
        raise RuntimeError(f"{name}, preset {preset}: {found.verdict}; {found.outcome.failed}")
    seeds = ", ".join(map(str, found.experiment.seeds[preset]))
    text = f"### {name}, preset {preset}\n\nSeeds {seeds}.\n\n{acceptance(found.criteria).markdown()}"
    return text, found.missed


def run(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=[entry.name for entry in MEASURED])
    parser.add_argument("--preset", action="append", choices=PRESETS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--place", type=Path, default=Path("runs/experiments"))
    parser.add_argument("--out", type=Path, help="the page whose end is replaced")
    chosen = parser.parse_args(arguments)
    parts, missed = list[str](), list[Criterion]()
    for entry in MEASURED:
        if chosen.only and entry.name not in chosen.only:
            continue
        found = measured(entry.name)
        notes = "\n".join(f"- {note}" for note in found.notes)
        parts.append(f"## {entry.name}\n\n{entry.text}\n\nClaimed: {found.claim}\n\n{notes}\n")
        for preset in chosen.preset or PRESETS:
            print(f"{entry.name}, preset {preset}", file=sys.stderr, flush=True)
            text, short = section(entry.name, preset, chosen.place, chosen.workers)
            parts.append(text)
            missed += short
    text = "\n".join(parts).rstrip("\n") + "\n"
    print(text, end="")
    if chosen.out is not None:
        told = chosen.out.read_text(encoding="utf-8").split(MARK)[0]
        chosen.out.write_text(f"{told}{MARK}\n{text}", encoding="utf-8")
    for criterion in missed:
        print(f"missed: {criterion}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(run())
