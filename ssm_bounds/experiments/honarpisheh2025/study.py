"""An experiment from its preset to its folder: runs, table, figures, report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from ssm_bounds.experiments.honarpisheh2025.comparison import Compared, compare
from ssm_bounds.experiments.honarpisheh2025.figures import draw
from ssm_bounds.experiments.honarpisheh2025.findings import Finding, judge
from ssm_bounds.experiments.honarpisheh2025.presets import Experiment
from ssm_bounds.experiments.honarpisheh2025.report import markdown
from ssm_bounds.experiments.pool import Outcome, Pool, Progress, run_all
from ssm_bounds.experiments.run import RunConfig, read_record
from ssm_bounds.models.files import atomic
from ssm_bounds.report.table import Table


@dataclass(frozen=True, slots=True)
class Study:
    """``found``: every trained model of the experiment in the folder, from this call and from earlier ones."""

    experiment: Experiment
    found: tuple[Compared, ...]
    outcome: Outcome[RunConfig, Compared]
    finding: Finding | None


def study(experiment: Experiment, folder: Path, pool: Pool, progress: Progress = lambda count: None) -> Study:
    """Make the runs that ``folder/runs`` lacks, and write ``table.csv``, figures and ``report.md`` of all that it has.

    ``experiment.json`` says what was asked for last. The longest runs start first, and the order changes nothing.
    After Ctrl-C or failures, what is done is reported; the next call makes the rest. Raises: OSError, ValueError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "experiment.json", json.dumps(asdict(experiment), indent=2) + "\n")
    runs = folder / "runs"
    for path in sorted(runs.glob("*/record.json")):  # what cannot be read is told before hours of training
        read_record(path)
    jobs = sorted(experiment.configs, key=lambda config: -int(config.options["T"]))
    outcome = run_all(partial(compare, folder=runs), jobs, pool, progress)
    found = collect(experiment, runs, outcome.results)
    if not found:
        return Study(experiment, found, outcome, None)
    finding = judge(experiment, found)
    # one row a trained model, one column a variable
    _write(folder / "table.csv", Table.of_records([each.row() for each in found]).csv())
    figures = draw(experiment, found, folder)
    _write(folder / "report.md", markdown(experiment, found, finding, outcome, figures))
    return Study(experiment, found, outcome, finding)


def collect(experiment: Experiment, runs: Path, made: Sequence[Compared] = ()) -> tuple[Compared, ...]:
    """``made``, and earlier runs of the experiment at other lengths or seeds, by T, s_A and seed."""
    every = {each.record.config.key: each for each in made}
    for path in sorted(runs.glob("*/record.json")):
        config = read_record(path).config
        if config.key not in every and experiment.covers(config):
            found = compare(config, runs)
            if found is not None:
                every[config.key] = found
    return tuple(sorted(every.values(), key=_order))


def _order(each: Compared) -> tuple[int, float, int]:
    config = each.record.config
    return config.options["T"], config.settings.s_A, config.settings.seed


def _write(path: Path, text: str) -> None:
    atomic.write(path, text.encode("utf-8"))
