"""Table 1 recomputed: how each bound grows with the length T, the channels d and the input norm B_u.

A growth ``f ~ C e^{rate x} x^exponent (ln x)^log_power`` is three limits that sympy takes,
``rate = lim f'/f``, ``exponent = lim x (f'/f - rate)``, ``log_power = lim ln x (x (f'/f - rate) - exponent)``,
each of a function of one moving quantity, branch by branch (sympy takes no limits through Min or Piecewise). They are
joined by what the logarithmic derivative of a product, a power, a sum of nonnegative terms and a composition is.
Every growth stands beside an estimate of the same three numbers from 50-digit values of the whole, unbranched
expression (``enclose.evaluate``) at large arguments, and is refused when they disagree.

What is measured, before ``min(c, .)`` and at fixed m, delta, loss and price of section 7:

- *capacity*: ``gamma^{3/2}`` of C.9, the C_F of the paper's Table 1; the gap is ``24 l C/sqrt m`` up to a logarithm
  while ``3 l C <= c sqrt m``. For `repaired` and `sharp` it is taken over Maurey's covers (3.1) alone, ceilings and
  the interval of p dropped as in the paper.
- *root entropy*: ``sqrt H(eps)`` over the volume covers (3.2) alone. With those the Dudley integral of 6.1 (alpha = 0)
  lies between ``(c/2) sqrt H(c/2l)`` and, by Cauchy-Schwarz and ``int_0^1 ln(1+g/x) dx <= 1 + ln(1+g)``, a constant
  plus the same with a larger constant, so both grow alike. The rungs `repaired` and `sharp` use the smaller cover at
  each radius: they grow no faster than either line, and saturate at 2c.
- *bound*: 6.2 and the excess of 6.3 at fixed eps, with the smaller of both covers in each block. A useful eps is below
  ``c/(2l)``, where H is at least its value there, so minimising over eps does not change the growth.

The radius is split evenly over the blocks; no split makes H smaller than giving each block all of it, which only
changes constants. Source: theory.md 2 (Table 1), 3.1, 3.2, 4.5, 5.1, 5.5, 6, 10.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import sympy
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sympy import Expr, Integer, Rational, Symbol, log, oo, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Block, Theorem
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import PUBLISHED, PUBLISHED_ALPHA, PUBLISHED_STATE
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, RHO
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.covers.entropy import allocation
from ssm_bounds.bounds.covers.lemmas import Maurey
from ssm_bounds.bounds.evaluate.asymptotics import Calculus, Growth, GrowthError, limit, positive
from ssm_bounds.bounds.evaluate.balls import Value, evaluate
from ssm_bounds.bounds.evaluate.typeset import tex
from ssm_bounds.bounds.gaps.chaining import MARGIN_EXCESS, SINGLE_SCALE

TOLERANCE = 0.1
"""Largest difference between a limit and its estimate; exponents are multiples of 1/2."""

_DIGITS = 50


# --- what grows, and along what ----------------------------------------------------------------------------------


class Regime(StrEnum):
    """The sign of the spectral abscissa."""

    DECAY = "s_A < 0"
    NEUTRAL = "s_A = 0"
    GROWING = "s_A > 0"


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound of the ladder and the expression of it that is measured, with what its derived symbols stand for."""

    name: str
    measure: str
    expression: Expr
    definitions: Mapping[Symbol, Expr]
    regimes: tuple[Regime, ...] = tuple(Regime)


@dataclass(frozen=True, slots=True)
class Direction:
    """A variable that grows, and what is held fixed meanwhile.

    ``frozen``: derived symbols that are held fixed although their definition moves; ``replaced``: constants that
    move with the variable; ``endless``: T goes to infinity first (finite for s_A < 0 alone).
    """

    name: str
    variable: Symbol
    held: str
    frozen: tuple[Symbol, ...] = ()
    replaced: tuple[tuple[Symbol, Expr], ...] = ()
    endless: bool = False


_LARGEST_L1 = (
    (sym.M_A, sym.N * sym.d * sym.B_A),
    (sym.M_B, sym.N * sqrt(sym.d) * sym.B_B),
    (sym.M_C, sym.N * sqrt(sym.d) * sym.B_C),
    (sym.M_q, sqrt(sym.d) * sym.B_q),
    (sym.M_w, sym.k * sqrt(sym.d) * sym.B_w),
)
"""The largest entrywise l1 norms that B_A and the spectral norms allow, for d >= N and d >= k: |W|_{1,1} is at most
sqrt(entries) |W|_F, and |W|_F at most sqrt(rank) |W|_2."""

DIRECTIONS = (
    Direction("T", sym.T, "every norm and size"),
    Direction("d", sym.d, "every norm (l1 radii too), N, T"),
    Direction("d, l1 free", sym.d, "spectral norms, B_A, N, T; l1 radii as large as these allow", replaced=_LARGEST_L1),
    Direction("B_u, rho and M fixed", sym.B_u, "rho, M, T, every norm of a parameter", frozen=(sym.rho, sym.M)),
    Direction("B_u, rho fixed", sym.B_u, "rho, T, every norm of a parameter; M moves", frozen=(sym.rho,)),
    Direction("B_u", sym.B_u, "T, every norm of a parameter; rho and M move"),
    Direction("B_u, T -> oo first", sym.B_u, "every norm of a parameter; rho and M move", endless=True),
)


def _maurey(entries: Expr, l1_radius: Expr, beta: Expr) -> Expr:
    """Maurey's bound (3.1) of a block seen through its coefficient, where it is not a single point."""
    covering: Expr = Maurey.formula.args[-1].expr
    return covering.xreplace(
        {sym.B_u: Integer(1), sym.M_W: l1_radius, sym.n: entries, sym.eps: sym.eps / beta},
    )


_BLOCKS = {block.key: block for block in SELECTIVE_SSM.of(gate=True)}


def capacity(betas: Mapping[str, Expr]) -> Expr:
    """``gamma^{3/2}`` of C.9 over Maurey's covers, ceilings dropped; the interval of p has none."""
    alphas, of_alpha = [], []
    for name, beta in betas.items():
        block = _BLOCKS[name]
        if block.l1 is not None:
            alpha = _maurey(block.entries, block.l1, Integer(1)) * sym.eps**2
            alphas.append(alpha.replace(sympy.ceiling, lambda atoms: atoms))
            of_alpha.append(beta)
    return allocation(alphas, of_alpha) ** Rational(3, 2)


def entropy(betas: Mapping[str, Expr], *, maurey: bool) -> Expr:
    """``H(eps)``, an equal share of eps for each block: by volume (3.2), or by the smaller of both covers (3.5)."""
    share = Integer(len(betas))
    total: Expr = Integer(0)
    for name, beta in betas.items():
        block = _BLOCKS[name]
        radii = {sym.n: block.entries, sym.r: block.radius, sym.eps: sym.eps / (share * beta)}
        covering = block.lemma(sparse=True).formula.xreplace(radii)
        if maurey and block.l1 is not None:
            covering = sympy.Min(covering, _maurey(block.entries, block.l1, share * beta))
        total += covering
    return total


def _by_block(theorem: Theorem, blocks: Iterable[Block]) -> dict[str, Expr]:
    """How far the output moves per unit of each block's own metric."""
    return {block.key: block.seen * block.beta[theorem] for block in blocks}


_REPAIRED, _SHARP = (_by_block(theorem, _BLOCKS.values()) for theorem in ("repaired", "sharp"))
# theory.md 10: A = 0 and Delta = 1 are not parameters
LINEAR = _by_block("sharp", (block for block in SELECTIVE_SSM.of(gate=False) if block.name != "A"))
_WITH_RHO = DEFINITIONS | {sym.rho: RHO["repaired"]}
_GATE_OFF = DEFINITIONS | {sym.M: Integer(1), sym.Delta_min: Integer(1)}
PUBLISHED_CAPACITY = allocation(list(PUBLISHED_ALPHA.values()), list(PUBLISHED.values())) ** Rational(3, 2)
"""C_F of theory.md 2, C.9."""
PUBLISHED_DEFINITIONS = DEFINITIONS | {sym.rho: RHO["published"], sym.B_x: PUBLISHED_STATE}
_smaller_covers = entropy(_SHARP, maurey=True)

BOUNDS = (
    Bound("published", "capacity C_F", PUBLISHED_CAPACITY, PUBLISHED_DEFINITIONS),
    Bound("repaired", "capacity", capacity(_REPAIRED), _WITH_RHO),
    Bound("repaired", "root entropy", sqrt(entropy(_REPAIRED, maurey=False)), _WITH_RHO),
    Bound("sharp", "capacity", capacity(_SHARP), DEFINITIONS),
    Bound("sharp", "root entropy", sqrt(entropy(_SHARP, maurey=False)), DEFINITIONS),
    Bound("scale", "bound", SINGLE_SCALE.subs(sym.H, _smaller_covers), DEFINITIONS),
    Bound("margin", "bound", MARGIN_EXCESS.subs(sym.H, _smaller_covers), DEFINITIONS),
    Bound("linear attention", "capacity", capacity(LINEAR), _GATE_OFF, (Regime.NEUTRAL,)),
    Bound(
        "linear attention",
        "bound",
        MARGIN_EXCESS.subs(sym.H, entropy(LINEAR, maurey=True)),
        _GATE_OFF,
        (Regime.NEUTRAL,),
    ),
)


# --- the limits ---------------------------------------------------------------------------------------------------

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


class _Ascent:
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


# --- the numbers --------------------------------------------------------------------------------------------------

POINT: Mapping[Symbol, Value] = {
    sym.m: 1000, sym.T: 7, sym.d: 5, sym.N: 3, sym.k: 2,
    sym.B_u: 2, sym.B_B: 2, sym.M_B: 3, sym.B_C: 1, sym.M_C: 2, sym.B_q: 1, sym.M_q: 2, sym.B_A: 1, sym.M_A: 4,
    sym.B_w: 2, sym.M_w: 3, sym.p_lo: -1, sym.p_hi: 0, sym.eps: Rational(1, 100),
    sym.c: 1, sym.l: 1, sym.delta: Rational(1, 20), sym.price: 10,
}  # fmt: skip
"""The constants at which growth is estimated, but for the variable; s_A and the frozen ones depend on the regime."""

_AT: dict[Regime, dict[Symbol, Value]] = {
    Regime.DECAY: {sym.s_A: Rational(-1, 2), sym.rho: Rational(9, 10)},
    Regime.NEUTRAL: {sym.s_A: 0, sym.rho: 1},
    Regime.GROWING: {sym.s_A: Rational(1, 2), sym.rho: Rational(11, 10)},
}
_FROZEN_GATE = 2
_BACK = {copy: symbol for symbol, copy in _COPIES.items()} | {_later: sym.T - 1, positive("lambda"): -sym.s_A}


@dataclass(frozen=True, slots=True)
class Estimate:
    """The three numbers of a growth from values at x and 2x (50 digits, not certified)."""

    rate: float
    exponent: float
    log_power: float


# T is no multiple of 1/2 at that many digits: mpmath takes integer powers by repeated multiplication
_ENDLESS_AT, _ENDLESS_T, _ENDLESS_DIGITS = 1000, 10**920 + Rational(1, 3), 930
_near, _far = sympy.symbols("f_near f_far")


def _constants(bound: Bound, direction: Direction, regime: Regime) -> dict[Symbol, Any]:
    values: dict[Symbol, Any] = {**POINT, **_AT[regime], **bound.definitions, **dict(direction.replaced)}
    values |= {symbol: _AT[regime].get(symbol, _FROZEN_GATE) for symbol in direction.frozen}
    return values | ({sym.T: _ENDLESS_T} if direction.endless else {})


def estimate(bound: Bound, direction: Direction, regime: Regime, growth: Growth) -> Estimate:
    """Slopes of ``ln f`` between x and 2x: over x, over ln x after the rate, over ln ln x after the exponent.

    x is 10^300 where the rate is 0, so that logarithms show, 10^6 elsewhere. With T -> oo first T is 10^920, and x is
    1000 where rho moves, so that T is far above ``1/(1 - rho)`` and 930 digits tell rho from 1. The expression keeps
    its Piecewise, Min and ceilings.
    """
    x, digits, variable = 10**300 if growth.rate == 0 else 10**6, _DIGITS, direction.variable
    if direction.endless and sym.rho in bound.definitions:
        x, digits = _ENDLESS_AT, _ENDLESS_DIGITS
    values = _constants(bound, direction, regime)
    for name, at in ((_near, x), (_far, 2 * x)):
        values[name] = evaluate(log(bound.expression), values | {variable: at}, digits=digits)

    def slope(taken: Expr, over: Expr) -> float:
        """Of ``ln f - taken``, at the constants, in steps of ``over``."""
        rise = _far - _near - taken.subs(variable, 2 * x) + taken.subs(variable, x)
        return float(evaluate(rise / (over.subs(variable, 2 * x) - over.subs(variable, x)), values, digits=15))

    rate, size = growth.rate * variable, log(variable)
    return Estimate(slope(Integer(0), variable), slope(rate, size), slope(rate + growth.exponent * size, log(size)))


# --- the table ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of the table: the limits, and beside them the estimate that confirms them.

    Raises: GrowthError where they differ by more than ``TOLERANCE`` (the rate, where it is not 0: by 1 %).
    """

    bound: Bound
    direction: Direction
    regime: Regime
    growth: Growth
    estimate: Estimate

    def __post_init__(self) -> None:
        rate = self.rate_value()
        near = abs(self.estimate.rate - rate) <= (abs(rate) / 100 if rate else 1e-3)
        for wanted, number in (
            (self.growth.exponent, self.estimate.exponent),
            (self.growth.log_power, self.estimate.log_power),
        ):
            near = near and abs(number - float(wanted)) <= TOLERANCE
        if not near:
            raise GrowthError(
                f"{self.bound.name}, {self.bound.measure}, along {self.direction.name}, {self.regime.value}: "
                f"the limits say {self.text()}, the numbers {self.estimate}"
            )

    def rate_value(self) -> float:
        """The rate at the constants of the estimate."""
        values = _constants(self.bound, self.direction, self.regime)
        return float(evaluate(self.growth.rate, values, digits=15)) if self.growth.rate != 0 else 0.0

    def text(self) -> str:
        """For example ``e^(2 B_q B_u) B_u^5``."""
        if self.growth.bounded:
            return "bounded"
        x, (rate, exponent, log_power) = self.direction.variable, self.growth.powers
        parts = [f"e^({sympy.sstr(sympy.factor(rate) * x).replace('*', ' ')})"] if rate != 0 else []
        parts += [_power(str(x), exponent)] if exponent != 0 else []
        parts += [_power(f"ln {x}", log_power)] if log_power != 0 else []
        return " ".join(parts)

    def latex(self) -> str:
        if self.growth.bounded:
            return "bounded"
        factored = Growth(sympy.factor(self.growth.rate), self.growth.exponent, self.growth.log_power)
        return f"${sympy.latex(factored.form(self.direction.variable), ln_notation=True)}$"

    def as_dict(self) -> dict[str, Any]:
        powers = {"rate": str(sympy.factor(self.growth.rate)), "exponent": str(self.growth.exponent)}
        return {
            "bound": self.bound.name,
            "measure": self.bound.measure,
            "regime": self.regime.value,
            "direction": self.direction.name,
            "variable": self.direction.variable.name,
            "held": self.direction.held,
            "growth": self.text(),
            "limits": powers | {"log_power": str(self.growth.log_power)},
            "rate_value": self.rate_value(),
            "estimate": asdict(self.estimate),
        }


def _power(base: str, exponent: Expr) -> str:
    if exponent == Rational(1, 2):
        return f"sqrt({base})"
    base = f"({base})" if " " in base and exponent != 1 else base
    return base if exponent == 1 else f"{base}^{exponent}" if exponent.is_Integer else f"{base}^({exponent})"


def applies(bound: Bound, direction: Direction, regime: Regime) -> bool:
    """Whether the question makes sense: rho occurs where it is held fixed, and T -> oo leaves something finite."""
    if regime not in bound.regimes or (direction.endless and regime is not Regime.DECAY):
        return False
    moving = {symbol for symbol, f in bound.definitions.items() if f.free_symbols}
    return not direction.frozen or direction.frozen[-1] in moving


def derive(
    bounds: Sequence[Bound] = BOUNDS,
    directions: Sequence[Direction] = DIRECTIONS,
    regimes: Sequence[Regime] = tuple(Regime),
) -> tuple[Cell, ...]:
    """Every entry that applies, its limits taken and confirmed. Raises: GrowthError."""
    ascents: dict[tuple[int, Direction, Regime], _Ascent] = {}
    cells = []
    for regime, bound, direction in itertools.product(regimes, bounds, directions):
        if not applies(bound, direction, regime):
            continue
        key = (id(bound.definitions), direction, regime)
        ascent = ascents.setdefault(key, None) or _Ascent(bound.definitions, direction, regime)  # type: ignore[arg-type]
        ascents[key] = ascent
        powers = ascent.of(bound.expression).powers
        growth = Growth(*(power.xreplace(_BACK) for power in powers))
        cells.append(Cell(bound, direction, regime, growth, estimate(bound, direction, regime, growth)))
    return tuple(cells)


def _rows(cells: Sequence[Cell], latex: bool = False) -> Iterator[tuple[Regime, list[list[str]]]]:
    for regime in Regime:
        here = {(c.bound.name, c.bound.measure, c.direction): c for c in cells if c.regime is regime}
        names = dict.fromkeys(key[:2] for key in here)
        yield (
            regime,
            [
                [tex(name) if latex else name for name in names_]
                + [
                    (cell.latex() if latex else cell.text()) if (cell := here.get((*names_, d))) else "-"
                    for d in DIRECTIONS
                ]
                for names_ in names
            ],
        )


_HEADER = ["bound", "measured", *(direction.name for direction in DIRECTIONS)]
NOTES = (
    "capacity: gamma^(3/2) of C.9, the C_F of Table 1; root entropy: sqrt H over volume covers, the Dudley integral up "
    "to constants; bound: 6.2, 6.3 at fixed eps; all before min(c, .)",
    *(f"{direction.name}: fixed are {direction.held}" for direction in DIRECTIONS),
    "published and repaired, s_A < 0, B_u at fixed T: rho tends to 1 and S_2 to T(T-1)/2, so the length is back",
    "published, s_A > 0: rho as printed, which paper:E.3 refutes there",
    "every entry: limits taken by sympy, confirmed by values at large arguments",
)


def table(cells: Sequence[Cell], console: Console) -> None:
    """One grid per sign of s_A."""
    for regime, rows in _rows(cells):
        grid = Table(title=regime.value, title_justify="left", box=None, pad_edge=False, header_style="dim")
        for column in _HEADER:
            grid.add_column(column, no_wrap=True)
        for row in rows:
            grid.add_row(*map(escape, row))
        columns = zip(_HEADER, *rows, strict=True)
        grid.width = max(console.width, sum(2 + max(map(len, column)) for column in columns))
        console.print(grid, crop=False, soft_wrap=True)  # a growth cut short would be another growth
    for note in NOTES:
        console.print(escape(note), style="dim", highlight=False)


def markdown(cells: Sequence[Cell]) -> str:
    lines = []
    for regime, rows in _rows(cells):
        lines += [f"## {regime.value}", ""]
        lines += ["| " + " | ".join(row) + " |" for row in (_HEADER, ["---"] * len(_HEADER), *rows)] + [""]
    return "\n".join([*lines, *(f"- {note}" for note in NOTES)]) + "\n"


def latex(cells: Sequence[Cell]) -> str:
    """One tabular environment (booktabs) per sign of s_A, notes as comments."""
    lines = [f"% {note}" for note in NOTES]
    for regime, rows in _rows(cells, latex=True):
        lines += [f"% {regime.value}", rf"\begin{{tabular}}{{{'l' * len(_HEADER)}}}", r"\toprule"]
        lines += [" & ".join(map(tex, _HEADER)) + r" \\", r"\midrule", *(" & ".join(row) + r" \\" for row in rows)]
        lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"
