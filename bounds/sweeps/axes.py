"""The axes of a sweep: what may vary, the points of the grid, and what follows at each from what varies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.constants import RADII, SHAPE
from ssm_bounds.bounds.architectures.selective_ssm.family import CHOSEN, LARGEST_LOGIT
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.evaluate.logs import Floats, numbers, symbols
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.sweeps.classes import Point
from ssm_bounds.bounds.sweeps.rungs import margin_lipschitz
from ssm_bounds.bounds.values import DomainError, require

COUNTS = ("T", "m", *SHAPE)
_POSITIVE = ("margin", "c", "l", "eps", "M")
_GATE = tuple(row.cell for row in CHOSEN if row.gate)
AXES = (*COUNTS, "delta", *_POSITIVE, "s_A", "p", *RADII)
"""Everything a sweep can run over."""

_CHUNK = 1 << 14
_LARGEST = 1e300  # of what a sweep takes; 1e-300 is the least that is not 0
_POINTS = 50_000_000


def labels(columns: Mapping[str, Floats]) -> dict[str, Any]:
    """Counts as integers."""
    return {name: values.astype(np.int64) if name in COUNTS else values for name, values in columns.items()}


def columns(over: Mapping[str, Sequence[float] | Floats], at: Setting) -> dict[str, Floats]:
    """Every axis's value at every point of the grid, checked."""
    require(len(over) > 0, "a sweep needs at least one axis")
    axes = {}
    for name, values in over.items():
        axes[name] = np.asarray(values, dtype=float).ravel()
        _check(name, axes[name], at)
    count = math.prod(values.size for values in axes.values())
    require(count <= _POINTS, f"{count:,} points: a sweep has at most {_POINTS:,}")
    grids = np.meshgrid(*axes.values(), indexing="ij")
    return {name: grid.ravel() for name, grid in zip(axes, grids, strict=True)}


def _check(name: str, values: Floats, at: Setting) -> None:
    if name not in AXES:
        raise DomainError(f"unknown axis {name!r}: one of {', '.join(AXES)}")
    require(values.size > 0, f"axis {name}: no values")
    require(bool((np.abs(values) <= _LARGEST).all()), f"axis {name}: values are numbers of modulus up to 1e300")
    require(len(np.unique(values)) == values.size, f"axis {name}: a value is repeated")
    if name in COUNTS:
        whole = (values >= 1) & (values == np.floor(values)) & (values < 2**53)
        require(bool(whole.all()), f"axis {name}: expected integers from 1 to 2^53, got {values[~whole][:1]}")
    elif name == "delta":
        inside = (values >= 1 / _LARGEST) & (values < 1)
        require(bool(inside.all()), "axis delta: a failure probability lies in (0, 1), and in a sweep above 1e-300")
    elif name in _POSITIVE:
        require(bool((values >= 1 / _LARGEST).all()), f"axis {name}: values are > 0, and in a sweep at least 1e-300")
    elif name in RADII:
        require(bool((values >= 0).all()), f"axis {name}: a radius is >= 0")
    require(name != "V" or at.in_class, "axis V: the embedding is not in the class, so that its rows change nothing")
    require(name not in _GATE or at.measured.gate == "softplus", f"axis {name}: this model has no gate (Delta = 1)")


def points(columns: Mapping[str, Floats], at: Setting) -> Iterator[Point]:
    """The points in chunks that a cache holds. Constants that do not move have one entry."""
    base = _base(at)
    size = len(next(iter(columns.values())))
    for start in range(0, size, _CHUNK):
        moved = {name: values[start : start + _CHUNK] for name, values in columns.items()}
        point = base | moved
        _follow(point, moved, at)
        length = min(_CHUNK, size - start)
        for name in ("T", "m", "delta", "margin", "c", "l", "unit"):
            point[name] = np.broadcast_to(point[name], (length,))
        yield point


def _base(at: Setting) -> dict[str, Floats]:
    constants = at.measured
    names = ["d", "N", "k", "s_A", *RADII, "p"]
    if at.in_class:
        names.append("V")
    if constants.gate == "none":
        names = [name for name in names if name not in _GATE]
    values = {name: float(getattr(constants, name)) for name in names}
    if at.vocabulary and constants.gate == "softplus":
        require(
            constants.logit_max is not None, "vocabulary inputs need an embedding: this model has real-valued inputs"
        )
        values["M"] = float(numbers(softplus(sym.p), {sym.p: float(constants.logit_max)}))  # type: ignore[arg-type]
    require(float(at.delta) >= 1 / _LARGEST, "delta: a sweep takes failure probabilities above 1e-300")
    values |= {"T": at.sample.T, "m": at.sample.m, "delta": float(at.delta), "margin": float(at.margin)}
    values["c"] = float(at.loss.range)
    return {name: np.array([value], dtype=float) for name, value in values.items()}


def _follow(point: dict[str, Floats], moved: Mapping[str, Floats], at: Setting) -> None:
    """Add what follows from the rest: l, the unit of the output, and radii that the decays force."""
    loss = at.loss
    point["unit"] = np.ones(1)
    if "l" not in moved:
        slope = margin_lipschitz(point["k"])
        if isinstance(loss, Ramp):  # the readout is divided by g (theory 7)
            point["unit"] = moved.get("margin", np.array([float(loss.margin)]))
            point["l"] = slope / point["unit"]
        elif isinstance(loss, ClippedCrossEntropy):
            point["l"] = slope * -np.expm1(-point["c"])
        else:
            each, which = np.unique(point["k"], return_inverse=True)
            point["l"] = np.array([float(loss.lipschitz(int(k))) for k in each])[which]
    s_A = point["s_A"]
    if moved.keys() & {"s_A", "B_A"}:
        if "B_A" in moved:
            require(bool((point["B_A"] >= np.abs(s_A)).all()), "axis B_A: B_A = max |a_jn| is at least |s_A|")
        point["B_A"] = np.maximum(point["B_A"], np.abs(s_A))
    if moved.keys() & {"s_A", "d", "N", "M_A"}:
        entries = np.where(s_A < 0, point["d"] * point["N"], 1.0)
        least = entries * np.abs(s_A)
        if "M_A" in moved:
            require(
                bool((point["M_A"] >= least * (1 - 1e-12)).all()),
                "axis M_A: M_A = sum |a_jn| is at least |s_A|, and at least d N |s_A| for s_A < 0",
            )
        point["M_A"] = np.maximum(point["M_A"], least)
    exponent = np.abs(s_A) * point["T"]
    if "B_q" in point:
        with np.errstate(over="ignore"):
            logit = numbers(LARGEST_LOGIT, symbols(point))
        require(bool((np.abs(logit) < _LARGEST).all()), "a gate logit p + B_q B_u is beyond 1e300")
        with np.errstate(over="ignore"):
            exponent = exponent * np.maximum(numbers(softplus(sym.p), {sym.p: logit}), point.get("M", 0.0))
    require(bool((exponent < _LARGEST).all()), "s_A M T is beyond 1e300: no logarithm of the sums in float64")
