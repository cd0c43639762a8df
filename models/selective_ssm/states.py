"""States after all tokens of each row, by tables of what a token does to them: one product, one sum a step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.selective_ssm.weights import Array

AT_ONCE = 1 << 14
"""States that are carried through time together: they stay in a processor's cache. No result depends on it."""


def gathered(decay: Array, inject: Array, tokens: NDArray[np.intp]) -> Array:
    """``x <- decay x + inject`` from 0, over the tokens (t,b) in their order; tables (V,s) -> states (b,s).

    A row is what it is alone, and each step is a multiplication and then an addition of float64. Tokens have to lie in
    0..V-1.
    """
    tables = [np.ascontiguousarray(table) for table in (decay, inject)]  # "take" copies others whole, at each step
    states = decay.shape[1]
    x = np.zeros((tokens.shape[1], states))
    wide = max(1, AT_ONCE // max(states, 1))
    buffers = np.empty((2, min(wide, len(x)), states))
    for start in range(0, len(x), wide):
        state = x[start : start + wide]
        factor, term = taken = buffers[:, : len(state)]
        for rows in tokens[:, start : start + wide]:
            for table, entries in zip(tables, taken, strict=True):
                table.take(rows, axis=0, out=entries, mode="clip")  # "raise" copies
            np.multiply(state, factor, out=state)
            np.add(state, term, out=state)
    return x
