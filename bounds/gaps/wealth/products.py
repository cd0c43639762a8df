"""``sum ln(1 + lambda gap)`` of millions of gaps, enclosed without a logarithm of each (theory 8.11).

Claim: :func:`log_product` encloses it. Derivation: a factor ``1 + lambda gap`` in float64 has two roundings (gaps are
integers below 2^53, lambda a double, their unit a power of two); where it is at least 2^-5 they are at most
``u |lambda gap|/factor + u <= 32 u`` of it, up to terms of u^2, u = 2^-53. Factors are multiplied by sixteens, which
neither overflow nor underflow; then their exponents are taken off, which is exact, and the rest is multiplied again:
less than one rounding a unit. So each unit adds at most 40 u, and 2^-45 = 256 u are allowed for it. Other factors go
through balls. No sum of floats, no library's logarithm: the same bits everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, bits, exact
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.gaps.wealth.ticks import TICK, Ticks

_WIDTH = 16
_BLOCK = 2**16
_LEAST, _MOST = 2.0**-5, 2.0**60  # sixteen of the largest stay below 2^1024
ALLOWED = 2.0**-45


def log_product(factor: float | None, gaps: Ticks) -> arb:
    """``sum ln(1 + factor gap)`` over gaps (n,) in units of 2^-24, or ``sum ln gap`` for None; as a ball.

    NaN where a factor is not above 0.

    >>> bool(abs(log_product(1.0, np.full(1000, 2**24)) - 1000 * arb(2).log()) < 1e-10)
    True
    """
    with bits(START_BITS):
        rest, parts, exponent = arb(0), [], 0
        for at in range(0, len(gaps), _BLOCK):
            factors, far = _factors(factor, gaps[at : at + _BLOCK])
            if len(far):
                rest += log_product_of_balls(None if factor is None else Fraction(factor) * TICK, far.tolist())
            mantissa, more = _product(factors)
            parts.append(mantissa)
            exponent += more
        mantissa, more = _product(np.array(parts))
        found = exact(mantissa).log() + (exponent + more) * arb(2).log() + rest
        if factor is None:
            found += exact(TICK).log() * len(gaps)
        return found + arb(0, ALLOWED * len(gaps))


def log_product_of_balls(factor: Fraction | None, gaps: Sequence[int]) -> arb:
    """``sum ln(1 + factor gap)`` over whole gaps, or ``sum ln gap`` for None: a product of balls knows no overflow.

    NaN where a factor is not above 0.
    """
    with bits(START_BITS):
        product, scale = arb(1), None if factor is None else exact(factor)
        for gap in gaps:
            product *= arb(gap) if scale is None else 1 + scale * gap
        return product.log()


def _factors(factor: float | None, gaps: Ticks) -> tuple[Floats, Ticks]:
    """The factors, and the gaps of those that float64 does not hold well enough."""
    factors = gaps.astype(np.float64)
    if factor is not None:
        factors *= factor * float(TICK)
        factors += 1.0
    if factors.min() >= _LEAST and factors.max() <= _MOST:
        return factors, gaps[:0]
    fits = (factors >= _LEAST) & (factors <= _MOST)
    return factors[fits], gaps[~fits]


def _product(factors: Floats) -> tuple[float, int]:
    """m and k of about ``m 2^k``, the product."""
    exponent = 0
    while len(factors) > 1:
        columns = -(-len(factors) // _WIDTH)
        rows = np.append(factors, np.ones(_WIDTH * columns - len(factors))).reshape(_WIDTH, columns)
        while len(rows) > 1:
            half = len(rows) // 2
            rows = rows[:half] * rows[half:]
        factors, exponents = np.frexp(rows[0])
        exponent += int(exponents.sum(dtype=np.int64))
    return (float(factors[0]) if len(factors) else 1.0), exponent
