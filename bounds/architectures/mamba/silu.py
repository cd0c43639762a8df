"""Ranges of ``SiLU(x) = x/(1 + e^-x)`` and of its derivative on intervals. Source: theory M1.2.

SiLU falls to its minimum at X_MIN and rises after it; its derivative rises between -X_BEND and X_BEND, which are its
minimum and maximum, and falls outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, below

X_MIN = 1.2784645427610738  # -argmin, as the next three within 2^-52 of the exact number, relative
W = 0.2784645427610738  # -min = W(1/e): SiLU(x) = -W at x = -(1 + W)
X_BEND = 2.3993572805154677  # x tanh(x/2) = 2
SLOPE = 1.0998393201288669  # SiLU'(X_BEND); 1 - SLOPE at -X_BEND
_NEAR = 2.0**-48
_FUNCTION = 80  # roundings allowed to a quotient of exponentials (outward: 64 to an exponential)


def silu(x: Any) -> Floats:
    """Relatively exact on both sides of 0: ``x/(1 + e^-x)`` or ``x e^x/(1 + e^x)``."""
    x = np.asarray(x, dtype=np.float64)
    power = elementary.exp(-np.abs(x))
    return x * np.where(x < 0, power, 1.0) / (1 + power)


def silu_range(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Both ends of SiLU on intervals [low, high] of any shape."""
    ends = silu(low), silu(high)
    lowest = np.minimum(*(below(end, _FUNCTION) for end in ends))
    highest = np.maximum(*(above(end, _FUNCTION) for end in ends))
    return np.where(_inside(low, -X_MIN, high), -W * (1 + _NEAR), lowest), highest


def steepest(low: Floats, high: Floats) -> Floats:
    """``sup |SiLU'|`` on intervals [low, high]."""
    ends = np.maximum(_slope_above(low), _slope_above(high))
    ends = np.maximum(ends, np.where(_inside(low, -X_BEND, high), (SLOPE - 1) * (1 + _NEAR), 0.0))
    return np.maximum(ends, np.where(_inside(low, X_BEND, high), SLOPE * (1 + _NEAR), 0.0))


def _slope_above(x: Any) -> Floats:
    """|SiLU'(x)|, ``SiLU'(x) = s(1 + x(1 - s))`` with the sigmoid s, from above."""
    x = np.asarray(x, dtype=np.float64)
    power = elementary.exp(-np.abs(x))
    small, large = power / (1 + power), 1 / (1 + power)
    s, rest = np.where(x < 0, small, large), np.where(x < 0, large, small)
    return np.asarray(above(np.abs(s + x * s * rest), _FUNCTION, s + np.abs(x) * s * rest))


def _inside(low: Floats, x: float, high: Floats) -> Any:
    """Whether an interval may hold a point known to a few last bits."""
    return (low <= x + _NEAR * abs(x)) & (high >= x - _NEAR * abs(x))
