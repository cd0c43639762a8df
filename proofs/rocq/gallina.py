"""sympy to Gallina, the language of Coq's terms (Coq 8.16, now Rocq).

Coq's functions are total: ``/ 0``, ``ln`` and ``sqrt`` of a negative number have some value there. A printed formula
means what sympy's does wherever that is defined, and a theorem says it of the other points too. What has another value
at a point where sympy's is defined is refused: ``Rpower`` of a base that may be 0.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.bounds.values import DomainError

# how tightly Coq's R_scope binds, loosest first
_ARROW, _OR, _AND, _RELATION, _SUM, _PRODUCT, _MINUS, _POWER, _APPLIED, _ATOM = range(10)
Printed = tuple[str, int]

_RELATIONS = {
    sympy.LessThan: "<=",
    sympy.StrictLessThan: "<",
    sympy.GreaterThan: ">=",
    sympy.StrictGreaterThan: ">",
    sympy.Eq: "=",
    sympy.Ne: "<>",
}
_FUNCTIONS = {sympy.exp: "exp", sympy.log: "ln", sympy.Abs: "Rabs", sympy.ceiling: "ceiling"}
_TAKEN = {"R", "at", "exp", "ln", "in", "fun", "if", "sum", "by", "using", "where", "with", "let"}


def letter(symbol: sympy.Symbol) -> str:
    """A symbol's name in Coq.

    >>> letter(sympy.Symbol("X_+")), letter(sympy.Symbol("R"))
    ('X_plus', "R'")
    """
    name = re.sub(r"\W", "_", str(symbol.name).replace("+", "plus").replace("-", "minus"))
    if not re.match(r"[A-Za-z]", name):
        raise DomainError(f"{symbol} has no name in Coq: it must begin with a letter")
    return f"{name}'" if name in _TAKEN else name


def proposition(claim: Boolean) -> str:
    """A relation, or several joined, as a ``Prop`` over real numbers.

    >>> x = sympy.Symbol("x", positive=True)
    >>> proposition(sympy.Le(1 - sympy.exp(-x), sympy.Min(1, x)))
    '1 - exp (- x) <= Rmin 1 x'
    """
    return _proposition(claim)[0]


def signs(symbol: sympy.Symbol) -> str | None:
    """What sympy assumes of a symbol's sign, as a ``Prop``. Raises: DomainError for what is no real number."""
    name = letter(symbol)
    if not symbol.is_commutative:
        return None
    if symbol.is_integer:
        if symbol.is_positive:
            return f"(1 <= {name})%nat"
        if symbol.is_nonnegative:
            return None
        raise DomainError(f"{symbol}: an integer that may be negative is not printed")
    if not symbol.is_extended_real:
        raise DomainError(f"{symbol} is not known to be real")
    return f"0 < {name}" if symbol.is_positive else f"0 <= {name}" if symbol.is_nonnegative else None


def _proposition(claim: Boolean) -> Printed:
    if isinstance(claim, sympy.And | sympy.Or):
        sign, level = (r"/\ ", _AND) if isinstance(claim, sympy.And) else (r"\/ ", _OR)
        parts = [_within(_proposition(part), level + 1) for part in sorted(claim.args, key=sympy.default_sort_key)]
        return f" {sign}".join(parts), level
    if isinstance(claim, sympy.Implies):
        premise, conclusion = (_proposition(part) for part in claim.args)
        return f"{_within(premise, _ARROW + 1)} -> {_within(conclusion, _ARROW)}", _ARROW
    if type(claim) not in _RELATIONS:
        raise DomainError(f"no Coq text for {claim}")
    if not all(side.is_commutative for side in claim.args):
        return _ring_equation(claim), _RELATION
    left, right = (_within(_real(side), _SUM) for side in claim.args)
    return f"{left} {_RELATIONS[type(claim)]} {right}", _RELATION


def _within(printed: Printed, least: int) -> str:
    text, level = printed
    return text if level >= least else f"({text})"


def _number(value: sympy.Rational) -> Printed:
    if value.q == 1:
        return (str(value.p), _ATOM) if value.p >= 0 else (f"- {-value.p}", _MINUS)
    return (f"{value.p} / {value.q}", _PRODUCT) if value.p >= 0 else (f"- ({-value.p} / {value.q})", _MINUS)


def _real(node: sympy.Expr) -> Printed:
    if node.is_Rational:
        return _number(node)
    if node.is_Symbol:
        return (f"INR {letter(node)}", _APPLIED) if node.is_integer else (letter(node), _ATOM)
    if node is sympy.pi:
        return "PI", _ATOM
    if node is sympy.E:
        return "exp 1", _APPLIED
    if node.is_Add:
        return _sum(node)
    if node.is_Mul:
        return _product(node)
    if node.is_Pow and not isinstance(node, sympy.exp):
        return _power(node)
    if isinstance(node, sympy.Min | sympy.Max):
        name = "Rmin" if isinstance(node, sympy.Min) else "Rmax"
        first, *others = sorted(node.args, key=sympy.default_sort_key)
        text = _within(_real(first), _ATOM)
        for other in others[:-1]:
            text = f"({name} {text} {_within(_real(other), _ATOM)})"
        return f"{name} {text} {_within(_real(others[-1]), _ATOM)}", _APPLIED
    if type(node) in _FUNCTIONS:
        return f"{_FUNCTIONS[type(node)]} {_within(_real(node.args[0]), _ATOM)}", _APPLIED
    raise DomainError(f"no Coq text for {node}")


def _sum(node: sympy.Expr) -> Printed:
    text = ""
    for term in sorted(node.as_ordered_terms(), key=lambda term: bool(term.could_extract_minus_sign())):
        if term.could_extract_minus_sign():
            # Coq's minus binds what follows it up to the next plus
            text += f" - {_within(_real(-term), _PRODUCT)}" if text else _within(_real(term), _PRODUCT)
        else:
            text += f" + {_within(_real(term), _PRODUCT)}" if text else _within(_real(term), _SUM)
    return text, _SUM


def _product(node: sympy.Expr) -> Printed:
    coefficient, _ = node.as_coeff_Mul()
    if coefficient.is_negative:
        return f"- {_within(_real(-node), _MINUS)}", _MINUS
    above: list[str] = []
    below: list[str] = []
    for factor in node.as_ordered_factors():
        if factor.is_Rational and factor.q != 1:
            above += [str(factor.p)] if factor.p != 1 else []
            below.append(str(factor.q))
        elif factor.is_Pow and not isinstance(factor, sympy.exp) and factor.exp.is_Rational and factor.exp.is_negative:
            below.append(_within(_real(sympy.Pow(factor.base, -factor.exp, evaluate=False)), _MINUS))
        else:
            above.append(_within(_real(factor), _MINUS))
    numerator = " * ".join(above) or "1"
    if not below:
        return numerator, _PRODUCT
    denominator = below[0] if len(below) == 1 else f"({' * '.join(below)})"
    return f"{numerator} / {denominator}", _PRODUCT


def _power(node: sympy.Expr) -> Printed:
    base, exponent = node.base, node.exp
    if exponent == 1:
        return _real(base)
    if exponent.is_Integer and exponent.is_positive:
        return f"{_within(_real(base), _APPLIED)} ^ {exponent}", _POWER
    if exponent.is_Rational and exponent.is_negative:
        return f"/ {_within(_real(sympy.Pow(base, -exponent, evaluate=False)), _MINUS)}", _MINUS
    if exponent == sympy.Rational(1, 2):
        return f"sqrt {_within(_real(base), _ATOM)}", _APPLIED
    if exponent.is_Symbol and exponent.is_integer and exponent.is_nonnegative:
        return f"{_within(_real(base), _APPLIED)} ^ {letter(exponent)}", _POWER
    if base.is_positive:
        return f"Rpower {_within(_real(base), _ATOM)} {_within(_real(exponent), _ATOM)}", _APPLIED
    raise DomainError(f"no Coq text for {node}: the base may be 0 or below, where Rpower has another value")


def _ring_equation(claim: Boolean) -> str:
    """An equation of products that do not commute, in Coquelicot's rings, where sums and products are functions."""
    if not isinstance(claim, sympy.Eq):
        raise DomainError(f"no Coq text for {claim}")
    return " = ".join(_ring(side)[0] for side in claim.args)


def _ring(node: sympy.Expr) -> Printed:
    if node == 0:
        return "zero", _ATOM
    if node.is_Symbol:
        return letter(node), _ATOM
    if node.is_Add:
        return _folded("plus", [_ring(term) for term in node.args])
    if node.is_Mul:
        coefficient, factors = node.args_cnc()
        number = sympy.Mul(*coefficient)
        product = _folded("mult", [_ring(factor) for factor in factors])
        if number == 1:
            return product
        if number.is_Integer and number > 1:
            return _folded("plus", [product] * int(number))
        if number.is_Integer and number < 0:
            return f"opp {_within(_ring(-node), _ATOM)}", _APPLIED
    raise DomainError(f"no Coq text for {node} in a ring")


def _folded(name: str, parts: Sequence[Printed]) -> Printed:
    text, level = parts[0]
    for part in parts[1:]:
        text, level = f"{name} {_within((text, level), _ATOM)} {_within(part, _ATOM)}", _APPLIED
    return text, level


def kind(symbol: sympy.Symbol) -> str:
    """The type of a letter: an element of a ring ``K`` where products do not commute."""
    return "K" if not symbol.is_commutative else "nat" if symbol.is_integer else "R"


def letters(*formulas: Boolean) -> list[sympy.Symbol]:
    """The letters of formulas, real numbers before natural ones."""
    found = set().union(*(formula.free_symbols for formula in formulas))
    return sorted(found, key=lambda symbol: (kind(symbol) == "nat", letter(symbol)))


def binders(symbols: Sequence[sympy.Symbol]) -> str:
    """Letters with their types: ``(M lambda : R) (T : nat)``."""
    groups = itertools.groupby(symbols, kind)
    bound = [f"({' '.join(map(letter, group))} : {name})" for name, group in groups]
    return " ".join((["(K : Ring)"] if any(kind(s) == "K" for s in symbols) else []) + bound)
