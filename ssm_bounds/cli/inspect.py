"""ssm-bounds inspect: what is certain of every Mamba layer of a checkpoint, and beside it what tokens did."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssm_bounds.cli.command_line import command_line
from ssm_bounds.cli.options import fail, located
from ssm_bounds.cli.workers import workers

if TYPE_CHECKING:
    from ssm_bounds.inspection import ModelReport


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--T", "T", type=click.IntRange(1, 10**12), default=2048, show_default=True, help="Largest length.")
@click.option("--eta", type=float, default=0.05, show_default=True, help="What counts as forgotten, a share.")
@click.option("--layer", "layers", type=click.IntRange(0), multiple=True, help="Only this layer; repeatable.")
@click.option("--map", "mapping", type=click.Path(path_type=Path, dir_okay=False), help="A map of foreign names, TOML.")
@click.option("--input-radius", type=float, help="Largest l2 norm of a mixer's input, where the file has no norms.")
@click.option("--mixer-groups", type=click.IntRange(1), help="Groups of a Mamba-2, where no config says them.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Tokens, .npz with x_train or x (m, T) and perhaps lengths: what is bounded is measured on them too.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    help="So many layers at once, in processes of their own: as much memory for each.",
)
@click.option("--channels", is_flag=True, help="With --format json: arrays by channel.")
@click.option("--format", "form", type=click.Choice(("table", "json", "markdown", "csv", "html")), default="table",
              show_default=True)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here, not to stdout.")
def inspect(
    paths: tuple[Path, ...],
    T: int,
    eta: float,
    form: str,
    out: Path | None,
    channels: bool,
    jobs: int,
    **options: Any,
) -> None:
    """Say what every Mamba layer can do over all inputs of length at most T: gates, memory, suprema.

    \b
    Examples:
      ssm-bounds inspect mamba-130m-hf/                      # a folder with config.json and the tensors
      ssm-bounds inspect model.safetensors --T 8192 --layer 0 --layer 23
      ssm-bounds inspect model.bin --input-radius 4 --mixer-groups 1
      ssm-bounds inspect blocks.npz --map docs/examples/typeseg.toml --T 1024 --format html --out blocks.html
      ssm-bounds inspect mamba-130m-hf/ --data tokens.npz    # what these tokens did, beside what is certain
      ssm-bounds inspect mamba-2.8b-hf/ --jobs 4 --format json --out report.json

    Nothing is downloaded, and no code of a checkpoint is run. Every supremum is an upper bound in real arithmetic; what
    is measured is no bound.

    Exit codes: 0; 2 where a path could not be inspected (the others are printed all the same) or an option is wrong;
    130 after Ctrl-C, and then nothing is written.
    """
    from ssm_bounds.cli.output import OutputError, require_writable

    if channels and form != "json":
        raise click.UsageError("--channels goes with --format json")
    try:
        require_writable(out, "--out", *paths, *(given for given in (options["data"],) if given is not None))
    except OutputError as problem:
        fail(problem)
    models: list[ModelReport] = []
    failed: list[tuple[str, str]] = []
    try:
        with nullcontext() if jobs == 1 else workers(jobs) as executor:
            for path in paths:
                try:
                    models.append(_inspected(path, T, eta, options | {"executor": executor}))
                except (ValueError, ArithmeticError, OSError) as problem:
                    failed.append((str(path), located(path, problem)))
    except BrokenExecutor:
        fail("a process that worked on a layer was ended, for its memory perhaps; give fewer --jobs")
    except KeyboardInterrupt:
        click.echo("ssm-bounds: interrupted, nothing was written", err=True)
        sys.exit(130)
    try:
        if models or form == "json":
            _emit(models, failed, T, eta, channels, form, out)
    except OutputError as problem:
        fail(problem)
    for _, error in failed:
        click.echo(f"ssm-bounds: {error}", err=True)
    sys.exit(2 if failed else 0)


def _inspected(path: Path, T: int, eta: float, options: dict[str, Any]) -> ModelReport:
    from ssm_bounds.inspection import inspect as inspected

    return inspected(path, T=T, eta=eta, each=_tracked, **options)


def _tracked(parts: Sequence[Any]) -> Iterable[Any]:
    """Layers, or batches of rows, with a bar for many on a terminal."""
    if len(parts) < 4 or not sys.stderr.isatty():
        return parts
    from rich.console import Console
    from rich.progress import track

    return track(parts, description="layers", console=Console(stderr=True), transient=True)


def _emit(
    models: list[ModelReport],
    failed: list[tuple[str, str]],
    T: int,
    eta: float,
    channels: bool,
    form: str,
    out: Path | None,
) -> None:
    from ssm_bounds.cli.output import emit, emit_table
    from ssm_bounds.inspection import documents
    from ssm_bounds.report import layers

    if form == "table":
        emit_table(partial(layers.show, models, T, eta), out)
    elif form == "json":
        found = documents(models, failed, T=T, eta=eta, channels=channels)
        emit(json.dumps(found, indent=2, allow_nan=False) + "\n", out)
    elif form == "html":
        from ssm_bounds.report.html.layers import page

        emit(page(models, failed, T=T, eta=eta, command=command_line(click.get_current_context())), out)
    else:
        writer = {"markdown": layers.markdown, "csv": layers.csv}[form]
        emit(writer(models, T, eta), out)
