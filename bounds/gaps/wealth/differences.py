"""Paired differences: the bits that a mixture needs beyond a fixed base, and chaining (theory 8.10).

What is certified is the mixture ``p = (1-alpha) p_theta + alpha p_b``, alpha = 2^-k, of which the base p_b has a share:
``D = log2(p_b/p)`` is at most k, whatever the symbols and both programs. The bounds of units.py, tokens.py and
documents.py hold for D as for any loss at most k.
"""

from __future__ import annotations

import numpy as np

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.gaps.wealth.ticks import Span, Ticks, bits_above, check_power, probabilities
from ssm_bounds.bounds.values import require

_LEAST = -(2**40) + 1


def span(k: int) -> Span:
    """-4 and k = log2(1/alpha): what a bet compares a difference with is clipped to it, and no difference is above.

    >>> span(2).most
    Fraction(2, 1)
    """
    check_power(k)
    return Span(-4 * 2**24, k * 2**24)


def difference(p: Floats, base: Floats, k: int) -> Ticks:
    """``-log2((1-alpha) p/p_b + alpha)`` from above, alpha = 2^-k; k where ``p`` is NaN.

    ``p``, ``base``: probabilities of theta and of the base, of one shape, each within a rounding or two of what is
    meant; the base's, smoothed, are at least 2^-1000, so that quotients stay in range. Derivation: as for
    ``ticks.own``. Source: theory 8.10. Raises: DomainError.

    >>> difference(np.array([0.5, 0.0, np.nan]), np.full(3, 0.5), 1).tolist()  # 0, 1 and 1 bit, and a unit
    [1, 16777216, 16777216]
    """
    high, p, base = span(k).high, probabilities(p), probabilities(base)
    require(p.shape == base.shape, f"differences: needs as many probabilities of both, got {p.shape} and {base.shape}")
    require(bool((base >= 2.0**-1000).all()), "differences: the base has to be above 0 everywhere; smooth it first")
    alpha = 2.0**-k
    return bits_above((1 - alpha) * (p / base) + alpha, _LEAST, high)


def smoothed(p: Floats, k: int, V: int) -> Floats:
    """``(1-alpha) p + alpha/V``, alpha = 2^-k: a base that is above 0 everywhere. Source: theory 8.10."""
    check_power(k)
    alpha = 2.0**-k
    return np.asarray((1 - alpha) * probabilities(p) + alpha / V)


def chained(base: Enclosure, beyond: Enclosure) -> Enclosure:
    """The loss of the mixture, which is that of the base and D: the sum of both bounds, each at delta/2.

    Source: theory 8.10.

    >>> chained(Enclosure.point(4), Enclosure.point(-1)).float_upper()
    3.0
    """
    with bits(START_BITS):
        return Enclosure.of(base.ball() + beyond.ball())
