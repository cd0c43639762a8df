"""*pac-bayes*: margin PAC-Bayes with Gaussian posteriors at the weights, their prior paid (theory 8.3, 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy import Symbol, log, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.covers.entropy import AppliedRule
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, enclose
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.formula import Formula
from ssm_bounds.bounds.gaps.maurer import level, maurer_constant
from ssm_bounds.bounds.ladder.argument import Argument, Cost, Told, price
from ssm_bounds.bounds.ladder.margin_rows import Array, WithMargins, with_margins
from ssm_bounds.bounds.ladder.pac_bayes import Family, MarginPacBayes, Posterior
from ssm_bounds.bounds.ladder.rung import OF_A_CLASS, Rung, Setting, approximately

_SOURCE = "theory.md 8.3"
KL, EXPONENT, TAIL, EVENTS, TAU, TAU_G, XI = (
    Symbol(name, nonnegative=True) for name in ("KL", "b", "tau_0", "tau_1", "tau", "tau_g", "xi")
)
# as ladder.pac_bayes evaluates it; a test holds the two together
_LEVEL = (KL + sym.price + log(XI / sym.delta)) / sym.m
_EXCESS = (sqrt(EXPONENT / 2) + TAU_G + TAU) / (1 - TAU)


@dataclass(frozen=True, slots=True, eq=False)
class OfPosterior(Argument):
    """The posterior of the excess, at ``delta``; ``rows``: what the training margins give, by another one."""

    setting: Setting
    delta: Fraction
    excess: MarginPacBayes
    posterior: Posterior
    rows: WithMargins | None = None

    def sentence(self) -> str:
        text = _sentence(self.posterior)
        if self.rows is None or self.rows.posterior is None:
            return text
        return f"excess: {text}; risk: {_sentence(self.rows.posterior)}, g = {float(self.rows.g):.4g}"

    def record(self) -> Mapping[str, Any]:
        q = self.posterior
        return {
            "price": q.price,
            "divergence": q.divergence,
            "tau": q.tail,  # without the events
            "events": q.events,
            "by_block": q.by_block,
            "steps": list(self.words()),
            "steps_of_the_risk": [] if self.rows is None else list(self.rows.trace),
        }

    def costs(self) -> tuple[Cost, ...]:
        blocks = self.posterior.by_block.items()
        confidence = enclose(
            sympy.log(sym.r / sym.delta), {sym.delta: self.delta, sym.r: maurer_constant(self.setting.sample.m).upper}
        )
        return (
            *(Cost(name, "block", nats, SELECTIVE_SSM.shown(name)) for name, nats in blocks),
            price(self.posterior.price),
            Cost("ln(xi(m)/delta)", "confidence", confidence, "ln(xi(m)/delta)"),
        )

    def formulas(self) -> tuple[Formula, ...]:
        q, m = self.posterior, self.setting.sample.m
        wrong = max(self.setting.measured.k - 1, 1)
        exponent = level(Enclosure.of(q.divergence.ball() + q.price.ball()), m, self.delta)
        total = {KL: q.divergence, sym.price: q.price, XI: maurer_constant(m)}
        total |= {sym.delta: Enclosure.point(self.delta), sym.m: Enclosure.point(m)}
        tails = {TAIL: q.tail, EVENTS: q.events}
        tau, tau_g = (Enclosure.of(times * q.tail.ball() + q.events.ball()) for times in (1, wrong))
        last = {EXPONENT: exponent, TAU: tau, TAU_G: tau_g}
        return (
            Formula("level", EXPONENT, _LEVEL, total, exponent, _SOURCE),
            Formula("a move above half the margin", TAU, TAIL + EVENTS, tails, tau, _SOURCE),
            Formula("of any wrong output", TAU_G, wrong * TAIL + EVENTS, tails, tau_g, _SOURCE),
            Formula("excess", Symbol("excess"), _EXCESS, last, self.excess.excess, _SOURCE),
        )

    def words(self) -> tuple[str, ...]:
        return self.excess.trace

    def steps(self) -> tuple[AppliedRule, ...]:
        q = self.posterior
        return (
            AppliedRule("KL(Q || P)", _SOURCE, q.divergence),
            AppliedRule("ln(1/pi) of the variances of P", _SOURCE, q.price),
            AppliedRule("a move above g/2", _SOURCE, q.tail),
            AppliedRule("margin PAC-Bayes", _SOURCE, self.excess.excess),
        )


def _sentence(q: Posterior) -> str:
    divergence, paid = approximately(q.divergence), approximately(q.price)
    with bits(START_BITS):
        tau = decimal_string((q.tail.upper + q.events.upper).upper(), 2)
    return f"KL = {divergence}, price {paid} nats, tau = {tau}"


def pac_bayes(setting: Setting, family: Family, delta: Fraction | None = None, margins: Array | None = None) -> Rung:
    """Margin PAC-Bayes with Gaussian posteriors at the weights, their prior paid; with proven lower bounds of the
    training margins (m,) also its risk. Source: theory 8.3, 5.1.
    """
    delta, m = delta or setting.delta, setting.sample.m
    found = family.at(m, delta)
    rows = None if margins is None else with_margins(family, m, delta, margins)
    risk = None if rows is None else rows.risk
    if found.posterior is None or not found.excess.upper.is_finite():
        why = "no posterior keeps its moves below g/2"  # an excess is at most 1
        if not family.drafts:
            why = "the constants of this model exceed the range of float64: no posterior"
        return Rung("pac-bayes", "excess", False, Enclosure.point(1), 1, Told(why), OF_A_CLASS, risk=risk)
    argument = OfPosterior(setting, delta, found, found.posterior, rows)
    return Rung("pac-bayes", "excess", False, found.excess, 1, argument, OF_A_CLASS, risk=risk)
