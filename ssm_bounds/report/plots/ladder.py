"""The rungs of a ladder beside each other, as fractions of what they bound."""

from __future__ import annotations

import math
from collections.abc import Sequence

from flint import arb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ssm_bounds.bounds.evaluate.balls import Enclosure, float_above
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.ladder.rung import Rung
from ssm_bounds.report.plots.canvas import COLOURS, canvas

_MARKERS = {
    "gap": ("o", COLOURS[0]),
    "excess": ("s", COLOURS[1]),
    "risk": ("D", COLOURS[2]),
    "loss": ("^", COLOURS[3]),
    "difference": ("v", COLOURS[4]),
}
_WIDEST = 1e9


def ladder(rungs: Sequence[Rung]) -> Figure:
    """Value over range, logarithmic, of every rung that is not refused and is positive; the others are named as absent.

    Beyond 1e9 a marker stands at the edge, with its value written. From 1 on a bound says nothing.
    """
    figure = canvas(6.4, 0.9 + 0.3 * len(rungs))
    axes = figure.subplots()
    ratios = {i: _ratio(rung) for i, rung in enumerate(rungs) if rung.refusal is None and rung.value.upper > 0}
    left, right = min([0.1, *ratios.values()]) / 1.6, max([2.0, *ratios.values()]) * 1.6
    axes.axvspan(1, right, color="0.5", alpha=0.18, linewidth=0)
    axes.axvline(1, color="black", linewidth=0.8, linestyle="--")
    for i, rung in enumerate(rungs):
        shown = decimal_string(rung.value.upper) if rung.refusal is None else ""
        axes.text(1.02, i, shown, transform=axes.get_yaxis_transform(), va="center", size=9)
        if i not in ratios:
            absent = "not positive" if rung.refusal is None else "refused"
            axes.annotate(absent, (left, i), (8, 0), textcoords="offset points", va="center", size=9, style="italic")
            continue
        marker, colour = _MARKERS[rung.kind]
        axes.plot([left, ratios[i]], [i, i], color=colour, linewidth=1, alpha=0.5)
        axes.plot(ratios[i], i, marker=marker, color=colour, markersize=6, linestyle="none")
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(len(rungs) - 0.4, -0.6)
    axes.set_yticks(range(len(rungs)), [rung.name for rung in rungs])
    axes.set_xlabel("bound / largest possible value (from 1 on: vacuous)")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    kinds = [kind for kind in _MARKERS if any(rungs[i].kind == kind for i in ratios)]
    handles = [
        Line2D([], [], marker=_MARKERS[kind][0], color=_MARKERS[kind][1], linestyle="none", label=kind)
        for kind in kinds
    ]
    if handles:
        figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False, fontsize=9)
    return figure


def _ratio(rung: Rung) -> float:
    ratio: arb = rung.value.upper / Enclosure.point(rung.ceiling).upper
    found = float_above(ratio)
    return _WIDEST if not math.isfinite(found) else min(found, _WIDEST)
