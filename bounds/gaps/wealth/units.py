"""The wealth bound of the mean loss of independent units: what a bet on small losses would have earned (theory 8.5).

Units are i.i.d. draws, a fixed number of draws from each class, or a random sample without replacement; n is fixed
without a look at them. A lambda of the grid is chosen in float64, the same everywhere, and only there the bound is
enclosed: the grid is paid for, so that any of its lambdas may be taken after the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.evaluate.elementary import Floats, exp, expm1, log, log1p, total
from ssm_bounds.bounds.values import Scalar, require

Bet: TypeAlias = Fraction | None
"""lambda, in units of 1/loss; None is infinity."""

FINITE = tuple(Fraction(2) ** (10 - (j + 1) // 2) * (Fraction(181, 128) if j % 2 else 1) for j in range(39))
"""``2^{10-j/2}``, j < 39, with 181/128 for sqrt 2: lambda times r."""
GRID = len(FINITE) + 1


@dataclass(frozen=True, slots=True)
class Wealth:
    """The bound, and the lambda that gave it."""

    bet: Bet
    value: Enclosure

    @property
    def shown(self) -> str:
        """lambda exactly: a fraction, or "inf"."""
        return "inf" if self.bet is None else str(self.bet)


def unit(most: Scalar) -> Fraction:
    """r: the least power of two that is at least ``most``.

    >>> unit(1), unit(3), unit(0.3)
    (Fraction(1, 1), Fraction(4, 1), Fraction(1, 2))
    """
    require(most > 0, f"wealth bound: needs a largest loss > 0, got {most}")
    ratio = Fraction(most)
    r = Fraction(2) ** (ratio.numerator.bit_length() - ratio.denominator.bit_length() - 1)
    while r < ratio:
        r *= 2
    return r


def bets(most: Scalar) -> tuple[Bet, ...]:
    """The grid, fixed by the largest loss alone."""
    return None, *(each / unit(most) for each in FINITE)


def wealth(losses: Floats, most: Scalar, nats: Enclosure) -> Wealth:
    """Mean of a loss of at most ``most`` on new draws, from n of them, at level ``nats`` and ln 40 for the grid.

    ``losses`` (n,): upper bounds of the losses; what is above ``most`` counts as ``most``. Source: theory 8.5. Raises:
    DomainError.

    >>> import numpy as np
    >>> found = wealth(np.zeros(1000), 1, Enclosure.point(30))  # 1 - e^{-(30 + ln 40)/1000}, at lambda = infinity
    >>> found.bet, round(found.value.float_upper(), 6)
    (None, 0.033128)
    """
    with bits(START_BITS):
        paid = Enclosure.of(nats.ball() + arb(GRID).log())
    bet = _best(losses, most, float(paid.upper))
    return Wealth(bet, wealth_at(bet, losses, most, paid))


def wealth_at(bet: Bet, losses: Floats, most: Scalar, nats: Enclosure) -> Enclosure:
    """(8.5) at one lambda that was fixed before the data, at level ``nats``: at most ``most``. Raises: DomainError."""
    require(bet is None or bet > 0, f"wealth bound: needs lambda > 0, got {bet}")
    require(bool(nats.lower >= 0), f"wealth bound: needs a level >= 0, got {nats}")
    rests, counts = _rests(losses, most)
    if not nats.upper.is_finite() or (bet is None and not all(rests)):
        return Enclosure.point(Fraction(most))
    with bits(START_BITS):
        top, charge = exact(Fraction(most)), nats.ball() / len(losses)
        pairs = list(zip(map(exact, rests), counts.tolist(), strict=True))
        factor = None if bet is None else exact(bet)
        if factor is None:
            mean = sum((rest.log() * count for rest, count in pairs), arb(0)) / len(losses)
        else:
            mean = sum(((factor * rest).log1p() * count for rest, count in pairs), arb(0)) / len(losses)
        return Enclosure.of(arb.min(solved(factor, top, mean - charge), top))


def solved(factor: arb | None, guess: arb, exponent: arb) -> arb:
    """``h - (e^x - 1)/lambda``, or ``h - e^x`` at lambda = infinity (None), x = A - L/n: (8.5) with h = b, (8.6)."""
    return guess - exponent.exp() if factor is None else guess - exponent.expm1() / factor


def floor(seen: Fraction, most: Fraction, n: int, nats: Enclosure) -> Enclosure:
    """``q + (1 - e^{-L/n})(b - q)``: a law that has mass ``1 - e^{-L/n}`` at b beside the units that were seen goes
    unnoticed with probability ``e^{-L}``. Source: theory 8.5 (c).

    >>> round(floor(Fraction(0), Fraction(1), 1000, Enclosure.point(30)).float_upper(), 6)
    0.029554
    """
    with bits(START_BITS):
        return Enclosure.of(exact(most) - exact(most - seen) * (-nats.ball() / n).exp())


def _rests(losses: Floats, most: Scalar) -> tuple[list[Fraction], Floats]:
    """Every different ``most - loss``, exact, and how often it occurs."""
    require(losses.ndim == 1 and losses.size > 0, f"wealth bound: needs losses (n,), got shape {losses.shape}")
    require(bool(np.isfinite(losses).all()), "wealth bound: needs finite losses")
    values, counts = np.unique(losses, return_counts=True)
    top = Fraction(most)
    return [max(top - Fraction(value), Fraction(0)) for value in values.tolist()], counts.astype(np.float64)


def _best(losses: Floats, most: Scalar, nats: float) -> Bet:
    """The lambda of the grid whose bound is least, in float64: no certificate comes of it."""
    rests, counts = _rests(losses, most)
    r, n = unit(most), len(losses)
    shares = np.array([float(rest / r) for rest in rests])
    factors = np.array([float(each) for each in FINITE])
    mean = total(log1p(shares[:, None] * factors) * counts[:, None], axis=0) / n
    gains = expm1(mean - nats / n) / factors  # in units of r
    at = int(np.argmax(gains))
    if not all(rests):
        return bets(most)[1 + at]
    unbounded = float(exp(total(log(shares) * counts) / n - nats / n))
    return None if unbounded >= gains[at] else bets(most)[1 + at]
