"""The Gaussian prior over parameters, and its noise. Source: theory 8.2."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.normal import inverse_cdf

Array = NDArray[np.float64]
PRIOR = "normal-1"
"""Name of the prior below. A changed prior is a new name."""
_CENTER = {"A": -1.0}
_SPAWN_KEY = (8, 2)  # a stream that no task's data come from


def prior_center(sizes: Mapping[str, int]) -> Array:
    """Centre of the prior P over all parameters, block after block: -1 for A, else 0; P = N(centre, I).

    ``sizes``: block name to number of entries. Fixed for every model and every data set. Decays are negative in a
    stable model; everything else may have either sign, and the rescalings of theory 7 bring any model to scale 1.

    >>> prior_center({"A": 2, "W": 1}).tolist()
    [-1.0, -1.0, 0.0]
    """
    return np.concatenate([np.full(size, _CENTER.get(name, 0.0)) for name, size in sizes.items()])


def standard_normal(seed: int, n: int) -> Array:
    """n values of the stream of ``seed``: raw bits of PCG64 (the same in every NumPy) through the inverse normal cdf of
    ``evaluate.normal``, the same on every machine.

    >>> standard_normal(0, 2).tolist()
    [-1.3199234490744902, -0.23606116447717404]
    """
    raw = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=_SPAWN_KEY)).random_raw(n)
    return inverse_cdf(((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)
