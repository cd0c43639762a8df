"""Runs an experiment of numbers into its folder: rows, table, figure, report."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ssm_bounds.bounds.values import require
from ssm_bounds.experiments.catalogue import measured
from ssm_bounds.experiments.experiment import PRESETS, Criterion, Experiment, Preset, Row, Settings
from ssm_bounds.experiments.pool import Outcome, Pool, Progress, run_all
from ssm_bounds.models.files import atomic
from ssm_bounds.report.plots.canvas import canvas, save
from ssm_bounds.report.table import Table


@dataclass(frozen=True, slots=True)
class Measurement:
    """``rows``: of the jobs that were asked for, in their order, from this call and from earlier ones. ``criteria``:
    none where a row is missing."""

    experiment: Experiment
    asked: int
    rows: tuple[Row, ...]
    outcome: Outcome[Settings, Row]
    criteria: tuple[Criterion, ...]

    @property
    def missed(self) -> tuple[Criterion, ...]:
        return tuple(criterion for criterion in self.criteria if not criterion.met)

    @property
    def verdict(self) -> str:
        if len(self.rows) < self.asked:
            return f"undecided: {len(self.rows)} of {self.asked} measurements were made"
        if not self.missed:
            return "every number is where it must be"
        return f"{len(self.missed)} of {len(self.criteria)} numbers are not where they must be"


def measure(
    name: str,
    preset: Preset,
    folder: Path,
    pool: Pool,
    *,
    seeds: int | None = None,
    progress: Progress = lambda count: None,
) -> Measurement:
    """Make the measurements that ``folder/rows`` lacks, and write ``table.csv``, a figure and ``report.md``.

    After Ctrl-C or failures what is done is kept; the next call makes the rest. Raises: OSError, ValueError.
    """
    require(preset in PRESETS, f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    experiment = measured(name)
    jobs = experiment.asked(preset, seeds)
    rows = folder / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    for job in jobs:  # what cannot be read is told before anything is run
        _read(_place(rows, name, job), job)
    outcome = run_all(partial(kept, name, rows), jobs, pool, progress)
    found = tuple(row for job in jobs if (row := _read(_place(rows, name, job), job)) is not None)
    complete = len(found) == len(jobs)
    result = Measurement(experiment, len(jobs), found, outcome, experiment.criteria(found) if complete else ())
    if found:
        atomic.write(folder / "table.csv", _table(found).csv().encode())
    if complete:
        figure = canvas(9, 3.6)
        experiment.draw(figure, found)
        for suffix in ("png", "pdf"):
            save(figure, folder / f"{name}.{suffix}")
    atomic.write(folder / "report.md", markdown(result, preset).encode())
    return result


def kept(name: str, rows: Path, job: Settings) -> Row:
    """The row of a job, measured where it is not there yet. What is not finite is NaN. Raises: ValueError, OSError."""
    path = _place(rows, name, job)
    found = _read(path, job)
    if found is not None:
        return found
    numbers = {key: v if math.isfinite(v) else math.nan for key, v in measured(name).measure(job).items()}
    written = {key: None if math.isnan(v) else v for key, v in numbers.items()}
    atomic.write(path, (json.dumps({"settings": job, "numbers": written}, indent=1) + "\n").encode())
    return Row(job, numbers)


def markdown(found: Measurement, preset: Preset) -> str:
    """The report."""
    name = found.experiment.name
    parts = [f"# {name}: preset {preset}", f"**Claimed:** {found.experiment.claim}", f"**Measured:** {found.verdict}."]
    if found.criteria:
        parts += [acceptance(found.criteria).markdown().rstrip(), f"![{name}]({name}.png)"]
    parts += [f"- {note}" for note in found.experiment.notes]
    if found.rows:
        parts += ["## Measurements", _table(found.rows).markdown().rstrip()]
    for job, why in found.outcome.failed:
        parts.append(f"Failed twice: {_words(job)}: {why}")
    return "\n\n".join(parts) + "\n"


def acceptance(criteria: Sequence[Criterion]) -> Table:
    """What was reached beside what must be."""
    rows = [
        (("control: " if each.control else "") + each.words, each.shown, f"{each.sign} {each.must:.12g}", _met(each))
        for each in criteria
    ]
    return Table(("number", "reached", "must be", ""), rows, "lrrl")


def _met(criterion: Criterion) -> str:
    return "met" if criterion.met else "**missed**"


def _words(job: Settings) -> str:
    return ", ".join(f"{key} {value}" for key, value in job.items())


def _table(rows: Sequence[Row]) -> Table:
    """One row a measurement, one column a variable."""
    shown = [{**row.settings, **{key: f"{value:.6g}" for key, value in row.numbers.items()}} for row in rows]
    return Table.of_records(shown)


def _place(rows: Path, name: str, job: Settings) -> Path:
    text = json.dumps([name, dict(job)], sort_keys=True)
    return rows / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


def _read(path: Path, job: Settings) -> Row | None:
    """None where it is not there. Raises: ValueError."""
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        require(found["settings"] == dict(job), "of other settings")
        numbers = {key: math.nan if value is None else float(value) for key, value in found["numbers"].items()}
        require(not any(map(math.isinf, numbers.values())), "of infinite numbers")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a measurement; remove it, and it is made again") from error
    return Row(job, numbers)
