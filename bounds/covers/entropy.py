"""Bounds on log covering numbers, and how they combine. Every object says its convention, its rule and its source.

A bound has two forms that tests compare: ``log_covering`` (certified, from the sympy ``formula`` through arb) and
``approximate`` (vectorised float64 in log space, used only to choose splits and radii, where any choice is valid).
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
import sympy
from flint import arb
from numpy.typing import NDArray
from sympy import Expr

from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.balls import Enclosure, exact, least
from ssm_bounds.bounds.evaluate.elementary import LN2, Functions, log_of, total
from ssm_bounds.bounds.values import DomainError, Scalar, require

Floats = NDArray[np.float64]
Radius: TypeAlias = Scalar | Enclosure


@dataclass(frozen=True, slots=True)
class Convention:
    """What a cover means: in which metric, and whether its centres lie in the covered class (theory 3.3)."""

    metric: str
    centres: Literal["inside", "outside"]

    def __str__(self) -> str:
        return f"{self.metric}, centres {self.centres}"


@dataclass(frozen=True, slots=True)
class AppliedRule:
    """One rule applied, for the trace of a report."""

    rule: str
    source: str
    value: Enclosure


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Smooth stand-in for a covering bound, for choosing splits: ``w (g/eps)^2`` or ``w ln(1 + g/eps)``."""

    kind: Literal["power", "logarithm"]
    weight: float
    log_scale: float


def positive_radius(eps: Radius) -> Enclosure:
    interval = eps if isinstance(eps, Enclosure) else Enclosure.point(eps)
    if not interval.lower > 0:
        raise DomainError(f"a covering radius is > 0, got {eps}")
    return interval


def logarithm(value: Enclosure | Scalar) -> float:
    """Logarithm of a value of any size, to the nearest float64; -inf for 0."""
    return log_of(value.upper if isinstance(value, Enclosure) else value)


class EntropyBound(ABC):
    """A bound on ``ln N(eps)``, decreasing in eps. Units: eps in those of the convention's metric, values in nats."""

    rule: ClassVar[str]
    source: ClassVar[str]

    @property
    @abstractmethod
    def convention(self) -> Convention: ...

    @abstractmethod
    def log_covering(self, eps: Radius) -> Enclosure:
        """Certified ``[lower, upper]`` of the bound. Raises: DomainError for eps <= 0."""

    @abstractmethod
    def approximate(self, log_eps: Floats) -> Floats:
        """The bound in float64 at ``ln eps`` (any shape)."""

    @classmethod
    def approximate_each(cls, bounds: Sequence[Self], log_eps: Floats) -> Floats:
        """:meth:`approximate` of several of this class, each at its own row of ``log_eps`` (bounds, points)."""
        return np.stack([bound.approximate(row) for bound, row in zip(bounds, log_eps, strict=True)])

    @abstractmethod
    def surrogates(self) -> tuple[Surrogate, ...]:
        """Alternatives among which a product may choose when it splits its radius; empty for a single point."""

    def frozen(self, log_eps: Floats) -> Sequence[EntropyBound]:
        """For each of several radii this bound with every choice made as there, so that it is exactly monotone."""
        return [self] * len(log_eps)

    def trace(self, eps: Radius) -> tuple[AppliedRule, ...]:
        return (AppliedRule(self.rule, self.source, self.log_covering(eps)),)


def approximations(bounds: Sequence[EntropyBound], log_eps: Floats) -> Floats:
    """Each bound at its own row of ``log_eps`` (bounds, points), those of one class together: a short array takes as
    long as a number."""
    places: dict[type[EntropyBound], list[int]] = {}
    for i, bound in enumerate(bounds):
        places.setdefault(type(bound), []).append(i)
    found = np.empty(log_eps.shape)
    for kind, those in places.items():
        found[those] = kind.approximate_each([bounds[i] for i in those], log_eps[those])
    return found


def column(values: Iterable[float]) -> Floats:
    """A number for each row."""
    return np.array([[value] for value in values], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Projection(EntropyBound):
    """The same bound with its centres moved into the class: projection on a closed convex set is non-expansive.

    The cover must be in the Frobenius metric and the class convex (a ball, a box, an intersection of them).
    ``metric``: a norm at most the Frobenius norm, in which the projected cover is then used.
    Source: theory 3.3.
    """

    part: EntropyBound
    metric: str = "frobenius"

    rule = "project the centres on the convex class: same radius, same number"
    source = "theory.md 3.3"

    def __post_init__(self) -> None:
        require(
            self.part.convention.metric == "frobenius",
            f"projection ({self.source}) needs a Frobenius cover, got one in {self.part.convention}",
        )
        require(
            self.metric in ("frobenius", "spectral", "max", "l2"),
            f"projection ({self.source}) into {self.metric!r}, which may exceed the Frobenius norm",
        )

    @property
    def convention(self) -> Convention:
        return Convention(self.metric, "inside")

    def log_covering(self, eps: Radius) -> Enclosure:
        return self.part.log_covering(eps)

    def approximate(self, log_eps: Floats) -> Floats:
        return self.part.approximate(log_eps)

    @classmethod
    def approximate_each(cls, bounds: Sequence[Self], log_eps: Floats) -> Floats:
        return approximations([bound.part for bound in bounds], log_eps)

    def surrogates(self) -> tuple[Surrogate, ...]:
        return self.part.surrogates()

    def trace(self, eps: Radius) -> tuple[AppliedRule, ...]:
        return (*self.part.trace(eps), AppliedRule(self.rule, self.source, self.log_covering(eps)))


@dataclass(frozen=True, slots=True)
class Minimum(EntropyBound):
    """The smaller of several valid bounds on the same ln N, at each eps. Source: theory 3.5."""

    parts: tuple[EntropyBound, ...]

    rule = "the smaller of valid bounds"
    source = "theory.md 3.5"

    def __post_init__(self) -> None:
        conventions = {part.convention for part in self.parts}
        require(len(self.parts) >= 1, "minimum of no bounds")
        require(
            len(conventions) == 1,
            f"minimum ({self.source}) of covers in different conventions: {'; '.join(map(str, conventions))}",
        )

    @property
    def convention(self) -> Convention:
        return self.parts[0].convention

    def log_covering(self, eps: Radius) -> Enclosure:
        found = [part.log_covering(eps) for part in self.parts]
        return Enclosure(least(e.lower for e in found), least(e.upper for e in found))

    def approximate(self, log_eps: Floats) -> Floats:
        return np.min([part.approximate(log_eps) for part in self.parts], axis=0)

    @classmethod
    def approximate_each(cls, bounds: Sequence[Self], log_eps: Floats) -> Floats:
        places = [i for i, bound in enumerate(bounds) for _ in bound.parts]
        found = approximations([part for bound in bounds for part in bound.parts], log_eps[places])
        return np.minimum.reduceat(found, [places.index(i) for i in range(len(bounds))])

    def surrogates(self) -> tuple[Surrogate, ...]:
        return tuple(surrogate for part in self.parts for surrogate in part.surrogates())

    def trace(self, eps: Radius) -> tuple[AppliedRule, ...]:
        upper = self.log_covering(eps).upper
        return next(part for part in self.parts if part.log_covering(eps).upper == upper).trace(eps)


@dataclass(frozen=True, slots=True)
class LipschitzImage(EntropyBound):
    """``ln N(f(K), eps) <= ln N(K, eps/beta)`` for f beta-Lipschitz into ``metric``.

    Source: theory 2, the inner step of D.4 as repaired.
    """

    part: EntropyBound
    constant: Enclosure
    metric: str

    rule = "ln N(f(K), eps) <= ln N(K, eps/beta)"
    source = "theory.md 2, D.4 inner step as repaired"

    def __post_init__(self) -> None:
        if not self.constant.lower >= 0:
            raise DomainError(f"a Lipschitz constant is >= 0, got {self.constant}")

    @property
    def convention(self) -> Convention:
        return Convention(self.metric, self.part.convention.centres)

    def _inner(self, eps: Radius) -> Enclosure:
        interval, constant = positive_radius(eps), self.constant
        return Enclosure((interval.lower / constant.upper).lower(), (interval.upper / constant.lower).upper())

    def log_covering(self, eps: Radius) -> Enclosure:
        if self.constant.upper == 0:
            return Enclosure.point(0)
        if self.constant.lower == 0:
            low = Enclosure.point(0)
            return Enclosure(low.lower, replace(self, constant=self.constant.worst()).log_covering(eps).upper)
        return self.part.log_covering(self._inner(eps))

    def approximate(self, log_eps: Floats) -> Floats:
        if self.constant.upper == 0:
            return np.zeros_like(log_eps)
        return self.part.approximate(log_eps - logarithm(self.constant))

    @classmethod
    def approximate_each(cls, bounds: Sequence[Self], log_eps: Floats) -> Floats:
        shifts = column(logarithm(bound.constant) for bound in bounds)  # -infinity: the image is a point, and costs 0
        return approximations([bound.part for bound in bounds], log_eps - shifts)

    def surrogates(self) -> tuple[Surrogate, ...]:
        if self.constant.upper == 0:
            return ()
        shift = logarithm(self.constant)
        return tuple(replace(s, log_scale=s.log_scale + shift) for s in self.part.surrogates())

    def trace(self, eps: Radius) -> tuple[AppliedRule, ...]:
        if self.constant.upper == 0:
            return (AppliedRule("the output does not depend on this block", self.source, Enclosure.point(0)),)
        inner = replace(self, constant=self.constant.worst())._inner(eps)
        return (*self.part.trace(inner), AppliedRule(self.rule, self.source, self.log_covering(eps)))


def allocation(alphas: Sequence[Expr], betas: Sequence[Expr]) -> Expr:
    """C.9: ``gamma = sum alpha_i^{1/3} beta_i^{2/3}``, for alpha, beta > 0.

    The least ``sum alpha_i/eps_i^2`` under ``sum beta_i eps_i = eps`` is ``gamma^3/eps^2``, attained at
    ``eps_i = (eps/gamma)(alpha_i/beta_i)^{1/3}``. Source: theory 2, C.9.
    """
    third = sympy.Rational(1, 3)
    return sympy.Add(*(x**third * y ** (2 * third) for x, y in zip(alphas, betas, strict=True)))


def _multiplier_shares(kind: NDArray[np.bool_], weight: Floats, log_g: Floats, *, by: Functions, apart: bool) -> Floats:
    """KKT shares eta (blocks, points) of one radius: minimise ``sum_i h_i(eta_i)`` under ``sum eta_i = 1``.

    ``h = w (g/eta)^2`` where kind is True (C.9), ``w ln(1 + g/eta)`` elsewhere (theory 3.4):
    eta = (2 w g^2/mu)^{1/3} and eta = (2 w/mu)/(1 + sqrt(1 + 4 w/(mu g))), mu by Newton's method for
    ``ln sum eta = 0`` in ln mu, whose slope lies in [-1, -1/3].
    """
    log_w = by.log(weight)
    log_g = np.maximum(log_g, -300.0)  # a block that costs nothing still leaves the exponentials finite
    powers = kind.any()
    # the largest multiplier at which some share alone is at most 1: the sum is at least 1 there
    log_mu = log_w - by.logaddexp(0.0, -log_g)
    if powers:
        log_mu = np.where(kind, LN2 + log_w + 2 * log_g, log_mu)
    log_mu = log_mu.max(axis=0)
    inner, cube = 2 * LN2 + log_w - log_g, (LN2 + log_w + 2 * log_g) / 3
    for _ in range(9):
        root = np.sqrt(1 + by.exp(np.minimum(inner - log_mu, 700.0)))
        eta = 2 * by.exp(log_w - log_mu) / (1 + root)
        slope = -eta * (1 + 1 / root) / 2
        if powers:
            cubic = by.exp(np.minimum(cube - log_mu / 3, 700.0))
            eta, slope = np.where(kind, cubic, eta), np.where(kind, -cubic / 3, slope)
        held = total(eta, axis=0)
        there = abs(held - 1) < 1e-9
        if there.all():
            break
        moved = log_mu - by.log(held) * held / total(slope, axis=0)
        log_mu = np.where(there, log_mu, moved) if apart else moved
    found: Floats = np.maximum(eta, 1e-300)
    return found / total(found, axis=0)


def optimal_shares(
    kind: NDArray[np.bool_], weight: Floats, log_g: Floats, *, by: Functions = elementary, apart: bool = False
) -> Floats:
    """Near-optimal shares (blocks, points) of sum 1, the alternative of each block chosen at each point.

    Shapes: (blocks, alternatives, points), or 1 for what is the same at all of them. ``kind``, ``weight``, ``log_g``
    are those of a :class:`Surrogate`, g in units of the radius that is split. ``by``: whose exponentials. ``apart``: a
    point's search ends when it is there, not when all are, and finds what it finds alone, to the last bit.
    """
    blocks, alternatives, points = np.broadcast_shapes(kind.shape, weight.shape, log_g.shape)
    if alternatives == 1:  # nothing to choose between
        return _multiplier_shares(kind[:, 0], weight[:, 0], log_g[:, 0], by=by, apart=apart)
    best_cost = np.full(points, np.inf)
    best = np.empty((blocks, points))
    # start from the logarithmic alternatives: they stay finite where the power ones explode
    pick = np.broadcast_to(np.where(kind, 1, 0).argmin(axis=1), best.shape)
    for _ in range(4):
        eta = _multiplier_shares(*(_pick(table, pick) for table in (kind, weight, log_g)), by=by, apart=apart)
        ratio = log_g - by.log(eta)[:, None, :]
        with np.errstate(over="ignore"):
            value = weight * np.where(kind, by.exp(2 * ratio), by.logaddexp(0.0, ratio))
        cost = total(value.min(axis=1), axis=0)
        better = cost < best_cost
        best_cost, best = np.where(better, cost, best_cost), np.where(better, eta, best)
        previous, pick = pick, value.argmin(axis=1)
        if (previous == pick).all():
            break
    return best


def _pick(table: NDArray, alternative: NDArray[np.intp]) -> NDArray:
    """From (blocks, alternatives, points or 1) the entry of each block's alternative at each point."""
    full = np.broadcast_to(table, (*table.shape[:2], alternative.shape[1]))
    return np.take_along_axis(full, alternative[:, None, :], axis=1)[:, 0]


@dataclass(frozen=True, eq=False)
class Product(EntropyBound):
    """``ln N(eps) <= sum_i ln N_i(eta_i eps)`` for shares eta_i > 0 of sum 1 (theory 3.4).

    ``blocks``: one bound per parameter block, each already in the metric of the output. The shares are chosen near
    optimally at each eps (any choice is valid); ``shares`` fixes them, as :meth:`frozen` does.
    """

    blocks: Mapping[str, EntropyBound]
    shares: Mapping[str, Fraction] | None = None

    rule = "ln N(eps) <= sum_i ln N_i(eta_i eps), sum eta_i = 1"
    source = "theory.md 3.4"

    def __post_init__(self) -> None:
        conventions = {block.convention for block in self.blocks.values()}
        require(len(self.blocks) >= 1, "product of no blocks")
        require(
            len(conventions) == 1 and self.convention.centres == "inside",
            f"product ({self.source}) needs every block covered from inside, in one metric; "
            f"got {'; '.join(sorted(map(str, conventions)))}",
        )
        if self.shares is not None:
            require(
                not self.shares or (sum(self.shares.values()) == 1 and min(self.shares.values()) > 0),
                f"the shares of a product are > 0 and sum to 1, got {self.shares}",
            )

    @property
    def convention(self) -> Convention:
        return next(iter(self.blocks.values())).convention

    @functools.cached_property
    def table(self) -> tuple[list[str], NDArray[np.bool_], Floats, Floats]:
        """Names of the blocks that need a share, and of each the surrogates' kind, weight and log scale, as arrays
        (blocks, alternatives, 1). A block of coefficient 0, or that one of its covers says is a point, needs none."""
        options = {name: list(block.surrogates()) for name, block in self.blocks.items()}
        options = {
            name: found
            for name, found in options.items()
            if found and all(surrogate.log_scale > -math.inf for surrogate in found)
        }
        width = max(map(len, options.values()), default=0)
        padded = [found + [found[-1]] * (width - len(found)) for found in options.values()]

        def table(attribute: Callable[[Surrogate], Any]) -> NDArray[Any]:
            return np.array([[attribute(s) for s in found] for found in padded]).reshape(len(padded), width, 1)

        kind = table(lambda s: s.kind == "power").astype(bool)
        return list(options), kind, table(lambda s: s.weight), table(lambda s: s.log_scale)

    def _choose(self, log_eps: Floats) -> tuple[list[str], Floats]:
        """Names of the blocks that need a share, and their shares (blocks, points), alternatives chosen by block."""
        names, kind, weight, log_scale = self.table
        if not (names and len(log_eps)):
            return names, np.empty((len(names), len(log_eps)))
        return names, optimal_shares(kind, weight, log_scale - log_eps)

    def frozen(self, log_eps: Floats) -> Sequence[Product]:
        if self.shares is not None:
            return [self] * len(log_eps)
        names, eta = self._choose(log_eps)
        splits = []
        for column in eta.T:
            ratios = [Fraction(share) for share in column.tolist()]
            total = sum(ratios, Fraction(0))
            splits.append({name: ratio / total for name, ratio in zip(names, ratios, strict=True)})
        return [replace(self, shares=split) for split in splits]

    def split(self, eps: Radius) -> Product:
        """This product with the shares chosen at eps, kept: all levels of confidence ask for the same ones."""
        log_eps = logarithm(positive_radius(eps))
        return self if self.shares is not None else _split(self, log_eps)

    def log_covering(self, eps: Radius) -> Enclosure:
        fixed = self.split(eps)
        parts = [fixed.blocks[name].log_covering(_scaled(eps, share)) for name, share in (fixed.shares or {}).items()]
        zero = arb(0)
        return Enclosure(sum((p.lower for p in parts), zero).lower(), sum((p.upper for p in parts), zero).upper())

    def approximate(self, log_eps: Floats) -> Floats:
        flat = np.atleast_1d(np.asarray(log_eps, dtype=float)).ravel()
        if self.shares is None:
            names, eta = self._choose(flat)
        else:
            names = list(self.shares)
            eta = np.array([[float(share)] for share in self.shares.values()]) * np.ones_like(flat)
        parts = approximations([self.blocks[name] for name in names], flat + elementary.log(eta))
        return sum(parts, np.zeros_like(flat)).reshape(np.shape(log_eps))

    def on_grid(self, low: float, high: float, number: int) -> tuple[Floats, Floats]:
        """Logarithms of ``number`` radii from low to high, and :meth:`approximate` there, kept: searches for a radius
        at several levels of confidence look at the same ones."""
        return _grid(self, low, high, number)

    def surrogates(self) -> tuple[Surrogate, ...]:
        raise DomainError("a product of products: give all blocks to one product")

    def by_block(self, eps: Radius) -> dict[str, Enclosure]:
        """What each block contributes at the shares chosen at eps; blocks of radius 0 contribute 0."""
        fixed = self.split(eps)
        zero = dict.fromkeys(self.blocks, Enclosure.point(0))
        shares = fixed.shares or {}
        return zero | {name: self.blocks[name].log_covering(_scaled(eps, share)) for name, share in shares.items()}

    def trace(self, eps: Radius) -> tuple[AppliedRule, ...]:
        fixed = self.split(eps)
        steps = [
            replace(step, rule=f"{name} (share {float(share):.4f}): {step.rule}")
            for name, share in (fixed.shares or {}).items()
            for step in self.blocks[name].trace(_scaled(eps, share))
        ]
        return (*steps, AppliedRule(self.rule, self.source, fixed.log_covering(eps)))


@functools.lru_cache(maxsize=64)
def _split(product: Product, log_eps: float) -> Product:
    """A product is equal to itself alone."""
    (found,) = product.frozen(np.array([log_eps]))
    return found


@functools.lru_cache(maxsize=64)
def _grid(product: Product, low: float, high: float, number: int) -> tuple[Floats, Floats]:
    points = np.linspace(low, high, number)
    return points, product.approximate(points)


def approximate_all(products: Sequence[Product], log_eps: float) -> list[float]:
    """:meth:`Product.approximate` of several at one radius, each to the last bit what it is alone; those whose blocks
    leave as many alternatives together. Their shares are chosen there: none has fixed ones."""
    require(all(product.shares is None for product in products), "approximate_all: products choose their shares here")
    alike: dict[tuple[int, ...], list[int]] = {}
    for i, product in enumerate(products):
        alike.setdefault(product.table[1].shape, []).append(i)
    found = np.zeros(len(products))
    for those in alike.values():
        tables = [products[i].table for i in those]
        kind, weight, log_scale = (np.concatenate([table[k] for table in tables], axis=2) for k in (1, 2, 3))
        if len(kind):
            radii = log_eps + elementary.log(optimal_shares(kind, weight, log_scale - log_eps, apart=True))
            blocks = [products[i].blocks[name] for i, (names, *_) in zip(those, tables, strict=True) for name in names]
            parts = approximations(blocks, radii.T.reshape(-1, 1)).reshape(len(those), -1)
            found[those] = sum(parts.T, np.zeros(len(those)))
    return found.tolist()


def _scaled(eps: Radius, share: Fraction) -> Enclosure:
    interval, factor = positive_radius(eps), exact(share)
    return Enclosure((interval.lower * factor).lower(), (interval.upper * factor).upper())
