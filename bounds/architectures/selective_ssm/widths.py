"""The search for the widths of a posterior (theory 8.3): float64, and free, as any widths may be certified."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.selective_ssm.spread import Center, drift, moved, slopes, spread_of
from ssm_bounds.bounds.evaluate.elementary import exp, exp_of, expm1, log, softplus_of, total

Array = NDArray[np.float64]

_SERIES = np.array([[1 / (math.factorial(i) * (k + 1 + i)) for k in range(3)] for i in range(14)])
_SURE = 1e-9  # what grows by this factor grows beyond its rounding


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
    at_theta = slopes(center, near)
    slope = 1.2
    still = None if "embedding" in counts else moved(center, np.zeros(()))

    def reached(width: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
        """The most that each group moves, and the largest gate then."""
        h = {name: r * width[name] for name, r in reach.items()}
        return h, gate(float(drift(x.input_l2, x.q_l2, h)))

    def evaluate(
        width: Mapping[str, Array], h: Mapping[str, Array], far: Array
    ) -> tuple[Array, float, tuple[Array, Array, Array], Array]:
        """Left side, sqrt(V), and variances and remainder by group."""
        after = moved(center, h["embedding"]) if still is None else still
        first, later, remainder = spread_of(center, width, h, near, at_theta, after, far)
        deviation = math.sqrt(first + sum(map(total, later)) + 1e-300)
        return total(remainder) + quantile * deviation, deviation, later, remainder

    def left(width: Mapping[str, Array]) -> float:
        h, M = reached(width)
        return float(evaluate(width, h, moments(A + h["A"], M, T))[0])

    def elasticities(width: Mapping[str, Array]) -> dict[str, Array]:
        """Of the left side in each width: by the chain rule for V, numerically for rho and the first blocks."""
        alone = sorted(counts.keys() - {"A", "W_B", "W_C", "W"})
        probes = [width, *({**width, name: width[name] * 1.001} for name in ("A", *alone))]
        moves, gates = zip(*map(reached, probes), strict=True)
        h = moves[0]
        decays = np.stack([*(A + each["A"] for each in moves), A + 1.001 * h["A"]])
        far = moments(decays, np.array([*gates, gates[0]])[:, None, None], T)
        found_at = [evaluate(probe, move, far[:, i]) for i, (probe, move) in enumerate(zip(probes, moves, strict=True))]
        (base, deviation, (by_B, by_C, by_w), remainder), grown, *others = found_at
        F = far[0, 0]
        rate = (far[0, -1] / F - 1) / 0.001
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
        found["A"] = found["A"] + (grown[3] - remainder) / 0.001
        for name, other in zip(alone, others, strict=True):
            found[name] = np.asarray((float(other[0]) - base) / 0.001)
        return {name: np.maximum(value, 1e-12 * base) for name, value in found.items()}

    def feasible(width: Mapping[str, Array]) -> dict[str, Array]:
        """The widths times one factor, as large as the constraint admits."""

        def at(t: float) -> dict[str, Array]:
            factor = exp_of(t)
            return {name: np.asarray(np.minimum(value * factor, most[name])) for name, value in width.items()}

        nonlocal slope
        yes, no, slope = _both_sides(lambda t: left(at(t)), half, slope)

        def admitted(t: float) -> bool:
            nonlocal yes, no
            if not yes - _SURE < t < no + _SURE:
                return t < no
            if found := left(at(t)) <= half:
                yes = t
            else:
                no = t
            return found

        widest = {name: np.full_like(value, most[name]) for name, value in width.items()}
        if no == math.inf and left(widest) <= half:
            return widest
        low, high, step = 0.0, 0.0, 0.1
        if admitted(0.0):
            while admitted(high := high + step) and high < 60:
                low, step = high, 2 * step
        else:
            while not admitted(low := low - step) and low > -400:
                high, step = low, 2 * step
        while high - low > 2e-4:
            middle = (low + high) / 2
            low, high = (middle, high) if admitted(middle) else (low, middle)
        return at(low)

    def direction(width: Mapping[str, Array]) -> dict[str, Array]:
        """Of ln sigma, towards n_b proportional to the elasticity; half of it would do for a quadratic left side."""
        elasticity = elasticities(width)
        free = {name: width[name] < most[name] for name in counts}
        entries = sum(n * int(free[name].sum()) for name, n in counts.items()) or 1
        whole = sum(float(total(elasticity[name][free[name]])) for name in counts) or 1.0
        return {name: np.clip(log(n / entries * whole / elasticity[name]), -4, 4) for name, n in counts.items()}

    def cost(width: Mapping[str, Array]) -> float:
        ends = np.cumsum([width[name].size for name in counts])
        logs = np.split(log(np.concatenate([width[name].ravel() for name in counts])), ends[:-1])
        return -sum(n * float(total(part)) for n, part in zip(counts.values(), logs, strict=True))

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
