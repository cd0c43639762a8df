"""Gaps of several architectures at equal constants against T: one line a row."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.values import require
from ssm_bounds.comparison import Comparison
from ssm_bounds.report.plots.canvas import COLOURS, canvas

_STYLES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")
_MARKERS = "osv^DP*X"
_TOP = 3
"""Lines leave the figure at this multiple of the range of the loss: there, only the fact matters."""


def against_length(found: Comparison) -> Figure:
    """A colour for each architecture, a line style for each constant; trained models in grey with marks of their own.

    Lines join the lengths that were evaluated, and are no bound between them. Raises: DomainError (one length alone).
    """
    require(len(found.lengths) > 1, "a figure of bounds against T needs two lengths or more: give --T several times")
    figure = canvas(8.6, 4.8)
    axes = figure.subplots()
    architectures = list(dict.fromkeys(row.name for row in found.rows if row.kind == "class"))
    handles, drawn = list[Line2D](), list[float]()
    seen, models = Counter[str](), 0
    for row in found.rows:
        if row.kind == "class":
            colour, marker = COLOURS[architectures.index(row.name) % len(COLOURS)], "."
            style = _STYLES[seen[row.name] % len(_STYLES)]
        else:
            colour, marker, style = "0.35", _MARKERS[models % len(_MARKERS)], _STYLES[0]
            models += 1
        seen[row.name] += 1
        points = {value.T: _size(value.bound) for value in row.values if value.bound is not None}
        label = ", ".join(part for part in (row.name, row.which) if part)
        axes.plot(list(points), list(points.values()), color=colour, linestyle=style, marker=marker, ms=4, lw=1.4)
        handles.append(Line2D([], [], color=colour, linestyle=style, marker=marker, ms=4, label=label))
        drawn += points.values()
    ceiling = float(found.loss.range)
    if max(drawn, default=0.0) > 0.8 * ceiling:
        axes.axhline(ceiling, color="0.6", lw=0.8, zorder=0)
        handles.append(Line2D([], [], color="0.6", lw=0.8, label="vacuous from here up"))
    axes.set(xscale="log", yscale="log", xlabel="T (tokens)", ylabel="bound of the gap, before theory 7")
    if max(drawn, default=0.0) > _TOP * ceiling:
        axes.set_ylim(top=_TOP * ceiling)
        axes.set_title("lines that reach the top go on beyond it", fontsize="small", loc="right")
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize="small", handlelength=3)
    return figure


def _size(bound: Enclosure) -> float:
    """Of any size, where a figure still has a place for it."""
    return min(bound.float_upper(), 1e30)
