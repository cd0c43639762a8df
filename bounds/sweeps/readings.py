"""Expressions over arrays, in float64: as numbers, and as logarithms of numbers >= 0, which nothing overflows.

Not certified. The trees are those that ``enclose`` reads with balls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from ssm_bounds.bounds.evaluate.balls import Arithmetic
from ssm_bounds.bounds.notation import NOTATION
from ssm_bounds.bounds.sweeps.logspace import Floats, log


@dataclass(frozen=True, slots=True, eq=False)
class Logarithm:
    """A quantity >= 0 by its natural logarithm."""

    value: Floats

    def __add__(self, other: Logarithm) -> Logarithm:
        return Logarithm(np.logaddexp(self.value, other.value))

    def __mul__(self, other: Logarithm) -> Logarithm:
        return Logarithm(self.value + other.value)

    def __pow__(self, power: int) -> Logarithm:
        return Logarithm(power * self.value)


class _Numbers(Arithmetic):
    number = np.ndarray
    functions = {sympy.Add: np.add, sympy.Mul: np.multiply}  # noqa: RUF012

    @staticmethod
    def from_rational(p: int, q: int) -> Any:
        return p / q


class _Logarithms(Arithmetic):
    """Sums, products, whole powers and logarithms above 1 of quantities >= 0, and moduli of symbols."""

    number = Logarithm
    functions = {  # noqa: RUF012
        sympy.Add: Logarithm.__add__,
        sympy.Mul: Logarithm.__mul__,
        sympy.log: lambda x: Logarithm(log(x.value)),
    }

    def _build(self, node: sympy.Basic) -> Callable[[dict[sympy.Symbol, Any]], Any]:
        if isinstance(node, sympy.Abs) and node.args[0].is_Symbol:
            return lambda state: Logarithm(log(np.abs(state[node.args[0]])))
        return super()._build(node)

    @staticmethod
    def log1p(x: Logarithm) -> Logarithm:
        return Logarithm(log(np.logaddexp(0.0, x.value)))

    @staticmethod
    def from_rational(p: int, q: int) -> Logarithm:
        return Logarithm(log(np.array(p / q)))

    @staticmethod
    def from_scalar(value: Any) -> Logarithm:
        return Logarithm(log(value))


_NUMBERS, _LOGARITHMS = _Numbers(), _Logarithms()


def symbols(of: Mapping[str, Floats]) -> dict[sympy.Symbol, Any]:
    """The values of a class by symbol."""
    return {NOTATION[name].symbol: value for name, value in of.items() if name in NOTATION}


def numbers(expression: sympy.Expr, values: Mapping[sympy.Symbol, Any]) -> Floats:
    """The expression itself, of values of either sign."""
    return np.asarray(_NUMBERS(expression, dict(values)), dtype=float)


def logarithms(expressions: Mapping[str, sympy.Expr], values: Mapping[sympy.Symbol, Any]) -> dict[str, Floats]:
    """``ln`` of each expression, of arrays >= 0, :class:`Logarithm` objects, or expressions in other symbols."""
    state = dict(values)
    return {name: _LOGARITHMS(expression, state).value for name, expression in expressions.items()}
