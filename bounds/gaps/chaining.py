"""From entropy to a gap: the Dudley integral, a single scale, the published closed form, the margin excess.

``H(eps)`` bounds the log covering number of the class of *outputs* in sup norm over all inputs; the loss has range
[0, c] and Lipschitz constant l (theory 6).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray
from sympy import Expr, Integral, log, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import EntropyBound
from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.elementary import total
from ssm_bounds.bounds.values import Scalar, require

DUDLEY: Expr = 4 * sym.a + 12 / sqrt(sym.m) * Integral(
    sqrt(sym.H_function(sym.eps / sym.l)), (sym.eps, sym.a, sym.c / 2)
)
"""theory 6.1: bounds the Rademacher complexity for every alpha in (0, c/2]."""

GAP: Expr = 2 * sym.rademacher + sym.c * sqrt(log(2 / sym.delta) / (2 * sym.m))
"""theory 6.1: two-sided, since the bound on the Rademacher complexity holds for every sample."""

AVERAGE_GAP: Expr = 2 * sym.l * sym.rademacher + sym.c * sqrt((sym.price + log(2 / sym.delta)) / (2 * sym.m))
"""theory 14.3, two-sided, ``R_S`` the average of the outputs, bounded on every sample; with the price ln(1/pi) (7)."""

SAMPLE_GAP: Expr = 2 * sym.l * sym.rademacher + sym.c * sqrt(2 * (sym.price + log(2 / sym.delta)) / sym.m)
"""theory 16.5, two-sided, ``R_S`` a bound of the average on the sample at hand; with the price ln(1/pi) (7)."""

SINGLE_SCALE: Expr = 2 * sym.l * sym.eps + sym.c * sqrt((sym.H + sym.price + log(2 / sym.delta)) / (2 * sym.m))
"""theory 6.2, two-sided, with the price ln(1/pi) of the cell (7)."""

MARGIN_EXCESS: Expr = sqrt((sym.H + sym.price + log(1 / sym.delta)) / (2 * sym.m))
"""theory 6.3, one-sided: excess of the risk over the fraction of training margins <= g, by Pinsker."""

MARGIN_EXPONENT: Expr = (sym.H + sym.price + log(1 / sym.delta)) / sym.m
"""theory 6.3: the second argument of kl_inv."""

_ratio = 3 * sym.l * sym.C_F / (sym.c * sqrt(sym.m))
PUBLISHED_RADEMACHER: Expr = 12 * sym.l * sym.C_F / sqrt(sym.m) * (1 + log(1 / _ratio))
"""theory 2, D.4: true only if 3 l C_F <= c sqrt m."""

PUBLISHED_DEVIATION: Expr = 3 * sym.c * sqrt(log(2 / sym.delta) / (2 * sym.m))
"""theory 2, E.2: what is left of the published bound as C_F goes to 0."""

PUBLISHED_GAP: Expr = 2 * PUBLISHED_RADEMACHER + PUBLISHED_DEVIATION
"""theory 2: what the library calls `published`, our explicit-constant reading of the paper's route."""

PUBLISHED_CONDITION: Expr = _ratio
"""The published closed form applies while this ratio is at most 1, and is negative above e."""

DUDLEY_RTOL = 1e-3
_FINE = 65  # points between which alpha is chosen
_OCTAVES = 60
_MAX_CELLS = 1 << 14
_RUN = 8  # cells that share one split of a product


@dataclass(frozen=True, slots=True)
class Chaining:
    """Enclosed Dudley bound: ``rademacher`` (its upper end from an upper Riemann sum), alpha, and how many cells."""

    rademacher: Enclosure
    alpha: Enclosure
    cells: int


def dudley(entropy: EntropyBound, *, lipschitz: Enclosure, c: Scalar, m: int) -> Chaining:
    """``inf_a 4a + (12/sqrt m) int_a^{c/2} sqrt(H(e/l)) de`` at a near-optimal a, enclosed by monotone sums.

    Any a and any partition give a valid upper end, because ln N decreases; they are chosen in float64 so that the
    two sums differ by at most ``DUDLEY_RTOL``, relative. Splits of products are frozen over runs of cells.
    Units: those of the loss. Raises: DomainError (m < 1 or c <= 0). Source: theory 6.1.
    """
    require(m >= 1 and c > 0, f"Dudley integral: needs m >= 1 and c > 0, got m = {m}, c = {c}")
    half = Enclosure.point(Fraction(c) / 2)
    last = Enclosure((half.lower / lipschitz.upper).lower(), (half.upper / lipschitz.lower).upper())
    nodes = _partition(entropy, float(last.lower), m)
    # radii of outputs are exact; the losses e = l r they stand for are enclosed
    radii = [Enclosure(x, x) for x in map(arb, nodes[:-1].tolist())] + [last]
    losses = [Enclosure((r.lower * lipschitz.lower).lower(), (r.upper * lipschitz.upper).upper()) for r in radii[:-1]]
    losses.append(half)
    lower = upper = arb(0)
    starts = range(0, len(radii) - 1, _RUN)
    for start, split in zip(starts, entropy.frozen(elementary.log(nodes[starts])), strict=True):
        stop = min(start + _RUN, len(radii) - 1)
        heights = [split.log_covering(radius) for radius in radii[start : stop + 1]]
        for i, (left, right) in enumerate(itertools.pairwise(heights), start):
            width = losses[i + 1].lower - losses[i].upper, losses[i + 1].upper - losses[i].lower
            lower += width[0] * right.lower.sqrt()
            upper += width[1] * left.upper.sqrt()
    alpha, factor = losses[0], 12 / arb(m).sqrt()
    return Chaining(
        Enclosure((4 * alpha.lower + factor * lower).lower(), (4 * alpha.upper + factor * upper).upper()),
        alpha,
        len(radii) - 1,
    )


def _partition(entropy: EntropyBound, last: float, m: int) -> NDArray[np.float64]:
    """Increasing radii from a near-optimal alpha/l to ``last``, refined until the sums are close. Float64: no claim."""
    factor = 3 / math.sqrt(m)  # of 4 alpha + (12/sqrt m) integral, in units of 4 l

    def height(radii: NDArray[np.float64]) -> NDArray[np.float64]:
        return factor * np.sqrt(entropy.approximate(elementary.log(radii)))

    def best(radii: NDArray[np.float64], heights: NDArray[np.float64]) -> int:
        steps = np.diff(radii) * (heights[1:] + heights[:-1]) / 2
        bound = radii + np.append(np.cumsum(steps[::-1])[::-1], 0.0)  # summed one by one
        # the largest alpha within DUDLEY_RTOL/10 of the best: smaller ones only add cells
        return int(np.flatnonzero(bound <= (1 + DUDLEY_RTOL / 10) * np.nanmin(bound))[-1])

    halves = np.arange(-2 * _OCTAVES, 1)
    nodes = last * np.ldexp(np.where(halves % 2, math.sqrt(2), 1.0), halves // 2)
    heights = height(nodes)
    first = best(nodes, heights)
    low, high = max(first - 1, 0), min(first + 1, len(nodes) - 1)
    fine = np.linspace(nodes[low], nodes[high], _FINE)
    nodes = np.concatenate([fine, nodes[high + 1 :]])
    heights = np.concatenate([height(fine), heights[high + 1 :]])
    first = best(nodes, heights)
    nodes, heights = nodes[first:], heights[first:]
    while 1 < len(nodes) < _MAX_CELLS:
        gaps = np.diff(nodes) * -np.diff(heights)
        value = nodes[0] + total(np.diff(nodes) * heights[1:])
        held = total(gaps)
        if held <= 0.8 * DUDLEY_RTOL * value:
            break
        wide = np.flatnonzero(gaps > 0.5 * held / len(gaps))
        middles = (nodes[wide] + nodes[wide + 1]) / 2
        nodes, heights = np.insert(nodes, wide + 1, middles), np.insert(heights, wide + 1, height(middles))
    return nodes
