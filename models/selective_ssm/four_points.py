"""The four-point identity on the model of theory 1, as its program computes it: with a proven radius for each logit.

In real arithmetic ``f(qpe) - f(qp'e) - f(q'pe) + f(q'p'e) = 0`` (``bounds.architectures.order``). What the program
computes in its place is at most the four radii and three roundings. A program that computes another model is beyond
them; that none is beyond is seen on the given sequences, and proves nothing of others.

Source: theory 15.4; ``selective_ssm.earlier``, ``selective_ssm.radius``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.outward import above, below
from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.selective_ssm.earlier import run
from ssm_bounds.models.selective_ssm.radius import of_logits
from ssm_bounds.models.selective_ssm.weights import Array, Weights
from ssm_bounds.models.tasks.quadruples import Quadruples
from ssm_bounds.models.tasks.task import Split

_HUGE = 2.0**1000  # from here on sums of logits may overflow


@dataclass(frozen=True, slots=True)
class FourPoints:
    """Of ``quadruples`` of sequences; each number is in units of the largest logit of its four sequences.

    ``residual``: the largest that the program computed, to the nearest. ``radius``: the largest that rounding can make
    of 0, from above. ``moved``: by how much at least the order of a block alone moves a logit in real arithmetic, the
    largest of all, from below. ``beyond``: quadruples whose residual is above their own radius. ``open``: quadruples
    with a logit that is not finite or beyond 2^1000, or whose radii reach the largest logit: they are in no other
    number.
    """

    quadruples: int
    residual: float
    radius: float
    moved: float
    beyond: int
    open: int


def compared(z: Array, within: Array) -> FourPoints:
    """Shapes: logits of the four sequences (4,n,k), in the order of the identity, and the radius of each (4,n,k).

    >>> compared(np.array([3.0, 1.0, 2.0, 0.0]).reshape(4, 1, 1), np.zeros((4, 1, 1))).residual
    0.0
    """
    known: NDArray[np.bool_] = np.all((np.abs(z) < _HUGE) & (within < _HUGE), axis=(0, 2))  # NaN is not
    known[known] = _tell(z[:, known], within[:, known])
    z, within = z[:, known], within[:, known]
    if not known.any():
        return FourPoints(known.size, 0.0, 0.0, 0.0, 0, known.size)
    with np.errstate(under="ignore"):
        residual = np.abs(z[0] - z[1] - z[2] + z[3])
        off = within.sum(axis=0)
        allowed = above(off, 8, off + np.abs(z).sum(axis=0))
        largest = np.abs(z).max(axis=(0, 2))
        size = np.where(largest > 0, largest, 1.0)
        apart = np.stack([np.abs(z[i] - z[i + 1]) for i in (0, 2)])
        unsure = np.stack([within[i] + within[i + 1] for i in (0, 2)])
        moved = below(apart - unsure, 4, apart + unsure).max(axis=(0, 2))
        most = above(largest + within.max(axis=(0, 2)), 2)
        return FourPoints(
            quadruples=known.size,
            residual=float((residual.max(axis=1) / size).max()),
            radius=float(above(allowed.max(axis=1) / size, 2).max()),
            moved=max(0.0, float(below(moved / most, 2).max())),
            beyond=int(np.count_nonzero((residual > allowed).any(axis=1))),
            open=int(np.count_nonzero(~known)),
        )


def _tell(z: Array, within: Array) -> NDArray[np.bool_]:
    """Quadruples (n,) whose radii are below their largest logit, so that the residual says something."""
    with np.errstate(under="ignore"):
        largest = np.abs(z).max(axis=(0, 2))
        return np.asarray((within.sum(axis=0).max(axis=1) < largest) | (largest == 0))


def joined(parts: Sequence[FourPoints]) -> FourPoints:
    """Of all quadruples together."""
    return FourPoints(
        quadruples=sum(part.quadruples for part in parts),
        residual=max((part.residual for part in parts), default=0.0),
        radius=max((part.radius for part in parts), default=0.0),
        moved=max((part.moved for part in parts), default=0.0),
        beyond=sum(part.beyond for part in parts),
        open=sum(part.open for part in parts),
    )


def four_points(
    weights: Weights, batches: Iterable[Quadruples], *, gate: Gate = "softplus", convention: Convention = "code"
) -> FourPoints:
    """Run the program on every sequence of every quadruple. Raises: ValueError where inputs are not the model's."""
    parts = []
    for quadruples in batches:
        first, first_reversed, second, second_reversed = quadruples.sequences()
        halves = [
            _ran(weights, np.concatenate(pair), gate, convention)
            for pair in ((first, first_reversed), (second, second_reversed))
        ]
        z, within = (np.concatenate(arrays).reshape(4, len(quadruples), -1) for arrays in zip(*halves, strict=True))
        parts.append(compared(z, within))
    return joined(parts)


def _ran(weights: Weights, x: NDArray, gate: Gate, convention: Convention) -> tuple[Array, Array]:
    found = run(weights, Split(x, np.zeros(len(x), dtype=np.int64)), gate=gate, convention=convention)
    return found.z, of_logits(found)
