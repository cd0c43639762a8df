"""*pac-bayes* of one Mamba or Mamba-2 block: a uniform posterior around its tables, its prior paid (theory M5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy import Symbol, exp, log, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import AppliedRule
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.evaluate.formula import Formula
from ssm_bounds.bounds.gaps.maurer import maurer_constant
from ssm_bounds.bounds.ladder.argument import Argument, Cost, Told, price
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung, approximately
from ssm_bounds.bounds.ladder.telescope import Boxed, Family, Floats, Posterior, WithMargins

_SOURCE = "theory M5.4"
NAME = "pac-bayes"
RESTS_ON = (Hypothesis.ROWS, Hypothesis.PROGRAM)
SHOWN = {"X_dt": "X_dt", "W_dt": "W_dt", "A_log": "A_log", "rho": "rho", "Om": "Omega"}
KL, EXPONENT, TAU, XI, SPREAD, EVEN = (Symbol(name, nonnegative=True) for name in ("KL", "b", "tau", "xi", "S", "E"))
# as ladder.telescope evaluates it; a test holds the two together
_LEVEL = (KL + sym.price + log(XI / sym.delta)) / sym.m
_TAIL = exp(-sympy.Rational(3, 2) * (sympy.Rational(1, 2) - EVEN) ** 2 / SPREAD**2)
_EXCESS = (sqrt(EXPONENT / 2) + 2 * TAU) / (1 - TAU)


@dataclass(frozen=True, slots=True, eq=False)
class OfBlock(Argument):
    """``posterior``: that of the excess at the margin asked for; ``rows``: what the training margins give, by a Q and a
    margin of its own."""

    block: Boxed
    m: int
    delta: Fraction
    excess: Enclosure
    posterior: Posterior
    rows: WithMargins | None

    @property
    def _told(self) -> Posterior:
        return self.posterior if self.rows is None else self.rows.posterior

    def sentence(self) -> str:
        q = self._told
        text = (
            f"pays for {self.block.numbers} numbers: KL = {approximately(q.divergence)}, "
            f"price {approximately(q.price)} nats, tau = {approximately(q.tail)}, g = {float(q.g):.4g}"
        )
        return text if self.rows is None else f"{text} (of the risk)"

    def record(self) -> Mapping[str, Any]:
        q = self._told
        return {
            "price": q.price,
            "divergence": q.divergence,
            "tau": q.tail,
            "by_block": q.by_block,
            "numbers": self.block.numbers,
            **self.block.counted,
            "margin": float(q.g),
            "steps": list(self.words()),
        }

    def costs(self) -> tuple[Cost, ...]:
        blocks = self._told.by_block.items()
        confidence = enclose(log(sym.r / sym.delta), {sym.delta: self.delta, sym.r: maurer_constant(self.m).upper})
        return (
            *(Cost(name, "block", nats, SHOWN.get(name, name)) for name, nats in blocks),
            price(self._told.price),
            Cost("ln(xi(m)/delta)", "confidence", confidence, "ln(xi(m)/delta)"),
        )

    def formulas(self) -> tuple[Formula, ...]:
        q = self.posterior
        level = q.level(self.m, self.delta)
        total = {KL: q.divergence, sym.price: q.price, XI: maurer_constant(self.m)}
        total |= {sym.delta: Enclosure.point(self.delta), sym.m: Enclosure.point(self.m)}
        moves = (
            Formula("a move above half the margin", TAU, _TAIL, {SPREAD: q.spread, EVEN: q.even}, q.tail, _SOURCE),
        )
        return (
            Formula("level", EXPONENT, _LEVEL, total, level, _SOURCE),
            *(() if q.never_above else moves),
            Formula("excess", Symbol("excess"), _EXCESS, {EXPONENT: level, TAU: q.tail}, self.excess, _SOURCE),
        )

    def words(self) -> tuple[str, ...]:
        q = self._told
        blocks = ", ".join(f"{name} {value.float_upper():.1f}" for name, value in q.by_block.items())
        scales = ", ".join(f"{name} 2^({j}/2)" for name, j in q.scales.items())
        *others, last = self.block.READ_OUT
        read_out = f"{', '.join(others)} and {last}"
        even, tau = q.even.float_upper(), f"{q.tail.float_upper():.2e}"
        shown = f"{even:.4g}" if float(f"{even:.4g}") < 1 / 2 else repr(even)  # below 1/2 it is
        moves = (
            f"no input moves by more than E = {shown} in units of g: tau = {tau}"
            if q.never_above
            else f"a move above g/2: S^2 = {q.square.float_upper():.3g}, E = {even:.3g} in units of g, "
            f"tau = exp(-(3/2)(1/2 - E)^2/S^2) = {tau}"
        )
        lines = (
            f"{self.block.numbers} numbers {self.block.where}, {read_out} in units of g",
            f"KL(Q || P) = {q.divergence.float_upper():.2f} nats: {blocks}",
            f"prior scales: {scales}; ln(1/pi) = {q.price.float_upper():.2f} nats",
            moves,
        )
        level = f"(KL + ln(1/pi) + ln(xi(m)/delta))/m = {q.level(self.m, self.delta).float_upper():.5f}"
        if self.rows is None:
            return (*lines, f"kl(emp_g + tau || risk (1 - tau)) <= {level}")
        return (
            f"g = {float(q.g):.6g}, free as P is over {'/g and '.join(self.block.READ_OUT)}/g",
            *lines,
            "training margins <= g/2 of theta' from Q, each row by the tail of a move from its own margin: "
            f"{float(self.rows.mean):.3e} in the mean",
            f"kl(that mean || risk (1 - tau)) <= {level}",
        )

    def steps(self) -> tuple[AppliedRule, ...]:
        q = self.posterior
        return (
            AppliedRule("KL(Q || P)", _SOURCE, q.divergence),
            AppliedRule("ln(1/pi) of the scales of P", "theory M5.3", q.price),
            AppliedRule("a move above g/2", _SOURCE, q.tail),
            AppliedRule("margin PAC-Bayes", _SOURCE, self.excess),
        )


def pac_bayes(
    family: Family,
    g: Fraction,
    m: int,
    delta: Fraction,
    margins: Floats | None = None,
    *,
    name: str = NAME,
    rests_on: tuple[Hypothesis, ...] = RESTS_ON,
) -> Rung:
    """The excess over the fraction of training margins <= g and, with proven lower bounds of the training margins (m,),
    the risk. Source: theory M5.3, M5.4."""
    excess, posterior = family.excess(g, m, delta)
    rows = None if margins is None else family.risk(margins, m, delta)
    risk = None if margins is None else Enclosure.point(1) if rows is None else rows.risk
    if posterior is None:
        why = "the constants of this block exceed the range of float64: no posterior"
        return Rung(name, "excess", False, Enclosure.point(1), 1, Told(why), rests_on, risk=risk)
    argument = OfBlock(family.block, m, delta, excess, posterior, rows)
    return Rung(name, "excess", False, excess, 1, argument, rests_on, risk=risk)
