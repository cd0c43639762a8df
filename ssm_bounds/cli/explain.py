"""``ssm-bounds explain``."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from ssm_bounds.cli.certify import certify
from ssm_bounds.cli.options import fail, located

FORMATS = ("table", "json", "csv", "markdown")
_OF_THE_SETTING = (
    "m",
    "T",
    "delta",
    "loss",
    "margin",
    "clip",
    "inputs",
    "embedding",
    "gate",
    "convention",
    "input_bound",
    "data",
)


@click.command(no_args_is_help=True, params=[option for option in certify.params if option.name in _OF_THE_SETTING])
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw them too: .png, .pdf or .svg.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table here, not to stdout.")
def explain(path: Path, form: str, plot: Path | None, out: Path | None, **options: Any) -> None:
    """Which constant to change: elasticities of the best bound by norms, and the bound recomputed.

    An elasticity of 0.1 says that 1 % more of the constant makes the bound 0.1 % larger. It is the exact derivative of
    the bound without the steps of its grids and ceilings. "halved" and "doubled" are upper ends of enclosures: the
    same rung recomputed for such a model (p: one less, one more), its cells and prices made anew, under the same
    conditions.

    \b
    Examples:
      ssm-bounds explain imdb.pth --m 25000 --T 500
      ssm-bounds explain imdb.pth --m 25000 --T 500 --inputs vocabulary --plot elasticities.pdf
      ssm-bounds explain model.safetensors --embedding trained --format csv --out elasticities.csv
      ssm-bounds explain model.safetensors --data data.npz --margin auto --format json
    """
    from ssm_bounds.cli.output import draw, emit, emit_table, require_figure, require_writable

    try:
        require_writable(out, "--out", path)
        require_figure(plot, path, *([out] if out is not None else []))
    except ValueError as problem:
        fail(problem)
    try:
        from ssm_bounds.bounds.explain.elasticity import document
        from ssm_bounds.explanation import explain as explained
        from ssm_bounds.question import ask
        from ssm_bounds.report import explanations

        found = explained(ask(path, **options))
    except OSError as problem:
        fail(f"{problem.filename or path}: {problem.strerror or problem}")
    except (ValueError, ArithmeticError) as problem:
        fail(located(path, problem))
    try:
        if form == "table":
            emit_table(partial(explanations.table, found), out)
        elif form == "json":
            emit(json.dumps(document(found), indent=2, allow_nan=False) + "\n", out)
        else:
            emit({"csv": explanations.csv, "markdown": explanations.markdown}[form](found), out)
        if plot is not None:
            from ssm_bounds.report.plots.elasticity import bars

            draw(bars(found), plot)
    except ValueError as problem:
        fail(problem)
