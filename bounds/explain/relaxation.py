"""The smooth stand-in for a certified bound, at its exact minimiser: what ``explain.elasticity`` differentiates.

A box counts ``1 + r/eps`` points a side instead of ``ceil(r/eps)``, which is smaller; Maurey's cover ``(M/eps)^2``
terms instead of the ceiling, which is larger. A block of weight w and scale ``G = radius beta`` then costs
``h(e) = w ln(1 + G/e)`` or ``w (G/e)^2`` at output radius e. The split of the radius is the exact minimiser: one
multiplier nu, with ``-h_i'(e_i) = nu`` for every block. For *scale* the radius is the exact minimiser too, for
*margin* it is that of theory 6.3. By the envelope theorem derivatives pass through both minimisers, and since h_i
depends on G_i/e_i alone, ``dH/d ln G_i = nu e_i``: **a block's share of the radius says how much its norm matters**.

Every value is a ball: the multiplier is bracketed between certain signs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, TypeAlias

import sympy
from flint import arb
from sympy import Abs, Eq, Expr, Min, Piecewise, Rational, Symbol, diff, log, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment, coefficient_formulas, count, group_terms
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, step, weighted_geometric
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM, SEMINORMS
from ssm_bounds.bounds.covers.entropy import logarithm
from ssm_bounds.bounds.evaluate.balls import (
    MAX_BITS,
    START_BITS,
    Enclosure,
    PrecisionError,
    Value,
    bits,
    enclose_all,
    exact,
    hull,
)
from ssm_bounds.bounds.evaluate.elementary import exp_of, softplus_of
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.gaps.losses import Ramp, margin_lipschitz
from ssm_bounds.bounds.ladder.of_class import of_class
from ssm_bounds.bounds.ladder.rung import Rung, Setting
from ssm_bounds.bounds.values import Scalar, require

Kind = Literal["logarithm", "power"]
Direction: TypeAlias = Mapping[str, int | arb]
"""``d ln x`` of every constant x of the class that moves (of a bound s at 0 ``ds``, under ``s slope``)."""

SIZES: dict[str, Expr] = {block.key: block.entries for block in SELECTIVE_SSM.blocks}
"""Entries of each block: the weight w of its logarithm (theory 3.2); Maurey's is ``ln(2n + 1)`` (3.1)."""

RADII: dict[str, Expr] = {
    block.key: block.seen * block.cover.reach.xreplace({sym.r: block.radius}) for block in SELECTIVE_SSM.blocks
}
"""G/beta of each block's cover (theory 3.2, 3.3)."""

L1_RADII: dict[str, Expr] = {block.key: block.seen * block.l1 for block in SELECTIVE_SSM.blocks if block.l1 is not None}
"""G/beta of Maurey's cover (theory 3.1)."""

_w, _G, _e, _nu = sympy.symbols("w G e nu", positive=True)
COST: dict[Kind, Expr] = {"logarithm": _w * log(1 + _G / _e), "power": _w * (_G / _e) ** 2}
"""h: what a block costs at output radius e, in nats."""

RADIUS: dict[Kind, Expr] = {
    "logarithm": 2 * _w / _nu / (1 + sqrt(1 + 4 * _w / (_nu * _G))),
    "power": (2 * _w * _G**2 / _nu) ** Rational(1, 3),
}
"""e where ``-h'(e) = nu``; decreasing in nu. Source: theory 3.4, C.9."""

_SYMBOLS: dict[str, Symbol] = {
    name: sym.NOTATION[name].symbol
    for name in ("B_w", "B_B", "B_C", "v_w", "v_B", "v_C", "B_u", "B_q", "B_A", "s_A", "M", "T", "M_A", "M_B", "M_C",
                 "M_w", "M_q")
}  # fmt: skip
COUNTS: dict[str, Symbol] = {name: sym.NOTATION[name].symbol for name in ("d", "N", "k", "V")}


_SUMS = (sym.R_1, sym.R_2, sym.R_g, sym.kappa)


@functools.cache
def slope(expression: Expr, x: Symbol) -> Expr:
    """``d expression / dx`` branch by branch, through R_1, R_2 and kappa, with M held.

    At a kink the branch that theory 4.5 takes there; of ``|s_A|`` at 0 the left one.

    >>> slope(sym.kappa, sym.B_u) - 3 * sym.B_w * sym.B_B * sym.B_C * sym.B_u**2
    0
    """
    if expression == sym.R_1 and x == sym.s_A:  # its closed form has a removable singularity at 0, a branch of its own
        return sym.M**2 * weighted_geometric(step, sym.T)
    if expression == sym.R_g:  # at s_A = 0 both sides of its minimum may be equal
        lesser = Min(sym.R_2, sym.M * sym.R_1 / 2)
        at_zero = slope(sym.R_1, x) - (lesser if x == sym.s_A else 0)
        return Piecewise((at_zero, Eq(sym.s_A, 0)), (slope(DEFINITIONS[sym.R_g], x), True), evaluate=False)
    if expression in _SUMS:
        definition = DEFINITIONS[expression]
        for inner in (sym.phi, sym.L, sym.lambda_):
            definition = definition.xreplace({inner: DEFINITIONS[inner]})
        return slope(definition, x)
    if isinstance(expression, Piecewise):
        return Piecewise(*((slope(branch, x), condition) for branch, condition in expression.args), evaluate=False)
    if isinstance(expression, Min):
        first, second = expression.args
        return Piecewise((slope(first, x), first < second), (slope(second, x), True), evaluate=False)
    if isinstance(expression, Abs):
        (inside,) = expression.args
        return Piecewise((slope(inside, x), inside > 0), (-slope(inside, x), True), evaluate=False)
    if not (expression.has(Piecewise, Min, Abs) or expression.free_symbols & set(_SUMS)):
        return diff(expression, x)
    places = {sympy.Dummy(positive=True): part for part in expression.args}
    outer = expression.func(*places)
    return sympy.Add(*(diff(outer, place).xreplace(places) * slope(part, x) for place, part in places.items()))


def narrow(expression: Expr, values: Mapping[Symbol, Value]) -> arb:
    """A ball of radius at most 1e-15 (1 + modulus): enough for a derivative, and possible where it vanishes."""
    precision = 2 * START_BITS
    while precision <= MAX_BITS:
        with bits(precision):
            found = hull(expression, values)
            if found is not None and found.upper - found.lower <= exact(Fraction(1, 10**15)) * (1 + abs(found.upper)):
                return found.ball()
        precision *= 2
    raise PrecisionError(f"{expression}: not enclosed to 1e-15 within {MAX_BITS} bits")


def _at(expression: Expr, values: Mapping[Symbol, Value]) -> arb:
    """One evaluation at balls, whose radius no precision would narrow."""
    found = hull(expression, values)
    if found is None:
        raise PrecisionError(f"{expression}: undecided at {dict(values)}")
    return found.ball()


@dataclass(frozen=True)
class _Term:
    """A block of the cover: its kind, ``w`` and ``G`` as expressions, their values; ``decay`` names its s_A."""

    name: str
    kind: Kind
    weight: Expr
    scale: Expr
    values: Mapping[Symbol, Value]
    decay: str
    active: bool

    @functools.cached_property
    def numbers(self) -> dict[Symbol, Value]:
        found = enclose_all({_w: self.weight, _G: self.scale}, self.values, rtol=1e-25)
        return {symbol: value.ball() for symbol, value in found.items()}

    @functools.cached_property
    def scale_slopes(self) -> dict[str, arb]:
        """``x dG/dx / G`` for every constant x (``x dG/dx`` where G = 0); for ``s_A`` under the name of its bound.

        A bound s at 0 also has its slope ``dG/ds / G``, under the name ``s slope``.
        """
        found: dict[str, arb] = {}
        unit = self.scale if self.active else sympy.Integer(1)
        for name, x in _SYMBOLS.items():
            if x not in self.values or (found_slope := slope(self.scale, x)) == 0:
                continue
            name = self.decay if x == sym.s_A else name
            found[name] = narrow(x * found_slope / unit, self.values)
            if x == sym.s_A and self.values[x] == 0:
                found[f"{name} slope"] = narrow(found_slope / unit, self.values)
        return found

    def weight_slope(self, direction: Direction) -> arb:
        """``dw`` along a direction."""
        parts = [
            COUNTS[name] * diff(self.weight, COUNTS[name]) * by for name, by in direction.items() if name in COUNTS
        ]
        return narrow(sympy.Add(*parts), self.values)

    def scale_slope(self, direction: Direction) -> arb:
        """``dG/G`` along a direction (``dG`` where G = 0)."""
        parts = (exact(direction[name]) * by for name, by in self.scale_slopes.items() if name in direction)
        return sum(parts, arb(0))


def _terms(rung: Rung, setting: Setting) -> list[_Term]:
    """The blocks of a rung's cover; which of two covers a block uses is that of the rung."""
    argument = of_class(rung)
    entropy, eps, constants = argument.entropy, argument.radius, argument.selected.constants
    groups = {} if constants.groups is None else group_terms(constants.groups)
    beta = coefficient_formulas(constants)
    plain = replace(constants, groups=None)
    shares = entropy.shares or {}
    found = []
    for name, cover in entropy.blocks.items():
        block, group = groups.get(name) or (SELECTIVE_SSM.block(name), None)
        kind: Kind = "logarithm"
        options = cover.surrogates()
        if len(options) > 1 and name in shares:
            at = logarithm(eps) + logarithm(shares[name])
            costs = [_stand_in(s.kind, s.weight, s.log_scale - at) for s in options]
            kind = options[costs.index(min(costs))].kind
        size, radius = SIZES[block.key], RADII[block.key] if kind == "logarithm" else L1_RADII[block.key]
        if kind == "logarithm" and block.lemma(sparse=constants.M_A is not None) is not block.cover:
            radius = radius * 2  # a box that is covered by volume
        scale = radius * beta[block.coefficient]
        at_group, decay = plain, "s_A"
        if group is not None and block.item is not None:
            size = size * Rational(group.items, count(SELECTIVE_SSM.items[block.item], constants))
            at_group = replace(plain, s_A=group.s_A)
            number = int(name.partition(".")[2] or 1)
            decay = "s_A" if number == 1 else f"s_{block.item}.{number}"
        if constants.norms == "vocabulary":
            scale = scale.xreplace(SEMINORMS)
        weight = size if kind == "logarithm" else log(2 * size + 1)
        values = assignment(at_group, setting.sample.T)
        found.append(_Term(name, kind, weight, scale, values, decay, name in shares))
    return found


def _stand_in(kind: str, weight: float, log_ratio: float) -> float:
    """h in float64 at ``ln(G/e)``, to tell which of two covers is smaller."""
    if kind == "power":
        return weight * exp_of(min(2 * log_ratio, 700.0))
    return weight * softplus_of(log_ratio)


@dataclass(frozen=True)
class Optimum:
    """The relaxation at its minimiser: multiplier, radius and cost of each block, H, value and its derivatives."""

    terms: tuple[_Term, ...]
    multiplier: arb
    radii: Mapping[str, arb]
    value: arb
    by_entropy: arb
    by_m: arb
    by_delta: arb

    def along(self, direction: Direction) -> Enclosure | None:
        """``d ln bound`` along a direction; None where a block that costs nothing would begin to cost."""
        with bits(2 * START_BITS):
            found = arb(0)
            for term in self.terms:
                scale = term.scale_slope(direction)
                if term.active:
                    radius = self.radii[term.name]
                    found += self.multiplier * radius * scale
                    found += term.weight_slope(direction) * _at(COST[term.kind] / _w, {**term.numbers, _e: radius})
                elif scale != 0:
                    return None
            return Enclosure.of(found * self.by_entropy / self.value)

    def elasticity(self, derivative: arb, x: Scalar) -> Enclosure:
        """``x (d bound/dx) / bound``."""
        with bits(2 * START_BITS):
            return Enclosure.of(exact(x) * derivative / self.value)


def optimum(rung: Rung, setting: Setting, delta: Fraction) -> Optimum:
    """The exact minimiser, enclosed: both sides of the one multiplier are found by bisection.

    It is the only one. *margin*: every e_i decreases in nu. *scale*: ``F_eps = nu F_H`` says that ``nu/sqrt(H + K)``
    has a given value, and that increases: ``dH/d ln nu <= H``, as ``nu e_i |d ln e_i/d ln nu| <= h_i`` for both kinds.
    """
    terms = tuple(_terms(rung, setting))
    argument = of_class(rung)
    selected, radius = argument.selected, argument.radius
    formula = chaining.SINGLE_SCALE if rung.kind == "gap" else chaining.MARGIN_EXCESS
    lipschitz = margin_lipschitz(setting.measured.k) if isinstance(setting.loss, Ramp) else setting.loss_lipschitz
    given: dict[Symbol, Value] = {
        sym.m: setting.sample.m, sym.delta: delta, sym.c: setting.loss.range, sym.l: lipschitz,
        sym.price: selected.price.ball(),
    }  # fmt: skip
    with bits(2 * START_BITS):

        def at(nu: arb) -> tuple[dict[str, arb], dict[Symbol, Value]]:
            radii = {t.name: _at(RADIUS[t.kind], {**t.numbers, _nu: nu}) for t in terms if t.active}
            costs = (_at(COST[t.kind], {**t.numbers, _e: radii[t.name]}) for t in terms if t.active)
            return radii, given | {sym.H: sum(costs, arb(0)), sym.eps: sum(radii.values(), arb(0))}

        def beyond(nu: arb) -> arb:
            """Increasing in nu; 0 at the minimiser."""
            radii, values = at(nu)
            if rung.kind == "excess":
                return radius.ball() - total(radii.values())
            return nu * _at(diff(formula, sym.H), values) - _at(diff(formula, sym.eps), values)

        nu = _root(beyond)
        radii, values = at(nu)
        return Optimum(
            terms,
            nu,
            radii,
            _at(formula, values),
            *(_at(diff(formula, x), values) for x in (sym.H, sym.m, sym.delta)),
        )


def total(values: Iterable[arb]) -> arb:
    """The sum of balls."""
    return sum(values, arb(0))


def _root(function: Callable[[arb], arb]) -> arb:
    """A ball that contains the root > 0 of an increasing function, by bisection between certain signs."""
    low = high = arb(1)
    while not function(low) < 0:
        low = low / 2**64
        require(low > arb(2) ** -(2**14), "no block of this class costs anything: nothing to differentiate")
    while not function(high) > 0:
        high = high * 2**64
    while high > low * (1 + arb(2) ** -100):
        middle = (low * high).sqrt().mid()
        value = function(middle)
        if value < 0:
            low = middle
        elif value > 0:
            high = middle
        else:
            break
    return low.union(high)
