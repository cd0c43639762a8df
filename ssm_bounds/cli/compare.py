"""``ssm-bounds compare``."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssm_bounds.cli.certify import certify
from ssm_bounds.cli.command_line import command_line
from ssm_bounds.cli.options import fail, located

if TYPE_CHECKING:
    from ssm_bounds.comparison import Comparison
    from ssm_bounds.question import Question

_READING = ("delta", "embedding", "gate", "convention", "input_bound")


@click.command(
    # a model is read as certify reads it
    params=[parameter for parameter in certify.params if parameter.name in _READING],
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[MODEL...]")
@click.option(
    "--m", "m", type=click.IntRange(1, 10**18), help="Training sequences. Default: what the models record, or 25000."
)
@click.option(
    "--T",
    "lengths",
    type=click.IntRange(1, 10**18),
    multiple=True,
    help="Largest length; repeatable, a column each. Default: 100, 500, 2000.",
)
@click.option("--d", "d", type=click.IntRange(1, 10**6), default=16, show_default=True, help="Channels of the classes.")
@click.option("--N", "N", type=click.IntRange(1, 10**6), default=4, show_default=True, help="States per channel.")
@click.option("--s-A", "s_A", multiple=True, metavar="S", help="Largest decay, a row each.  [default: -0.1, 0]")
@click.option(
    "--beta",
    multiple=True,
    metavar="B",
    help="Spectral norm of an RNN's U, at most; a row each.  [default: 0.9, 1, 1.1]",
)
@click.option("--margin", default="1", show_default=True, metavar="G", help="Margin of the ramp loss.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Bound against T: .png, .pdf or .svg.")
@click.option("--format", "form", type=click.Choice(("table", "json", "markdown", "csv", "html")), default="table",
              show_default=True)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table here, not to stdout.")
def compare(
    paths: tuple[Path, ...],
    m: int | None,
    lengths: tuple[int, ...],
    d: int,
    N: int,
    s_A: tuple[str, ...],
    beta: tuple[str, ...],
    delta: str,
    margin: str,
    plot: Path | None,
    form: str,
    out: Path | None,
    **reading: Any,
) -> None:
    """Bound the gap of several architectures at equal constants: selective, linear time-invariant, attention, RNN.

    A row is about every model of one class at once, fixed before the data: each matrix has spectral norm at most 1 (U
    of an RNN: beta); the readout, q, tokens, and B and C of every channel of a diagonal layer have l2 norm at most 1.
    A is none of these matrices: it is diagonal, its decays in [-10, S]. The step of the selective SSM is
    softplus(p + q . u), |p| at most 1. A MODEL, a file with one selective SSM, gets a row at its own norms, with its
    own conditions. Rows differ in size: their parameters are printed. Constants are equal, models are not: a smaller
    bound is no better model.

    \b
    Examples:
      ssm-bounds compare
      ssm-bounds compare --m 25000 --T 500 --d 16 --N 4
      ssm-bounds compare --T 10 --T 100 --T 1000 --T 10000 --plot lengths.png
      ssm-bounds compare --s-A -0.1 --s-A 0.001 --beta 1 --format csv --out table.csv
      ssm-bounds compare imdb.pth other.safetensors --m 25000 --gate softplus --embedding fixed

    Exit codes: 0; 2 where a MODEL has no row (the table is printed all the same) or an option is wrong.
    """
    from ssm_bounds.cli.output import draw, emit, emit_table, require_figure, require_writable

    of_models = [f"--{name.replace('_', '-')}" for name, value in reading.items() if value is not None]
    if of_models and not paths:
        raise click.UsageError(f"{', '.join(of_models)}: says something of a MODEL, and none is named")
    try:
        require_writable(out, "--out", *paths)
        require_figure(plot, *paths, *([out] if out is not None else []))
        lengths = lengths or _lengths()
        if plot is not None and len(set(lengths)) < 2:
            raise ValueError("--plot draws bounds against T: give --T several times")
        questions, failed = _asked(paths, reading | {"m": m, "T": min(lengths)})
        found = _compared(questions, m=m, T=lengths, sizes=(d, N), s_A=s_A, beta=beta, delta=delta, margin=margin)
    except (ValueError, ArithmeticError) as problem:
        fail(" ".join(str(problem).split()))
    try:
        if form == "table":
            from ssm_bounds.report import comparison

            emit_table(partial(comparison.show, found), out)
        else:
            emit(_text(found, failed, form), out)
        if plot is not None:
            from ssm_bounds.report.plots.comparison import against_length

            draw(against_length(found), plot)
    except ValueError as problem:
        fail(problem)
    for _, error in failed:
        click.echo(f"ssm-bounds: {error}", err=True)
    sys.exit(2 if failed else 0)


def _lengths() -> tuple[int, ...]:
    from ssm_bounds.comparison import LENGTHS

    return LENGTHS


def _asked(paths: tuple[Path, ...], stated: dict[str, Any]) -> tuple[list[Question], list[tuple[str, str]]]:
    """A question about each file, or why there is none."""
    from ssm_bounds.question import ask

    asked: list[Question] = []
    failed: list[tuple[str, str]] = []
    for path in paths:
        try:
            asked.append(ask(path, **stated))
        except (ValueError, ArithmeticError, OSError) as problem:
            failed.append((str(path), located(path, problem)))
    return asked, failed


def _compared(
    questions: list[Question],
    *,
    sizes: tuple[int, int],
    s_A: tuple[str, ...],
    beta: tuple[str, ...],
    **stated: Any,
) -> Comparison:
    from ssm_bounds.bounds.ladder.equal import Equal
    from ssm_bounds.comparison import compare as compared
    from ssm_bounds.evidence import exactly

    given: dict[str, Any] = {"d": sizes[0], "N": sizes[1]}
    if s_A:
        given["s_A"] = tuple(exactly(each, "--s-A", least=-(10**300)) for each in s_A)
    if beta:
        given["beta"] = tuple(exactly(each, "--beta") for each in beta)
    return compared(questions, equal=Equal(**given), **stated)


def _text(found: Comparison, failed: list[tuple[str, str]], form: str) -> str:
    from ssm_bounds.report import comparison

    if form == "json":
        return json.dumps(comparison.document(found, failed), indent=2, allow_nan=False) + "\n"
    if form == "html":
        from ssm_bounds.report.html.comparison import page

        return page(found, failed, command=command_line(click.get_current_context()))
    return {"markdown": comparison.markdown, "csv": comparison.csv}[form](found)
