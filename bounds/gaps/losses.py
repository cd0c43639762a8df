"""Losses with range [0, c] and Lipschitz constant l in the output (l2 for k > 1). Source: theory 6.4.

Labels: 0/1 for one output (margin ``(2y-1) z``), 0..k-1 for k outputs (margin ``z_y - max_{j != y} z_j``).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import sympy
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.decimals import said, typed
from ssm_bounds.bounds.evaluate.elementary import exp, log, logaddexp, total
from ssm_bounds.bounds.gaps.wealth.ticks import POWERS, own_span
from ssm_bounds.bounds.values import DomainError, Scalar, require

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


class Named(Protocol):
    """A loss as a report shows it: a name, itself in words, its range c and Lipschitz constant l (exact)."""

    @property
    def name(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def range(self) -> Scalar: ...
    def lipschitz(self, k: int) -> sympy.Expr: ...


class Loss(Named, Protocol):
    """What a bound of a classifier needs of a loss. ``values``: in float64."""

    def values(self, z: Floats, y: Labels) -> Floats: ...


def rational(value: Scalar) -> sympy.Rational:
    """The exact rational of an int, Fraction or (dyadic) float."""
    fraction = Fraction(value)
    return sympy.Rational(fraction.numerator, fraction.denominator)


def _shown(value: Scalar) -> str:
    """A double as it is typed, another number exactly."""
    short = repr(float(value))
    return short if Fraction(short) == typed(value) else said(value)


def margins(z: Floats, y: Labels) -> Floats:
    """Margins of logits z (n, k) at labels y (n,); positive means correct, so a tie is an error.

    Raises: DomainError for a label without an output. Source: theory 6.3.

    >>> margins(np.array([[2.0], [2.0]]), np.array([1, 0])).tolist()
    [2.0, -2.0]
    """
    k = z.shape[1]
    _require_labels(y, k)
    if k == 1:
        return np.where(y == 1, z[:, 0], -z[:, 0])
    rows = np.arange(len(y))
    others = z.copy()
    others[rows, y] = -np.inf
    return z[rows, y] - others.max(axis=1)


def _require_labels(y: Labels, k: int) -> None:
    if y.max() >= max(k, 2) or y.min() < 0:
        raise DomainError(f"labels lie in {y.min()}..{y.max()}, but the model has {k} output{'s' * (k > 1)}")


def margin_lipschitz(k: int) -> sympy.Expr:
    """l2 Lipschitz constant of the margin: 1 for one output, sqrt 2 for k > 1 (theory 6.3, 6.4)."""
    return sympy.Integer(1) if k == 1 else sympy.sqrt(2)


@dataclass(frozen=True, slots=True)
class Ramp:
    """``min(1, max(0, 1 - margin/g))``: c = 1, l = 1/g (k = 1) or sqrt 2/g (k > 1). Units: g in output units.

    >>> Ramp(0.5).lipschitz(1), Ramp(0.5).lipschitz(10)
    (2, 2*sqrt(2))
    """

    margin: Scalar
    name = "ramp"

    def __post_init__(self) -> None:
        require(self.margin > 0, f"ramp loss: the margin must be > 0, got {self.margin!r}")

    @property
    def words(self) -> str:
        return f"ramp loss at margin {_shown(self.margin)}"

    @property
    def range(self) -> Scalar:
        return 1

    def lipschitz(self, k: int) -> sympy.Expr:
        return margin_lipschitz(k) / rational(self.margin)

    def values(self, z: Floats, y: Labels) -> Floats:
        return np.clip(1.0 - margins(z, y) / float(self.margin), 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class ClippedCrossEntropy:
    """``min(c, cross-entropy)``: l = 1 - e^{-c} for one output, sqrt 2 (1 - e^{-c}) for k > 1 (softmax, l2).

    Below the clip the probability p of the right class is above e^{-c}; the gradient has l2 norm 1 - p for one
    output and at most sqrt 2 (1 - p) for k.
    """

    clip: Scalar
    name = "clipped-ce"

    def __post_init__(self) -> None:
        require(self.clip > 0, f"clipped cross-entropy: the clip must be > 0, got {self.clip!r}")

    @property
    def words(self) -> str:
        return f"cross-entropy clipped at {_shown(self.clip)}"

    @property
    def range(self) -> Scalar:
        return self.clip

    def lipschitz(self, k: int) -> sympy.Expr:
        return margin_lipschitz(k) * (1 - sympy.exp(-rational(self.clip)))

    def values(self, z: Floats, y: Labels) -> Floats:
        if z.shape[1] == 1:
            entropy = logaddexp(0.0, -margins(z, y))
        else:
            top = z.max(axis=1)
            entropy = top + log(total(exp(z - top[:, None]), axis=1)) - z[np.arange(len(y)), y]
        return np.minimum(float(self.clip), entropy)


@dataclass(frozen=True, slots=True)
class CodeLength:
    """``-log2((1-alpha) p + alpha/V)`` of a symbol, alpha at least 2^-8: c = 8 + log2 V, rounded up; l = sqrt 2/ln 2.

    The gradient of ``-log2 p`` in the logits has l2 norm at most ``sqrt 2 (1 - p)/ln 2``; smoothing shrinks it.
    """

    V: int
    name = "code-length"
    words = "code length in bits a symbol"

    @property
    def range(self) -> Scalar:
        return own_span(POWERS[-1], self.V).most

    def lipschitz(self, k: int) -> sympy.Expr:
        return sympy.sqrt(2) / sympy.log(2)


def make(name: str, *, margin: Scalar = 1, clip: Scalar | None = None) -> Loss:
    """The loss called ``name``. Raises: DomainError, with the reason, for plain cross-entropy.

    >>> make("cross-entropy")
    Traceback (most recent call last):
      ...
    ssm_bounds.bounds.values.DomainError: loss 'cross-entropy' is unbounded: ... or 'ramp'
    """
    if name == "ramp":
        return Ramp(margin)
    if name == "clipped-ce":
        if clip is None:
            raise DomainError("loss 'clipped-ce' needs the level c at which the cross-entropy is clipped (--clip C)")
        return ClippedCrossEntropy(clip)
    if name in ("cross-entropy", "ce"):
        raise DomainError(
            f"loss {name!r} is unbounded: every bound of theory 6 needs a loss in [0, c]; "
            "use 'clipped-ce' with a clip c, or 'ramp'"
        )
    raise DomainError(f"unknown loss {name!r}: expected 'ramp' or 'clipped-ce'")
