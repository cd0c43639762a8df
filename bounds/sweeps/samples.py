"""How many samples a useful bound needs: the least m found at which a certified rung is at most a level."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.registry import BY_NORMS, Asked
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.values import DomainError, Sample, Scalar, require

RUNGS = {bound.name: bound for bound in BY_NORMS}
"""The rungs with section 7 paid; those at the measured constants certify nothing at any m."""

MOST = 10**18


def samples_needed(setting: Setting, level: Scalar, rung: str = "margin") -> int:
    """Least m found with ``rung <= level``: certified there, and not at m - 1.

    Everything but m stays: the constants of the model, T, delta, the loss, the margin. ``level`` in units of what the
    rung bounds. That no smaller m does is exact for `margin`, where the class and ``H`` do not depend on m and the
    excess falls like ``m^{-1/2}``; for the other rungs the radius or the split is chosen near optimally at each m, and
    the value falls up to that choice. A model trained on more samples has other constants: this says what the bound
    would be for these. Raises: DomainError (unknown rung, level <= 0, or no m up to 10^18). Source: theory 6.2, 6.3.
    """
    require(rung in RUNGS, f"unknown rung {rung!r}: one of {', '.join(RUNGS)}")
    require(1e-12 <= level <= 1e12, f"the level is a number from 1e-12 to 1e12, got {level!r}")
    limit = Enclosure.point(Fraction(level)).lower

    def value(m: int) -> Enclosure:
        asked = Asked(replace(setting, sample=Sample(m, setting.sample.T)))
        return RUNGS[rung](asked, setting.delta).value

    def holds(m: int) -> bool:
        return bool(value(m).upper <= limit)

    m = setting.sample.m
    for _ in range(4):  # as if the value fell like m^{-1/2}
        guess = m * (value(m).float_upper() / float(level)) ** 2
        m = max(1, round(min(guess, float(MOST))))
    low, high, step = (m, m, 1)
    if holds(m):
        while low >= 1 and holds(low):
            low, high, step = max(low - step, 0), low, 2 * step
    else:
        while not holds(high):
            if high >= MOST:
                raise DomainError(f"{rung} stays above {float(level):g} for every m up to 10^18")
            low, high, step = high, min(high + step, MOST), 2 * step
    while high - low > 1:  # fails at low (or low = 0), holds at high
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
