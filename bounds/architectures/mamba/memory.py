"""How long a layer's states hold what a token contributed, whatever the input. Source: theory M2.2, M2.3.

The factor on a token's contribution to a state after i further tokens lies in ``[e^(-|a| M i), e^(-|a| m i)]``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, bits, exact, float_above, float_below
from ssm_bounds.bounds.evaluate.elementary import Floats, log2_of
from ssm_bounds.bounds.evaluate.outward import above, exp_above, exp_below, positive_below
from ssm_bounds.bounds.values import require


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Shares of the states, T further tokens later; ``floor``: up to so many tokens every state keeps 1 - eta of a
    contribution; ``ceiling``: from so many on every state keeps at most eta; the ends of one step's factor.
    ``floors``, ``ceilings`` (d,): of the states of one channel."""

    always_forgets: float
    cannot_forget: float
    undecided: float
    floor: float
    ceiling: float
    decay_min: float
    decay_max: float
    floors: Floats
    ceilings: Floats


@np.errstate(all="ignore")
def memory(rates: tuple[Floats, Floats], m: Floats, M: Floats, *, T: int, eta: float) -> Memory:
    """``rates`` (d,N): ends of |a|; ``m``, ``M`` (d,): ends of the step. One state is one entry.

    What rounding leaves open counts as undecided. Raises: DomainError for eta outside (0, 1/2), where no state is both.
    """
    require(0 < eta < 0.5, f"eta: a share between 0 and 1/2, where no state both forgets and keeps, got {eta!r}")
    slow, fast = positive_below(rates[0] * m[:, None]), above(rates[1] * M[:, None])
    forgets = positive_below(slow * T) >= _log_above(Fraction(eta))
    keeps = above(fast * T) <= _log_below(1 / (1 - Fraction(eta)))
    floors = positive_below(np.divide(_log_below(1 / (1 - Fraction(eta))), fast.max(axis=1)))
    ceilings = above(np.divide(_log_above(Fraction(eta)), slow.min(axis=1)))
    counts = int(forgets.sum()), int(keeps.sum())
    return Memory(
        always_forgets=counts[0] / forgets.size,
        cannot_forget=counts[1] / keeps.size,
        undecided=(forgets.size - sum(counts)) / forgets.size,
        floor=float(floors.min()),
        ceiling=float(ceilings.max()),
        decay_min=float(exp_below(-fast.max())),
        decay_max=float(np.minimum(exp_above(-slow.min()), 1.0)),
        floors=floors,
        ceilings=ceilings,
    )


def doubling_exponent(at_T: float, at_2T: float) -> float:
    """``E(T) = log2(|S(2T)|/|S(T)|)`` of the bound, to nine decimals: 0 where it has saturated, 1 where it doubles; no
    number where outward rounding decides, which adds 2^-500 to a norm."""
    if not (math.isfinite(at_2T) and at_T > 2.0**-400):
        return math.nan
    return round(min(max(log2_of(Fraction(at_2T) / Fraction(at_T)), 0.0), 1.0), 9)


def _log_above(share: Fraction) -> float:
    """``|ln share|`` of one number in (0, 1) or above 1."""
    return float_above(_log(share))


def _log_below(share: Fraction) -> float:
    return float_below(_log(share))


def _log(share: Fraction) -> arb:
    with bits(START_BITS):
        return abs(exact(share).log())
