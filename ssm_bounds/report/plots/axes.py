"""What figures of sweeps share: scales that fit the values, and labels with symbols and units."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ssm_bounds.bounds.notation import NOTATION

Floats = NDArray[np.float64]

_NAMES = {"margin": "g", "eps": "epsilon"}
_WIDE = 20.0


def symbol(name: str) -> str:
    """The symbol of an axis, for mathtext."""
    return f"${NOTATION[_NAMES.get(name, name)].latex}$"


def described(name: str) -> str:
    """What an axis is: meaning, symbol and unit."""
    entry = NOTATION[_NAMES.get(name, name)]
    unit = "" if entry.unit in ("count", "1") else f"  [{entry.unit}]"
    return f"{entry.meaning}, {symbol(name)}{unit}"


def scale_x(axes: Axes, values: Floats) -> None:
    """Linear; logarithmic where the values span more than a factor, on both sides of 0 where they have both signs."""
    sizes = np.abs(values[values != 0])
    if len(sizes) and values.min() > 0 and values.max() > _WIDE * values.min():
        axes.set_xscale("log")
    elif len(sizes) and values.min() < 0 <= values.max() and _uneven(values):
        axes.set_xscale("symlog", linthresh=float(sizes.min()))


def _uneven(values: Floats) -> bool:
    steps = np.diff(np.unique(values))
    return bool(steps.max() > _WIDE * steps.min())
