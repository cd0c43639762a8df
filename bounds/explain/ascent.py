"""The limits of ``explain.growth``: bounds along one direction in one regime, of one branch, ready for the calculus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy
from sympy import Expr, Integer, Symbol, oo

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.asymptotics import Calculus, Growth, GrowthError, limit, positive
from ssm_bounds.bounds.explain.measurands import Direction, Regime

_later = positive("t")  # T - 1, above 0 where T is held fixed
_IN_EXPONENTIALS = (sym.M, sym.Delta_min, sym.L)
_ABSCISSA = {Regime.DECAY: -positive("lambda"), Regime.NEUTRAL: Integer(0), Regime.GROWING: positive("s_A")}


def _copy(symbol: Symbol) -> Symbol:
    """The same symbol, above 0 unless it has a sign of its own: a block of radius 0 has no growth."""
    return symbol if symbol in (sym.p, sym.p_lo, sym.p_hi) else positive(symbol.name)


def _holds(condition: Any) -> bool:
    """Whether a branch is the regime's. An equality that sympy leaves open holds at single points only."""
    if condition in (sympy.true, sympy.false):
        return bool(condition)
    if isinstance(condition, sympy.Eq):
        return False
    raise GrowthError(f"no branch is known: {condition}")


_COPIES = {entry.symbol: _copy(entry.symbol) for entry in sym.NOTATION.values()}


class Ascent:
    """Bounds with the same definitions along one direction in one regime, ready for limits."""

    def __init__(self, definitions: Mapping[Symbol, Expr], direction: Direction, regime: Regime) -> None:
        self.direction = direction
        self.definitions = {s: f for s, f in definitions.items() if s not in direction.frozen}
        abscissa = _ABSCISSA[regime]
        # a box [-B_A, s_A] that is not empty, and a probability below 1
        self.values = {sym.B_A: _copy(sym.B_A) + abs(abscissa), sym.delta: 1 / (1 + _copy(sym.delta))}
        self.values |= {symbol: f.xreplace(_COPIES) for symbol, f in direction.replaced}
        self.values |= {sym.s_A: abscissa, sym.lambda_: -abscissa}
        if direction.variable != sym.T and not direction.endless:
            self.values[sym.T] = 1 + _later
        if sym.rho in self.definitions:  # written out, so that its side of 1 is known
            self.values[sym.rho] = self.written(self.definitions.pop(sym.rho))
        self.calculus = Calculus(_copy(direction.variable))
        self.done: set[Symbol] = set()

    def written(self, f: Expr) -> Expr:
        """An expression in symbols above 0, of one branch."""
        values = _COPIES | self.values

        def branch(node: sympy.Piecewise) -> Expr:
            return next(e for e, condition in node.args if _holds(condition.xreplace(values)))

        return f.replace(lambda node: isinstance(node, sympy.Piecewise), branch).xreplace(values)

    def of(self, f: Expr) -> Growth:
        f = self.written(f)
        self.define(f)
        return self.calculus.of(f)

    def define(self, f: Expr) -> None:
        """Give the derived symbols of f their growth, innermost first."""
        names = {symbol.name for symbol in f.free_symbols}
        for symbol in self.definitions.keys() - self.done:
            if symbol.name in names:
                self.done.add(symbol)
                definition = self.written(self.definitions[symbol])
                if self.direction.endless:
                    definition = _endless(definition)
                self.define(definition)
                self.calculus.define(_copy(symbol), definition, inner=symbol in _IN_EXPONENTIALS)


def _endless(f: Expr) -> Expr:
    """A sum over time as T goes to infinity."""
    if isinstance(f, sympy.Min):
        return sympy.Min(*map(_endless, f.args))
    f = f.xreplace({_copy(sym.L): _copy(sym.T) * _copy(sym.M)})
    return limit(f, _copy(sym.T), oo) if f.has(_copy(sym.T)) else f


BACK = {copy: symbol for symbol, copy in _COPIES.items()} | {_later: sym.T - 1, positive("lambda"): -sym.s_A}
"""From the symbols of a limit to those of the notation."""
