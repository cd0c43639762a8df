"""The numbers of ``explain.growth``: the same three of a growth, estimated at large arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Expr, Integer, Rational, Symbol, log

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.asymptotics import Growth
from ssm_bounds.bounds.evaluate.balls import Value, evaluate
from ssm_bounds.bounds.explain.measurands import Direction, Measurand, Regime

_DIGITS = 50


POINT: Mapping[Symbol, Value] = {
    sym.m: 1000, sym.T: 7, sym.d: 5, sym.N: 3, sym.k: 2,
    sym.B_u: 2, sym.B_B: 2, sym.M_B: 3, sym.B_C: 1, sym.M_C: 2, sym.B_q: 1, sym.M_q: 2, sym.B_A: 1, sym.M_A: 4,
    sym.B_w: 2, sym.M_w: 3, sym.p_lo: -1, sym.p_hi: 0, sym.eps: Rational(1, 100),
    sym.U: 3, sym.Z: 2, sym.D_skip: 1, sym.B_o: 2,
    sym.c: 1, sym.l: 1, sym.delta: Rational(1, 20), sym.price: 10,
}  # fmt: skip
"""The constants at which growth is estimated, but for the variable; s_A and the frozen ones depend on the regime."""

_AT: dict[Regime, dict[Symbol, Value]] = {
    Regime.DECAY: {sym.s_A: Rational(-1, 2), sym.rho: Rational(9, 10)},
    Regime.NEUTRAL: {sym.s_A: 0, sym.rho: 1},
    Regime.GROWING: {sym.s_A: Rational(1, 2), sym.rho: Rational(11, 10)},
}
_FROZEN_GATE = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """The three numbers of a growth from values at x and 2x (50 digits, not certified)."""

    rate: float
    exponent: float
    log_power: float


# T is no multiple of 1/2 at that many digits: mpmath takes integer powers by repeated multiplication
_ENDLESS_AT, _ENDLESS_T, _ENDLESS_DIGITS = 1000, 10**920 + Rational(1, 3), 930
_near, _far = sympy.symbols("f_near f_far")


def constants(bound: Measurand, direction: Direction, regime: Regime) -> dict[Symbol, Any]:
    values: dict[Symbol, Any] = {**POINT, **_AT[regime], **bound.definitions, **dict(direction.replaced)}
    values |= {symbol: _AT[regime].get(symbol, _FROZEN_GATE) for symbol in direction.frozen}
    return values | ({sym.T: _ENDLESS_T} if direction.endless else {})


def estimate(bound: Measurand, direction: Direction, regime: Regime, growth: Growth) -> Estimate:
    """Slopes of ``ln f`` between x and 2x: over x, over ln x after the rate, over ln ln x after the exponent.

    x is 10^300 where the rate is 0, so that logarithms show, 10^6 elsewhere. With T -> oo first T is 10^920, and x is
    1000 where rho moves, so that T is far above ``1/(1 - rho)`` and 930 digits tell rho from 1. The expression keeps
    its Piecewise, Min and ceilings.
    """
    x, digits, variable = 10**300 if growth.rate == 0 else 10**6, _DIGITS, direction.variable
    if direction.endless and sym.rho in bound.definitions:
        x, digits = _ENDLESS_AT, _ENDLESS_DIGITS
    values = constants(bound, direction, regime)
    for name, at in ((_near, x), (_far, 2 * x)):
        values[name] = evaluate(log(bound.expression), values | {variable: at}, digits=digits)

    def slope(taken: Expr, over: Expr) -> float:
        """Of ``ln f - taken``, at the constants, in steps of ``over``."""
        rise = _far - _near - taken.subs(variable, 2 * x) + taken.subs(variable, x)
        return float(evaluate(rise / (over.subs(variable, 2 * x) - over.subs(variable, x)), values, digits=15))

    rate, size = growth.rate * variable, log(variable)
    return Estimate(slope(Integer(0), variable), slope(rate, size), slope(rate + growth.exponent * size, log(size)))
