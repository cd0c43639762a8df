"""Rows of tokens without labels, from a NumPy archive: what a model is run on to be looked at."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.arrays import located, read_known
from ssm_bounds.models.tasks.task import TaskError


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """``x`` (m,T) of int64, from 0 on; of row i the first ``lengths[i]`` (m,) count, at least one. ``source``: the
    file, for errors."""

    x: NDArray[np.int64]
    lengths: NDArray[np.int64]
    source: str = "the tokens"

    def require_below(self, size: int) -> None:
        """Raises: TaskError naming the first row with a token that a vocabulary of so many lacks."""
        counted = np.arange(self.x.shape[1]) < self.lengths[:, None]
        rows, columns = np.nonzero(counted & ((self.x < 0) | (self.x >= size)))
        if len(rows):
            token = self.x[rows[0], columns[0]]
            raise TaskError(
                f"{self.source}: row {rows[0]} has the token {token} at place {columns[0]}; "
                f"the model's vocabulary is 0 to {size - 1}"
            )


def read_tokens(path: Path | str) -> Tokens:
    """``x_train``, or else ``x``, of an ``.npz`` file: (m,T) integers; and ``lengths`` (m,), if it has one.

    Tokens behind the length of a row are padding, whatever they are. Nothing is unpickled.
    Raises: TaskError naming the file and the array; OSError.
    """
    path = Path(path)
    with path.open("rb") as stream, located(path):
        with zipfile.ZipFile(stream) as archive:
            arrays = read_known(archive, ("x_train", "x", "lengths"))
        return _tokens(arrays, str(path))


def _tokens(arrays: dict[str, NDArray], source: str) -> Tokens:
    name = next((name for name in ("x_train", "x") if name in arrays), None)
    if name is None:
        raise TaskError("expected an array x_train or x of tokens, found neither")
    x = arrays[name]
    if x.dtype.kind not in "iu" or x.ndim != 2 or not x.size:
        raise TaskError(f"array {name!r}: expected (m, T) integers, found {x.dtype} of shape {x.shape}")
    lengths = arrays.get("lengths", np.full(len(x), x.shape[1]))
    if lengths.dtype.kind not in "iu" or lengths.shape != (len(x),):
        raise TaskError(
            f"array 'lengths': expected {len(x)} integers, one a row, found {lengths.dtype} of shape {lengths.shape}"
        )
    if not ((lengths >= 1) & (lengths <= x.shape[1])).all():
        row = int(np.flatnonzero((lengths < 1) | (lengths > x.shape[1]))[0])
        raise TaskError(f"array 'lengths': row {row} has length {lengths[row]}, expected 1 to {x.shape[1]}")
    if x.dtype.kind == "u" and x.max() > np.iinfo(np.int64).max:
        raise TaskError(f"array {name!r}: has tokens beyond 2^63")
    lengths = lengths.astype(np.int64)
    padding = np.arange(x.shape[1]) >= lengths[:, None]
    return Tokens(np.where(padding, x[:, :1], x).astype(np.int64), lengths, source)
