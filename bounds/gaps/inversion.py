"""Tail inversions: ``kl_inv`` (theory 6.3) and the binomial upper bound of Clopper and Pearson (8.4).

Both search for a candidate, the same on every machine, and then verify it in arb; what is returned holds at every
rounding. The binomial one is for i.i.d. rows alone (8.5): :func:`error_rate` takes the form that the draws allow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.evaluate.elementary import LN2, Floats, exp, log, log_of, total
from ssm_bounds.bounds.values import Draws, Scalar, require

_BELOW_1 = 1 - 2.0**-53


def _kl(a: arb, rest: arb, x: arb) -> arb:
    """``kl(a || x) = a ln(a/x) + (1-a) ln((1-a)/(1-x))`` in nats, for x in (0, 1); ``rest``: 1 - a."""
    total = arb(0)
    if a > 0:
        total += a * (a / x).log()
    if rest > 0:
        total += rest * (rest / (1 - x)).log()
    return total


def kl_about(a: float, rest: float, b: float) -> float:
    """A place near ``sup{x : kl(a||x) <= b}`` to look around: logarithms are the platform's."""
    if not a < 1:
        return a

    def kl(x: float) -> float:
        return (a * math.log(a / x) if a > 0 else 0.0) + rest * math.log(rest / (1 - x))

    # kl >= 2 (x - a)^2 and kl >= -ln 2 - (1 - a) ln(1 - x): the end is below. kl is convex in -ln(1 - x), so that
    # Newton's method comes down to it
    near = min(a + math.sqrt(b / 2), -math.expm1(-(b + LN2) / rest), _BELOW_1)
    for _ in range(30):
        if not near > a:
            return a
        step = (1 - near) * math.expm1((kl(near) - b) * near / (near - a))
        near = min(max(near - step, a), _BELOW_1)
        if abs(step) <= 2.0**-48 * near:
            break
    return near


def _largest(admitted: Callable[[float], bool], low: float, near: float) -> float:
    """The largest float64 in [low, 1) that is admitted, as they all are up to it: where bisection ends, from any
    ``near``; the better that is the sooner."""
    high, step = 1.0, max(near, 1e-300) * 2.0**-50
    while low < (below := near - step):
        if admitted(below):
            low = below
            break
        high, step = below, 8 * step
    step = max(near, 1e-300) * 2.0**-50
    while (above := near + step) < high:
        if not admitted(above):
            high = above
            break
        low, step = above, 8 * step
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if admitted(middle) else (low, middle)
    return low


def _verified(guess: float, beyond: Callable[[arb], bool], within: Callable[[arb], bool]) -> Enclosure:
    """Ends of the largest admissible probability near ``guess``: certainly too large above, admissible below."""

    def search(step: float, admit: Callable[[arb], bool], limit: float) -> arb:
        while True:
            candidate = min(1.0, max(0.0, guess + step))
            if candidate == limit or admit(arb(candidate)):
                return arb(candidate)
            step *= 4

    with bits(START_BITS):
        start = max(guess, 1e-300) * 2.0**-48
        return Enclosure(search(-start, within, 0.0), search(start, beyond, 1.0))


def kl_inv(a: Fraction, b: Enclosure) -> Enclosure:
    """``sup{x : kl(a||x) <= b}``, 1 for a >= 1; the upper end is the certified one. Source: theory 6.3.

    >>> round(kl_inv(Fraction(0), Enclosure.point(Fraction(1, 2))).float_upper(), 6)  # 1 - e^{-1/2}
    0.393469
    """
    require(a >= 0 and bool(b.lower >= 0), f"kl_inv(a, b) needs a >= 0 and b >= 0, got a = {a}, b = {b}")
    if a >= 1:
        return Enclosure.point(1)
    near = kl_about(float(a), float(1 - a), float(b.upper))
    with bits(START_BITS):
        start, rest = exact(a), exact(1 - a)
        low = _largest(lambda x: bool(_kl(start, rest, arb(x)).mid() <= b.upper), float(a), near)
    return _verified(
        low,
        beyond=lambda x: x > start and _kl(start, rest, x) > b.upper,
        within=lambda x: x <= start or (x < 1 and _kl(start, rest, x) <= b.lower),
    )


def error_rate(errors: int, n: int, nats: Enclosure, draws: Draws) -> Enclosure:
    """Risk after ``errors`` on n rows, at level ``e^{-nats}``: the binomial inversion for i.i.d. rows, else kl's.

    For stratified rows the risk is that under their proportions of classes, for those drawn without replacement that of
    the whole collection. Source: theory 8.1, 8.5. Raises: DomainError.

    >>> [round(error_rate(0, 100, Enclosure.point(3), draws).float_upper(), 4) for draws in ("iid", "stratified")]
    [0.0296, 0.0296]
    """
    if draws == "iid":
        return binomial_upper_nats(errors, n, nats)
    require(0 <= errors <= n and n >= 1, f"error_rate: needs 0 <= errors <= n, got {errors} of {n}")
    with bits(START_BITS):
        return kl_inv(Fraction(errors, n), Enclosure.of(nats.ball() / n))


def require_iid(draws: Draws) -> None:
    """Raises: DomainError where a binomial inversion is asked for rows that were not drawn independently from one law.

    Two of 40 rows, 39 of them errors: one error is seen with probability 0.05, and a binomial count of 2 at 39/40 is at
    most 1 with probability 0.0494. Source: theory 8.5.
    """
    message = f"the binomial inversion is false for {draws} rows: use kl_inv or the wealth bound, or draw them i.i.d."
    require(draws == "iid", message)


def _binomial_cdf(errors: int, n: int, x: arb) -> arb:
    """``P(Bin(n, x) <= errors)`` for x in (0, 1), as an exact sum of ball terms."""
    term = total = (1 - x) ** n
    odds = x / (1 - x)
    for i in range(errors):
        term = term * odds * (n - i) / (i + 1)
        total += term
    return total


def _log_cdf(coefficients: Floats, n: int, x: float) -> float:
    """Float64 ``ln P(Bin(n, x) <= errors)`` by summed log-pmf terms: common libraries underflow here.

    ``coefficients``: ``ln binom(n, i)`` for i = 0..errors.
    """
    below = log_of(1 - Fraction(x))
    terms = n * below + coefficients + np.arange(len(coefficients)) * (log_of(x) - below)
    top = float(terms.max())
    return top + log_of(float(total(exp(terms - top))))


def binomial_upper(errors: int, n: int, delta: Scalar, draws: Draws = "iid") -> Enclosure:
    """``sup{x : P(Bin(n, x) <= errors) >= delta}``: upper confidence limit of Clopper and Pearson, for i.i.d. rows.

    Source: theory 8.1 and 8.4. Raises: DomainError.

    >>> round(binomial_upper(0, 100, 0.05).float_upper(), 6)  # 1 - 0.05^{1/100}
    0.029513
    """
    require_iid(draws)
    require(0 <= errors <= n and n >= 1, f"binomial_upper: needs 0 <= errors <= n, got {errors} of {n}")
    require(0 < delta < 1, f"binomial_upper: needs 0 < delta < 1, got {delta}")
    if errors == n:
        return Enclosure.point(1)
    level = Fraction(delta)
    target = log_of(level)  # far below the double range for small priors
    return _binomial_upper(errors, n, target, lambda: exact(level), lambda: exact(level))


def binomial_upper_nats(errors: int, n: int, nats: Enclosure, draws: Draws = "iid") -> Enclosure:
    """:func:`binomial_upper` at level ``e^{-nats}``, which may lie far below the double range.

    Source: theory 8.1. Raises: DomainError.

    >>> round(binomial_upper_nats(0, 1000, Enclosure.point(900)).float_upper(), 6)  # 1 - e^{-0.9}
    0.59343
    """
    require_iid(draws)
    require(0 <= errors <= n and n >= 1, f"binomial_upper_nats: needs 0 <= errors <= n, got {errors} of {n}")
    require(bool(nats.lower > 0), f"binomial_upper_nats: needs a level below 1, got nats = {nats}")
    if errors == n or not nats.upper.is_finite():
        return Enclosure.point(1)
    target = -float(nats.upper)
    return _binomial_upper(errors, n, target, lambda: (-nats.upper).exp(), lambda: (-nats.lower).exp())


def _binomial_upper(errors: int, n: int, target: float, least: Callable[[], arb], most: Callable[[], arb]) -> Enclosure:
    """Both ends of the inversion at a level between ``least`` and ``most``, whose logarithm is about ``target``."""
    i = np.arange(errors)
    coefficients = np.cumsum(np.append(0.0, log((n - i) / (i + 1.0))))
    low, high = errors / n, 1.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _log_cdf(coefficients, n, middle) >= target else (low, middle)
    return _verified(
        low,
        beyond=lambda x: _binomial_cdf(errors, n, x) < least(),
        within=lambda x: x == 0 or _binomial_cdf(errors, n, x) >= most(),
    )
