"""Where the printed closed form of the Dudley integral holds, and where it turns negative (theory 2, D.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.balls import enclose
from ssm_bounds.bounds.gaps.chaining import PUBLISHED_RADEMACHER
from ssm_bounds.bounds.values import require
from ssm_bounds.report.plots.canvas import COLOURS, canvas


def complexity(ratio: float) -> float:
    """The printed bound of the Rademacher complexity in units of c, at ``ratio = 3 l C_F/(c sqrt m)``."""
    return enclose(PUBLISHED_RADEMACHER, {sym.l: 1, sym.c: 1, sym.m: 9, sym.C_F: ratio}).float_upper()


def closed_form(models: Mapping[str, float]) -> Figure:
    """The closed form against ``3 l C_F/(c sqrt m)``, beside the infimum that it stands for: 4c beyond ratio 1.

    ``models``: ratios by name, each drawn as a point. Raises: DomainError (a ratio that is not above 0).
    """
    require(all(0 < ratio < math.inf for ratio in models.values()), f"ratios must be finite and > 0, got {models}")
    ends = [1e-2, 1e2, *models.values()]
    ratios = np.union1d(np.geomspace(min(ends), 10 * max(ends), 120), np.geomspace(1, 10, 40))
    values = [complexity(ratio) for ratio in ratios.tolist()]
    inside = ratios <= 1
    figure = canvas()
    axes = figure.subplots()
    axes.axvspan(ratios[0], 1, color="0.92", label=r"range of the lemma: $3\,l\,C_F \leq c\,\sqrt{m}$")
    axes.plot(ratios, values, color=COLOURS[1], label="closed form, as printed")
    axes.plot(
        ratios, np.where(inside, values, 4), color=COLOURS[0], linestyle="--", label="infimum over the integral's end"
    )
    for marker, (name, ratio) in zip("osD^v", models.items(), strict=False):
        axes.plot([ratio], [complexity(ratio)], color=COLOURS[6], marker=marker, linestyle="none", label=name)
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_xlim(ratios[0], ratios[-1])
    lowest = math.ceil(math.log10(-min(values))) if min(values) < -1 else 1
    axes.set_ylim(-(10.0**lowest), 100)
    step = max(1, round(lowest / 5))
    axes.set_yticks([-(10.0**k) for k in range(lowest, 0, -step)] + [0, 10])
    axes.set_xlabel(r"$3\,l\,C_F/(c\,\sqrt{m})$")
    axes.set_ylabel("bound of the Rademacher complexity (units of c)")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.84), frameon=False)
    return figure
