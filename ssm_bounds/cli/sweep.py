"""``ssm-bounds sweep``."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ssm_bounds.cli.certify import certify
from ssm_bounds.cli.options import fail

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ssm_bounds.bounds.ladder.rung import Setting
    from ssm_bounds.question import Question

_READING = ("m", "T", "delta", "loss", "margin", "clip", "inputs", "embedding", "gate", "convention", "input_bound")
RUNGS = ("published", "repaired", "sharp", "scale", "margin")
LEVELS = (1.0, 0.5, 0.1)
_SHOWN = 24
_LARGEST = 2_000_000
NOTE = "float64, not certified: no rounding is on the safe side (certify gives certified values)"


@click.command(
    no_args_is_help=True,
    # a checkpoint is read as certify reads it
    params=[parameter for parameter in certify.params if parameter.name in _READING],
)
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@click.option(
    "--over", "axes", multiple=True, required=True, metavar="NAME=VALUES", help="An axis; the last is fastest."
)
@click.option("--rung", "rungs", multiple=True, type=click.Choice(RUNGS), help="Repeatable. Default: margin.")
@click.option("--constants", is_flag=True, help="Logarithms of the sharp constants R_1, R_2, beta in place of a rung.")
@click.option(
    "--before-selection", is_flag=True, help="scale and margin at the measured constants, section 7 not paid."
)
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="A figure: .png, .pdf or .svg.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the whole table here.")
def sweep(
    path: Path,
    axes: tuple[str, ...],
    rungs: tuple[str, ...],
    constants: bool,
    before_selection: bool,
    plot: Path | None,
    form: str,
    out: Path | None,
    **reading: Any,
) -> None:
    """Evaluate bounds of a checkpoint over grids of its constants, T, m, delta or the margin.

    \b
    VALUES are a,b,c or start:stop:logN or start:stop:linN. Axes: T, m, d, N, k, V, delta, margin, c, l, eps (scale),
    M (cap on the gates), s_A, p, B_A, M_A, B_u, B_B, M_B, B_C, M_C, B_q, M_q, B_w, M_w. Where s_A passes B_A, B_A
    follows it.

    \b
    Examples:
      ssm-bounds sweep model.pth --m 1000 --T 100 --over T=10:1e6:log50 --rung sharp --plot sweep.png
      ssm-bounds sweep model.pth --m 1000 --T 100 --over T=10:1e6:log50 --over s_A=-1,-0.1,-0.01,0,0.01 \\
          --rung published --rung margin --plot lengths.pdf
      ssm-bounds sweep model.pth --m 1000 --T 100 --over m=1e3:1e7:log40 --rung margin --plot samples.png
      ssm-bounds sweep model.pth --m 1000 --T 100 --over s_A=-0.1:0.05:lin200 --over T=10,100 --constants --plot R.png
      ssm-bounds sweep model.pth --m 1000 --T 100 --over B_q=0.1:10:log1000 --format csv --out table.csv

    The figure has the first axis on x, the second as a family of curves, the rungs as line styles. With m alone it
    marks how many samples a bound of 1, 0.5 and 0.1 needs: enclosures decide that, under the conditions that are
    printed. All other numbers of a sweep are float64 and not certified.
    """
    from ssm_bounds.bounds.ladder.rung import OF_A_CLASS
    from ssm_bounds.cli.output import draw, emit, require_figure, require_writable
    from ssm_bounds.question import ask

    if constants and rungs:
        raise click.UsageError("--constants goes without --rung")
    if plot is not None and len(axes) > 2:
        raise click.UsageError("--plot draws one or two axes")
    try:
        require_writable(out, "--out", path)
        require_figure(plot, path, *([out] if out is not None else []))
        over = _over(axes)
        question = ask(path, **reading)
        setting = question.setting
        refused = next(filter(None, map(question.refusal, OF_A_CLASS)), None)
        if refused is not None:
            raise ValueError(f"nothing can be claimed of this model: {refused}")
        table, needed = _evaluate(setting, over, rungs or ("margin",), constants, not before_selection)
        text = _text(table, needed, question, path, form, whole=out is not None)
        figure = None if plot is None else _figure(table, needed, list(over), _ceiling(setting, over, table))
    except OSError as problem:
        fail(f"cannot read {problem.filename or path}: {problem.strerror or problem}")
    except (ValueError, ArithmeticError) as problem:
        fail(" ".join(str(problem).split()))
    try:
        emit(text, out)
        if plot is not None and figure is not None:
            draw(figure, plot)
    except ValueError as problem:
        fail(problem)
    if form != "json":
        click.echo(f"note: {NOTE}", err=form == "csv" or out is not None)


def _over(axes: tuple[str, ...]) -> dict[str, list[float]]:
    over = dict(map(_axis, axes))
    if len(over) < len(axes):
        raise ValueError("--over: each axis once")
    if math.prod(map(len, over.values())) > _LARGEST:
        raise ValueError(f"--over: more than {_LARGEST:,} points")
    return over


def _axis(text: str) -> tuple[str, list[float]]:
    """``NAME=a,b,c`` or ``NAME=start:stop:logN`` or ``linN``; the points of a grid of counts are rounded."""
    from ssm_bounds.bounds.sweeps.axes import COUNTS

    name, _, values = text.partition("=")
    name = name.strip()
    try:
        if ":" not in values:
            return name, [float(value) for value in values.split(",")]
        start, stop, kind = values.split(":")
        return name, _spaced(float(start), float(stop), kind.strip(), whole=name in COUNTS)
    except ValueError as problem:
        reason = (
            str(problem) if str(problem).startswith("a grid") else "give a,b,c or start:stop:logN or start:stop:linN"
        )
        raise ValueError(f"--over {text}: {reason}") from None


def _spaced(start: float, stop: float, kind: str, *, whole: bool) -> list[float]:
    import numpy as np

    number = int(kind[3:]) if kind[:3] in ("log", "lin") else 0
    if number < 1 or not (math.isfinite(start) and math.isfinite(stop)):
        raise ValueError
    if number > _LARGEST:
        raise ValueError(f"a grid has at most {_LARGEST:,} points")
    if kind.startswith("log") and not start * stop > 0:
        raise ValueError("a grid logN needs two ends of the same sign, neither 0")
    points = (np.geomspace if kind.startswith("log") else np.linspace)(start, stop, number)
    found: list[float] = (np.unique(np.round(points)) if whole else points).tolist()
    return found


def _evaluate(
    setting: Setting, over: dict[str, list[float]], rungs: tuple[str, ...], constants: bool, selection: bool
) -> tuple[pd.DataFrame, dict[str, dict[float, int]]]:
    """The table, and for a sweep over m alone the samples that each paid rung needs."""
    import pandas as pd

    from ssm_bounds.bounds import sweeps as scaling
    from ssm_bounds.bounds.sweeps import samples

    if constants:
        return scaling.sharp_constants(over, setting), {}
    tables = [scaling.sweep(rung, over, setting, selection=selection) for rung in dict.fromkeys(rungs)]
    alone = list(over) == ["m"] and selection
    needed = {rung: _needed(setting, rung) for rung in dict.fromkeys(rungs) if alone and rung in samples.RUNGS}
    return pd.concat(tables, ignore_index=True), {rung: found for rung, found in needed.items() if found}


def _needed(setting: Setting, rung: str) -> dict[float, int]:
    """Samples for each level; a level out of reach is left out."""
    from ssm_bounds.bounds.sweeps.samples import samples_needed
    from ssm_bounds.bounds.values import DomainError

    found = {}
    for level in LEVELS:
        with contextlib.suppress(DomainError):
            found[level] = samples_needed(setting, level, rung)
    return found


def _ceiling(setting: Setting, over: dict[str, list[float]], table: pd.DataFrame) -> float | None:
    """The range of what is bounded, where all rungs share one."""
    ranges = {1.0 if rung == "margin" else float(setting.loss.range) for rung in table.get("rung", ())}
    return ranges.pop() if len(ranges) == 1 and "c" not in over else None


def _figure(table: pd.DataFrame, needed: dict[str, dict[float, int]], axes: list[str], ceiling: float | None) -> Figure:
    from ssm_bounds.report.plots import scaling

    family = axes[1] if len(axes) > 1 else None
    if "rung" not in table:
        return scaling.sums(table, axes[0], family)
    if needed:
        return scaling.samples(table, needed, ceiling=ceiling)
    return scaling.against(table, axes[0], family, ceiling=ceiling)


def _text(
    table: pd.DataFrame,
    needed: dict[str, dict[float, int]],
    question: Question,
    path: Path,
    form: str,
    *,
    whole: bool,
) -> str:
    from ssm_bounds.bounds.ladder.rung import OF_A_CLASS

    if form == "csv":
        return str(table.to_csv(index=False))
    conditions = [condition for each in OF_A_CLASS for condition in question.conditions(each)]
    if form == "json":
        from ssm_bounds.bounds.evaluate.balls import exact
        from ssm_bounds.bounds.evaluate.decimals import number

        setting = question.setting
        rows = [{name: _json(value) for name, value in row.items()} for row in table.to_dict(orient="records")]
        document = {
            "checkpoint": str(path),
            "certified": False,
            "note": NOTE,
            "setting": {
                "m": setting.sample.m,
                "T": setting.sample.T,
                "delta": number(exact(setting.delta)),
                "loss": setting.loss.name,
                "margin": float(setting.margin),
            },
            # certified values, as conditional as the certificate
            "samples_needed": {"verdict": question.verdict(OF_A_CLASS).value, "conditions": conditions, **needed}
            if needed
            else None,
            "rows": rows,
        }
        return json.dumps(document, indent=2, allow_nan=False) + "\n"
    verdict = "; if ".join((question.verdict(OF_A_CLASS).value, *conditions))
    return _printed(table, needed, verdict, whole=whole)


def _printed(table: pd.DataFrame, needed: dict[str, dict[float, int]], verdict: str, *, whole: bool) -> str:
    """Aligned columns; long tables from both ends unless they go to a file."""
    import pandas as pd

    left = len(table) - _SHOWN
    cut = left > 0 and not whole
    if cut:
        table = pd.concat([table.head(_SHOWN // 2), table.tail(_SHOWN // 2)])
    shown = table
    if "log10" in table:
        status = ["does not apply" if not ok else "vacuous" if bad else ""
                  for ok, bad in zip(table["applies"], table["vacuous"], strict=True)]  # fmt: skip
        axes = list(table.columns[1 : list(table.columns).index("value")])
        shown = table[["rung", *axes]].assign(
            value=[_number(*row) for row in zip(table["value"], table["log10"], table["negative"], strict=True)],
            price=table["price"].map("{:.2f}".format),
            status=status,
        )
    with pd.option_context("display.width", None, "display.max_columns", None):
        lines = shown.to_string(index=False).splitlines()
    if cut:
        lines.insert(1 + _SHOWN // 2, f"... {left:,} more rows (all of them: --out FILE)")
    found = "".join(
        f"{verdict}: {rung} <= {level:g} at m = {m:,}, not at {m - 1:,}, with the constants of this model\n"
        for rung, crossings in needed.items()
        for level, m in crossings.items()
    )
    return "\n".join(lines) + f"\n{found}"


def _json(value: Any) -> Any:
    """Every digit of a double; null for no value, and the logarithm of 0 by name."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _number(value: float, log10: float, negative: bool) -> str:
    if not math.isnan(value):
        return f"{value:.6g}"
    whole = math.floor(log10)
    return f"{'-' if negative else ''}{10 ** (log10 - whole):.5f}e{whole:+d}"
