"""The formulas that a rung used, each with the values that went in and the value that came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy
from sympy import Expr, Symbol, log, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Theorem
from ssm_bounds.bounds.architectures.selective_ssm.blocks import (
    assignment,
    coefficient_formulas,
    coefficients,
    group_terms,
)
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.covers import lemmas as covering
from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose, enclose_all
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.gaps.losses import Ramp, margin_lipschitz, rational
from ssm_bounds.bounds.gaps.maurer import level, maurer_constant
from ssm_bounds.bounds.ladder.rung import Rung, Setting

COVERS: dict[str, Expr] = {
    lemma.rule: lemma.formula
    for lemma in (covering.Maurey, covering.Volume, covering.GroupVolume, covering.Box, covering.MatrixCover)
}
"""The formula of each covering lemma, by the rule that a trace prints."""

_SUMS = (sym.M, sym.kappa, sym.lambda_, sym.L, sym.phi, sym.R_1, sym.R_2, sym.R_g)
_SOURCES = {
    sym.M: "theory.md 1",
    sym.kappa: "theory.md 1",
    sym.lambda_: "theory.md 4.4",
    sym.L: "theory.md 4.5",
    sym.phi: "theory.md 4.4",
    sym.R_1: "theory.md 4.5",
    sym.R_2: "theory.md 4.5",
    sym.R_g: "theory.md 5.1",
}

KL, EXPONENT, TAIL, EVENTS, TAU, TAU_G, XI = (
    Symbol(name, nonnegative=True) for name in ("KL", "b", "tau_0", "tau_1", "tau", "tau_g", "xi")
)
# theory 8.3 as ladder.pac_bayes evaluates it; a test holds the two together
_LEVEL = (KL + sym.price + log(XI / sym.delta)) / sym.m
_EXCESS = (sqrt(EXPONENT / 2) + TAU_G + TAU) / (1 - TAU)


@dataclass(frozen=True, slots=True)
class Formula:
    """``symbol = expression`` with ``where`` the enclosed values of the expression's symbols and its own."""

    name: str
    symbol: Expr
    expression: Expr
    where: Mapping[Symbol, Enclosure]
    value: Enclosure
    source: str


def formulas(rung: Rung, setting: Setting, delta: Fraction) -> list[Formula]:
    """What a covering rung or the PAC-Bayes rung evaluated, from the sums to the bound; other rungs have none."""
    if rung.selected is not None:
        return [*_of_class(rung.selected.constants, setting.sample.T), _last_step(rung, setting, delta)]
    return _pac_bayes(rung, setting, delta) if "divergence" in rung.details else []


def _of_class(constants: ClassConstants, T: int) -> Iterator[Formula]:
    values = assignment(constants, T)
    one = replace(constants, groups=None)
    for symbol in _SUMS:
        expression = DEFINITIONS[symbol]
        if symbol is sym.kappa and constants.norms == "vocabulary":
            continue
        if symbol in (sym.lambda_, sym.phi) and constants.s_A >= 0:
            continue
        if isinstance(values.get(symbol), Expr):
            yield _formula(sym.NOTATION[symbol.name].meaning, symbol, expression, values, _SOURCES[symbol])
    table, found = coefficient_formulas(constants), coefficients(constants, T)
    terms = {} if constants.groups is None else group_terms(constants.groups)
    for name, value in found.items():
        block, group = terms.get(name) or (SELECTIVE_SSM.block(name), None)
        at = values if group is None else assignment(replace(one, s_A=group.s_A), T)
        number = name.partition(".")[2]
        theorem: Theorem = "vocabulary" if constants.norms == "vocabulary" else "sharp"
        source = SELECTIVE_SSM.sources[theorem if theorem in block.beta else "embedding"]
        shown = block.shown + (f", group {number}" if number else "")
        beta = Symbol(f"beta_{block.coefficient}")
        yield replace(_formula(shown, beta, table[block.coefficient], at, source), value=value)


def _formula(name: str, symbol: Expr, expression: Expr, values: Mapping[Symbol, Value], source: str) -> Formula:
    shown = _branch(expression, values)
    symbols = sorted(shown.free_symbols, key=str)
    found = enclose_all({symbol: shown} | {part: part for part in symbols}, values)
    return Formula(name, symbol, shown, {part: found[part] for part in symbols}, found[symbol], source)


def _branch(expression: Expr, values: Mapping[Symbol, Value]) -> Expr:
    """The expression without the branches that these values rule out, where symbols may have no value at all."""
    branching = expression.atoms(sympy.Piecewise)
    asked = {part for branches in branching for _, condition in branches.args for part in condition.free_symbols}
    found = enclose_all({part: part for part in asked}, values)
    numbers = {part: rational(value.float_upper()) for part, value in found.items()}

    def chosen(branches: sympy.Piecewise) -> Expr:
        decided = [(value, condition.subs(numbers)) for value, condition in branches.args]
        if all(condition in (sympy.true, sympy.false) for _, condition in decided):
            return next(value for value, condition in decided if condition == sympy.true)
        return branches

    return expression.replace(lambda part: isinstance(part, sympy.Piecewise), chosen)


def _last_step(rung: Rung, setting: Setting, delta: Fraction) -> Formula:
    where = {
        sym.H: rung.details["log_covering"],
        sym.price: rung.details["price"],
        sym.m: Enclosure.point(setting.sample.m),
        sym.delta: Enclosure.point(delta),
    }
    if rung.kind == "excess":
        return Formula("excess", Symbol("excess"), chaining.MARGIN_EXCESS, where, rung.value, "theory.md 6.3")
    # the readout is divided by the margin of a ramp, which then has margin 1
    ramp = isinstance(setting.loss, Ramp)
    lipschitz = margin_lipschitz(setting.measured.k) if ramp else setting.loss_lipschitz
    where |= {
        sym.l: enclose(lipschitz, {}),
        sym.eps: rung.details["epsilon"],
        sym.c: Enclosure.point(setting.loss.range),
    }
    return Formula("gap", Symbol("gap"), chaining.SINGLE_SCALE, where, rung.value, "theory.md 6.2")


def _pac_bayes(rung: Rung, setting: Setting, delta: Fraction) -> list[Formula]:
    source, m, found = "theory.md 8.3", setting.sample.m, rung.details
    tail, events = found["tau"], found["events"]
    wrong = max(setting.measured.k - 1, 1)
    nats = Enclosure.of(found["divergence"].ball() + found["price"].ball())
    exponent = level(nats, m, delta)
    total = {KL: found["divergence"], sym.price: found["price"], XI: maurer_constant(m)}
    total |= {sym.delta: Enclosure.point(delta), sym.m: Enclosure.point(m)}
    tails = {TAIL: tail, EVENTS: events}
    tau, tau_g = (Enclosure.of(times * tail.ball() + events.ball()) for times in (1, wrong))
    last = {EXPONENT: exponent, TAU: tau, TAU_G: tau_g}
    return [
        Formula("level", EXPONENT, _LEVEL, total, exponent, source),
        Formula("a move above half the margin", TAU, TAIL + EVENTS, tails, tau, source),
        Formula("of any wrong output", TAU_G, wrong * TAIL + EVENTS, tails, tau_g, source),
        Formula("excess", Symbol("excess"), _EXCESS, last, rung.value, source),
    ]
