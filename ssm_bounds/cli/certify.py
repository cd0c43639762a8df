"""``ssm-bounds certify``."""

from __future__ import annotations

import gc
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssm_bounds.cli.options import FORMATS, POSITIVE, fail, located, number, seconds

if TYPE_CHECKING:
    from bounds.rung import Certificate
    from ssm_bounds.report.document import Subject


@click.command(no_args_is_help=True)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--m", "m", type=click.IntRange(1, 10**18), help="Training sequences. Default: the file's metadata.")
@click.option("--T", "T", type=click.IntRange(min=1), help="Largest sequence length. Default: the file's metadata.")
@click.option(
    "--delta",
    show_default="0.05, or that of a rounded model's record",
    callback=number(Fraction(0), "a probability strictly between 0 and 1", upper=Fraction(1)),
    help="Failure probability.",
)
@click.option("--loss", type=click.Choice(["ramp", "clipped-ce", "cross-entropy"]), default="ramp", show_default=True)
@click.option(
    "--margin",
    default="1.0",
    show_default=True,
    callback=number(Fraction(0), "a number > 0 or 'auto'", word="auto"),
    help="Margin g, fixed before the data; 'auto' chooses it with --data and pays its cell.",
)
@click.option("--clip", callback=POSITIVE, help="Level c at which --loss clipped-ce is clipped.")
@click.option("--inputs", type=click.Choice(["ball", "vocabulary"]), default="ball", show_default=True)
@click.option(
    "--embedding",
    type=click.Choice(["fixed", "trained"]),
    help="Was the embedding fixed before the sample, or trained on it (then it is in the class)? "
    "Default: the file's metadata, else fixed.",
)
@click.option(
    "--gate",
    type=click.Choice(["softplus", "none"]),
    help="Gate, where the file does not record it (none: Delta = 1). Default: softplus, listed as assumed.",
)
@click.option("--input-bound", callback=POSITIVE, metavar="B", help="Bound on |u_t| for real-valued inputs.")
@click.option("--data", type=click.Path(path_type=Path), help="Training set: .npz with x_train, y_train, or a .tsv.")
@click.option("--test", type=click.Path(path_type=Path), help="Fresh test set, for the hold-out rung.")
@click.option("--occam", is_flag=True, help="With --data: round the model and certify the rounded one (theory 8.1).")
@click.option("--one-draw", is_flag=True, help="With --data: draw one model from a posterior, certify it (theory 8.2).")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    callback=seconds,
    default=150,
    show_default=True,
    metavar="SECONDS",
    help="Of each such search; Ctrl-C ends it earlier and keeps the best so far.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Of these searches, and of the one draw: then fixed before the data, and drawn once.",
)
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Where the rounded or drawn model goes.")
@click.option("--format", "form", type=click.Choice((*FORMATS, "html")), default="table", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here, not to stdout.")
def certify(paths: tuple[Path, ...], form: str, out: Path | None, **options: Any) -> None:
    """Print the ladder of generalization bounds of each checkpoint, with what remains unchecked.

    \b
    Examples:
      ssm-bounds certify imdb.pth --m 25000 --T 500
      ssm-bounds certify *.pth --m 1000 --T 500 --format json --out report.json
      ssm-bounds certify imdb.pth --m 25000 --T 500 --format html --out report.html
      ssm-bounds certify listops.pth --m 1000 --T 105 --data train.tsv --test test.tsv
      ssm-bounds certify model.safetensors --embedding trained --data data.npz --margin auto
      ssm-bounds certify model.pth --m 1000 --T 200 --data data.npz --occam --save rounded.safetensors
      ssm-bounds certify rounded.safetensors --data data.npz      # the same number, without a search

    A checkpoint is a .safetensors, .pt or .pth file of tensors; pickled code is refused. The exit code is 2 when a
    path could not be certified; the others are printed all the same.
    """
    from ssm_bounds.cli.output import OutputError, require_writable

    _require_searchable(len(paths), options)
    try:
        for name, path in (("--out", out), ("--save", options["save"])):
            require_writable(path, name, *paths)
    except OutputError as problem:
        fail(problem)
    gc.disable()  # a short run full of small expression nodes, none of them in a cycle worth collecting
    click.get_current_context().call_on_close(gc.enable)
    reports = []
    failed = False
    for path, outcome in _outcomes(paths, options):
        if isinstance(outcome, Exception):
            click.echo(f"ssm-bounds: {located(path, outcome)}", err=True)
            failed = True
        else:
            reports.append(outcome)
    if reports:
        try:
            _emit(reports, form, out, single=len(paths) == 1)
        except ValueError as problem:
            fail(problem)
    sys.exit(2 if failed else 0)


def _require_searchable(count: int, options: dict[str, Any]) -> None:
    """--occam and --one-draw take one file with its data; --save one model."""
    wanted = [name for name in ("occam", "one_draw") if options[name]]
    flags = " and ".join(f"--{name.replace('_', '-')}" for name in wanted)
    if wanted and options["data"] is None:
        raise click.UsageError(f"{flags} needs the training data: give --data FILE")
    if wanted and count > 1:
        raise click.UsageError(f"{flags} takes one checkpoint at a time")
    if options["save"] is not None and len(wanted) != 1:
        raise click.UsageError("--save FILE goes with one of --occam and --one-draw")


def _outcomes(paths: tuple[Path, ...], options: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """What became of each path, in order: a report, or why there is none; with a progress bar for many."""
    work = zip(paths, map(partial(_attempt, options), paths), strict=True)
    if len(paths) < 8 or not sys.stderr.isatty():
        return work
    from rich.console import Console
    from rich.progress import track

    return iter(track(work, description="certifying", total=len(paths), console=Console(stderr=True), transient=True))


def _attempt(options: dict[str, Any], path: Path) -> tuple[Certificate, Subject] | Exception:
    try:
        from ssm_bounds.cli.reading import report

        return report(path, **options)
    except (ValueError, ArithmeticError, OSError) as problem:
        return problem


def _emit(reports: list[tuple[Certificate, Subject]], form: str, out: Path | None, *, single: bool) -> None:
    from ssm_bounds.cli.output import emit, emit_table
    from ssm_bounds.report import tables
    from ssm_bounds.report.document import document

    if form == "table":
        emit_table(partial(tables.table, reports), out)
        return
    if form == "json":
        documents = [document(certificate, subject) for certificate, subject in reports]
        text = json.dumps(documents[0] if single else documents, indent=2, allow_nan=False) + "\n"
    elif form == "html":
        from ssm_bounds.report.html.page import page

        text = page(reports, command=_command_line(click.get_current_context()), single=single)
    else:
        writer: Callable[..., str] = {"markdown": tables.markdown, "latex": tables.latex}[form]
        text = writer(reports)
    emit(text, out)


def _command_line(context: click.Context) -> str:
    """What was typed, with the options by their long names; numbers are written as the fractions that they are."""
    options, paths = list[str](), list[str]()
    for parameter in context.command.params:
        value: Any = context.params.get(parameter.name or "")
        if context.get_parameter_source(parameter.name or "") is not click.core.ParameterSource.COMMANDLINE:
            continue
        if isinstance(parameter, click.Argument):
            paths = [str(path) for path in value]
        elif value is True:
            options.append(parameter.opts[0])
        else:
            options += [parameter.opts[0], str(value)]
    dashed = any(path.startswith("-") for path in paths)
    return shlex.join(["ssm-bounds", "certify", *([*options, "--", *paths] if dashed else [*paths, *options])])
