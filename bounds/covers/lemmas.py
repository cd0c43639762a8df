"""The covering-number lemmas: Maurey, volume, box, and the matrix cover of Bartlett et al., each one class."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Self

import numpy as np
import sympy
from sympy import Expr, Integer, Max, Piecewise, ceiling, log

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import (
    Convention,
    EntropyBound,
    Floats,
    Radius,
    Surrogate,
    column,
    logarithm,
    positive_radius,
)
from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose, exact, glance
from ssm_bounds.bounds.evaluate.elementary import LN2, Functions, log_of
from ssm_bounds.bounds.values import Scalar, require

_LOG_PI = 1.1447298858494002


def _ceil(x: Floats) -> Floats:
    """Ceiling that forgives the rounding of an integer which came through logarithms."""
    return np.ceil(x * (1 - 1e-12))


def maurey(entries: Floats | int, log_ratio: Floats, by: Functions = elementary) -> Floats:
    """3.1 in float64: ``log_ratio`` is ``ln(B M_W/eps)``, arrays of any shape."""
    with np.errstate(over="ignore"):
        return np.where(log_ratio <= 0, 0.0, _ceil(by.exp(2 * log_ratio)) * by.log1p(2 * entries))


def volume(dimension: Floats | int, log_ratio: Floats, by: Functions = elementary) -> Floats:
    """3.2 in float64: ``log_ratio`` is ``ln(2r/eps)``."""
    return dimension * by.logaddexp(0.0, log_ratio)


def box(dimension: Floats | float, log_ratio: Floats, by: Functions = elementary) -> Floats:
    """3.2 in float64: ``log_ratio`` is ``ln(r/eps)``; beyond 2^53 cells the ceiling is far below its rounding."""
    cells = by.log(np.maximum(1.0, _ceil(by.exp(np.minimum(log_ratio, 36.0)))))
    return dimension * np.where(log_ratio > 36.0, log_ratio, cells)


class _Leaf(EntropyBound):
    """A covering lemma in closed form."""

    formula: ClassVar[Expr]

    @abstractmethod
    def values(self) -> Mapping[sympy.Symbol, Scalar]:
        """Values of the symbols of ``formula`` other than eps."""

    def log_covering(self, eps: Radius) -> Enclosure:
        interval = positive_radius(eps)
        numbers = _numbers(self)
        found = glance(self.formula, {**numbers, sym.eps: interval.ball()})
        if found is not None:
            return found
        # a ceiling jumps within the radius, or more bits are needed: the bound decreases, so its ends suffice
        low, high = (enclose(self.formula, {**numbers, sym.eps: end}) for end in (interval.upper, interval.lower))
        return Enclosure(low.lower, high.upper)


@functools.lru_cache(maxsize=1024)
def _numbers(leaf: _Leaf) -> Mapping[sympy.Symbol, Value]:
    """The leaf's values, dyadic ones converted once (others are rounded at each evaluation's precision)."""
    return {s: v if isinstance(v, Fraction) else exact(v) for s, v in leaf.values().items()}


@dataclass(frozen=True, slots=True)
class Maurey(_Leaf):
    """``ln N <= ceil(B^2 M_W^2/eps^2) ln(2n + 1)`` for ``{v : |v|_1 <= M_W}``; one point for eps >= B M_W.

    A Frobenius cover at radius eps/B, so it holds for all inputs ``|v| <= B`` at once; the centres may leave the class.
    Shapes: n entries. Raises: DomainError for eps <= 0 or negative radii.
    Source: theory 3.1 (Trauger and Tewari 2024, Lemma 3.6, with the ceiling).
    """

    entries: int
    l1_radius: Scalar
    input_norm: Scalar = 1

    rule = "ln N <= ceil(B^2 M^2/eps^2) ln(2n+1)"
    source = "theory.md 3.1"
    formula = Piecewise(
        (Integer(0), sym.eps >= sym.B_u * sym.M_W),
        (ceiling((sym.B_u * sym.M_W / sym.eps) ** 2) * log(2 * sym.n + 1), True),
    )

    def __post_init__(self) -> None:
        require(self.entries >= 1, f"Maurey: entries >= 1, got {self.entries}")
        require(self.l1_radius >= 0 and self.input_norm >= 0, f"Maurey: radii >= 0, got {self}")

    @property
    def convention(self) -> Convention:
        return Convention("frobenius", "outside")

    def values(self) -> Mapping[sympy.Symbol, Scalar]:
        return {sym.n: self.entries, sym.M_W: self.l1_radius, sym.B_u: self.input_norm}

    @property
    def _log_scale(self) -> float:
        return logarithm(self.l1_radius) + logarithm(self.input_norm)

    def approximate(self, log_eps: Floats) -> Floats:
        return maurey(self.entries, self._log_scale - log_eps)

    @classmethod
    def approximate_each(cls, bounds: Sequence[Self], log_eps: Floats) -> Floats:
        scales = column(bound._log_scale for bound in bounds)
        return maurey(column(bound.entries for bound in bounds), scales - log_eps)

    def surrogates(self) -> tuple[Surrogate, ...]:
        return (Surrogate("power", log_of(2 * self.entries + 1), self._log_scale),)


@dataclass(frozen=True, slots=True)
class Volume(_Leaf):
    """``ln N <= n ln(1 + 2r/eps)`` for any set inside a ball of radius r of a norm on R^n, by points of the set.

    Raises: DomainError for eps <= 0 or r < 0. Source: theory 3.2.
    """

    dimension: int
    radius: Scalar
    metric: str

    rule = "ln N <= n ln(1 + 2r/eps)"
    source = "theory.md 3.2"
    formula = sym.n * log(1 + 2 * sym.r / sym.eps)
    reach: ClassVar[Expr] = 2 * sym.r
    """Scale g of the smooth stand-in ``n ln(1 + g/eps)``."""

    def __post_init__(self) -> None:
        require(self.dimension >= 1, f"Volume: dimension >= 1, got {self.dimension}")
        require(self.radius >= 0, f"Volume: radius >= 0, got {self.radius}")

    @property
    def convention(self) -> Convention:
        return Convention(self.metric, "inside")

    def values(self) -> Mapping[sympy.Symbol, Scalar]:
        return {sym.n: self.dimension, sym.r: self.radius}

    def approximate(self, log_eps: Floats) -> Floats:
        return volume(self.dimension, LN2 + logarithm(self.radius) - log_eps)

    @classmethod
    def approximate_each(cls, bounds: Sequence[Self], log_eps: Floats) -> Floats:
        scales = column(LN2 + logarithm(bound.radius) for bound in bounds)
        return volume(column(bound.dimension for bound in bounds), scales - log_eps)

    def surrogates(self) -> tuple[Surrogate, ...]:
        return (Surrogate("logarithm", self.dimension, LN2 + logarithm(self.radius)),)


@dataclass(frozen=True, slots=True)
class GroupVolume(Volume):
    """Group g's term of ``ln N <= sum_g n_g ln(1 + 2r/eps_g)``, the log of one packing of a whole matrix class.

    A maximal packing of the class in ``max_g |X_g|/eps_g`` has all its centres in the class and covers it; the balls
    of radius 1/2 around them are disjoint and lie in the product of the balls of radius ``r + eps_g/2``, since
    ``|X_g| <= |X| <= r``. The groups are *not* covered one by one: those centres would leave the class.
    Shapes: n_g entries in the group. Raises: as :class:`Volume`. Source: theory 5.2, 3.2.
    """

    rule = "ln N <= sum_g n_g ln(1 + 2r/eps_g), one packing of the matrix: this group's term"
    source = "theory.md 5.2"


@dataclass(frozen=True, slots=True)
class Box(_Leaf):
    """``ln N <= n ln max(1, ceil(r/eps))`` for a box of half-width r in the maximum norm, by midpoints of cells.

    Raises: DomainError for eps <= 0 or r < 0. Source: theory 3.2.
    """

    dimension: int
    half_width: Scalar
    metric: str = "max"

    rule = "ln N <= n ln max(1, ceil(r/eps))"
    source = "theory.md 3.2"
    formula = sym.n * log(Max(1, ceiling(sym.r / sym.eps)))
    reach: ClassVar[Expr] = sym.r

    def __post_init__(self) -> None:
        require(self.dimension >= 1, f"Box: dimension >= 1, got {self.dimension}")
        require(self.half_width >= 0, f"Box: half-width >= 0, got {self.half_width}")

    @property
    def convention(self) -> Convention:
        return Convention(self.metric, "inside")

    def values(self) -> Mapping[sympy.Symbol, Scalar]:
        return {sym.n: self.dimension, sym.r: self.half_width}

    def approximate(self, log_eps: Floats) -> Floats:
        return box(self.dimension, logarithm(self.half_width) - log_eps)

    @classmethod
    def approximate_each(cls, bounds: Sequence[Self], log_eps: Floats) -> Floats:
        scales = column(logarithm(bound.half_width) for bound in bounds)
        return box(column(bound.dimension for bound in bounds), scales - log_eps)

    def surrogates(self) -> tuple[Surrogate, ...]:
        return (Surrogate("logarithm", self.dimension, logarithm(self.half_width)),)


@dataclass(frozen=True, slots=True)
class Strip(_Leaf):
    """``ln N <= (n/2) [ln max(1, ceil(sqrt2 r/eps)) + ln max(1, ceil(pi/(sqrt2 eps)))]`` for n/2 complex numbers in a
    rectangle, the real parts in an interval of half-width r, the imaginary ones in [0, pi], in the largest modulus.

    By midpoints of cells whose sides are at most ``sqrt2 eps``, so that a corner is within eps of the middle.
    Shapes: n real numbers. Raises: DomainError for eps <= 0, r < 0 or an odd n. Source: theory 14.4, 3.2.
    """

    dimension: int
    half_width: Scalar
    metric: str = "largest modulus"

    rule = "ln N <= (n/2) [ln max(1, ceil(sqrt2 r/eps)) + ln max(1, ceil(pi/(sqrt2 eps)))]"
    source = "theory.md 14.4, 3.2"
    formula = (sym.n / 2) * (
        log(Max(1, ceiling(sympy.sqrt(2) * sym.r / sym.eps)))
        + log(Max(1, ceiling(sympy.pi / (sympy.sqrt(2) * sym.eps))))
    )
    reach: ClassVar[Expr] = sympy.sqrt(sympy.pi * sym.r)

    def __post_init__(self) -> None:
        even = self.dimension >= 2 and self.dimension % 2 == 0
        require(even, f"Strip: an even dimension >= 2, got {self.dimension}")
        require(self.half_width >= 0, f"Strip: half-width >= 0, got {self.half_width}")

    @property
    def convention(self) -> Convention:
        return Convention(self.metric, "inside")

    def values(self) -> Mapping[sympy.Symbol, Scalar]:
        return {sym.n: self.dimension, sym.r: self.half_width}

    @property
    def _log_sides(self) -> tuple[float, float]:
        return LN2 / 2 + logarithm(self.half_width), _LOG_PI - LN2 / 2

    def approximate(self, log_eps: Floats) -> Floats:
        first, second = (box(self.dimension / 2, side - log_eps) for side in self._log_sides)
        return first + second

    def surrogates(self) -> tuple[Surrogate, ...]:
        """A box of the same volume; where one side is a point, of the other."""
        sides = [side for side in self._log_sides if side > -math.inf]
        return (Surrogate("logarithm", len(sides) * self.dimension / 2, sum(sides) / len(sides)),)


@dataclass(frozen=True, slots=True)
class MatrixCover(_Leaf):
    """``ln N <= ceil(a^2 b^2/eps^2) ln(2 d_1 d_2)`` for ``{X A : |A|_{2,1} <= a}``, A in R^{d_1 x d_2}, ``|X|_F <= b``.

    For a diagonal A = diag(a_jn) of size Nd: X = I, b = sqrt(Nd), d_1 = d_2 = Nd, a = M_A, which is D.2.
    Source: theory 2, D.1 (Bartlett, Foster, Telgarsky 2017, Lemma 3.2, the instance p = q = 2, s = 1).
    """

    rows: int
    columns: int
    radius: Scalar
    data_norm: Scalar

    rule = "ln N <= ceil(a^2 b^2/eps^2) ln(2 d_1 d_2)"
    source = "theory.md 2, D.1 (Bartlett et al. 2017, Lemma 3.2)"
    formula = ceiling((sym.a_cover * sym.b_cover / sym.eps) ** 2) * log(2 * sym.d_in * sym.d_out)

    def __post_init__(self) -> None:
        require(self.rows >= 1 and self.columns >= 1, f"MatrixCover: sizes >= 1, got {self}")
        require(self.radius >= 0 and self.data_norm >= 0, f"MatrixCover: radii >= 0, got {self}")

    @property
    def convention(self) -> Convention:
        return Convention("frobenius", "outside")

    def values(self) -> Mapping[sympy.Symbol, Scalar]:
        return {
            sym.a_cover: self.radius,
            sym.b_cover: self.data_norm,
            sym.d_in: self.rows,
            sym.d_out: self.columns,
        }

    def approximate(self, log_eps: Floats) -> Floats:
        with np.errstate(over="ignore"):
            atoms = _ceil(elementary.exp(2 * (logarithm(self.radius) + logarithm(self.data_norm) - log_eps)))
        return atoms * log_of(2 * self.rows * self.columns)

    def surrogates(self) -> tuple[Surrogate, ...]:
        weight = log_of(2 * self.rows * self.columns)
        return (Surrogate("power", weight, logarithm(self.radius) + logarithm(self.data_norm)),)


COVERS: dict[str, sympy.Expr] = {
    lemma.rule: lemma.formula for lemma in (Maurey, Volume, GroupVolume, Box, Strip, MatrixCover)
}
"""The formula of each lemma, by the rule that a trace prints."""
