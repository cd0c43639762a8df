"""The search for the widths of a posterior (theory.md 8.3): float64, and free, as any widths may be certified."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.selective_ssm.spread import Center, drift, spread
from ssm_bounds.bounds.evaluate.elementary import exp, exp_of, expm1, log, softplus_of, total

Array = NDArray[np.float64]

_SERIES = np.array([[1 / (math.factorial(i) * (k + 1 + i)) for k in range(3)] for i in range(14)])


def moments(a: Array, M: float, T: int) -> Array:
    """About R_1, R_2 and R_3 (3,d,N) of theory.md 4.5 for the search; the certificate encloses the formulas."""
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


def fit_widths(
    center: Center,
    A: Array,
    T: int,
    counts: Mapping[str, int],
    half: float,
    quantile: float,
    reach: Mapping[str, float],
    start: Mapping[str, Array],
    most: Mapping[str, float],
    rounds: int,
) -> dict[str, Array]:
    """Widths that nearly minimise ``-sum n_b ln sigma_b`` under ``rho + quantile sqrt(V) <= half`` and sigma_b <= most.

    In ln sigma the problem is convex; where it is solved, n_b is proportional to the elasticity of the left side in
    sigma_b.
    """
    x = center.at

    def gate(drift: float) -> float:
        return 1.0 if x.logit is None else softplus_of(float(x.logit) + drift)

    near = moments(A, gate(0.0), T)

    def evaluate(width: Mapping[str, Array]) -> tuple[Array, float, tuple[Array, Array, Array], Array]:
        """Left side, sqrt(V), and variances and remainder by group."""
        h = {name: r * width[name] for name, r in reach.items()}
        far = moments(A + h["A"], gate(float(drift(x.input_l2, x.q_l2, h))), T)
        first, later, remainder = spread(center, width, reach, near, far)
        deviation = math.sqrt(first + sum(map(total, later)) + 1e-300)
        return total(remainder) + quantile * deviation, deviation, later, remainder

    def left(width: Mapping[str, Array]) -> float:
        return float(evaluate(width)[0])

    def elasticities(width: Mapping[str, Array]) -> dict[str, Array]:
        """Of the left side in each width: by the chain rule for V, numerically for rho and the first blocks."""
        base, deviation, (by_B, by_C, by_w), remainder = evaluate(width)
        grown = {**width, "A": width["A"] * 1.001}
        h = {name: r * width[name] for name, r in reach.items()}
        M = gate(float(drift(x.input_l2, x.q_l2, h)))
        F = moments(A + h["A"], M, T)[0]
        rate = (moments(A + 1.001 * h["A"], M, T)[0] / F - 1) / 0.001
        more_B, more_C = h["W_B"] * x.channel_input_l2[:, None], h["W_C"] * x.input_l2
        eb, c = x.channel_image_B + more_B + 1e-300, x.image_C + more_C + 1e-300
        share = [x.omega[:, None] * F * x.channel_input_l2[:, None], x.omega[:, None] * F * eb, c * F * eb]
        sums = [np.expand_dims(total(part, axis), axis) for part, axis in zip(share, (0, 0, 1), strict=True)]
        share = [part / (held + 1e-300) for part, held in zip(share, sums, strict=True)]
        for_B, for_C, for_w = by_B * share[0], by_C * share[1], by_w[:, None] * share[2]
        own = np.square(x.omega[:, None] * x.image_C * x.channel_image_B * near[1] * width["A"])
        variance = {
            "A": own + rate * (for_B + for_C + for_w),
            "W_B": by_B + total((for_C + for_w) * more_B / eb, axis=0),
            "W_C": by_C + total(for_w * more_C / c, axis=0),
            "W": by_w,
        }
        found = {name: quantile * value / deviation for name, value in variance.items()}
        found["A"] = found["A"] + (evaluate(grown)[3] - remainder) / 0.001
        for name in counts.keys() - found.keys():
            found[name] = np.asarray((left({**width, name: width[name] * 1.001}) - base) / 0.001)
        return {name: np.maximum(value, 1e-12 * base) for name, value in found.items()}

    def feasible(width: Mapping[str, Array]) -> dict[str, Array]:
        """The widths times one factor, as large as the constraint admits."""

        def at(t: float) -> dict[str, Array]:
            factor = exp_of(t)
            return {name: np.asarray(np.minimum(value * factor, most[name])) for name, value in width.items()}

        widest = {name: np.full_like(value, most[name]) for name, value in width.items()}
        if left(widest) <= half:
            return widest
        low, high, step = 0.0, 0.0, 0.1
        if left(at(0.0)) <= half:
            while left(at(high := high + step)) <= half and high < 60:
                low, step = high, 2 * step
        else:
            while not left(at(low := low - step)) <= half and low > -400:
                high, step = low, 2 * step
        while high - low > 2e-4:
            middle = (low + high) / 2
            low, high = (middle, high) if left(at(middle)) <= half else (low, middle)
        return at(low)

    def direction(width: Mapping[str, Array]) -> dict[str, Array]:
        """Of ln sigma, towards n_b proportional to the elasticity; half of it would do for a quadratic left side."""
        elasticity = elasticities(width)
        free = {name: width[name] < most[name] for name in counts}
        entries = sum(n * int(free[name].sum()) for name, n in counts.items()) or 1
        whole = sum(float(total(elasticity[name][free[name]])) for name in counts) or 1.0
        return {name: np.clip(log(n / entries * whole / elasticity[name]), -4, 4) for name, n in counts.items()}

    def cost(width: Mapping[str, Array]) -> float:
        return -sum(n * float(total(log(width[name]))) for name, n in counts.items())

    width = feasible(start)
    best, stride = cost(width), 0.5
    step = direction(width)
    for _ in range(rounds):
        trial = feasible(
            width | {name: np.minimum(width[name] * exp(stride * step[name]), most[name]) for name in step}
        )
        if (found := cost(trial)) < best:
            gained, width, best, stride = best - found, trial, found, min(0.5, 1.5 * stride)
            if gained < 0.1:
                break
            step = direction(width)
        else:
            stride /= 2
    return width
