"""The bounds that a code length buys. Source: theory 8.1."""

from __future__ import annotations

from fractions import Fraction

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.gaps.inversion import binomial_upper_nats, kl_inv
from ssm_bounds.bounds.values import Scalar, require


def certify(nats: Enclosure, errors: int, m: int, delta: Scalar) -> Enclosure:
    """Risk of a 0-1 loss: the binomial tail inverted at level ``delta pi(theta)``; the upper end is certified.

    ``nats``: code length. ``errors`` of m training examples. Source: theory 8.1. Raises: DomainError.

    >>> certify(Enclosure.point(30), 20, 1000, 0.05).float_upper() < 0.08
    True
    """
    return binomial_upper_nats(errors, m, _level(nats, delta))


def certify_loss(nats: Enclosure, mean: Fraction, m: int, delta: Scalar, scale: Scalar = 1) -> Enclosure:
    """Risk of a loss in [0, scale] with empirical mean ``mean``: ``scale kl_inv(mean/scale, (nats + ln 1/delta)/m)``.

    Source: theory 8.1. Raises: DomainError.
    """
    require(m >= 1, f"certify_loss: needs m >= 1, got {m}")
    require(scale > 0, f"certify_loss: needs a range > 0, got {scale}")
    level, c = _level(nats, delta), Fraction(scale)
    with bits(START_BITS):
        inverse = kl_inv(Fraction(mean) / c, Enclosure.of(level.ball() / m))
        return Enclosure.of(inverse.ball() * exact(c))


def _level(nats: Enclosure, delta: Scalar) -> Enclosure:
    """``nats + ln 1/delta``."""
    require(0 < delta < 1, f"delta: needs a probability strictly between 0 and 1, got {delta}")
    require(bool(nats.lower >= 0), f"nats: a code length is >= 0, got {nats}")
    with bits(START_BITS):
        return Enclosure.of(nats.ball() - exact(Fraction(delta)).log())
