"""Measured gaps beside what was certified for the same models, from the table that an experiment saves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ssm_bounds.bounds.values import require
from ssm_bounds.report.plots.canvas import COLOURS, canvas

_STYLES = {
    "repaired": (COLOURS[4], "P"),
    "sharp": (COLOURS[5], "X"),
    "scale": (COLOURS[0], "s"),
    "scale-groups": (COLOURS[2], "D"),
    "margin": (COLOURS[1], "^"),
    "margin-groups": (COLOURS[3], "v"),
}
_PANELS = (
    ("gap of the ramp loss", "gap_ramp", ("repaired", "sharp", "scale", "scale-groups"), True),
    ("error less fraction of small margins", "gap_margin", ("margin", "margin-groups"), False),
)


def measured_against_bound(table: pd.DataFrame, over: str = "T") -> Figure:
    """A point for each model of ``table.csv`` and, on one logarithmic scale, its bounds; lines join medians.

    ``over``: the column on the horizontal axis, such as T, m or initial_s_A. Left the gap of the ramp loss, which is
    bounded on both sides and drawn without its sign; right the test error less the fraction of training margins <= 1,
    bounded from above: a gap below the axis stands at its foot. Units: losses and error rates in [0, 1].
    Raises: DomainError (a missing column, an empty table).
    """
    wanted = {over, *(column for _, column, _, _ in _PANELS)}
    require(wanted <= set(table.columns), f"the table lacks the columns {sorted(wanted - set(table.columns))}")
    require(len(table) > 0, "the table has no rows")
    x = table[over].to_numpy(float)
    gaps = [table[column].to_numpy(float) for _, column, _, _ in _PANELS]
    drawn = [np.abs(gap) if two_sided else gap for gap, (*_, two_sided) in zip(gaps, _PANELS, strict=True)]
    positive = np.concatenate([gap[gap > 0] for gap in drawn])
    foot = 10 ** np.floor(np.log10(positive.min(initial=0.1)))
    figure = canvas(7.6, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, gap, (title, _, rungs, _) in zip(panels, drawn, _PANELS, strict=True):
        for rung in rungs:
            if f"bound_{rung}" in table:
                _bound(axes, x, table[f"bound_{rung}"].to_numpy(float), rung)
        _measured(axes, x, gap, float(foot))
        axes.axhline(1, color="0.5", linewidth=0.8, linestyle=":", label="a bound above says nothing")
        axes.set(title=title, xlabel=over, yscale="log")
        if x.min() > 0 and x.max() > 20 * x.min():
            axes.set_xscale("log")
    panels[0].set_ylabel("gap and its bound")
    named = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def _measured(axes: Axes, x: NDArray[np.float64], gap: NDArray[np.float64], foot: float) -> None:
    known = ~np.isnan(gap)  # a training that diverged has none
    x, gap = x[known], gap[known]
    shown = gap >= foot
    dots: dict[str, Any] = {"color": COLOURS[6], "linestyle": "none", "markersize": 5}
    if shown.any():
        axes.plot(x[shown], gap[shown], marker="o", label="measured", **dots)
    if not shown.all():
        below = x[~shown]
        axes.plot(
            below, np.full(len(below), foot), marker="v", fillstyle="none", label="measured, below the axis", **dots
        )


def _bound(axes: Axes, x: NDArray[np.float64], upper: NDArray[np.float64], name: str) -> None:
    if not np.isfinite(upper).any():
        return
    colour, marker = _STYLES[name]
    places = np.unique(x)
    axes.plot(places, [np.median(upper[x == place]) for place in places], color=colour, linewidth=1)
    axes.plot(
        x, upper, color=colour, linestyle="none", marker=marker, fillstyle="none", markersize=6, label=f"bound: {name}"
    )
