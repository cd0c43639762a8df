"""The margin g of least certified risk (theory 7, 8.3), chosen with the data: free for every rung that has one.

The margin rungs pay the cell of ``B_product/g`` (``v_product/g`` with vocabulary constants) whatever g is, and the
prior of pac-bayes is over W/g. So the bounds at all g hold at once, and any function of the data may choose among them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.selective_ssm.family import vocabulary_constants
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.ladder.margin import margin, margin_groups, margin_risk
from ssm_bounds.bounds.ladder.margin_rows import with_margins
from ssm_bounds.bounds.ladder.of_class import of_class
from ssm_bounds.bounds.ladder.pac_bayes import LEAST_MARGIN, Family
from ssm_bounds.bounds.ladder.rung import Rung, Setting
from ssm_bounds.bounds.selection.cells import grid, index_above
from ssm_bounds.bounds.values import DomainError, Scalar, require

Array = NDArray[np.float64]

_STRIDE = 16  # candidates between two at which the exponent is computed before the best few are known
_REFINED = 3
_OCTAVES = 20


def choose_margin(setting: Setting, margins: Array, family: Family | None = None) -> Scalar:
    """The g at which the smallest of the certified risks of margin, margin-groups and (with a family) pac-bayes lies.

    Each rung counts at delta over their number. Candidates of the first two: the least g of each cell ``2^{j/8}`` of
    ``B_product/g``; of pac-bayes the g of ``ladder.margin_rows.with_margins``, whatever that of the family. Of
    equal risks the larger g. ``setting.margin`` is of no account.

    ``margins``: those of the training rows, or proven lower bounds of them; what is not a finite number counts as an
    error. Shapes: margins (m,). Raises: DomainError when no margin is positive. Source: theory 7, 8.3.
    """
    known = np.where(np.isfinite(margins), margins, -np.inf)
    if not (known > 0).any():
        raise DomainError("--margin auto: no training row has a positive margin; there is no margin to choose")
    delta = setting.delta / (2 if family is None else 3)
    ordered = np.sort(known)

    def at(rung: Callable[..., Rung]) -> Callable[[Scalar], Rung]:
        return lambda g: rung(replace(setting, margin=g), delta)

    products = (_product(setting, groups) for groups in (False, True))
    found = [_best(at(rung), ordered, product) for rung, product in zip((margin, margin_groups), products, strict=True)]
    if family is not None:
        bound = with_margins(family, len(known), delta, known)
        found.append((bound.risk.float_upper(), float(bound.g)))
    return min(found, key=lambda pair: (pair[0], -pair[1]))[1]


def _best(rung: Callable[[Scalar], Rung], ordered: Array, product: Fraction) -> tuple[float, float]:
    """The least risk of one margin rung and its g: exponents at a few g, a line between them, then the best few."""
    candidates = _candidates(product, ordered)
    n = len(ordered)
    errors = [int(np.searchsorted(ordered, g, side="right")) for g in candidates]
    anchors = sorted({*range(0, len(candidates), _STRIDE), len(candidates) - 1})
    made = {i: rung(candidates[i]) for i in anchors}
    exponents = _between({i: _exponent(made[i]) for i in anchors})
    rough = [
        kl_inv(Fraction(count, n), Enclosure.point(exponent)).float_upper()
        for count, exponent in zip(errors, exponents, strict=True)
    ]
    few = sorted(range(len(candidates)), key=lambda i: (rough[i], i))[:_REFINED]
    risks = {i: margin_risk(made[i] if i in made else rung(candidates[i]), errors[i], n).float_upper() for i in few}
    best = min(few, key=lambda i: (risks[i], i))
    return risks[best], candidates[best]


def _exponent(rung: Rung) -> float:
    found = of_class(rung).exponent
    return math.inf if found is None else found.float_upper()


def _product(setting: Setting, groups: bool) -> Fraction:
    """What is divided by g in the cell that every class pays (``selective_ssm.family.selected_classes``)."""
    measured = setting.measured
    of_words = groups and setting.vocabulary
    factors = vocabulary_constants(measured) if of_words else (measured.B_w, measured.B_B, measured.B_C)
    scale = Fraction(measured.B_u) ** 3 if setting.in_class else Fraction(1)
    return math.prod((Fraction(factor) for factor in factors), start=scale) or Fraction(1)  # 0: one cell for every g


def _candidates(product: Fraction, ordered: Array) -> list[float]:
    """``product/2^{j/8}`` rounded up to a float64, falling, from about the largest margin to the least positive one."""
    least, most = 2 * LEAST_MARGIN, 1 / LEAST_MARGIN / 2  # a factor 2 from the ends: a cell is a factor 2^{1/8}
    inside = ordered[(ordered >= least) & (ordered <= most)]
    require(len(inside) > 0, f"--margin auto: every positive margin lies outside {least:.0e} to {most:.0e}")
    largest = Fraction(float(inside[-1]))
    smallest = max(Fraction(float(inside[0])), largest / 2**_OCTAVES)
    indices = range(index_above(product / largest), index_above(product / smallest) + 1)
    found = [Enclosure.point(product / Fraction(grid(j))).float_upper() for j in indices]
    return [g for g in found if LEAST_MARGIN < g < 1 / LEAST_MARGIN]


def _between(values: dict[int, float]) -> Sequence[float]:
    """Values at 0, 1, ..., on the lines between those at hand."""
    ends = sorted(values)
    lines = [
        values[low] + (values[high] - values[low]) * (i - low) / (high - low)
        for low, high in itertools.pairwise(ends)
        for i in range(low, high)
    ]
    return [*lines, values[ends[-1]]]
