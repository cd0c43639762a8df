"""``sweep``: a rung over a labelled grid of constants."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ssm_bounds.bounds.evaluate.logs import Floats
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.sweeps import axes, coefficients
from ssm_bounds.bounds.sweeps.classes import Point, measured
from ssm_bounds.bounds.sweeps.rungs import RUNGS, SELECTED
from ssm_bounds.bounds.values import require

Result = TypeVar("Result")

_LN10 = math.log(10)
_LARGEST_LOG = math.log(np.finfo(float).max)


def sweep(
    rung: str, over: Mapping[str, Sequence[float] | Floats], at: Setting, *, selection: bool = True
) -> pd.DataFrame:
    """One rung at every combination of the values of ``over``, everything else as in ``at``. Float64: not certified.

    ``rung``: published, repaired, sharp, scale or margin. ``at``: the setting of a certificate, or one made from
    ``MeasuredConstants``. ``over``: values by name, any of ``sweeps.axes.AXES``:

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
    columns = axes.columns(over, at)
    evaluate = partial(RUNGS[rung], paid=selection) if rung in SELECTED else RUNGS[rung]
    found = _each(evaluate, columns, at)

    def joined(name: str) -> Any:
        return np.concatenate([getattr(values, name) for values in found])

    log, sign = joined("log"), joined("sign")
    held = np.abs(log) <= _LARGEST_LOG
    table = pd.DataFrame({"rung": rung, **axes.labels(columns)})
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
    columns = axes.columns(over, at)

    def logarithms(point: Point) -> dict[str, Floats]:
        values = coefficients.sharp(measured(point), point["T"])
        return {name: np.broadcast_to(value, point["T"].shape) for name, value in values.items()}

    found = _each(logarithms, columns, at)
    table = pd.DataFrame(axes.labels(columns))
    for name in found[0]:
        label = name if name in ("M", "R_1", "R_2") else f"beta_{name}"
        table[f"ln {label}"] = np.concatenate([values[name] for values in found])
    return table


def _each(evaluate: Callable[[Point], Result], columns: Mapping[str, Floats], at: Setting) -> list[Result]:
    """What a function gives on every chunk of points, in order, on all cores: array operations hold no lock."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(evaluate, axes.points(columns, at)))
