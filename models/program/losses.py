"""Losses of the tokens of a language model in bits, as the program has them: integers, multiples of 2^-24.

Source: theory 8.13. The probabilities are rational numbers: ``p_v = E_v/S`` with
``E_v = rint(2^36 exp(z_v - max z))`` and S their sum, which is at most 2^53 as V <= 2^17.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.gaps.wealth.ticks import Span, own_span
from ssm_bounds.bounds.values import Scalar, require
from ssm_bounds.models.program.primitives import Array, exp, ln
from ssm_bounds.models.program.stack import MOST_OUTPUTS

_PER_LN2 = float.fromhex("0x1.71547652b82fep+0")
_LEAST_ALPHA = Fraction(1, 2**16)

Int64 = NDArray[np.int64]


def probabilities(z: Array) -> tuple[Int64, Int64]:
    """E (n,V) and S (n,) of finite logits (n,V): the distribution is ``E_v/S``, exactly.

    >>> E, S = probabilities(np.array([[0.0, 0.0]]))
    >>> E.tolist(), S.tolist()
    ([[68719476736, 68719476736]], [137438953472])
    """
    with np.errstate(over="ignore"):  # a logit so far below counts as one 700 below
        E = np.rint(2.0**36 * exp(z - z.max(axis=1, keepdims=True))).astype(np.int64)
    return E, E.sum(axis=1)


def probable(z: Array) -> Array:
    """The distribution ``E_v/S`` of each position (n,V), rounded; NaN where a logit is not finite."""
    finite = np.asarray(np.isfinite(z).all(axis=1))
    E, S = probabilities(np.where(finite[:, None], z, 0.0))
    p = E / S[:, None]
    p[~finite] = np.nan
    return p


@dataclass(frozen=True, slots=True)
class Smoothed:
    """``l = -log2((1 - alpha) p + alpha/V)``, which lies in [a, b]. Raises: DomainError.

    ``alpha`` is one of 2^-1..2^-16.
    """

    outputs: int
    alpha: Scalar

    def __post_init__(self) -> None:
        require(2 <= self.outputs <= MOST_OUTPUTS, f"outputs have to lie in 2..{MOST_OUTPUTS}, found {self.outputs}")
        alpha = Fraction(self.alpha)
        power = alpha.numerator == 1 and alpha.denominator.bit_count() == 1
        require(power and _LEAST_ALPHA <= alpha < 1, f"alpha has to be one of 2^-1..2^-16, found {self.alpha}")

    @property
    def span(self) -> Span:
        """a rounded down and b rounded up, in units of 2^-24."""
        return own_span(Fraction(self.alpha).denominator.bit_length() - 1, self.outputs)

    def losses(self, z: Array, y: NDArray[np.integer]) -> tuple[Int64, Int64]:
        """The loss (n,) of each token and the one that the model expected of it (n,), both in units of 2^-24.

        The first is at least the true code length: the float64 value is within 2^-38, and one unit is added. The second
        is a function of the logits alone, of no stated accuracy. Both are b where a logit is not finite.
        """
        n, V = z.shape
        require(self.outputs == V, f"expected logits (n, {self.outputs}), found {z.shape}")
        require_labels(y, n, V)
        p = probable(z)
        finite = ~np.isnan(p[:, 0])
        p[~finite] = 1 / V
        length = ln((1 - float(self.alpha)) * p + float(self.alpha) / V) * -_PER_LN2
        own = length[np.arange(n), y]
        loss = np.ceil(own * 2.0**24).astype(np.int64) + 1
        summed = (np.rint(p * 2.0**24).astype(np.int64) * np.rint(length * 2.0**16).astype(np.int64)).sum(axis=1)
        expected = (summed + 2**15) >> 16
        span = self.span
        loss, expected = (np.where(finite, np.clip(x, span.low, span.high), span.high) for x in (loss, expected))
        return loss, expected


def require_labels(y: NDArray, n: int, V: int) -> None:
    """Raises: DomainError unless y (n,) are integers in 0..V-1."""
    require(y.shape == (n,) and y.dtype.kind in "iu", f"labels: expected {n} integers, found {y.dtype} {y.shape}")
    require(bool(((y >= 0) & (y < V)).all()), f"labels have to lie in 0..{V - 1}")
