"""*tau-class*: all taps of one output with the two sums behind tau bounded (theory 16.4, 16.5)."""

from __future__ import annotations

from fractions import Fraction

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.classes import Values, by_units
from ssm_bounds.bounds.architectures.lti.tau import AVERAGE, CENTRED, mean_modulus
from ssm_bounds.bounds.gaps.chaining import SAMPLE_GAP
from ssm_bounds.bounds.ladder.lti import LtiSetting, Route, of_average, over, taps_of
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import DomainError

OF_UNITS = (Hypothesis.UNITS, Hypothesis.LAYER, Hypothesis.ROWS)
_RULE = "2 l R + c sqrt(2 (ln(1/pi) + ln(2/delta))/m)"


def tau_class(setting: LtiSetting, delta: Fraction | None = None) -> Rung:
    """The average is bounded on the rows at hand, by their mean squares; inputs need no bound of their own.

    Raises: DomainError for several outputs, and without rows. Source: theory 16.4, 16.5.
    """
    taps_of(setting)
    found = setting.standardised
    if found is None:
        raise DomainError("tau-class uses the mean squares of the training rows: give --data FILE")
    raw: Values = {sym.psi_1: over(found.psi_1, setting)}
    if found.psi_2 is not None:
        raw = {**raw, sym.psi_2: over(found.psi_2, setting)}
    expression = CENTRED if found.psi_2 is None else AVERAGE
    route = Route(expression, SAMPLE_GAP, _RULE, "theory.md 16.4", "theory.md 16.5")
    of_sample: Values = {sym.q_x: found.q_x, sym.e_m: mean_modulus(setting.sample.m).upper}
    selected = by_units(found, setting.unit)
    return of_average("tau-class", route, setting, delta, selected, raw, OF_UNITS, of_sample)
