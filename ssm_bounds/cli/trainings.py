"""``ssm-bounds experiment`` of trainings: options of the tasks, gaps beside certificates."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ssm_bounds.cli.described import described
from ssm_bounds.cli.options import fail
from ssm_bounds.experiments.catalogue import Listed

if TYPE_CHECKING:
    from rich.console import Console

    from ssm_bounds.experiments.honarpisheh2025.presets import Experiment, Name
    from ssm_bounds.experiments.honarpisheh2025.study import Study
    from ssm_bounds.experiments.pool import Count, Pool


_OPTIONS = (
    click.option("--task", type=click.Choice(["majority", "listops", "imdb"]), default="majority", show_default=True),
    click.option(
        "--preset",
        type=click.Choice(["paper", "quick"]),
        default="paper",
        show_default=True,
        help="paper: its lengths, five seeds and epochs. quick: under two minutes on two cores.",
    ),
    click.option("--T", "lengths", type=click.IntRange(min=1), multiple=True, help="Lengths instead of the preset's."),
    click.option("--seeds", type=click.IntRange(min=1), help="How many seeds (1, 2, ...) instead of the preset's."),
    click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Local processes."),
    click.option(
        "--dask",
        metavar="ADDRESS",
        help="Run on this dask.distributed scheduler instead (tcp://host:port). Its workers need this package and see "
        "the folder at the same path.",
    ),
    click.option("--data", type=click.Path(path_type=Path), help="IMDb only: the dataset's folder, not a download."),
    click.option(
        "--paper-noise",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        help="Majority only: flip this fraction of the training ones, as the paper does (0.10 printed, 0.25 in its "
        "code). Training and test data then differ in distribution, so no bound is compared.",
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder. Default: experiments-out/NAME-TASK-PRESET.",
    ),
)


def command(entry: Listed) -> click.Command:
    """The command of an entry of ``catalogue.TRAINED``."""

    def run(**chosen: Any) -> None:
        _run(cast("Name", entry.name), **chosen)

    return described(entry, run, _OPTIONS)


def _run(
    name: Name,
    *,
    task: str,
    preset: Any,
    lengths: tuple[int, ...],
    seeds: int | None,
    workers: int,
    dask: str | None,
    data: Path | None,
    paper_noise: float,
    out: Path | None,
) -> None:
    from rich.console import Console

    from ssm_bounds.experiments import pool
    from ssm_bounds.experiments.honarpisheh2025.presets import experiment as chosen

    if paper_noise and task != "majority":
        fail("--paper-noise is an option of the task majority")
    if data is not None and task != "imdb":
        fail("--data is an option of the task imdb")
    options: dict[str, Any] = {"paper_noise": paper_noise} if paper_noise else {}
    if data is not None:
        options["data"] = str(data.absolute())
    folder = (out or Path("experiments-out") / f"{name}-{task}-{preset}").absolute()
    console = Console(stderr=True)
    try:
        asked = chosen(name, task, preset, lengths=lengths, seeds=seeds, options=options)
        workplace = pool.local(workers) if dask is None else pool.dask(dask)
        result = _studied(asked, folder, workplace, console)
    except KeyboardInterrupt:  # after the runs: while tables and figures are made
        console.print("interrupted: every run is kept; the same command writes the report", soft_wrap=True)
        sys.exit(130)
    except (ValueError, OSError) as problem:
        fail(problem)
    _tell(result, folder, console)
    if result.outcome.interrupted:
        sys.exit(130)
    if result.outcome.failed:
        sys.exit(1)


def _studied(asked: Experiment, folder: Path, workplace: Pool, console: Console) -> Study:
    """The study behind a progress bar. Raises: ValueError, OSError."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ssm_bounds.experiments.honarpisheh2025.study import study

    columns = (
        TextColumn("runs"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("running {task.fields[running]}  failed {task.fields[failed]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=len(asked.configs), running=0, failed=0)

        def show(count: Count) -> None:
            bars.update(bar, completed=count.done, running=count.running, failed=count.failed)

        return study(asked, folder, workplace, show)


def _tell(result: Study, folder: Path, console: Console) -> None:
    """The finding on stdout; what failed or is missing, and how to go on, on stderr."""
    for job, why in result.outcome.failed:
        console.print(
            f"failed twice: T = {job.options['T']}, seed {job.settings.seed}: {why}", soft_wrap=True, markup=False
        )
    if (finding := result.finding) is not None:
        click.echo(f"claim     {finding.claim}")
        for line in finding.measured:
            click.echo(f"measured  {line}")
        click.echo(f"verdict   {finding.agreement}")
        click.echo(f"saved     {folder}: report.md, table.csv, {len(result.found)} runs")
    if result.outcome.interrupted:
        arguments = [*sys.argv[1:]]
        console.print(
            f"interrupted: {len(result.found)} of {len(result.experiment.configs)} runs are complete and kept; to go "
            f"on, run the same command again: ssm-bounds {shlex.join(arguments)}",
            soft_wrap=True,
        )
