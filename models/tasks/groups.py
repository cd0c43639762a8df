"""Which rows belong together: patients, authors, threads; from whatever names them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.task import TaskError


def read_groups(names: NDArray) -> NDArray[np.int64]:
    """The number of each row's group, from 0 on, from integers or strings (m,). Raises: TaskError.

    >>> read_groups(np.array(["ann", "bob", "ann"])).tolist()
    [0, 1, 0]
    """
    if names.ndim != 1 or names.dtype.kind not in "iuU":
        raise TaskError(
            f"expected the group of each row, integers or strings (m,), found {names.dtype} of shape {names.shape}"
        )
    if names.dtype.kind == "U" and (empty := np.flatnonzero(np.char.strip(names) == "")).size:
        raise TaskError(f"row {empty[0]} has no group; name a group of its own for every row that has none")
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
