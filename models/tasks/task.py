"""A task: labelled sequences, and how many outputs and tokens a model for them needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST = 2**31
"""Tokens and labels are below it: tables of them are made."""
LabelMap = tuple[tuple[str, int], ...]
"""Each label as the data have it, and the number that stands for it."""


class TaskError(ValueError):
    """Data that is not a task: a shape, dtype or value that does not fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """n labelled sequences of T tokens.

    Shapes: x (n,T) integer tokens, or (n,T,d) finite real values; y (n,) integer labels; n, T, d >= 1.
    Units: tokens and labels in 0..2^31 - 1.
    Raises: TaskError.
    """

    x: NDArray[np.integer | np.floating]
    y: NDArray[np.int64]

    def __post_init__(self) -> None:
        x, y = np.asarray(self.x), np.asarray(self.y)
        if (x.ndim, x.dtype.kind) not in ((2, "i"), (2, "u"), (3, "f")) or x.dtype.itemsize > 8 or 0 in x.shape:
            raise TaskError(
                "x: expected integer tokens (n,T) or real inputs (n,T,d) with every size >= 1, "
                f"found {x.dtype} of shape {x.shape}"
            )
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise TaskError(f"y: expected integer labels of shape (n,), found {y.dtype} of shape {y.shape}")
        if len(x) != len(y):
            raise TaskError(f"x has {len(x)} rows and y has {len(y)}: expected as many labels as sequences")
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            raise TaskError(f"x: expected finite values, found {np.count_nonzero(~np.isfinite(x))} NaN or inf")
        for name, values in (("x: tokens", x), ("y: labels", y)):
            if values.dtype.kind != "f" and values.min() < 0:
                raise TaskError(f"{name} are numbered from 0, found {values.min()}")
            if values.dtype.kind != "f" and values.max() >= LARGEST:
                raise TaskError(f"{name} are at most {LARGEST - 1}, found {values.max()}")
        object.__setattr__(self, "x", x.astype(x.dtype.newbyteorder("="), copy=False))  # torch reads native order only
        object.__setattr__(self, "y", y.astype(np.int64))

    @property
    def m(self) -> int:
        """Sequences."""
        return len(self.y)

    @property
    def T(self) -> int:
        """Tokens of each."""
        return self.x.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Training data, test data if there is any, and the model's interface: k outputs, V tokens (None: real inputs).

    ``k = 1`` is the binary task with labels 0 and 1 (the sign of the logit); else labels lie in 0..k-1.
    ``shift`` says how the training data were drawn from another distribution than the test data, None if they were not:
    a bound computed from the one is silent about the other. ``label_map``: each label as the data had it and the number
    it became; empty if it was that number. ``source``: the file, for messages; ``padded``: rows were padded to the
    longest of them. ``groups``: of each training row the number of its group, from 0 on; None where each row stands
    alone. Raises: TaskError.
    """

    name: str
    train: Split
    test: Split | None
    k: int
    V: int | None
    shift: str | None = None
    label_map: LabelMap = ()
    source: str = "the data"
    padded: bool = False
    groups: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.groups is not None:
            _require_groups(self.groups, self.train.m)
        for name, split in (("train", self.train), ("test", self.test)):
            if split is None:
                continue
            if split.x.ndim != self.train.x.ndim or split.x.shape[2:] != self.train.x.shape[2:]:
                raise TaskError(f"{name}.x has shape {split.x.shape}, train.x {self.train.x.shape}: different inputs")
            if split.T != self.train.T:
                raise TaskError(
                    f"training rows have length {self.train.T}, {name} rows {split.T}: pad both to one length, with "
                    "the token (or the zeros) that the model was trained with"
                )
            if (self.V is None) != (split.x.ndim == 3):
                raise TaskError(
                    f"V = {self.V}: a vocabulary size goes with tokens (n,T), None with real inputs (n,T,d)"
                )
            if self.V is not None and split.x.max() >= self.V:
                raise TaskError(f"{name}.x: tokens must lie in 0..{self.V - 1}, found {split.x.max()}")
            if split.y.max() >= max(self.k, 2):
                raise TaskError(f"{name}.y: labels must lie in 0..{max(self.k, 2) - 1}, found {split.y.max()}")


def _require_groups(groups: NDArray[np.int64], m: int) -> None:
    is_array = isinstance(groups, np.ndarray) and groups.dtype.kind in "iu" and groups.shape == (m,)
    fits = is_array and groups.min() >= 0 and groups.max() < m
    if not fits or not np.bincount(groups).all():
        raise TaskError(f"groups: expected an array of the numbers 0 to n - 1, each of them, for {m} training rows")
