"""Figures of sweeps (``bounds.sweeps``): rungs and sharp constants against what they depend on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from ssm_bounds.bounds.values import require
from ssm_bounds.report.plots.axes import described, scale_x, symbol
from ssm_bounds.report.plots.canvas import COLOURS, canvas

Style: TypeAlias = str | tuple[float, tuple[float, ...]]

STYLES: dict[str, Style] = {
    "published": ":",
    "repaired": "--",
    "sharp": "-.",
    "scale": (0, (6, 1, 1, 1, 1, 1)),
    "margin": "-",
}
_MARKERS = "osv^DP*"
_MARKS = 6
_TOP = 40
"""Curves leave the figure beyond 10^40: there, only the fact matters."""

_SPAN = 1.3  # decades, above which a bound is drawn on a logarithmic axis


def against(table: pd.DataFrame, x: str, family: str | None = None, *, ceiling: float | None = None) -> Figure:
    """Bounds against ``x``: a line style for each rung, a colour and a marker for each value of ``family``.

    ``table``: one or several results of ``bounds.sweeps.sweep``, concatenated; every axis but ``x`` and ``family``
    has one value. ``ceiling``: the range of what is bounded, from which a bound says nothing. Where the published
    formula is negative it is drawn below the others, downwards in powers of ten; crosses mark where it is positive but
    outside its hypothesis. Raises: DomainError (another axis that moves, more values of the family than can be told
    apart).
    """
    values = _family(table, x, family, copies=table["rung"].nunique())
    table = table.reset_index(drop=True)  # concatenated tables repeat their row numbers
    rungs = list(dict.fromkeys(table["rung"]))
    upper, lower = table[~table["negative"]], table[table["negative"]]
    figure = canvas(7.6, 4.2 if lower.empty or upper.empty else 5.4)
    parts = [part for part in (upper, lower) if len(part)]
    panels = figure.subplots(len(parts), sharex=True, squeeze=False, height_ratios=(3, 2)[: len(parts)])[:, 0]
    handles = [_handle(STYLES[rung], "black" if family else COLOURS[j], rung) for j, rung in enumerate(rungs)]
    for axes, part in zip(panels, parts, strict=True):
        drawn = _below(axes, part) if part is lower else _above(axes, part)
        for (value, rung), rows in _curves(part, x, family):
            i, j = values.index(value), rungs.index(rung)
            _curve(axes, rows[x], drawn[rows.index], STYLES[rung], COLOURS[i if family else j], i if family else None)
        kinds = [rung for rung in rungs if rung in set(part["rung"])]
        axes.set_ylabel("published formula, gap" if part is lower else _kind(kinds))
    scale_x(panels[0], table[x].to_numpy(float))
    outside = upper[~upper["applies"]]
    if len(outside):
        panels[0].plot(outside[x], np.abs(outside["value"]), linestyle="none", marker="x", color="black", ms=4)
        handles.append(
            Line2D([], [], color="black", linestyle="none", marker="x", ms=4, label="outside its hypothesis")
        )
    if ceiling is not None and len(upper) and upper["log10"].max() > math.log10(0.8 * ceiling):
        panels[0].axhline(ceiling, color="0.6", lw=0.8, zorder=0)
        handles.append(_handle("-", "0.6", "vacuous from here up", width=0.8))
    panels[-1].set_xlabel(described(x))
    _legend(figure, handles, family, values)
    return figure


def _curves(part: pd.DataFrame, x: str, family: str | None) -> Iterator[tuple[tuple[Any, str], pd.DataFrame]]:
    """The rows of each curve, in the order of x."""
    for rung, of in part.groupby("rung", sort=False):
        for value, rows in [(None, of)] if family is None else of.groupby(family):
            yield (value, str(rung)), rows.sort_values(x)


def _above(axes: Axes, part: pd.DataFrame) -> pd.Series:
    """What is drawn of values > 0, on an axis set up for it."""
    if np.ptp(part["log10"]) <= _SPAN:
        return part["value"]
    _logarithmic(axes, part["log10"].max(), _TOP)
    return 10.0 ** part["log10"].clip(upper=_TOP + 20)


def _below(axes: Axes, part: pd.DataFrame) -> pd.Series:
    """|value| of negative values, downwards, with its sign in the ticks."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"$-10^{{{math.log10(y):.0f}}}$"))
    axes.yaxis.set_minor_locator(NullLocator())
    largest = part["log10"].max()
    axes.set_ylim(10.0 ** min(largest + 2, _TOP), 10.0 ** (part["log10"].min() - 2))
    axes.set_facecolor("0.94")
    axes.set_title("negative: the published formula does not apply", fontsize="small", loc="left")
    if largest > _TOP:
        axes.set_title(f"beyond $-10^{{{_TOP}}}$ below", fontsize="small", loc="right")
    return 10.0 ** part["log10"].clip(upper=_TOP + 20)


def _kind(rungs: list[str]) -> str:
    if rungs == ["margin"]:
        return "excess over the training margin error"
    return "gap of the loss, or excess for margin" if "margin" in rungs else "gap of the loss"


def _family(table: pd.DataFrame, x: str, family: str | None, copies: int) -> list:
    values = [None] if family is None else sorted(table[family].unique())
    require(len(values) <= len(COLOURS), f"a figure tells {len(COLOURS)} values of {family} apart, got {len(values)}")
    alone = len(table) == copies * len(values) * table[x].nunique()
    require(alone, f"only {x}{f' and {family}' if family else ''} may move in this figure")
    return values


def _logarithmic(axes: Axes, largest: float, top: int) -> None:
    axes.set_yscale("log")
    if largest > top:
        axes.set_ylim(top=10.0**top)
        axes.set_title(f"curves that reach the top go on beyond $10^{{{top}}}$", fontsize="small", loc="right")


def _curve(axes: Axes, x: pd.Series, y: pd.Series, style: Style, colour: str, i: int | None) -> None:
    step = max(1, len(x) // _MARKS)
    marked = {} if i is None else {"marker": _MARKERS[i], "markevery": (i * step // len(_MARKERS), step)}
    axes.plot(x, y, linestyle=style, color=colour, lw=1.4, ms=4, mfc="white", **marked)  # type: ignore[arg-type]


def _handle(style: Style, colour: str, label: str, width: float = 1.4) -> Line2D:
    return Line2D([], [], color=colour, linestyle=style, lw=width, label=label)  # type: ignore[arg-type]


def _legend(figure: Figure, handles: list[Line2D], family: str | None, values: list) -> None:
    if family is not None:
        handles.append(Line2D([], [], linestyle="none", label=" "))
        for i, value in enumerate(values):
            handle = Line2D([], [], color=COLOURS[i], marker=_MARKERS[i], ms=4, mfc="white")
            handle.set_label(f"{symbol(family)} = {value:g}")
            handles.append(handle)
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize="small", handlelength=3)


def sums(table: pd.DataFrame, x: str = "s_A", family: str | None = None) -> Figure:
    """R_1 and R_2 (theory 4.5) against ``x``, through s_A = 0: a line style for each, a colour for each ``family``.

    ``table``: of ``bounds.sweeps.sharp_constants``. Raises: DomainError as :func:`against`.
    """
    values = _family(table, x, family, copies=1)
    table = table.reset_index(drop=True)
    figure = canvas(7.2, 4.0)
    axes = figure.subplots()
    scale_x(axes, table[x].to_numpy(float))
    units: dict[str, tuple[Style, str]] = {"ln R_1": ("-", "$R_1$  [time]"), "ln R_2": ("--", "$R_2$  [time$^2$]")}
    logs = table[list(units)] / math.log(10)
    _logarithmic(axes, float(logs.max(axis=None)), _TOP // 2)
    for i, value in enumerate(values):
        rows = (table if value is None else table[table[family] == value]).sort_values(x)
        for name, (style, _) in units.items():
            y = 10.0 ** logs.loc[rows.index, name].clip(upper=_TOP)
            _curve(axes, rows[x], y, style, COLOURS[i], i if family else None)
    if x == "s_A" and table[x].min() < 0 < table[x].max():
        axes.axvline(0, color="0.6", lw=0.8, zorder=0)
    axes.set_xlabel(described(x))
    axes.set_ylabel("$R_1$, $R_2$")
    _legend(figure, [_handle(style, "black", label) for style, label in units.values()], family, values)
    return figure


def samples(table: pd.DataFrame, needed: Mapping[str, Mapping[float, int]], *, ceiling: float | None = None) -> Figure:
    """Bounds against m, with the certified numbers of samples at which each falls to given levels marked.

    ``table``: of ``bounds.sweeps.sweep`` with the one axis m. ``needed``: for each rung the m of each level, from
    ``sweeps.samples.samples_needed``.
    """
    figure = against(table, "m", ceiling=ceiling)
    axes = figure.axes[0]
    axes.margins(x=0.2)
    colours = dict(zip(dict.fromkeys(table["rung"]), COLOURS, strict=False))
    by_m = sorted(needed, key=lambda rung: -max(needed[rung].values()))  # the curve on the right is labelled there
    for j, rung in enumerate(by_m):
        side, horizontal, vertical = ((7, 3), "left", "bottom") if j == 0 else ((-7, -3), "right", "top")
        for level, m in needed[rung].items():
            axes.plot([m], [level], marker="oD"[j], ms=6, color=colours[rung], mfc="white", mew=1.4, zorder=5)
            axes.annotate(
                f"{level:g}: m = {m:,}",
                (m, level),
                xytext=side,
                textcoords="offset points",
                fontsize="small",
                ha=horizontal,
                va=vertical,
                color=colours[rung],
            )
    found = [
        Line2D(
            [],
            [],
            color=colours[rung],
            linestyle="none",
            marker="oD"[j],
            mfc="white",
            label=f"{rung}: least m, by enclosure",
        )
        for j, rung in enumerate(by_m)
    ]
    axes.legend(handles=found, loc="upper right", frameon=False, fontsize="small")
    return figure
