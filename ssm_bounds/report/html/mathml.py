"""Sympy expressions as presentation MathML that a browser reads inside HTML.

Sympy's printer, except where it writes what a page does not show as meant: branches as a function called piecewise,
a bare ``<`` as markup, double-struck e, log for ln, square roots of numbers pulled out of their root.
"""

from __future__ import annotations

from typing import Any

import sympy
from markupsafe import Markup
from sympy import Expr, Integer, Mul, Pow, Rational
from sympy.printing.mathml import MathMLPresentationPrinter

from ssm_bounds.bounds.notation import NOTATION

_ORDER = {symbol.symbol: i for i, symbol in enumerate(NOTATION.values())}
_RELATIONS = {"<": "&lt;", "<=": "≤", ">": "&gt;", ">=": "≥", "==": "=", "!=": "≠"}


def _place(term: Expr) -> tuple[int, int]:
    """Numbers first, then in the order in which the notation introduces the symbols; sums and roots last."""
    last = max((_ORDER.get(symbol, len(_ORDER)) for symbol in term.free_symbols), default=-1)
    plain = term.as_base_exp()[0].is_Symbol or term.is_number
    return (0 if plain else 1), last


class _Printer(MathMLPresentationPrinter):
    def _element(self, tag: str, *children: Any) -> Any:
        node = self.dom.createElement(tag)
        for child in children:
            node.appendChild(self.dom.createTextNode(child) if isinstance(child, str) else child)
        return node

    def _print_Exp1(self, e: Expr) -> Any:
        return self._element("mi", "e")

    def _print_Pi(self, e: Expr) -> Any:
        return self._element("mi", "\N{GREEK SMALL LETTER PI}")

    def _print_log(self, e: Expr) -> Any:
        return self._element("mrow", self._element("mi", "ln"), self._in_brackets(e.args[0]))

    def _space(self) -> Any:
        thin = self._element("mspace")
        thin.setAttribute("width", "0.17em")
        return thin

    def _in_brackets(self, e: Expr) -> Any:
        return self._element("mrow", self._l_paren(), self._print(e), self._r_paren())

    def _print_Relational(self, e: Any) -> Any:
        return self._element("mrow", self._print(e.lhs), self._element("mo", _RELATIONS[e.rel_op]), self._print(e.rhs))

    def _print_Piecewise(self, e: Any) -> Any:
        rows = []
        for value, condition in e.args:
            text = self._element("mtext", "otherwise") if condition == sympy.true else self._print(condition)
            rows.append(self._element("mtr", self._element("mtd", self._print(value)), self._element("mtd", text)))
        return self._element("mrow", self._element("mo", "{"), self._element("mtable", *rows))

    def _as_ordered_terms(self, e: Any, order: Any = None) -> list[Expr]:
        """1 + x and 1 - x, but T - 1."""
        terms = super()._as_ordered_terms(e, order)
        return sorted(terms, key=lambda term: not (term.is_number and term.is_positive))

    def _print_Mul(self, e: Any) -> Any:
        branches = next((f for f in e.args if isinstance(f, sympy.Piecewise)), None)
        if branches is not None:
            rest = Mul(*(f for f in e.args if f is not branches))
            pairs = [(value * rest, condition) for value, condition in branches.args]
            return self._print_Piecewise(sympy.Piecewise(*pairs, evaluate=False))
        if e.could_extract_minus_sign():
            return self._element("mrow", self._element("mo", "-"), self._product(-e))
        return self._product(e)

    def _product(self, e: Expr) -> Any:
        """A fraction of ordered products, with the square roots in one root."""
        over: list[Expr] = []
        under: list[Expr] = []
        inside = Integer(1)
        factors = list(Mul.make_args(e))
        roots = [f for f in factors if isinstance(f, Pow) and abs(f.exp) == Rational(1, 2)]
        if len(roots) > 1:
            inside = Mul(*(f**2 for f in factors if f in roots or f.is_number))
            factors = [f for f in factors if f not in roots and not f.is_number]
        for factor in factors:
            base, exponent = factor.as_base_exp()
            if factor.is_Rational:
                over += [Integer(factor.p)] * (factor.p != 1)
                under += [Integer(factor.q)] * (factor.q != 1)
            elif exponent.is_Rational and exponent.is_negative:
                under.append(Pow(base, -exponent))
            else:
                over.append(factor)
        over, under = sorted(over, key=_place), sorted(under, key=_place)
        if inside != 1:
            over.append(Pow(inside, Rational(1, 2), evaluate=False))
        if not under:
            return self._row(over)
        return self._element("mfrac", self._row(over), self._row(under))

    def _row(self, factors: list[Expr]) -> Any:
        if len(factors) <= 1:
            return self._print(factors[0] if factors else Integer(1))
        parts: list[Any] = []
        for factor in factors:
            if parts:
                parts.append(self._element("mo", "\N{INVISIBLE TIMES}"))
                parts += [self._space()] * isinstance(factor, sympy.log)
            parts.append(self._in_brackets(factor) if factor.is_Add else self._print(factor))
        return self._element("mrow", *parts)


def mathml(expression: Expr, *, equals: Expr | None = None) -> Markup:
    """A ``<math>`` element: the expression, or ``equals = expression``.

    >>> print(mathml(sympy.Symbol("R_1") < 2))
    <math><mrow><msub><mi>R</mi><mi>1</mi></msub><mo>&lt;</mo><mn>2</mn></mrow></math>
    """
    body = _printed(expression)
    if equals is not None:
        body = f"<mrow>{_printed(equals)}<mo>=</mo>{body}</mrow>"
    return Markup(f"<math>{body}</math>")


def _printed(expression: Expr) -> str:
    return str(_Printer().doprint(expression)).replace("<mo>-</mo>", "<mo>\N{MINUS SIGN}</mo>")
