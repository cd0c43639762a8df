"""What grows with the sequence length, and where it stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ssm_bounds.bounds.values import require
from ssm_bounds.report.plots.canvas import COLOURS, canvas

LEVEL = 0.9
"""A curve has levelled off where it reaches this share of its last value for good."""

_STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))


def levels_off(lengths: Sequence[int], values: Sequence[float]) -> int | None:
    """The first length from which on every value is at least 0.9 of the last; None if that is the last length alone.

    >>> levels_off([1, 10, 100, 1000], [1.0, 5.0, 9.9, 10.0])
    100
    """
    short = np.flatnonzero(np.asarray(values, float) < LEVEL * values[-1])
    first = short[-1] + 1 if len(short) else 0
    return None if first == len(lengths) - 1 else lengths[first]


def against_length(lengths: Sequence[int], curves: Mapping[str, Sequence[float]], ylabel: str) -> Figure:
    """Curves over T on logarithmic scales, each marked where it levels off.

    Shapes: as many values in each curve as lengths, increasing. Raises: DomainError.
    """
    require(all(len(values) == len(lengths) for values in curves.values()), "a curve has one value for each length")
    figure = canvas()
    axes = figure.subplots()
    for (name, values), colour, (line, marker) in zip(curves.items(), COLOURS, _STYLES, strict=False):
        axes.plot(lengths, values, color=colour, linestyle=line, label=name)
        place = levels_off(lengths, values)
        if place is not None:
            axes.plot([place], [values[list(lengths).index(place)]], color=colour, marker=marker, linestyle="none")
    axes.set(xscale="log", yscale="log", xlabel="T (tokens)", ylabel=ylabel)
    axes.legend(loc="upper left", frameon=False, title="marked where it levels off")
    return figure
