"""The search for the widths of a posterior (theory 8.3): float64, and free, as any widths may be certified."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.selective_ssm.spread import (
    Center,
    Moved,
    Slopes,
    drift,
    moved,
    slopes,
    spread_of,
)
from ssm_bounds.bounds.evaluate.elementary import exp, exp_of, expm1, log, softplus_of, total

Array = NDArray[np.float64]
Widths: TypeAlias = Mapping[str, Array]
"""sigma by block and group."""

_SERIES = np.array([[1 / (math.factorial(i) * (k + 1 + i)) for k in range(3)] for i in range(14)])
_SURE = 1e-9  # what grows by this factor grows beyond its rounding
_STEP = 0.001  # of a width, for a difference quotient
_SLOPE = 1.2  # a first guess of d ln(left side) / d ln(sigma)


def moments(a: Array, M: float | Array, T: int) -> Array:
    """About R_1, R_2 and R_3 (3,d,N) of theory 4.5 for the search; the certificate encloses the formulas.

    Several at once: a (n,d,N) and M (n,1,1) give (3,n,d,N).
    """
    L = T * M
    X = a * L
    small = np.abs(X) < 1
    found = np.empty((3, *X.shape))
    if not small.all():
        y = np.where(small, 1.0, X)
        e, square = exp(y), y * y
        found[0], found[1] = (e - 1) / y, (e * (y - 1) + 1) / square
        found[2] = (e * (square - 2 * y + 2) - 2) / (square * y)
    if small.any():
        x, series = np.where(small, X, 0.0), np.zeros(found.shape)
        for coefficients in _SERIES[::-1].reshape(-1, 3, *[1] * X.ndim):
            series = series * x + coefficients
        found = np.where(small, series, found)
    loss = np.maximum(-a * M, 1e-12)
    phi = loss / -expm1(-loss)
    for k, power in enumerate((L, L * L, L * L * L)):
        found[k] = phi * power * found[k]
    found[1] = np.minimum(found[1], np.where(a < 0, M * M * T * (T - 1) / 2, np.inf))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The left side of a :class:`Constraint` at some widths; sqrt(V), the variances of W_B, W_C and W by group, rho by
    entry of A."""

    left: float
    deviation: float
    later: tuple[Array, Array, Array]
    remainder: Array


@dataclass(frozen=True, eq=False)
class Constraint:
    """``rho + quantile sqrt(V) <= half`` and sigma_b <= ``most``, for the ``counts`` n_b of entries of each group.

    ``A`` (d,N), ``T``: what the sums over time depend on besides the gates; ``reach``: r of the events by block.
    """

    center: Center
    A: Array
    T: int
    counts: Mapping[str, int]
    half: float
    quantile: float
    reach: Mapping[str, float]
    most: Mapping[str, float]

    @functools.cached_property
    def near(self) -> Array:
        """About R_1, R_2, R_3 before any move."""
        return moments(self.A, self.gate(0.0), self.T)

    @functools.cached_property
    def at_theta(self) -> Slopes:
        return slopes(self.center, self.near)

    @functools.cached_property
    def still(self) -> Moved | None:
        """What no width changes, where the embedding does not move."""
        return None if "embedding" in self.counts else moved(self.center, np.zeros(()))

    def gate(self, moved: float) -> float:
        """About the largest gate after a move of its logit."""
        logit = self.center.at.logit
        return 1.0 if logit is None else softplus_of(float(logit) + moved)

    def farthest(self, width: Widths) -> tuple[dict[str, Array], float]:
        """The most that each group moves on the events, and the largest gate then."""
        sup = self.center.at
        h = {name: r * width[name] for name, r in self.reach.items()}
        return h, self.gate(float(drift(sup.input_l2, sup.q_l2, h)))

    def read(self, width: Widths, h: Widths, far: Array) -> Reading:
        """``h``: of :meth:`farthest`; ``far`` (3,d,N): about R_1, R_2, R_3 there."""
        after = moved(self.center, h["embedding"]) if self.still is None else self.still
        first, later, remainder = spread_of(self.center, width, h, self.near, self.at_theta, after, far)
        deviation = math.sqrt(first + sum(map(total, later)) + 1e-300)
        return Reading(float(total(remainder) + self.quantile * deviation), deviation, later, remainder)

    def left(self, width: Widths) -> float:
        h, M = self.farthest(width)
        return self.read(width, h, moments(self.A + h["A"], M, self.T)).left


def fit_widths(constraint: Constraint, start: Widths, rounds: int) -> dict[str, Array]:
    """Widths that nearly minimise ``-sum n_b ln sigma_b`` under the constraint.

    In ln sigma the problem is convex; where it is solved, n_b is proportional to the elasticity of the left side in
    sigma_b.
    """
    width, slope = _scaled(constraint, start, _SLOPE)
    best, stride = _cost(constraint, width), 0.5
    step = _direction(constraint, width)
    for _ in range(rounds):
        longer = {name: np.minimum(width[name] * exp(stride * step[name]), constraint.most[name]) for name in step}
        trial, slope = _scaled(constraint, width | longer, slope)
        if (found := _cost(constraint, trial)) < best:
            gained, width, best, stride = best - found, trial, found, min(0.5, 1.5 * stride)
            if gained < 0.1:
                break
            step = _direction(constraint, width)
        else:
            stride /= 2
    return width


def _cost(constraint: Constraint, width: Widths) -> float:
    counts = constraint.counts
    ends = np.cumsum([width[name].size for name in counts])
    logs = np.split(log(np.concatenate([width[name].ravel() for name in counts])), ends[:-1])
    return -sum(n * float(total(part)) for n, part in zip(counts.values(), logs, strict=True))


def _scaled(constraint: Constraint, width: Widths, slope: float) -> tuple[dict[str, Array], float]:
    """The widths times one factor, as large as the constraint admits; ``slope``: as in :func:`_both_sides`."""

    def at(t: float) -> dict[str, Array]:
        factor = exp_of(t)
        return {name: np.asarray(np.minimum(value * factor, constraint.most[name])) for name, value in width.items()}

    def left(t: float) -> float:
        return constraint.left(at(t))

    yes, no, slope = _both_sides(left, constraint.half, slope)
    widest = {name: np.full_like(value, constraint.most[name]) for name, value in width.items()}
    if no == math.inf and constraint.left(widest) <= constraint.half:
        return widest, slope

    def admits(t: float) -> bool:
        """Known without a look outside of the two places: the left side increases."""
        return left(t) <= constraint.half if yes - _SURE < t < no + _SURE else t < no

    return at(_largest(admits)), slope


def _both_sides(value: Callable[[float], float], most: float, slope: float) -> tuple[float, float, float]:
    """Places close to each other with ``value(yes) <= most < value(no)``, value increasing; infinite where not found.

    By the secant method in the logarithm, from 0, a little beyond where it points to once that is near. ``slope``: a
    guess, and what it became.
    """
    yes, no = -math.inf, math.inf
    t, last = 0.0, None
    for _ in range(8):
        found = value(t)
        if not 0 < found < math.inf:
            break
        excess = math.log(found / most)
        if found <= most:
            yes = max(yes, t)
        elif excess > _SURE:
            no = min(no, t)
        if no - yes < 4e-4:
            break
        if last is not None:
            slope = min(max((excess - last[1]) / (t - last[0]), 0.1), 30.0)
        last, step = (t, excess), -excess / slope
        t += step + (math.copysign(4e-5, step) if abs(step) < 1e-2 else 0.0)
        if not yes < t < no:
            t = (yes + no) / 2
    return yes, no, slope


def _largest(admits: Callable[[float], bool]) -> float:
    """About the largest t that is admitted, where all smaller ones are: by steps from 0 that double, then halved."""
    low, high, step = 0.0, 0.0, 0.1
    if admits(0.0):
        while admits(high := high + step) and high < 60:
            low, step = high, 2 * step
    else:
        while not admits(low := low - step):
            if low <= -400:
                return low
            high, step = low, 2 * step
    while high - low > 2e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if admits(middle) else (low, middle)
    return low


def _direction(constraint: Constraint, width: Widths) -> dict[str, Array]:
    """Of ln sigma, towards n_b proportional to the elasticity; half of it would do for a quadratic left side."""
    counts, elasticity = constraint.counts, _elasticities(constraint, width)
    free = {name: width[name] < constraint.most[name] for name in counts}
    entries = sum(n * int(free[name].sum()) for name, n in counts.items()) or 1
    whole = sum(float(total(elasticity[name][free[name]])) for name in counts) or 1.0
    return {name: np.clip(log(n / entries * whole / elasticity[name]), -4, 4) for name, n in counts.items()}


def _elasticities(constraint: Constraint, width: Widths) -> dict[str, Array]:
    """Of the left side in each width: by the chain rule for V, numerically for rho and the first blocks."""
    alone = sorted(constraint.counts.keys() - {"A", "W_B", "W_C", "W"})
    probes = [width, *({**width, name: width[name] * (1 + _STEP)} for name in ("A", *alone))]
    moves, gates = zip(*map(constraint.farthest, probes), strict=True)
    # the sums over time in one batch: of each probe, and of the first with its decays alone moved further
    decays = np.stack([*(constraint.A + h["A"] for h in moves), constraint.A + (1 + _STEP) * moves[0]["A"]])
    far = moments(decays, np.array([*gates, gates[0]])[:, None, None], constraint.T)
    here, grown, *others = (
        constraint.read(probe, h, far[:, i]) for i, (probe, h) in enumerate(zip(probes, moves, strict=True))
    )
    variance = _variances(constraint, width, moves[0], here.later, far[0, 0], far[0, -1])
    found = {name: constraint.quantile * value / here.deviation for name, value in variance.items()}
    found["A"] = found["A"] + (grown.remainder - here.remainder) / _STEP
    for name, other in zip(alone, others, strict=True):
        found[name] = np.asarray((other.left - here.left) / _STEP)
    return {name: np.maximum(value, 1e-12 * here.left) for name, value in found.items()}


def _variances(
    constraint: Constraint, width: Widths, h: Widths, later: tuple[Array, Array, Array], F_1: Array, further: Array
) -> dict[str, Array]:
    """``(1/2) dV/d ln sigma_b`` of the blocks that are moved last, and of A.

    ``F_1``, ``further`` (d,N): R_1 at the moved decays, and where these move further by ``_STEP`` of their move.
    """
    sup, (by_B, by_C, by_w) = constraint.center.at, later
    omega, input_l2 = sup.omega[:, None], sup.channel_input_l2[:, None]
    rate = (further / F_1 - 1) / _STEP
    more_B, more_C = h["W_B"] * input_l2, h["W_C"] * sup.input_l2
    image_B, image_C = sup.channel_image_B + more_B + 1e-300, sup.image_C + more_C + 1e-300
    for_B = by_B * _shares(omega * F_1 * input_l2, 0)
    for_C = by_C * _shares(omega * F_1 * image_B, 0)
    for_w = by_w[:, None] * _shares(image_C * F_1 * image_B, 1)
    own = np.square(omega * sup.image_C * sup.channel_image_B * constraint.near[1] * width["A"])
    return {
        "A": own + rate * (for_B + for_C + for_w),
        "W_B": by_B + total((for_C + for_w) * more_B / image_B, axis=0),
        "W_C": by_C + total(for_w * more_C / image_C, axis=0),
        "W": by_w,
    }


def _shares(parts: Array, axis: int) -> Array:
    """Of each part in the sum along an axis."""
    return parts / (np.expand_dims(total(parts, axis), axis) + 1e-300)
