"""Which rows belong together: patients, authors, threads; from whatever names them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.task import TaskError

_NONE = ("", "nan", "NaN", "None")
"""What an empty entry of a table turns into."""


def read_groups(names: NDArray) -> NDArray[np.int64]:
    """The number of each row's group, from 0 on, from integers or strings (m,); spaces around a name are none of it.

    Raises: TaskError.

    >>> read_groups(np.array(["ann", "bob", "ann "])).tolist()
    [0, 1, 0]
    """
    if names.ndim != 1 or names.dtype.kind not in "iuU":
        raise TaskError(
            f"expected the group of each row, integers or strings (m,), found {names.dtype} of shape {names.shape}"
        )
    if names.dtype.kind == "U":
        names = np.char.strip(names)
        if (empty := np.flatnonzero(np.isin(names, _NONE))).size:
            told = f"row {empty[0]} has no group" + (f" ({str(names[empty[0]])!r})" if names[empty[0]] else "")
            raise TaskError(f"{told}; name a group of its own for every row that has none")
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
