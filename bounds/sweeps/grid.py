"""``sweep``: a rung over a labelled grid of constants."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.constants import RADII, SHAPE
from ssm_bounds.bounds.architectures.selective_ssm.family import CHOSEN, LARGEST_LOGIT
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.evaluate.logs import Floats, numbers, symbols
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.sweeps import coefficients
from ssm_bounds.bounds.sweeps.classes import Point, measured
from ssm_bounds.bounds.sweeps.rungs import RUNGS, SELECTED, margin_lipschitz
from ssm_bounds.bounds.values import DomainError, require

Result = TypeVar("Result")

COUNTS = ("T", "m", *SHAPE)
_POSITIVE = ("margin", "c", "l", "eps", "M")
_GATE = tuple(row.cell for row in CHOSEN if row.gate)
AXES = (*COUNTS, "delta", *_POSITIVE, "s_A", "p", *RADII)
"""Everything a sweep can run over."""

_CHUNK = 1 << 14
_LARGEST = 1e300  # of what a sweep takes; 1e-300 is the least that is not 0
_POINTS = 50_000_000
_LN10 = math.log(10)
_LARGEST_LOG = math.log(np.finfo(float).max)


def sweep(
    rung: str, over: Mapping[str, Sequence[float] | Floats], at: Setting, *, selection: bool = True
) -> pd.DataFrame:
    """One rung at every combination of the values of ``over``, everything else as in ``at``. Float64: not certified.

    ``rung``: published, repaired, sharp, scale or margin. ``at``: the setting of a certificate, or one made from
    ``MeasuredConstants``. ``over``: values by name, any of :data:`AXES`:

    - sizes T, m, d, N, k, V (V with the embedding in the class alone); delta; the margin g of the margin rung;
    - constants of the class: s_A, B_A, M_A, B_u, B_B, M_B, B_C, M_C, B_w, M_w and with a gate B_q, M_q, p; M, a cap on
      every gate in place of ``softplus(p + B_q B_u)``;
    - the loss: its range c and Lipschitz constant l; and eps, the covering radius of `scale` in units of the output
      (else the best one is found at each point; `margin` has its own, ``g/2`` or ``g/(2 sqrt 2)``).

    What follows what: B_A is raised to ``|s_A|`` where s_A passes it, and M_A to the least that s_A, d and N allow
    (``d N |s_A|`` for s_A < 0), unless they are axes themselves: then a DomainError. l follows margin and k (ramp)
    or c and k (clipped cross-entropy) unless it is an axis. p takes the interval of the class with it. For vocabulary
    inputs the cap M stays as measured. Everything else stays, the l1 radii too.

    ``selection``: `scale` and `margin` with section 7 (grid cells, and their price, recomputed at every point: a step
    function of the constants), or at the measured constants themselves, nothing paid. The other rungs never pay.

    Returns: one row for each point, the last axis fastest: ``rung``, a column for each axis, ``value`` (NaN where no
    double holds it), ``log10`` (of |value|, finite everywhere), ``negative`` (as the published formula can be beyond
    its hypothesis), ``vacuous`` (at least the range of what it bounds), ``applies`` (its hypothesis holds), ``price``
    (nats that the value includes), ``eps`` and ``entropy`` (radius and ``H`` there; NaN for a rung without).

    Accuracy: `scale` and `margin` at a given split to 1e-10 relative; `scale` at a radius chosen as a certificate
    chooses its own, nearly the best; `repaired` and `sharp` within about 2e-3 of the Dudley integral, and 1e-2 where
    m is below 100. Certificates: ``ssm_bounds.certify``.
    Raises: DomainError, with the name of the axis.

    >>> from ssm_bounds.bounds.architectures.selective_ssm.constants import MeasuredConstants
    >>> from ssm_bounds.bounds.values import Sample
    >>> from ssm_bounds.bounds.gaps.losses import Ramp
    >>> one = MeasuredConstants(d=1, N=1, k=1, V=None, gate="none", s_A=-1, B_A=1, M_A=1, B_u=1, B_B=1, M_B=1, B_C=1,
    ...                         M_C=1, B_q=0, M_q=0, p=0, B_w=1, M_w=1)
    >>> table = sweep("margin", {"T": [1, 10**9]}, Setting(one, Sample(1000, 1), Ramp(1), 1), selection=False)
    >>> table[["T", "value"]].round(4).to_dict("list")
    {'T': [1, 1000000000], 'value': [0.0731, 0.0774]}
    """
    require(rung in RUNGS, f"unknown rung {rung!r}: one of {', '.join(RUNGS)}")
    require("eps" not in over or rung == "scale", f"eps is an axis of the rung scale; {rung} has no radius to choose")
    columns = _columns(over, at)
    evaluate = partial(RUNGS[rung], paid=selection) if rung in SELECTED else RUNGS[rung]
    found = _each(evaluate, columns, at)

    def joined(name: str) -> Any:
        return np.concatenate([getattr(values, name) for values in found])

    log, sign = joined("log"), joined("sign")
    held = np.abs(log) <= _LARGEST_LOG
    table = pd.DataFrame({"rung": rung, **_labels(columns)})
    table["value"] = np.where(held, sign * np.exp(np.where(held, log, 0.0)), np.nan)
    table["log10"] = log / _LN10
    table["negative"] = sign < 0
    range_ = columns.get("c", np.array(float(at.loss.range)))
    table["vacuous"] = (sign > 0) & (log >= (0.0 if rung == "margin" else np.log(range_)))
    for name in ("applies", "price", "eps", "entropy"):
        table[name] = joined(name)
    return table


def sharp_constants(over: Mapping[str, Sequence[float] | Floats], at: Setting) -> pd.DataFrame:
    """``ln`` of M, R_1, R_2 (theory 4.5) and of each beta (5.1, 5.4) of the measured class. Float64: not certified.

    ``over`` as in :func:`sweep`. Columns: the axes, ``ln M``, ``ln R_1``, ``ln R_2``, ``ln beta_A``, ... : natural
    logarithms, so that nothing overflows; -inf is the logarithm of 0. Accuracy: 1e-10 absolute, that is relative in the
    constant itself, while it fits a double and the gate logits stay below 1e4; beyond, 1e-13 of the logarithm.
    """
    columns = _columns(over, at)

    def logarithms(point: Point) -> dict[str, Floats]:
        values = coefficients.sharp(measured(point), point["T"])
        return {name: np.broadcast_to(value, point["T"].shape) for name, value in values.items()}

    found = _each(logarithms, columns, at)
    table = pd.DataFrame(_labels(columns))
    for name in found[0]:
        label = name if name in ("M", "R_1", "R_2") else f"beta_{name}"
        table[f"ln {label}"] = np.concatenate([values[name] for values in found])
    return table


def _each(evaluate: Callable[[Point], Result], columns: Mapping[str, Floats], at: Setting) -> list[Result]:
    """What a function gives on every chunk of points, in order, on all cores: array operations hold no lock."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(evaluate, _points(columns, at)))


# --- axes ----------------------------------------------------------------------------------------------------------


def _labels(columns: Mapping[str, Floats]) -> dict[str, Any]:
    return {name: values.astype(np.int64) if name in COUNTS else values for name, values in columns.items()}


def _columns(over: Mapping[str, Sequence[float] | Floats], at: Setting) -> dict[str, Floats]:
    """Every axis's value at every point of the grid, checked."""
    require(len(over) > 0, "a sweep needs at least one axis")
    axes = {}
    for name, values in over.items():
        axes[name] = np.asarray(values, dtype=float).ravel()
        _check(name, axes[name], at)
    points = math.prod(values.size for values in axes.values())
    require(points <= _POINTS, f"{points:,} points: a sweep has at most {_POINTS:,}")
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


def _points(columns: Mapping[str, Floats], at: Setting) -> Iterator[Point]:
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
