"""From a divergence to a level: Maurer's constant xi(m). Source: theory 8.2, 8.3."""

from __future__ import annotations

import functools
from fractions import Fraction

from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.values import Scalar, require

MOST_ROWS = 10**18


@functools.lru_cache(maxsize=64)
def maurer_constant(m: int) -> Enclosure:
    """``xi(m) = sum_k binom(m,k) (k/m)^k (1-k/m)^(m-k)``, at most ``2 sqrt m`` for m >= 8 and about ``sqrt(pi m/2)``.

    Cauchy's identity ``sum_k binom(m,k) k^k (m-k)^(m-k) = sum_j m!/j! m^j`` (Riordan, Combinatorial Identities, section
    1.5, at x = y = 0) gives ``xi(m) = m! m^{-m} sum_{j=0}^m m^j/j!``, and as m-fold integration by parts says that
    ``Gamma(m+1, x) = m! e^{-x} sum_{j=0}^m x^j/j!``,
    ``xi(m) = e^m m^{-m} Gamma(m+1, m)``, the product of ``Gamma(m+1, m)/m!``, just above 1/2, and ``m! (e/m)^m``.
    Both factors are enclosed in one go: the cost does not grow with m. The precision does, with ln m, as ``ln m!`` and
    ``m ln m`` cancel but for their last digits.

    Raises: DomainError for m outside [1, 10^18]. Source: theory 8.2 (Maurer 2004).

    >>> maurer_constant(2).float_lower() <= 2.5 <= maurer_constant(2).float_upper()  # 1 + 2 (1/2)(1/2) + 1
    True
    >>> round(maurer_constant(10**18).float_upper())
    1253314138
    """
    require(1 <= m <= MOST_ROWS, f"xi(m): needs m in [1, 10^18], got {m}")
    with bits(START_BITS + 2 * m.bit_length()):
        n = arb(m)
        upper_half = n.gamma_upper(n + 1, regularized=1)
        return Enclosure.of(upper_half * ((n + 1).lgamma() + n - n * n.log()).exp())


def level(log_ratio: Enclosure, m: int, delta: Scalar) -> Enclosure:
    """``max(0, log_ratio + ln(xi(m)/delta))/m``: what ``kl(emp || risk)`` stays below. Source: theory 8.2.

    Also the PAC-Bayes level for the mean risk of Q, with ``KL(Q || P)`` for the log-ratio (Maurer 2004).
    """
    require(0 < delta < 1, f"one draw: needs 0 < delta < 1, got {delta}")
    xi = maurer_constant(m)
    with bits(START_BITS):
        total = log_ratio.ball() + (xi.ball() / exact(delta)).log()
        return Enclosure.of(arb.max(total, arb(0)) / m)


def expected_risk(error: float, divergence: float, m: int, delta: Scalar) -> float:
    """The bound at a mean error and ``KL(Q || P)``, for a search: which Q to take is free, so this is not certified."""
    require(0 <= error <= 1 and divergence >= 0, f"needs an error in [0, 1] and KL >= 0, got {error} and {divergence}")
    return kl_inv(Fraction(error), level(Enclosure.point(divergence), m, delta)).float_upper()
