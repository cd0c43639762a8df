"""A formula with the values that went in and the value that came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy
from sympy import Expr, Rational, Symbol

from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose_all


@dataclass(frozen=True, slots=True)
class Formula:
    """``symbol = expression`` with ``where`` the enclosed values of the expression's symbols and its own."""

    name: str
    symbol: Expr
    expression: Expr
    where: Mapping[Symbol, Enclosure]
    value: Enclosure
    source: str


def evaluated(name: str, symbol: Expr, expression: Expr, values: Mapping[Symbol, Value], source: str) -> Formula:
    """The formula at these values, without the branches that they rule out."""
    shown = _branch(expression, values)
    symbols = sorted(shown.free_symbols, key=str)
    found = enclose_all({symbol: shown} | {part: part for part in symbols}, values)
    return Formula(name, symbol, shown, {part: found[part] for part in symbols}, found[symbol], source)


def _branch(expression: Expr, values: Mapping[Symbol, Value]) -> Expr:
    """The expression without the branches that these values rule out, where symbols may have no value at all."""
    branching = expression.atoms(sympy.Piecewise)
    asked = {part for branches in branching for _, condition in branches.args for part in condition.free_symbols}
    found = enclose_all({part: part for part in asked}, values)
    numbers = {part: Rational(*value.float_upper().as_integer_ratio()) for part, value in found.items()}

    def chosen(branches: sympy.Piecewise) -> Expr:
        decided = [(value, condition.subs(numbers)) for value, condition in branches.args]
        if all(condition in (sympy.true, sympy.false) for _, condition in decided):
            return next(value for value, condition in decided if condition == sympy.true)
        return branches

    return expression.replace(lambda part: isinstance(part, sympy.Piecewise), chosen)
