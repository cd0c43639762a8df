"""Growth ``f ~ C e^{rate x} x^exponent (ln x)^log_power`` of a symbolic expression, by limits that sympy takes.

``rate = lim f'/f``, ``exponent = lim x (f'/f - rate)``, ``log_power = lim ln x (x (f'/f - rate) - exponent)``, each
of a function of one moving quantity; joined by what the logarithmic derivative of a product, a power, a sum of
of a function of one moving quantity; joined by what the logarithmic derivative of a product, a power, a sum of
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import sympy
from sympy import Expr, Integer, Rational, Symbol, exp, log, oo

from ssm_bounds.bounds.values import require


class GrowthError(ArithmeticError):
    """A growth that no rule here decides, or that the numbers contradict."""


positive = functools.partial(Symbol, positive=True)
_SIZES = tuple(map(positive, ("d", "N", "k")))


@dataclass(frozen=True, slots=True)
class Growth:
    """``f ~ C e^{rate x} x^exponent (ln x)^log_power`` as x grows, C > 0. All three 0: f tends to a constant.

    >>> x = Symbol("x")
    >>> Growth(Integer(0), Integer(2), Rational(1, 2)).form(x)
    x**2*sqrt(log(x))
    """

    rate: Expr
    exponent: Expr
    log_power: Expr

    @property
    def powers(self) -> tuple[Expr, Expr, Expr]:
        return (self.rate, self.exponent, self.log_power)

    def form(self, x: Symbol) -> Expr:
        return exp(self.rate * x) * x**self.exponent * log(x) ** self.log_power

    def log_form(self, x: Symbol) -> Expr:
        return self.rate * x + self.exponent * log(x) + self.log_power * log(log(x))

    @property
    def bounded(self) -> bool:
        return self.powers == (0, 0, 0)

    def __add__(self, other: Growth) -> Growth:
        """The growth of a product."""
        return Growth(*(sympy.expand(a + b) for a, b in zip(self.powers, other.powers, strict=True)))

    def times(self, power: Expr) -> Growth:
        """The growth of a power."""
        return Growth(*(sympy.expand(power * a) for a in self.powers))

    def sign(self) -> int:
        """1 where f tends to infinity, -1 where to 0, 0 where to a constant. Raises: GrowthError (undecided)."""
        for power in self.powers:
            if power.is_positive or power.is_negative:
                return 1 if power.is_positive else -1
            if not power.is_zero:
                raise GrowthError(f"the sign of {power} is not known")
        return 0


CONSTANT = Growth(Integer(0), Integer(0), Integer(0))


def _larger(one: Growth, other: Growth) -> Growth:
    return one if (one + other.times(Integer(-1))).sign() >= 0 else other


def _smaller(one: Growth, other: Growth) -> Growth:
    return other if _larger(one, other) is one else one


limit = functools.lru_cache(maxsize=4096)(sympy.limit)


@functools.lru_cache(maxsize=4096)
def limits(f: Expr, x: Symbol) -> Growth:
    """The three limits of an expression in one variable x that goes to infinity. Raises: GrowthError.

    >>> x = Symbol("x", positive=True)
    >>> limits(3 * x**2 * exp(x / 2) / log(x), x).powers
    (1/2, 2, -1)
    """
    try:
        if _is_constant(limit(f, x, oo)):
            return CONSTANT
        slope = f.diff(x) / f
        rate = limit(slope, x, oo)
        exponent = limit(x * (slope - rate), x, oo)
        log_power = Integer(0)
        if not _is_constant(limit(f / (exp(rate * x) * x**exponent), x, oo)):
            log_power = limit(log(x) * (x * (slope - rate) - exponent), x, oo)
    except NotImplementedError as problem:
        raise GrowthError(f"sympy takes no limit of {f}: {problem}") from problem
    found = Growth(*(sympy.simplify(value) for value in (rate, exponent, log_power)))
    if found.bounded or not all(value.is_finite for value in found.powers):
        raise GrowthError(f"{f} grows on no scale e^(a x) x^b (ln x)^c")
    return found


def _is_constant(limit: Expr) -> bool:
    """Whether a limit is a number above 0; its sign, the same for all constants above 0, is read off at one point."""
    if limit == 0 or limit.has(oo, -oo, sympy.zoo, sympy.nan, sympy.AccumBounds):
        return False
    point = {s: Rational(5 + i, 4) for i, s in enumerate(sorted(limit.free_symbols, key=str))}
    return bool(limit.subs(point).evalf(30) > 0)


@dataclass(frozen=True, slots=True)
class _Mover:
    """A quantity that moves with x: as a function of u, which goes to infinity, and how u grows with x.

    ``slope``: lim du/dx, where u = slope x + constant + o(1); None elsewhere.
    """

    place: Expr
    u: Symbol
    growth: Growth
    slope: Expr | None = None


class Calculus:
    """Growth of expressions whose moving symbols are ``movers`` (with their ends) or have a known ``growth``."""

    def __init__(self, x: Symbol) -> None:
        self.x = x
        self.movers = {x: _Mover(x, x, Growth(Integer(0), Integer(1), Integer(0)), Integer(1))}
        self.growth: dict[Symbol, Growth] = {x: self.movers[x].growth}
        self._known: dict[Expr, Growth] = {}

    def define(self, symbol: Symbol, definition: Expr, *, inner: bool = False) -> None:
        """Give a symbol the growth of its definition; ``inner``: other definitions contain it in an exponential."""
        moving = definition.free_symbols & self.growth.keys()
        if not moving:
            return
        growth = self._at_once(definition, moving) or self.of(definition)
        self.growth[symbol] = growth
        if inner:
            self.movers[symbol] = self._mover(symbol, definition, growth)

    def _at_once(self, f: Expr, moving: set[Symbol]) -> Growth | None:
        """CONSTANT for a function of one moving quantity that tends to a constant above 0."""
        symbol = next(iter(moving))
        mover = self.movers.get(symbol) if len(moving) == 1 else None
        if mover is None or f.has(sympy.Min):
            return None
        through = _in_exponentials(f, symbol) if mover.place != mover.u else None
        try:  # at z = 0 a function of e^z alone is taken at 1, which is the shorter limit
            end = limit(*through[1:], 1) if through else limit(f.subs(symbol, mover.place), mover.u, oo)
        except NotImplementedError:
            return None
        return CONSTANT if _is_constant(end) else None

    def _mover(self, symbol: Symbol, definition: Expr, growth: Growth) -> _Mover:
        u = Symbol(f"u_{symbol.name}", positive=True)
        if growth.sign() < 0:
            return _Mover(1 / u, u, growth.times(Integer(-1)))
        require(growth.sign() > 0, f"{symbol} tends to a constant: substitute its definition")
        return _Mover(u, u, growth, self._slope(definition, growth))

    def _slope(self, definition: Expr, growth: Growth) -> Expr | None:
        if growth.powers != (0, 1, 0) or definition.free_symbols & self.growth.keys() != {self.x}:
            return None
        slope = limit(definition.diff(self.x), self.x, oo)
        rest = limit(definition - slope * self.x, self.x, oo)
        return slope if rest.is_finite else None

    def of(self, f: Expr) -> Growth:
        """Raises: GrowthError where no rule applies."""
        if f not in self._known:
            self._known[f] = self._of(f)
        return self._known[f]

    def _of(self, f: Expr) -> Growth:
        moving = f.free_symbols & self.growth.keys()
        if not moving:
            return CONSTANT
        if f.is_Symbol:
            return self.growth[f]
        if f.is_Mul:
            return functools.reduce(Growth.__add__, map(self.of, f.args))
        if f.is_Pow and f.exp.is_number:
            return self.of(f.base).times(f.exp)
        if isinstance(f, sympy.Min):
            return functools.reduce(_smaller, map(self.of, f.args))
        if isinstance(f, sympy.Max):
            return functools.reduce(_larger, map(self.of, f.args))
        if isinstance(f, sympy.ceiling):  # between its argument and that plus 1, and at least 1 for one above 0
            return _larger(self.of(f.args[0]), CONSTANT)
        if f.is_Add and (found := self._sum(f)) is not None:
            return found
        if isinstance(f, log) and (found := self._logarithm(f.args[0])) is not None:
            return found
        if len(moving) != 1:
            raise GrowthError(f"{f} contains several moving quantities: {sorted(map(str, moving))}")
        return self._leaf(f, moving.pop())

    def _sum(self, f: Expr) -> Growth | None:
        """The largest of nonnegative terms; a constant of any sign does not matter beside an unbounded one."""
        moving = [term for term in f.args if term.free_symbols & self.growth.keys()]
        if not all(map(_nonnegative, moving)):
            return None
        found = functools.reduce(_larger, map(self.of, moving))
        if found.sign() > 0:
            return found
        return _larger(found, CONSTANT) if all(map(_nonnegative, f.args)) else None

    def _logarithm(self, f: Expr) -> Growth | None:
        """ln(C g) ~ ln g for g unbounded; a constant for 1 + g or max(1, g) with g tending to a constant."""
        if f.is_Add and Integer(1) in f.args:
            inner = self._sum(f - 1) if (f - 1).is_Add else self.of(f - 1)
        else:
            inner = self.of(f) if isinstance(f, sympy.Max) else self._sum(f) if f.is_Add else None
            inner = self.of(f) if f.is_Mul else inner
        if inner is None or inner.sign() < 0:
            return None
        if inner.sign() > 0:
            return limits(inner.log_form(self.x), self.x)
        return CONSTANT if (f.is_Add and Integer(1) in f.args) or isinstance(f, sympy.Max) else None

    def _leaf(self, f: Expr, symbol: Symbol) -> Growth:
        """A function of one moving quantity: its limits in u, then the chain rule."""
        if symbol not in self.movers:
            raise GrowthError(f"{f}: how {symbol} tends to its end is not known")
        mover = self.movers[symbol]
        through = _in_exponentials(f, symbol) if mover.slope is not None and symbol != self.x else None
        if through is not None and through[0].exp.coeff(symbol).is_positive:
            power, g, base = through
            return self._compose(self._compose_in(limits(g, base), limits(power, symbol), symbol), mover)
        return self._compose(limits(f.subs(symbol, mover.place), mover.u), mover)

    @staticmethod
    def _compose_in(outer: Growth, inner: Growth, symbol: Symbol) -> Growth:
        return limits(outer.form(symbol).subs(symbol, inner.form(symbol)), symbol) if not outer.bounded else CONSTANT

    def _compose(self, outer: Growth, mover: _Mover) -> Growth:
        if outer.bounded or mover.u == self.x:
            return outer
        if outer.rate == 0:  # u^a (ln u)^b depends on the leading form of u alone, up to constants
            return limits(outer.form(mover.u).subs(mover.u, mover.growth.form(self.x)), self.x)
        if mover.slope is None:
            raise GrowthError(f"e^({outer.rate} {mover.u}) needs {mover.u} up to a constant")
        return Growth(sympy.simplify(outer.rate * mover.slope), outer.exponent, outer.log_power)


def _nonnegative(term: Expr) -> bool:
    """Whether a term is at least 0 where symbols are above 0, and sizes at least 1."""
    if term.is_Mul or term.is_Add or isinstance(term, sympy.Min):
        return all(map(_nonnegative, term.args))
    if term.is_Pow:
        return _nonnegative(term.base)
    if isinstance(term, log) and isinstance(term.args[0], sympy.Max):
        return Integer(1) in term.args[0].args
    if isinstance(term, log):
        above = term.args[0].xreplace({size: 1 + size for size in _SIZES}) - 1
        return bool(sympy.expand(above).is_nonnegative)
    return bool(term.is_nonnegative)


def _in_exponentials(f: Expr, z: Symbol) -> tuple[Expr, Expr, Symbol] | None:
    """``(e^{az}, g, r)`` with ``f = g(r)`` at ``r = e^{az}``, where f contains z in exponentials only."""
    rates = [node.exp / z for node in f.atoms(exp) if node.has(z)]
    a = min(rates, key=sympy.count_ops, default=z)
    if a.has(z):
        return None
    r = Symbol("r", positive=True)
    g = f.replace(
        lambda node: isinstance(node, exp) and node.has(z), lambda node: r ** sympy.simplify(node.exp / z / a)
    )
    return None if g.has(z) else (exp(a * z), g, r)
