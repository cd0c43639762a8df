"""The search for the widths of a posterior (theory 8.3): float64, and free, as any widths may be certified."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.selective_ssm.spread import Center, drift, spread
from ssm_bounds.bounds.evaluate.elementary import exp, exp_of, expm1, log, softplus_of, total

Array = NDArray[np.float64]
Widths: TypeAlias = Mapping[str, Array]
"""sigma by block and group."""

_SERIES = np.array([[1 / (math.factorial(i) * (k + 1 + i)) for k in range(3)] for i in range(14)])
_GROWN = 1.001  # a width, for a difference quotient


def moments(a: Array, M: float, T: int) -> Array:
    """About R_1, R_2 and R_3 (3,d,N) of theory 4.5 for the search; the certificate encloses the formulas."""
    L = T * M
    X = a * L
    small = np.abs(X) < 1
    y = np.where(small, 1.0, X)
    e = exp(y)
    closed = ((e - 1) / y, (e * (y - 1) + 1) / (y * y), (e * (y * y - 2 * y + 2) - 2) / (y * y * y))
    series, x = np.zeros((3, *X.shape)), np.where(small, X, 0.0)
    for coefficients in _SERIES[::-1]:
        series = series * x + coefficients.reshape(3, *[1] * X.ndim)
    loss = np.maximum(-a * M, 1e-12)
    phi = loss / -expm1(-loss)
    powers = L, L * L, L * L * L
    R_1, R_2, R_3 = (phi * powers[k] * np.where(small, series[k], closed[k]) for k in range(3))
    return np.stack([R_1, np.minimum(R_2, np.where(a < 0, M * M * T * (T - 1) / 2, np.inf)), R_3])


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

    def gate(self, moved: float) -> float:
        """About the largest gate after a move of its logit."""
        logit = self.center.at.logit
        return 1.0 if logit is None else softplus_of(float(logit) + moved)

    def farthest(self, width: Widths) -> tuple[dict[str, Array], float]:
        """How far each block moves on the events, and the largest gate then."""
        x = self.center.at
        h = {name: r * width[name] for name, r in self.reach.items()}
        return h, self.gate(float(drift(x.input_l2, x.q_l2, h)))

    def read(self, width: Widths) -> Reading:
        h, M = self.farthest(width)
        first, later, remainder = spread(self.center, width, self.reach, self.near, moments(self.A + h["A"], M, self.T))
        deviation = math.sqrt(first + sum(map(total, later)) + 1e-300)
        return Reading(float(total(remainder) + self.quantile * deviation), deviation, later, remainder)

    def holds(self, width: Widths) -> bool:
        return self.read(width).left <= self.half


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The left side of a :class:`Constraint` at some widths; sqrt(V), the variances of W_B, W_C and W by group, rho by
    entry of A."""

    left: float
    deviation: float
    later: tuple[Array, Array, Array]
    remainder: Array


def fit_widths(constraint: Constraint, start: Widths, rounds: int) -> dict[str, Array]:
    """Widths that nearly minimise ``-sum n_b ln sigma_b`` under the constraint.

    In ln sigma the problem is convex; where it is solved, n_b is proportional to the elasticity of the left side in
    sigma_b.
    """
    width = _scaled(constraint, start)
    best, stride = _cost(constraint, width), 0.5
    step = _direction(constraint, width)
    for _ in range(rounds):
        longer = {name: np.minimum(width[name] * exp(stride * step[name]), constraint.most[name]) for name in step}
        trial = _scaled(constraint, width | longer)
        if (found := _cost(constraint, trial)) < best:
            gained, width, best, stride = best - found, trial, found, min(0.5, 1.5 * stride)
            if gained < 0.1:
                break
            step = _direction(constraint, width)
        else:
            stride /= 2
    return width


def _cost(constraint: Constraint, width: Widths) -> float:
    return -sum(n * float(total(log(width[name]))) for name, n in constraint.counts.items())


def _scaled(constraint: Constraint, width: Widths) -> dict[str, Array]:
    """The widths times one factor, as large as the constraint admits."""

    def at(t: float) -> dict[str, Array]:
        factor = exp_of(t)
        return {name: np.asarray(np.minimum(value * factor, constraint.most[name])) for name, value in width.items()}

    widest = {name: np.full_like(value, constraint.most[name]) for name, value in width.items()}
    return widest if constraint.holds(widest) else at(_largest(lambda t: constraint.holds(at(t))))


def _largest(admits: Callable[[float], bool]) -> float:
    """About the largest t that is admitted, where all smaller ones are: by steps from 0 that double, then halved."""
    low, high, step = 0.0, 0.0, 0.1
    if admits(0.0):
        while admits(high := high + step) and high < 60:
            low, step = high, 2 * step
    else:
        while not admits(low := low - step) and low > -400:
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
    here = constraint.read(width)
    variance = _variances(constraint, width, here.later)
    found = {name: constraint.quantile * value / here.deviation for name, value in variance.items()}
    grown = constraint.read({**width, "A": width["A"] * _GROWN})
    found["A"] = found["A"] + (grown.remainder - here.remainder) / 0.001
    for name in constraint.counts.keys() - found.keys():
        grown = constraint.read({**width, name: width[name] * _GROWN})
        found[name] = np.asarray((grown.left - here.left) / 0.001)
    return {name: np.maximum(value, 1e-12 * here.left) for name, value in found.items()}


def _variances(constraint: Constraint, width: Widths, later: tuple[Array, Array, Array]) -> dict[str, Array]:
    """``(1/2) dV/d ln sigma_b`` of the blocks that are moved last, and of A."""
    x, (by_B, by_C, by_w) = constraint.center.at, later
    h, M = constraint.farthest(width)
    F = moments(constraint.A + h["A"], M, constraint.T)[0]
    rate = (moments(constraint.A + _GROWN * h["A"], M, constraint.T)[0] / F - 1) / 0.001
    more_B, more_C = h["W_B"] * x.channel_input_l2[:, None], h["W_C"] * x.input_l2
    eb, c = x.channel_image_B + more_B + 1e-300, x.image_C + more_C + 1e-300
    omega = x.omega[:, None]
    share = [omega * F * x.channel_input_l2[:, None], omega * F * eb, c * F * eb]
    sums = [np.expand_dims(total(part, axis), axis) for part, axis in zip(share, (0, 0, 1), strict=True)]
    share = [part / (held + 1e-300) for part, held in zip(share, sums, strict=True)]
    for_B, for_C, for_w = by_B * share[0], by_C * share[1], by_w[:, None] * share[2]
    own = np.square(omega * x.image_C * x.channel_image_B * constraint.near[1] * width["A"])
    return {
        "A": own + rate * (for_B + for_C + for_w),
        "W_B": by_B + total((for_C + for_w) * more_B / eb, axis=0),
        "W_C": by_C + total(for_w * more_C / c, axis=0),
        "W": by_w,
    }
