"""``ssm-bounds experiment``: the list of experiments, and the options of those that measure numbers."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssm_bounds.cli import trainings
from ssm_bounds.cli.described import described
from ssm_bounds.cli.options import fail
from ssm_bounds.experiments.catalogue import MEASURED, TRAINED, Listed

if TYPE_CHECKING:
    from rich.console import Console

    from ssm_bounds.experiments.experiment import Preset
    from ssm_bounds.experiments.measurement import Measurement
    from ssm_bounds.experiments.pool import Count


@click.group()
def experiment() -> None:
    """Reproduce the papers' experiments, and hold what is certified or proved against what is measured.

    Each writes into its folder: what was run, table.csv, figures (.png, .pdf), and report.md: what the paper claims,
    what was measured, and whether it agrees. Trainings keep models, logs and records in runs/ (a row of the table for
    each trained model); the others keep a row for each measurement, and exit with 1 where a number is not where it
    must be.
    Runs that are there are kept: the same command goes on after Ctrl-C, and other lengths or more seeds extend it.

    \b
    Examples:
      ssm-bounds experiment unstable-init --task majority --preset quick
      ssm-bounds experiment length --task listops --preset quick --workers 2
      ssm-bounds experiment length --task majority --seeds 10 --workers 8
      ssm-bounds experiment sweep-abscissa --task imdb --data aclImdb --dask tcp://127.0.0.1:8786
      ssm-bounds experiment order --preset quick
    """


_OPTIONS = (
    click.option(
        "--preset",
        type=click.Choice(["paper", "quick"]),
        default="paper",
        show_default=True,
        help="paper: the sizes of the report that is kept. quick: seconds.",
    ),
    click.option("--seeds", type=click.IntRange(min=1), help="How many seeds instead of the preset's."),
    click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Local processes."),
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder. Default: experiments-out/NAME-PRESET.",
    ),
)


def command(entry: Listed) -> click.Command:
    """The command of an entry of ``catalogue.MEASURED``."""

    def run(**chosen: Any) -> None:
        _run(entry.name, **chosen)

    return described(entry, run, _OPTIONS)


for _entry in TRAINED:
    experiment.add_command(trainings.command(_entry))
for _entry in MEASURED:
    experiment.add_command(command(_entry))


def _run(name: str, *, preset: Preset, seeds: int | None, workers: int, out: Path | None) -> None:
    from rich.console import Console

    folder = (out or Path("experiments-out") / f"{name}-{preset}").absolute()
    console = Console(stderr=True)
    try:
        result = _measured(name, preset, seeds, workers, folder, console)
    except KeyboardInterrupt:  # after the measurements: while table and figure are made
        console.print("interrupted: every measurement is kept; the same command writes the report", soft_wrap=True)
        sys.exit(130)
    except (ValueError, OSError) as problem:
        fail(problem)
    for job, why in result.outcome.failed:
        console.print(f"failed twice: {job}: {why}", soft_wrap=True, markup=False)
    click.echo(f"claim     {result.experiment.claim}")
    for criterion in result.criteria:
        click.echo(f"{'measured' if criterion.met else 'MISSED  '}  {criterion}")
    click.echo(f"verdict   {result.verdict}")
    click.echo(f"saved     {folder}: report.md, table.csv, {len(result.rows)} rows")
    if result.outcome.interrupted:
        console.print(
            f"interrupted: {len(result.rows)} of {result.asked} measurements are kept; to go on, run the same command "
            f"again: ssm-bounds {shlex.join(sys.argv[1:])}",
            soft_wrap=True,
        )
        sys.exit(130)
    if result.outcome.failed or result.missed:
        sys.exit(1)


def _measured(
    name: str, preset: Preset, seeds: int | None, workers: int, folder: Path, console: Console
) -> Measurement:
    """The measurement behind a progress bar. Raises: ValueError, OSError."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ssm_bounds.experiments import pool
    from ssm_bounds.experiments.measurement import measure

    columns = (TextColumn("measurements"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=None)

        def show(count: Count) -> None:
            bars.update(bar, completed=count.done, total=count.total)

        return measure(name, preset, folder, pool.local(workers), seeds=seeds, progress=show)
