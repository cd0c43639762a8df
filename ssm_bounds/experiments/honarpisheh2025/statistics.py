"""What the experiments ask of a table of runs: a slope with its interval, and which runs trained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import mpmath
import numpy as np

from ssm_bounds.experiments.honarpisheh2025.presets import CLASSES
from ssm_bounds.experiments.run import Record

CONFIDENCE = 0.95
FLOAT32_EXPONENT = math.log(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Slope:
    """Least-squares slope of y over x, its confidence interval, the number of points, and the range of x."""

    value: float
    low: float
    high: float
    n: int
    span: float

    @property
    def hidden(self) -> float:
        """The largest growth over the range of x that the interval does not exclude."""
        return max(self.high, 0.0) * self.span

    @property
    def trend(self) -> str:
        """ "none": the interval holds 0; "up" and "down": it lies on that side; "unknown": there is no interval."""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return "unknown"
        return "up" if self.low > 0 else "down" if self.high < 0 else "none"


def slope(x: Sequence[float], y: Sequence[float], *, confidence: float = CONFIDENCE) -> Slope:
    """Student's t with n - 2 degrees of freedom and the HC3 standard error (MacKinnon and White 1985), since the spread
    of a gap may differ from length to length. NaN with fewer than three points or a single x.

    >>> slope([1, 2, 3, 4], [2, 4, 6, 8]).value
    2.0
    """
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    n, span = len(xs), float(np.ptp(xs)) if len(xs) else 0.0
    if n < 3 or span == 0:
        return Slope(math.nan, math.nan, math.nan, n, span)
    away = xs - xs.mean()
    total = float(away @ away)
    value = float(away @ ys) / total
    residuals = ys - ys.mean() - value * away
    leverage = 1 / n + away**2 / total
    with np.errstate(divide="ignore", invalid="ignore"):  # a point that alone decides the line has leverage 1
        error = math.sqrt(float(np.sum((away * residuals / (1 - leverage)) ** 2))) / total
    reach = student_quantile((1 + confidence) / 2, n - 2) * error
    return Slope(value, value - reach, value + reach, n, span)


@lru_cache
def student_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t above the median, by bisection of the regularised incomplete beta function.

    >>> round(student_quantile(0.975, 78), 4)
    1.9908
    """

    def above(t: float) -> float:
        return float(mpmath.betainc(degrees / 2, 0.5, 0, degrees / (degrees + t * t), regularized=True)) / 2

    low, high = 0.0, 1.0
    while above(high) > 1 - probability:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) > 1 - probability else (low, middle)
    return high


def trained(record: Record) -> bool:
    """Did it train? The loss stayed finite, and at the end is below that of guessing: ln(number of labels)."""
    return record.status == "completed" and record.train.cross_entropy < math.log(CLASSES[record.config.task])


@dataclass(frozen=True, slots=True)
class Separation:
    """The threshold of ``Record.exponent`` that tells failure from success best: the largest exponent below it of runs
    that trained, the least above it of runs that failed, and how many of the n runs lie on the wrong side of it."""

    succeeded: float
    failed: float
    astray: int
    n: int


def separation(records: Iterable[Record]) -> Separation | None:
    """None unless runs of both outcomes have an exponent."""
    found = sorted((record.exponent, not trained(record)) for record in records if math.isfinite(record.exponent))
    failures = sum(failed for _, failed in found)
    if failures in (0, len(found)):
        return None
    # a threshold after the first i runs; between equal exponents there is none
    places = [i for i in range(1, len(found)) if found[i - 1][0] < found[i][0]]
    errors = {i: sum(failed for _, failed in found[:i]) + sum(not failed for _, failed in found[i:]) for i in places}
    sides = {i: ([x for x, no in found[:i] if not no], [x for x, no in found[i:] if no]) for i in places}
    places = [i for i in places if all(sides[i])]
    if not places:
        return None
    best = min(places, key=errors.__getitem__)
    below, above = sides[best]
    return Separation(max(below), min(above), errors[best], len(found))


def turning_length(fractions: Sequence[tuple[int, float]]) -> int | None:
    """From (T, fraction of seeds that trained): the least T from which on at most half of them trained; None if there
    is none.

    >>> turning_length([(50, 1.0), (100, 0.8), (200, 0.2), (300, 0.0)])
    200
    """
    turn = None
    for T, fraction in sorted(fractions, reverse=True):
        if fraction > 0.5:
            break
        turn = T
    return turn
