"""``ssm-bounds explain``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssm_bounds.cli.certify import certify
from ssm_bounds.cli.options import fail, located

if TYPE_CHECKING:
    from ssm_bounds.bounds.explain.elasticity import Explanation

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
        from ssm_bounds.explanation import explain as explained
        from ssm_bounds.question import ask

        found = explained(ask(path, **options))
    except OSError as problem:
        fail(f"{problem.filename or path}: {problem.strerror or problem}")
    except (ValueError, ArithmeticError) as problem:
        fail(located(path, problem))
    try:
        if form == "table":
            emit_table(partial(_table, found), out)
        else:
            emit(_WRITERS[form](found), out)
        if plot is not None:
            from ssm_bounds.report.plots.elasticity import bars

            draw(bars(found), plot)
    except ValueError as problem:
        fail(problem)


def _json(found: Explanation) -> str:
    from ssm_bounds.bounds.explain.elasticity import document

    return json.dumps(document(found), indent=2, allow_nan=False) + "\n"


def _csv(found: Explanation) -> str:
    from ssm_bounds.bounds.explain.elasticity import records

    stream = io.StringIO()
    rows = records(found)
    writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


_HEADER = ("constant", "value", "elasticity", "halved", "doubled", "what moves")


def _cells(found: Explanation) -> list[tuple[str, ...]]:
    from ssm_bounds.bounds.evaluate.decimals import decimal_string
    from ssm_bounds.bounds.explain.elasticity import signed

    rows = []
    for row in found.rows:
        elasticity = "infinite" if row.elasticity is None else signed(float(row.elasticity.ball().mid()))
        certified = ("-" if value is None else decimal_string(value.upper) for value in (row.down, row.up))
        what = row.meaning
        if row.per == "unit":
            what += "; per unit, one less and one more"
        if row.slope is not None:
            what += f"; d ln/ds = {signed(float(row.slope.ball().mid()))}"
        rows.append((row.constant, f"{float(row.value):.5g}", elasticity, *certified, what))
    return rows


def _lines(found: Explanation) -> list[tuple[str, str]]:
    from ssm_bounds.bounds.evaluate.decimals import decimal_string

    rung = found.rung
    value = float(rung.value.upper)
    share = found.setting.delta / found.delta
    difference = float(found.relaxed.upper) / value - 1
    lines = [("explained", f"{rung.name}, {rung.kind} {decimal_string(rung.value.upper)}, at delta/{share}")]
    if (best := found.passed_over) is not None:
        lines.append(
            ("instead of", f"{best.name} ({decimal_string(best.value.upper)}): it depends on the weights, not on norms")
        )
    return [
        *lines,
        ("elasticity", f"of the bound without grids and ceilings, here {difference:+.1e} relative from its enclosure"),
        ("halved", "and doubled: recomputed, upper ends of enclosures; every norm of a matrix moves with it"),
        ("verdict", "; if ".join((rung.verdict.value, *rung.conditions))),
    ]


def _table(found: Explanation, console: Any) -> None:
    from rich.markup import escape
    from rich.table import Table

    from ssm_bounds.bounds.explain.elasticity import reading
    from ssm_bounds.report.tables import labelled

    console.print(escape(reading(found)), style="bold", highlight=False, soft_wrap=True)
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for column in _HEADER:
        side: Any = "left" if column in ("constant", "what moves") else "right"
        grid.add_column(column, justify=side, no_wrap=column != "what moves")
    for cells in _cells(found):
        grid.add_row(*map(escape, cells))
    console.print(grid)
    labelled(_lines(found), console)


def _markdown(found: Explanation) -> str:
    from ssm_bounds.bounds.evaluate.typeset import markdown_row as row
    from ssm_bounds.bounds.explain.elasticity import reading

    lines = [f"**{reading(found)}**", "", row(_HEADER), row(("---",) * len(_HEADER)), *map(row, _cells(found)), ""]
    return "\n".join([*lines, *(f"- **{name}**: {text}" for name, text in _lines(found))]) + "\n"


_WRITERS: dict[str, Callable[[Explanation], str]] = {
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
}
