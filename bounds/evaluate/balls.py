"""Numbers out of sympy expressions: arb balls in, ``[lower, upper]`` out; mpmath as second engine.

The only file that touches precision contexts. Rounding: ``Enclosure.upper`` is at least, ``lower`` at most the
exact value of the expression at exact inputs. Rationals stay rationals; ``Float`` in an expression is refused.
An undecided branch or a wide result raises the precision; what stays undecided is an error, never a guess.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, TypeAlias, TypeVar

import flint
import mpmath
import sympy
from flint import arb, fmpq

from ssm_bounds.bounds.values import DomainError, Scalar

Value: TypeAlias = Scalar | arb | sympy.Expr
K = TypeVar("K")
START_BITS = 128
MAX_BITS = 1 << 18


class PrecisionError(ArithmeticError):
    """The enclosure could not be narrowed within ``MAX_BITS`` bits."""


class _UndecidedError(Exception):
    """A comparison that this precision cannot decide."""


class bits:  # noqa: N801, a statement's word; a generator would cost more than most of what is computed within
    """Work with arb balls of ``precision`` bits."""

    __slots__ = ("_before", "_precision")

    def __init__(self, precision: int) -> None:
        self._precision = precision

    def __enter__(self) -> None:
        self._before = flint.ctx.prec
        flint.ctx.prec = self._precision

    def __exit__(self, *_: object) -> None:
        flint.ctx.prec = self._before


def exact(value: Scalar | arb) -> arb:
    """The ball of an exact number: radius 0 for dyadic ones, else one rounding of the current precision."""
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value)


@dataclass(frozen=True, slots=True)
class Enclosure:
    """``lower <= value <= upper``; both ends are exact dyadic numbers, held as arb."""

    lower: arb
    upper: arb

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:  # also catches NaN
            raise PrecisionError(f"not an enclosure: [{self.lower}, {self.upper}]")

    @classmethod
    def of(cls, ball: arb) -> Enclosure:
        return cls(ball.lower(), ball.upper())

    @classmethod
    def point(cls, value: Scalar) -> Enclosure:
        """An exact scalar; a rational that is not dyadic is widened by one rounding."""
        with bits(START_BITS):
            return cls.of(exact(value))

    def ball(self) -> arb:
        """The ball of both ends."""
        return self.lower if self.lower == self.upper else self.lower.union(self.upper)

    def worst(self) -> Enclosure:
        """The upper end alone, as an exact number."""
        return Enclosure(self.upper, self.upper)

    def relative_width(self) -> float:
        """(upper - lower)/min(|lower|, |upper|); 0 for an exact 0, infinity when the sign is not known."""
        return _relative_width(self.lower, self.upper)

    def float_upper(self) -> float:
        return float_above(self.upper)

    def float_lower(self) -> float:
        return float_below(self.lower)


def _relative_width(lower: arb, upper: arb) -> float:
    if lower == upper:
        return 0.0
    if lower <= 0 <= upper or not upper.is_finite():
        return math.inf
    return float(((upper - lower) / arb.min(abs(lower), abs(upper))).upper())


def least(values: Iterable[arb]) -> arb:
    """The smallest of exact numbers."""
    return functools.reduce(lambda x, y: x if x <= y else y, values)


def _neighbour(value: arb, sign: int) -> float:
    guess = float(value.mid())
    if math.isinf(guess):
        return guess if guess * sign > 0 else math.copysign(math.nextafter(math.inf, 0), guess)
    while (value - arb(guess)) * sign > 0:
        guess = math.nextafter(guess, sign * math.inf)
    return guess


def float_above(value: arb) -> float:
    """The double just above an exact arb (infinity beyond the range)."""
    with bits(4096):
        return _neighbour(value.upper(), +1)


def float_below(value: arb) -> float:
    """The double just below an exact arb."""
    with bits(4096):
        return _neighbour(value.lower(), -1)


def _is_reciprocal(factor: sympy.Expr) -> bool:
    return bool(factor.is_Pow and factor.exp.is_Integer and factor.exp < 0)


class Arithmetic:
    """Turns a sympy tree into closures over the operations of one number type.

    A closure takes the state of one evaluation: the values given, and those computed so far for symbols that
    stand for expressions (so R_1 is computed once, however many coefficients contain it).
    """

    number: ClassVar[type]
    functions: ClassVar[Mapping[Any, Callable[..., Any]]]

    def __init__(self) -> None:
        self._compiled: dict[sympy.Basic, Callable[[dict[sympy.Symbol, Any]], Any]] = {}

    def __call__(self, expression: sympy.Basic, state: dict[sympy.Symbol, Any]) -> Any:
        return self.compile(expression)(state)

    def compile(self, node: sympy.Basic) -> Callable[[dict[sympy.Symbol, Any]], Any]:
        closure = self._compiled.get(node)
        if closure is None:
            closure = self._compiled[node] = self._build(node)
        return closure

    def _build(self, node: sympy.Basic) -> Callable[[dict[sympy.Symbol, Any]], Any]:
        if node.is_Symbol:
            return lambda state: self._lookup(node, state)
        if node is sympy.pi:
            return lambda state: self.pi()
        if node.is_Rational:
            p, q = int(node.p), int(node.q)
            return lambda state: self.from_rational(p, q)
        if node.is_Pow:
            return self._build_power(*node.args)
        if isinstance(node, sympy.Piecewise):
            return self._build_piecewise(node)
        if node.is_Mul and any(_is_reciprocal(factor) for factor in node.args):
            # a true division: exact where the quotient is, so that a ceiling of an integer ratio can be decided
            above = self.compile(sympy.Mul(*(f for f in node.args if not _is_reciprocal(f))))
            below = self.compile(sympy.Mul(*(1 / f for f in node.args if _is_reciprocal(f))))
            return lambda state: above(state) / below(state)
        if isinstance(node, sympy.log) and node.args[0].is_Add and sympy.S.One in node.args[0].args:
            above_one = self.compile(node.args[0] - 1)  # softplus of a very negative logit would need its digits twice
            return lambda state: self.log1p(above_one(state))
        function = self.functions.get(node.func)
        if function is None:
            raise TypeError(f"{type(self).__name__} cannot evaluate {node.func.__name__}: {node}")
        arguments = [self.compile(argument) for argument in node.args]
        if len(arguments) == 1:
            (only,) = arguments
            return lambda state: function(only(state))
        first, *rest = arguments

        def fold(state: dict[sympy.Symbol, Any]) -> Any:
            result = first(state)
            for argument in rest:
                result = function(result, argument(state))
            return result

        return fold

    def _lookup(self, symbol: sympy.Symbol, state: dict[sympy.Symbol, Any]) -> Any:
        try:
            value = state[symbol]
        except KeyError:
            raise DomainError(f"no value for the symbol {symbol}") from None
        if type(value) is self.number:
            return value
        number = self(value, state) if isinstance(value, sympy.Basic) else self.from_scalar(value)
        state[symbol] = number
        return number

    def _build_power(self, base: sympy.Expr, exponent: sympy.Expr) -> Callable[[dict[sympy.Symbol, Any]], Any]:
        value = self.compile(base)
        if exponent == -1:
            return lambda state: 1 / value(state)
        if exponent.is_Integer:
            power = int(exponent)
            return lambda state: self.power(value(state), power)
        if exponent == sympy.Rational(1, 2):
            root = self.functions[sympy.sqrt]
            return lambda state: root(value(state))
        by = self.compile(exponent)
        return lambda state: value(state) ** by(state)

    def _build_piecewise(self, node: sympy.Piecewise) -> Callable[[dict[sympy.Symbol, Any]], Any]:
        branches = [
            (None, None, None, self.compile(branch))
            if condition is sympy.true
            else (condition.func, *map(self.compile, condition.args), self.compile(branch))
            for branch, condition in node.args
        ]

        def choose(state: dict[sympy.Symbol, Any]) -> Any:
            for relation, left, right, branch in branches:
                if relation is None or self.compare(relation, left(state), right(state)):
                    return branch(state)
            raise DomainError(f"no branch of {node} applies")

        return choose

    @staticmethod
    def power(x: Any, n: int) -> Any:
        return x**n

    @staticmethod
    def pi() -> Any:
        raise NotImplementedError

    @staticmethod
    def log1p(x: Any) -> Any:
        raise NotImplementedError

    @staticmethod
    def from_rational(p: int, q: int) -> Any:
        raise NotImplementedError

    @staticmethod
    def from_scalar(value: Scalar) -> Any:
        raise NotImplementedError

    @staticmethod
    def compare(relation: type, left: Any, right: Any) -> bool:
        raise NotImplementedError


def _arb_ceiling(x: arb) -> arb:
    low, high = x.lower().ceil(), x.upper().ceil()
    return low if low == high else low.union(high)


_SHARED: dict[Any, Callable[..., Any]] = {sympy.Add: operator.add, sympy.Mul: operator.mul, sympy.Abs: abs}


class _Balls(Arithmetic):
    number = arb
    functions = _SHARED | {
        sympy.exp: arb.exp,
        sympy.log: arb.log,
        sympy.sqrt: arb.sqrt,
        sympy.ceiling: _arb_ceiling,
        sympy.Min: arb.min,
        sympy.Max: arb.max,
    }

    @staticmethod
    def pi() -> arb:
        return arb.pi()

    @staticmethod
    def power(x: arb, n: int) -> arb:
        # arb goes through the logarithm, which a ball around 0 does not have
        return x**n if x != 0 or n < 1 else functools.reduce(operator.mul, [x] * n)

    @staticmethod
    def log1p(x: arb) -> arb:
        return x.log1p()

    @staticmethod
    def from_rational(p: int, q: int) -> arb:
        return arb(p) if q == 1 else arb(fmpq(p, q))

    @staticmethod
    def from_scalar(value: Scalar) -> arb:
        return exact(value)

    @staticmethod
    def compare(relation: type, left: arb, right: arb) -> bool:
        """arb comparisons are True only when certain: undecided when neither the relation nor its negation is."""
        holds, fails = _RELATIONS[relation]
        if holds(left, right):
            return True
        if fails(left, right):
            return False
        raise _UndecidedError


_RELATIONS: dict[type, tuple[Callable[[Any, Any], bool], Callable[[Any, Any], bool]]] = {
    sympy.Eq: (operator.eq, operator.ne),
    sympy.Ne: (operator.ne, operator.eq),
    sympy.StrictLessThan: (operator.lt, operator.ge),
    sympy.LessThan: (operator.le, operator.gt),
    sympy.StrictGreaterThan: (operator.gt, operator.le),
    sympy.GreaterThan: (operator.ge, operator.lt),
}


class _Mpmath(Arithmetic):
    number = mpmath.mpf
    functions = _SHARED | {
        sympy.exp: mpmath.exp,
        sympy.log: mpmath.log,
        sympy.sqrt: mpmath.sqrt,
        sympy.ceiling: mpmath.ceil,
        sympy.Min: min,
        sympy.Max: max,
    }

    @staticmethod
    def pi() -> Any:
        return +mpmath.pi

    @staticmethod
    def log1p(x: Any) -> Any:
        return mpmath.log1p(x)

    @staticmethod
    def from_rational(p: int, q: int) -> Any:
        return mpmath.mpf(p) / q

    @staticmethod
    def from_scalar(value: Scalar) -> Any:
        if isinstance(value, Fraction):
            return mpmath.mpf(value.numerator) / value.denominator
        return mpmath.mpf(value)

    @staticmethod
    def compare(relation: type, left: Any, right: Any) -> bool:
        return _RELATIONS[relation][0](left, right)


class _Rationals(Arithmetic):
    number = Fraction
    functions = _SHARED

    @staticmethod
    def from_rational(p: int, q: int) -> Fraction:
        return Fraction(p, q)

    @staticmethod
    def from_scalar(value: Scalar) -> Fraction:
        return Fraction(value)

    @staticmethod
    def compare(relation: type, left: Fraction, right: Fraction) -> bool:
        return _RELATIONS[relation][0](left, right)


_ARB = _Balls()
_MPMATH = _Mpmath()
_RATIONALS = _Rationals()


def enclose_all(
    expressions: Mapping[K, sympy.Expr], values: Mapping[sympy.Symbol, Value], *, rtol: float = 1e-9
) -> dict[K, Enclosure]:
    """Enclose several expressions at the same values, sharing common subexpressions.

    ``values`` maps a symbol to an exact number or to an expression in other symbols. The precision is doubled
    until every enclosure is at most ``rtol`` wide, relative. Raises: DomainError (no value for a symbol, or a
    logarithm or root outside its domain), PrecisionError (still too wide at ``MAX_BITS`` bits).
    """
    precision = START_BITS
    while precision <= MAX_BITS:
        with bits(precision):
            state = dict(values)
            try:
                balls = {key: _ARB(expression, state) for key, expression in expressions.items()}
            except _UndecidedError:
                precision *= 2
                continue
            if all(ball.is_finite() for ball in balls.values()):
                found = {key: Enclosure.of(ball) for key, ball in balls.items()}
                if all(enclosure.relative_width() <= rtol for enclosure in found.values()):
                    return found
        precision *= 2
    raise PrecisionError(
        f"{', '.join(map(str, expressions.values()))}: not enclosed to {rtol:g} within {MAX_BITS} bits; "
        "an argument may lie outside the domain of a logarithm, root or quotient"
    )


def enclose(expression: sympy.Expr, values: Mapping[sympy.Symbol, Value], *, rtol: float = 1e-9) -> Enclosure:
    """Certified ``[lower, upper]`` of one expression; see :func:`enclose_all`."""
    return glance(expression, values) or enclose_all({None: expression}, values, rtol=rtol)[None]


def rational(expression: sympy.Expr, values: Mapping[sympy.Symbol, Any]) -> Scalar:
    """The exact value of an expression in sums, products, moduli and branches; that of a symbol alone as it was given.

    >>> rational(sympy.Symbol("x") / 3, {sympy.Symbol("x"): 0.5})
    Fraction(1, 6)
    """
    found: Scalar = values[expression] if expression.is_Symbol else _RATIONALS(expression, dict(values))
    return found


def glance(expression: sympy.Expr, values: Mapping[sympy.Symbol, Value]) -> Enclosure | None:
    """One evaluation at the starting precision; None unless it comes out accurate to about 1e-12.

    Values may be balls of positive radius here, which no higher precision would narrow.
    """
    closure = _ARB.compile(expression)
    with bits(START_BITS):
        try:
            ball = closure(dict(values))
        except _UndecidedError:
            return None
        return Enclosure.of(ball) if ball.rel_accuracy_bits() > 40 or ball.is_zero() else None


def evaluate(expression: sympy.Expr, values: Mapping[sympy.Symbol, Value], *, digits: int = 30) -> mpmath.mpf:
    """The same expression by mpmath to ``digits`` digits, for people and as the second engine (not certified).

    The working precision is doubled until two successive values agree to ``digits`` digits.
    """
    previous = None
    working = digits + 15
    while working <= MAX_BITS:
        with mpmath.workdps(working):
            try:
                current = _MPMATH(expression, dict(values))
            except ZeroDivisionError:
                current = None
            settled = None not in (current, previous) and abs(current - previous) <= abs(current) / 10**digits
            if settled:
                break
            previous = current
        working *= 2
    else:
        raise PrecisionError(f"{expression}: mpmath values do not settle to {digits} digits")
    with mpmath.workdps(digits):
        return +current


def hull(expression: sympy.Expr, values: Mapping[sympy.Symbol, Value]) -> Enclosure | None:
    """An interval that contains the expression at every point of balls of any radius; None where it is not finite.

    One evaluation at the current precision: only smaller balls can narrow it.
    """
    try:
        ball = _ARB(expression, dict(values))
    except _UndecidedError:
        return None
    return Enclosure.of(ball) if ball.is_finite() else None


def range_over(expression: sympy.Expr, box: Mapping[sympy.Symbol, tuple[Scalar, Scalar]]) -> Enclosure | None:
    """:func:`hull` over a box, for branch and bound (``proofs.solvers``)."""
    with bits(START_BITS):
        return hull(expression, {symbol: exact(low).union(exact(high)) for symbol, (low, high) in box.items()})
