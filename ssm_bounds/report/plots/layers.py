"""What every Mamba layer of a model can do: its memory by channel, its gates, the published supremum and the sharp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ssm_bounds.bounds.values import require
from ssm_bounds.inspection import LayerReport
from ssm_bounds.report.plots.canvas import COLOURS, canvas

HORIZONS = (1e-6, 1e12)
"""Tokens that colours tell apart, where any horizon is between; what is beyond has the colour of its end."""
LEAST_GATE = 1e-9
"""Foot of the axis of gates."""

_NOWHERE = COLOURS[1]
_TICKS = 12


def layers(reports: Sequence[LayerReport]) -> Figure:
    """Four panels with a place for every layer: floors and ceilings of the memory of each channel (sorted in every
    layer), ranges of the gates, suprema of the paper's core.

    All certified, but what is drawn as measured. What is not finite or not defined has a mark of its own. Raises:
    DomainError without a layer.
    """
    require(len(reports) > 0, "a figure of layers needs a layer")
    figure = canvas(7.6, 7.2)
    (floors, ceilings), (gates, suprema) = figure.subplots(2, 2)
    for axes, name, title, nowhere in (
        (floors, "horizon_floor", "floor: kept so long, certified", "no end"),
        (ceilings, "horizon_ceiling", "ceiling: forgotten from here on, certified", "no ceiling"),
    ):
        shown = _heat(axes, [report.channels[name] for report in reports], nowhere)
        axes.set_title(title, fontsize="medium", pad=10)
        figure.colorbar(shown, ax=axes, extend="both", label="tokens")
    _gates(gates, reports)
    _suprema(suprema, reports)
    for axes in (floors, ceilings, gates, suprema):
        _places(axes, reports)
    return figure


def _places(axes: Axes, reports: Sequence[LayerReport]) -> None:
    step = -(-len(reports) // _TICKS)
    axes.set_xticks(range(0, len(reports), step), [str(report.index) for report in reports[::step]])
    axes.set_xlim(-0.6, len(reports) - 0.4)
    axes.set_xlabel("layer")


def _heat(axes: Axes, rows: Sequence[Sequence[float | None]], nowhere: str) -> ScalarMappable:
    """A column for each layer, its channels from the shortest horizon up; ``nowhere``: what None says."""
    most = max(map(len, rows))
    values = np.full((most, len(rows)), np.nan)
    for place, row in enumerate(rows):
        values[: len(row), place] = np.sort([np.inf if value is None else value for value in row])
    norm = LogNorm(*_span(values[np.isfinite(values) & (values > 0)]))
    colours = colormaps["viridis"]
    image: NDArray[np.float64] = np.asarray(colours(norm(np.clip(values, norm.vmin, norm.vmax))))
    image[np.isposinf(values)] = (*(int(_NOWHERE[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0)
    image[np.isnan(values)] = 0.0
    axes.imshow(image, origin="lower", aspect="auto", interpolation="none", extent=(-0.5, len(rows) - 0.5, 0, most))
    axes.set_ylabel("channels or heads, sorted")
    lacking = np.flatnonzero(np.isposinf(values).any(axis=0))
    if lacking.size:
        style: dict[str, Any] = {"color": _NOWHERE, "marker": "v", "linestyle": "none", "markersize": 4}
        axes.plot(lacking, np.full(lacking.size, 1.03 * most), clip_on=False, **style)
        axes.set_ylim(0, most)
        square = Line2D([], [], color=_NOWHERE, marker="s", linestyle="none", label=f"{nowhere} (▼ in some channel)")
        _legend(axes, [square])
    return ScalarMappable(norm, colours)


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    """The ends of the colours, for horizons that are finite and above 0."""
    least, most = (float(values.min()), float(values.max())) if values.size else HORIZONS
    inner = max(least, HORIZONS[0]), min(most, HORIZONS[1])
    least, most = inner if inner[0] < inner[1] else (least, most)
    return least, max(most, 2 * least)


def _gates(axes: Axes, reports: Sequence[LayerReport]) -> None:
    tops = [report.delta_max for report in reports if report.delta_max is not None]
    top = 10 * max([1.0, *tops])
    handles = [Line2D([], [], color=COLOURS[0], linewidth=3, label="certified")]
    below, above = [], []
    for place, report in enumerate(reports):
        low, high = max(report.delta_min or 0.0, LEAST_GATE), top if report.delta_max is None else report.delta_max
        axes.plot([place, place], [low, max(low, high)], color=COLOURS[0], linewidth=3, solid_capstyle="butt")
        if (report.delta_min or 0.0) < LEAST_GATE:
            below.append(place)
        if report.delta_max is None:
            above.append(place)
    for places, edge, marker, label in (
        (below, LEAST_GATE, "v", f"goes on below {LEAST_GATE:g}"),
        (above, top, "^", "no upper end"),
    ):
        if places:
            axes.plot(places, [edge] * len(places), color=_NOWHERE, marker=marker, linestyle="none", clip_on=False)
            handles.append(Line2D([], [], color=_NOWHERE, marker=marker, linestyle="none", label=label))
    if any(report.measured for report in reports):
        for place, report in enumerate(reports):
            found = report.measured or {}
            drawn = [max(found[name], LEAST_GATE) for name in ("delta_min", "delta_max") if found.get(name) is not None]
            if len(drawn) == 2:
                axes.plot([place, place], drawn, color=COLOURS[6], linewidth=1.2, marker="_", markersize=4)
        handles.append(Line2D([], [], color=COLOURS[6], marker="_", label="measured, not a bound"))
    axes.set_yscale("log")
    axes.set_ylim(LEAST_GATE, top)
    axes.set_title(r"gates, $\Delta_{\min}$ to $\Delta_{\max}$", fontsize="medium")
    axes.set_ylabel("step")
    _legend(axes, handles)


def _suprema(axes: Axes, reports: Sequence[LayerReport]) -> None:
    axes.set_title("supremum of the core, given u", fontsize="medium")
    curves = (("published", "published_sup", "^", COLOURS[1]), ("sharp", "sharp_sup", "o", COLOURS[0]))
    values = {name: [None if r.paper is None else r.paper[key] for r in reports] for name, key, _, _ in curves}
    finite = [value for row in values.values() for value in row if value]
    foot, top = (min(finite) / 3, max(finite) * 3) if finite else (0.1, 10.0)
    handles = []
    for name, _, marker, colour in curves:
        known = {i: value for i, value in enumerate(values[name]) if value}
        style: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 5}
        axes.plot(list(known), list(known.values()), **style)
        handles += [Line2D([], [], label=f"{name}, certified", **style)] if known else []
    undefined = [i for i, report in enumerate(reports) if report.paper is None]
    endless = [
        i
        for i, report in enumerate(reports)
        if report.paper is not None and not all(values[name][i] for name in values)
    ]
    for places, edge, marker, label in ((undefined, foot, "x", "not defined"), (endless, top, "2", "not finite, or 0")):
        if places:
            style = {"color": COLOURS[6], "marker": marker, "linestyle": "none"}
            axes.plot(places, [edge] * len(places), clip_on=False, **style)
            handles.append(Line2D([], [], label=label, **style))
    axes.set_yscale("log")
    axes.set_ylim(foot, top)
    axes.set_ylabel("supremum")
    _legend(axes, handles)


def _legend(axes: Axes, handles: Sequence[Line2D]) -> None:
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.16), frameon=False, fontsize="small")
