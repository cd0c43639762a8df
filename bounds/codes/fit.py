"""The shortest code of given tensors. How it is found is free: a certificate holds for all codes of the prior at once.

Source: theory 8.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.codes import symmetries
from ssm_bounds.bounds.codes.layout import Layout, corner, row_count, taken
from ssm_bounds.bounds.codes.scheme import SCHEMES, STEPS, Scheme
from ssm_bounds.bounds.codes.symbols import ALPHABETS
from ssm_bounds.bounds.codes.tensors import Code
from ssm_bounds.bounds.values import DomainError, require

Array = NDArray[np.float64]


def fitted(layout: Layout, tensors: Mapping[str, Array], scheme: Scheme) -> Code:
    """The code of one scheme for these tensors (multiples of 2^{-9}): the shortest, but for its steps.

    A step is the largest that divides its weights, so that integers are smallest. Raises: DomainError.
    """
    arrays = {name: np.asarray(tensors[name], dtype=np.float64) for name in layout.axes()}
    sizes = layout.sizes()
    kept = tuple(
        _extent(layout, arrays, index) if scheme.width == "narrow" else sizes[index] for index in layout.narrow
    )
    cut = [arrays[name][corner(shape)] for name, shape in layout.shapes(kept).items()]
    if scheme.steps == "row":
        parts = [row for part in cut for row in part.reshape(row_count(part.shape), -1)]
    else:
        parts = cut if scheme.steps == "block" else [np.concatenate([part.ravel() for part in cut])]
    steps = tuple(_exponent(part) for part in parts)
    groups = len(cut) if scheme.pool == "block" else 1
    code = Code(layout, scheme, kept, steps, (0,) * groups)
    lengths = [[kind.about(z) for kind in ALPHABETS[scheme.symbols]] for _, z in code.groups(code.integers(arrays))]
    return Code(layout, scheme, kept, steps, tuple(row.index(min(row)) for row in lengths))


def arranged(layout: Layout, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The model in the order of representatives, what has no weights last: a narrow code leaves out what it can.

    Sums change their order, and so may the last bits of an answer.
    """
    arrays = {name: np.asarray(tensors[name], dtype=np.float64) for name in layout.axes()}
    one_step = {name: (0,) * row_count(shape) for name, shape in layout.shapes().items()}
    return taken(layout, arrays, symmetries.order(layout, arrays, one_step))


def shortest(layout: Layout, tensors: Mapping[str, Array], schemes: Sequence[Scheme] = SCHEMES) -> Code:
    """The shortest of the :func:`fitted` codes; the first of several.

    Raises: DomainError where no code holds these weights.
    """
    codes = [fitted(layout, tensors, scheme) for scheme in schemes]
    lengths = [code.about(code.integers(tensors)) for code in codes]
    require(math.isfinite(min(lengths)), "no code of the given schemes holds these weights")
    return codes[lengths.index(min(lengths))]


def _exponent(values: Array) -> int:
    """The least k with all values multiples of 2^{-k}."""
    for k in range(len(STEPS)):
        scaled = values * 2.0**k
        if np.array_equal(scaled, np.rint(scaled)):
            return k
    raise DomainError(f"a weight is no multiple of the smallest step, 2^-{len(STEPS) - 1}")


def _extent(layout: Layout, tensors: Mapping[str, Array], index: str) -> int:
    """The least number of first values of an index (at least 1) outside which every weight is zero."""
    axes, last = layout.axes(), 0
    for name in layout.carriers(index):
        used = np.nonzero(tensors[name])[axes[name].index(index)]
        last = max(last, int(used.max(initial=0)))
    return last + 1
