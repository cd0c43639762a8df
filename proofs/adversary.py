"""How the quantifiers of a claim are searched and replayed: one description, two kinds of numbers.

An :class:`Adversary` turns free real arrays (weights, perturbations, inputs, gates) into values of the claim's symbols.
It is written once against :class:`Numbers`: ``proofs.falsify`` runs it on tensors to climb, :class:`Balls` on arb balls
to replay what was found and to test random instances, so that rounding can neither refute nor save a claim.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import sympy
from flint import arb
from sympy.logic.boolalg import Boolean

from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.evaluate.balls import Enclosure, bits, float_below, hull

Array = Any
Sizes = Mapping[str, int]
REPLAY_BITS = 384
_SQUARINGS = 60  # the enclosure of a spectral norm is then n^(2^-61) wide


class Numbers(Protocol):
    """What an adversary may do with its arrays beside +, -, *, /, @, ``.T``, indexing and ``.sum``."""

    def exp(self, x: Array) -> Array: ...
    def log(self, x: Array) -> Array: ...
    def softplus(self, x: Array) -> Array: ...
    def maximum(self, x: Array, y: Array) -> Array:
        """The larger of two scalars."""

    def largest(self, x: Array) -> Array:
        """The largest entry."""

    def prefix_sums(self, x: Array) -> Array:
        """``x_0 + ... + x_{i-1}`` at place i of a vector: 0 first, the sum of all left out."""

    def norm(self, x: Array) -> Array:
        """Root of the sum of squares: l2 norm of a vector, Frobenius norm of a matrix."""

    def spectral(self, x: Array) -> Array: ...
    def logarithmic_norm(self, x: Array) -> Array:
        """Largest eigenvalue of (A + A^T)/2."""

    def exponential(self, x: Array) -> Array:
        """The matrix exponential."""


@dataclass(frozen=True, slots=True)
class Adversary:
    """``sizes``: the discrete choices tried in turn. ``arrays``: shapes of the free arrays at given sizes; every real
    value is admissible. ``bind``: from them to values of the claim's symbols; symbols of
    ``selective_ssm.sums.DEFINITIONS`` that it leaves out take their definition.
    """

    sizes: tuple[Sizes, ...]
    arrays: Callable[[Sizes], Mapping[str, tuple[int, ...]]]
    bind: Callable[[Numbers, Mapping[str, Array], Sizes], Mapping[sympy.Symbol, Any]]


@dataclass(frozen=True, slots=True)
class Point:
    """One choice of sizes and arrays (float64, hence exact)."""

    sizes: Sizes
    arrays: Mapping[str, np.ndarray]

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} = {value}" for name, value in self.sizes.items())
        arrays = (f"{name} = {np.array2string(a, precision=6, separator=', ')}" for name, a in self.arrays.items())
        return "; ".join([sizes, *(" ".join(text.split()) for text in arrays)])


@dataclass(frozen=True, slots=True)
class Finding:
    """The largest left/right that a search met: ``ratio`` is at most the exact ratio at ``point`` (replayed)."""

    ratio: float
    point: Point


def sides(claim: Boolean) -> tuple[sympy.Expr, sympy.Expr]:
    """``(left, right)`` of ``left <= right``."""
    return claim.lts, claim.gts


def assignment(
    adversary: Adversary, numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes
) -> dict[sympy.Symbol, Any]:
    """Values of the claim's symbols at arrays of the given kind of numbers."""
    return {**DEFINITIONS, **adversary.bind(numbers, arrays, sizes)}


def replay(claim: Boolean, adversary: Adversary, point: Point) -> tuple[Enclosure, Enclosure] | None:
    """Both sides of the claim in ball arithmetic at exactly this point; None where they are not finite."""
    with bits(REPLAY_BITS):
        arrays = {name: _BALL(array) if array.ndim else arb(float(array)) for name, array in point.arrays.items()}
        values = assignment(adversary, BALLS, arrays, point.sizes)
        left, right = (hull(side, values) for side in sides(claim))
    return None if left is None or right is None else (left, right)


def certified_ratio(left: Enclosure, right: Enclosure) -> float:
    """A float that left/right certainly reaches, 0 where the left side may be 0 or less; above 1 if left > right."""
    least = math.nextafter(1.0, 2.0) if left.lower > right.upper else 0.0
    with bits(REPLAY_BITS):
        if not left.lower > 0:
            return least
        return max(least, float_below(left.lower / right.upper)) if right.upper > 0 else math.inf


class Balls:
    """Object arrays of arb: every result encloses the exact one."""

    def exp(self, x: Array) -> Array:
        return _EXP(x)

    def log(self, x: Array) -> Array:
        return _LOG(x)

    def softplus(self, x: Array) -> Array:
        return _SOFTPLUS(x)

    def maximum(self, x: arb, y: arb) -> arb:
        return arb.max(x, y)

    def largest(self, x: Array) -> arb:
        return functools.reduce(arb.max, np.ravel(x))

    def prefix_sums(self, x: Array) -> Array:
        return np.concatenate([np.array([arb(0)], dtype=object), np.cumsum(x)[:-1]])

    def norm(self, x: Array) -> arb:
        return _root(sum((entry * entry for entry in np.ravel(x)), arb(0)))

    def spectral(self, x: Array) -> arb:
        # |G|_2 <= |G^K|_F^{1/K} <= n^{1/(2K)} |G|_2 for the Gram matrix G, K a power of two
        gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
        size = gram.shape[0]
        if size == 1:
            return _root(gram[0, 0])
        power, log_scale = gram, arb(0)  # gram^(2^i) = e^{log_scale 2^i} power
        for i in range(_SQUARINGS):
            frobenius = self.norm(power)
            if not frobenius > 0:
                return self.norm(x).union(arb(0))
            log_scale += frobenius.log() / 2**i
            power = power / frobenius
            power = power @ power
        top = (log_scale + self.norm(power).log() / 2**_SQUARINGS).exp()
        slack = (arb(size).log() / 2 ** (_SQUARINGS + 1)).exp()
        return _root((top / slack).union(top))

    def logarithmic_norm(self, x: Array) -> arb:
        symmetric = (x + x.T) / 2
        shift = arb(self.norm(symmetric).upper()) + 1
        return self.spectral(symmetric + shift * np.eye(len(x), dtype=int).astype(object)) - shift

    def exponential(self, x: Array) -> Array:
        from flint import arb_mat

        entries = arb_mat(x.tolist()).exp()
        return np.array([[entries[i, j] for j in range(len(x))] for i in range(len(x))], dtype=object)


def _root(square: arb) -> arb:
    """Root of a ball around a number >= 0, which the ball itself may not know."""
    return square.sqrt() if square > 0 else arb.max(square.upper(), arb(0)).sqrt().union(arb(0))


_BALL = np.frompyfunc(lambda value: arb(float(value)), 1, 1)
_EXP = np.frompyfunc(arb.exp, 1, 1)
_LOG = np.frompyfunc(arb.log, 1, 1)
_SOFTPLUS = np.frompyfunc(lambda x: x.exp().log1p(), 1, 1)
BALLS = Balls()
