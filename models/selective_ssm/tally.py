"""What a model answers on data and how its errors are counted: by the program, with a proven radius for each row.

Source: ``selective_ssm.earlier``, ``selective_ssm.radius``. Every number is the same on every machine and for every
batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Floats, Loss, margins
from ssm_bounds.bounds.values import Gate, Scalar
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.selective_ssm.earlier import errors, run, softplus
from ssm_bounds.models.selective_ssm.radius import radius
from ssm_bounds.models.selective_ssm.weights import Array, Weights
from ssm_bounds.models.tasks.task import Split

_NUMBERS = 1 << 25  # of 8 bytes, that one batch may need


@dataclass(frozen=True, slots=True)
class Tally:
    """What the program scored on n rows.

    ``errors``: rows whose margin is not proven above 0, in real arithmetic as in the program. ``program_errors``: rows
    on which the program itself is wrong or tied. ``margin_errors``: rows whose margin is not proven above g.
    ``inside``: rows whose margin is within its radius of 0 or of g, so that the proof and not the answer decides;
    ``radius``: the largest of all rows, in units of the logits, infinite where a logit is not finite.
    ``loss``: mean over the rows, as the program computes it: no claim.

    ``program``: what the file of a rounded or drawn model is counted by. Where it ``rounds``, no radius ties it to real
    arithmetic: ``loss`` and ``program_errors`` are what it answers, the other numbers those of the real-arithmetic
    model.
    """

    n: int
    loss: float
    errors: int
    program_errors: int
    margin_errors: int
    inside: int
    radius: float
    program: str = ""
    rounds: bool = False

    @property
    def counted(self) -> int:
        """Rows that count as errors of what runs."""
        return self.program_errors if self.rounds else self.errors


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Logits z (n,k) of the program at labels y (n,), its margins (n,), and the proven radius of each (n,)."""

    z: Array
    y: NDArray[np.int64]
    margin: Floats
    radius: Array

    @property
    def below(self) -> Array:
        """Proven lower bounds (n,) of the margins in real arithmetic; -infinity where nothing is proven."""
        with np.errstate(over="ignore", invalid="ignore"):
            low = np.nextafter(self.margin - self.radius, -np.inf)
        return np.where(np.isfinite(low), low, -np.inf)

    @property
    def errors(self) -> int:
        """Rows whose margin is not proven above 0."""
        return errors(self.z, self.y, self.radius)

    def tally(self, loss: Loss, g: Scalar) -> Tally:
        """All counts at margin g >= 0 and the mean loss; a row with a logit that is not finite has the largest loss."""
        with np.errstate(over="ignore", invalid="ignore"):
            # a difference above a float64 is above it after rounding, and only then: rounding is monotone
            above = self.margin - _float_above(g)
            undecided = ~(np.abs(self.margin) > self.radius) | ~(np.abs(above) > self.radius)
            values = np.where(np.isfinite(self.z).all(axis=1), _values(loss, self.z, self.y), float(loss.range))
        return Tally(
            len(self.y),
            math.fsum(values.tolist()) / len(self.y),
            self.errors,
            errors(self.z, self.y),
            int(np.count_nonzero(~(above > self.radius))),
            int(np.count_nonzero(undecided)),
            float(self.radius.max()),
        )


def answers(weights: Weights, data: Split, *, gate: Gate = "softplus", convention: Convention = "code") -> Answers:
    """Run the program on every row, in batches. Raises: ValueError where inputs are not the model's,
    DomainError for a label without an output."""
    rows = max(1, _NUMBERS // (data.T + 16 * weights.d * weights.N))
    parts = []
    for start in range(0, data.m, rows):
        part = Split(data.x[start : start + rows], data.y[start : start + rows])
        found = run(weights, part, gate=gate, convention=convention)
        parts.append((found.z, radius(found, part.y)))
    z, within = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        return Answers(z, data.y, margins(z, data.y), within)


def _values(loss: Loss, z: Array, y: NDArray[np.int64]) -> Floats:
    """Losses (n,) without a library's exponential or logarithm. Units: those of the loss."""
    if not isinstance(loss, ClippedCrossEntropy):
        return loss.values(z, y)
    if z.shape[1] == 1:
        entropy = softplus(np.where(y == 1, -z[:, 0], z[:, 0]))
    else:
        total = z[:, 0]
        for other in z.T[1:]:
            total = np.maximum(total, other) + softplus(-np.abs(total - other))
        entropy = total - z[np.arange(len(y)), y]
    return np.minimum(float(loss.clip), entropy)


def _float_above(value: Scalar) -> float:
    """The least float64 that is at least an exact number."""
    try:
        found = float(value)
    except OverflowError:
        return math.inf
    return found if math.isinf(found) or found >= Fraction(value) else math.nextafter(found, math.inf)
