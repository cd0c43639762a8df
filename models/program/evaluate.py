"""Logits of the program, which examples they are right on, and their hash. Source: theory 8.13."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssm_bounds.bounds.values import require
from ssm_bounds.models.program.losses import require_labels
from ssm_bounds.models.program.primitives import Array, Flags
from ssm_bounds.models.program.run import Program, run
from ssm_bounds.models.program.selftest import require_exact


def logits(program: Program, x: NDArray, lengths: ArrayLike | None = None) -> Array:
    """:func:`run.run` on a machine that has passed the self-test. Raises: DomainError."""
    require_exact()
    return run(program, x, lengths)


def lengths_of(mask: ArrayLike) -> NDArray[np.int64]:
    """Lengths (n,) of rows of ones and then zeros (n,T). Raises: DomainError where zeros stand to the left of a one."""
    kept = np.asarray(mask) != 0
    lengths = kept.sum(axis=1)
    whole = (kept == (np.arange(kept.shape[1]) < lengths[:, None])).all(axis=1)
    require(
        bool(whole.all()),
        f"row {int(np.argmin(whole))} of the mask has padding before a token: the program takes padding on the right",
    )
    return lengths


def right(z: Array, y: NDArray[np.integer]) -> Flags:
    """Examples whose logits are all finite and whose own is above all others: a tie is an error, whatever the label.

    So the risk of any way to break ties is at most the certified one. Shapes: z (n,V), y (n,) -> (n,).
    Raises: DomainError for labels outside 0..V-1, and for one output.
    """
    n, V = z.shape
    require(V >= 2, f"an example is right where its logit is above the others: expected 2 outputs or more, found {V}")
    require_labels(y, n, V)
    rows, others = np.arange(n), z.copy()
    others[rows, y] = -np.inf
    with np.errstate(invalid="ignore"):
        return np.isfinite(z).all(axis=1) & (z[rows, y] > others.max(axis=1))


def beaten(z: Array, y: NDArray[np.integer]) -> Flags:
    """Examples whose logits are all finite and whose own is below another: errors, however ties are broken.

    Shapes: z (n,V), y (n,) -> (n,). Raises: DomainError for labels outside 0..V-1.
    """
    require_labels(y, *z.shape)
    with np.errstate(invalid="ignore"):
        return np.isfinite(z).all(axis=1) & (z[np.arange(len(z)), y] < z.max(axis=1))


def errors(z: Array, y: NDArray[np.integer]) -> int:
    """How many examples are not :func:`right`."""
    return int(np.count_nonzero(~right(z, y)))


def digest(*parts: Array) -> str:
    """SHA-256 of logits, parts one after another: 8 bytes each, the least first, row by row; every NaN is one NaN."""
    found = hashlib.sha256()
    for part in parts:
        found.update(canonical(part))
    return found.hexdigest()


def canonical(z: Array) -> bytes:
    """What :func:`digest` is of."""
    return np.where(np.isnan(z), np.nan, z).astype("<f8").tobytes()
