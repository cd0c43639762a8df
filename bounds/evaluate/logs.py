"""Sympy expressions over arrays, in float64: as numbers, and as ``factor e^exponent``, which nothing overflows.

Not certified. The trees are those that ``balls`` encloses: limits are branches there, and every point takes its own.
The two readings pass to each other: ``exp`` of a number is an exponent, ``log`` of a scaled one a number. So
``1 - e^x`` keeps the digits of x, and a softplus needs no form of its own. Two sums that vanish to second order with
their argument are recognised, and read by series there (``evaluate.vanishing``).

Accuracy: about ``1e-15 (1 + |x|)``, absolute, in a logarithm, x the logarithm itself or an exponent of the same size:
what fits a double is accurate to 1e-12, relative. Shapes: one axis of points; what is the same at all has size 1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from sympy import S, exp

from ssm_bounds.bounds.evaluate import vanishing
from ssm_bounds.bounds.evaluate.balls import Arithmetic
from ssm_bounds.bounds.notation import NOTATION
from ssm_bounds.bounds.values import DomainError

Floats = NDArray[np.float64]
State = dict[Any, Any]
Closure = Callable[[State], Any]

_TINY = 1e-290  # below, products of doubles lose digits
_FAR = -40.0  # e^-40 is nothing beside 1, and smaller exponentials are slow


def log(x: Floats | float) -> Floats:
    """The logarithm, -inf at 0."""
    with np.errstate(divide="ignore"):
        return np.log(x)


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """``factor e^exponent``. The sign is the factor's; a quotient of small factors loses no digit to logarithms."""

    factor: Floats | float
    exponent: Floats | float

    @property
    def log(self) -> Floats:
        """``ln`` of the modulus."""
        if isinstance(self.factor, float) and abs(self.factor) == 1:
            return np.asarray(self.exponent)
        return log(np.abs(self.factor)) + self.exponent

    @property
    def value(self) -> Floats:
        with np.errstate(over="ignore"):
            return self.factor * np.exp(self.exponent)

    @property
    def sign(self) -> Floats | float:
        """One number where it is the same at every point."""
        factor = self.factor
        if isinstance(factor, float):
            return math.copysign(1.0, factor)
        return 1.0 if factor.min() > 0 else -1.0 if factor.max() < 0 else np.sign(factor)

    def __neg__(self) -> Scaled:
        return Scaled(-self.factor, self.exponent)

    def __abs__(self) -> Scaled:
        return Scaled(np.abs(self.factor), self.exponent)

    def __add__(self, other: Scaled) -> Scaled:
        one, two = self.sign, other.sign
        first, second = self.log, other.log
        with np.errstate(invalid="ignore"):  # of two zeros
            gap = second - first
        near = np.fmax(-np.abs(gap), _FAR)
        if isinstance(one, float) and isinstance(two, float):
            # two opposite signs leave what expm1 says, to the last digit
            factor = one * (1 + np.exp(near) if one == two else np.copysign(np.expm1(near), -gap))
        else:
            factor = one + two + np.where(gap > 0, one, two) * np.expm1(near)
        return Scaled(factor, np.maximum(first, second))

    def __mul__(self, other: Scaled) -> Scaled:
        return Scaled(self.factor * other.factor, self.exponent + other.exponent)

    def __truediv__(self, other: Scaled) -> Scaled:
        return Scaled(self.factor / other.factor, self.exponent - other.exponent)

    def __pow__(self, power: Floats | float) -> Scaled:
        if isinstance(power, float) and power.is_integer():
            return Scaled(self.sign if power % 2 else 1.0, power * self.log)
        return Scaled(1.0, power * _above_zero(self))


def _same(one: Floats | float, other: Floats | float) -> bool:
    """Whether both are one and the same at every point."""
    return isinstance(one, float) and isinstance(other, float) and one == other


def _above_zero(x: Scaled) -> Floats:
    """The logarithm, NaN below 0."""
    sign = x.sign
    return x.log if isinstance(sign, float) and sign > 0 else np.where(np.asarray(sign) < 0, np.nan, x.log)


def _log_of_one_plus(x: Scaled) -> Floats:
    """For x > 0 to the last digit of x, however small."""
    return np.logaddexp(0.0, x.log) if _same(x.sign, 1.0) else _above_zero(Scaled(1.0, 0.0) + x)


def _compare(relation: type, left: Scaled, right: Scaled) -> NDArray[np.bool_]:
    if _same(left.sign, 1.0) and _same(right.sign, 1.0):
        return _RELATIONS[relation](left.log, right.log)
    apart = left if _same(right.factor, 0.0) else left + -right
    return _RELATIONS[relation](np.where(apart.exponent == -np.inf, 0.0, apart.factor), 0.0)


def _select(where: NDArray[np.bool_], one: Scaled, other: Scaled) -> Scaled:
    factor = one.factor if _same(one.factor, other.factor) else np.where(where, one.factor, other.factor)
    return Scaled(factor, np.where(where, one.exponent, other.exponent))


def _minimum(one: Scaled, other: Scaled) -> Scaled:
    if _same(one.sign, 1.0) and _same(other.sign, 1.0):
        return Scaled(1.0, np.minimum(one.log, other.log))
    return _select(_compare(sympy.StrictLessThan, one, other), one, other)


_RELATIONS: dict[type, Callable[..., NDArray[np.bool_]]] = {
    sympy.Eq: np.equal,
    sympy.StrictLessThan: np.less,
    sympy.LessThan: np.less_equal,
    sympy.StrictGreaterThan: np.greater,
    sympy.GreaterThan: np.greater_equal,
}


class _Part(State):
    """A state at some of its points: what is asked for is taken from the whole."""

    def __init__(self, whole: State, where: NDArray[np.intp]) -> None:
        super().__init__()
        self.whole, self.where = whole, where

    def __missing__(self, key: Any) -> Any:
        found = self[key] = _take(self.whole[key], self.where)
        return found


def _take(value: Any, where: NDArray[np.intp]) -> Any:
    if isinstance(value, Scaled):
        return Scaled(_take(value.factor, where), _take(value.exponent, where))
    return value[where] if isinstance(value, np.ndarray) and value.size > 1 else value


class _Reading(Arithmetic):
    """Both readings share a state; each keeps there what it computed for a symbol."""

    def _lookup(self, symbol: sympy.Symbol, state: State) -> Any:
        try:
            return state[symbol, self.number]
        except KeyError:
            pass
        try:
            value = state[symbol]
        except KeyError:
            raise DomainError(f"no value for the symbol {symbol}") from None
        number = self(value, state) if isinstance(value, sympy.Basic) else self.from_scalar(value)
        if isinstance(number, Scaled):  # a product of factors may pass every double
            sign = 1.0 if symbol.is_nonnegative else number.sign
            number = Scaled(sign, number.log) if isinstance(sign, float) else number
        state[symbol, self.number] = number
        return number


class _Numbers(_Reading):
    """Values of either sign."""

    number = np.ndarray
    functions = {  # noqa: RUF012
        sympy.Add: np.add,
        sympy.Mul: np.multiply,
        sympy.Abs: np.abs,
        sympy.sqrt: np.sqrt,
        exp: np.exp,
    }

    def _build(self, node: sympy.Basic) -> Closure:
        if isinstance(node, sympy.log):
            (inside,) = node.args
            if inside.is_Add and S.One in inside.args:
                above_one = _SCALED.compile(inside - 1)
                return lambda state: _log_of_one_plus(above_one(state))
            scaled = _SCALED.compile(inside)
            return lambda state: _above_zero(scaled(state))
        return super()._build(node)

    @staticmethod
    def from_rational(p: int, q: int) -> Any:
        return p / q

    @staticmethod
    def from_scalar(value: Any) -> Floats:
        return np.asarray(value, dtype=float)


class _Logs(_Reading):
    """Scaled numbers."""

    number = Scaled
    functions = {  # noqa: RUF012
        sympy.Add: operator.add,
        sympy.Mul: operator.mul,
        sympy.Abs: abs,
        sympy.log: lambda x: Scaled(_above_zero(x), 0.0),
        sympy.Min: _minimum,
    }

    def _build(self, node: sympy.Basic) -> Closure:
        if isinstance(node, exp):
            inside = _NUMBERS.compile(node.args[0])
            return lambda state: Scaled(1.0, inside(state))
        if isinstance(node, vanishing.Gamma):
            return self._build_gamma(node.args[0])
        if isinstance(node, vanishing.Weighted):
            x, terms = map(_NUMBERS.compile, node.args)
            return lambda state: Scaled(vanishing.weighted(x(state), terms(state)), 0.0)
        if node.is_Add and node.is_polynomial() and all(symbol.is_integer for symbol in node.free_symbols):
            counts = _NUMBERS.compile(node)
            return lambda state: Scaled(counts(state), 0.0)
        if node.is_Add and isinstance(1 - node, exp):
            return self._build_expm1((1 - node).args[0])
        written = super()._build(node)
        small = vanishing.small(node) if node.is_Add else None
        if small is None:
            return written
        size, series = small
        return _choice(sympy.StrictLessThan, self.compile(size), self.compile(S.One), self.compile(series), written)

    def _build_gamma(self, argument: sympy.Expr) -> Closure:
        of = self.compile(argument)

        def gamma(state: State) -> Scaled:
            z = of(state)
            return Scaled(vanishing.tail(z.value), 2 * z.log - z.value)

        return gamma

    def _build_expm1(self, inside: sympy.Expr) -> Closure:
        """``1 - e^x``; where a double has too few digits for x, that is -x."""
        number, scaled = _NUMBERS.compile(inside), self.compile(inside)

        def difference(state: State) -> Scaled:
            x = number(state)
            if x.max() <= -_TINY:
                return Scaled(-np.expm1(x), 0.0)
            size = np.abs(x)
            found = Scaled(np.copysign(np.expm1(np.maximum(-size, _FAR)), -x), np.maximum(x, 0.0))
            return found if size.min() >= _TINY else _select(size < _TINY, -scaled(state), found)

        return difference

    def _build_power(self, base: sympy.Expr, exponent: sympy.Expr) -> Closure:
        value, by = self.compile(base), _NUMBERS.compile(exponent)
        return lambda state: value(state) ** by(state)

    def _build_piecewise(self, node: sympy.Piecewise) -> Closure:
        *branches, (last, otherwise) = node.args
        if otherwise is not sympy.true:
            raise DomainError(f"the last branch of {node} has a condition")
        found = self.compile(last)
        for branch, condition in reversed(branches):
            left, right = map(self.compile, condition.args)
            found = _choice(condition.func, left, right, self.compile(branch), found)
        return found

    @staticmethod
    def log1p(x: Scaled) -> Scaled:
        found = Scaled(_log_of_one_plus(x), 0.0)
        # a softplus may be below every double
        return _select(x.log < -37.0, Scaled(1.0, x.log), found) if _same(x.sign, 1.0) else found

    @staticmethod
    def from_rational(p: int, q: int) -> Scaled:
        return Scaled(p / q, 0.0)

    @staticmethod
    def from_scalar(value: Any) -> Scaled:
        return Scaled(np.asarray(value, dtype=float), 0.0)


def _choice(relation: type, left: Closure, right: Closure, branch: Closure, rest: Closure) -> Closure:
    """Every point by its own branch, computed there alone."""

    def choose(state: State) -> Scaled:
        holds = _compare(relation, left(state), right(state))
        if holds.all() or not holds.any():
            return branch(state) if holds.any() else rest(state)
        first, second = np.flatnonzero(holds), np.flatnonzero(~holds)
        one, two = branch(_Part(state, first)), rest(_Part(state, second))

        def joined(here: Floats | float, there: Floats | float) -> Floats | float:
            if _same(here, there):
                return here
            found = np.empty(holds.size)
            found[first], found[second] = here, there
            return found

        return Scaled(joined(one.factor, two.factor), joined(one.exponent, two.exponent))

    return choose


_NUMBERS, _SCALED = _Numbers(), _Logs()


def symbols(of: Mapping[str, Floats]) -> dict[sympy.Symbol, Any]:
    """The values of a class by symbol."""
    return {NOTATION[name].symbol: value for name, value in of.items() if name in NOTATION}


def numbers(expression: sympy.Expr, values: Mapping[sympy.Symbol, Any]) -> Floats:
    """The expression itself, of arrays of values of either sign."""
    return np.asarray(_NUMBERS(expression, dict(values)), dtype=float)


def scaled(expressions: Mapping[str, sympy.Expr], values: Mapping[sympy.Symbol, Any]) -> dict[str, Scaled]:
    """Each expression, of arrays or expressions in other symbols, which are computed once."""
    state = dict(values)
    return {name: _SCALED(expression, state) for name, expression in expressions.items()}


def logarithms(expressions: Mapping[str, sympy.Expr], values: Mapping[sympy.Symbol, Any]) -> dict[str, Floats]:
    """``ln`` of the modulus of each."""
    return {name: found.log for name, found in scaled(expressions, values).items()}
