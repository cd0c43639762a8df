"""Rows that share a group are one unit: its loss is the mean over its rows (theory 8.5, hypothesis U)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.values import require

Groups: TypeAlias = NDArray[np.int64]
"""Of each row the number of its group: 0 to n - 1, each of which occurs."""


def means(values: NDArray[np.integer], groups: Groups) -> Floats:
    """Mean (n,) of whole numbers (m,) in each group: the least float64 that is not below it. Raises: DomainError.

    >>> means(np.array([1, 0, 0, 1]), np.array([0, 0, 0, 1])).tolist()
    [0.33333333333333337, 1.0]
    """
    fits = values.shape == groups.shape and values.ndim == 1 and values.size > 0 and groups.min() >= 0
    require(bool(fits), f"groups: needs one for each of the losses (m,), got {groups.shape} for {values.shape}")
    sizes = np.bincount(groups)
    require(bool(sizes.all()), "groups: one has no rows")
    sums = np.zeros(len(sizes), dtype=np.int64)
    np.add.at(sums, groups, values)
    return np.array([_above(*each) for each in zip(sums.tolist(), sizes.tolist(), strict=True)])


def _above(total: int, size: int) -> float:
    nearest = total / size  # of two integers the quotient is rounded to the nearest
    return nearest if Fraction(nearest) * size >= total else math.nextafter(nearest, math.inf)
