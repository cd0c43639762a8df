"""5.1-gate: the slopes of the gate summed, for s_A <= 0. Its two terms cannot both be large along a sequence."""

from collections.abc import Mapping

import sympy
from sympy import Abs, Eq, Ge, Gt, Implies, Integer, Le, Min, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Fold, Instance, Monotone, Sum
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

# in units of lambda = -s_A: one gate y, the gated time S + h after it, S = |tau'|, a rate -(1 + b)
y, weight = sympy.symbols("y W", positive=True)
Y, S, h, b, v, p, q = sympy.symbols("Y S h b v p q", nonnegative=True)
x = sympy.Symbol("x", real=True)
moved, first, second, squares = sympy.symbols("Sigma_g Sigma_1 Sigma_2 Q", nonnegative=True)
g = sympy.Symbol("g", nonnegative=True)  # the slope of one gate over y e^{-t}
claim = Le(moved, Min(first + second, (1 + Y / 2) * first))

t, decay = S + h, exp(-b * S) * exp(-b * h)
allowed = y + y**2 / 2
low = 1 - S + S**2 / 2  # bounds the slope for opposite signs and S <= 2


def slope(share: sympy.Expr) -> sympy.Expr:
    """``|c' + a tau' c| e^{a tau}`` over ``c e^{-t}``, for ``c' = share c``."""
    return Abs(share - (1 + b) * S) * decay


def gate(size: sympy.Expr, share: sympy.Expr) -> sympy.Expr:
    """What one gate adds, and what ``tau'^2/2`` times the weight gains, over ``e^{-t}``."""
    return y * size + (S + share * y) ** 2 / 2 * exp(-y) - S**2 / 2


def between(at_minus: sympy.Expr, at_plus: sympy.Expr) -> sympy.Expr:
    """The chord over -1 <= x <= 1."""
    return (1 - x) / 2 * at_minus + (1 + x) / 2 * at_plus


ends = [gate(slope(share), share) for share in (Integer(-1), Integer(1))]
nearest = Abs(1 - (1 + b) * S) * exp(-b * S)  # at t = S


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Gates, the share by which each moves, and a rate for each."""
    gates, rates = numbers.exp(free["gates"]), 1 + numbers.exp(free["rates"])
    up, down = numbers.exp(free["moves"]), numbers.exp(-free["moves"])
    share = (up - down) / (up + down)
    before, drift = numbers.prefix_sums(gates), numbers.prefix_sums(share * gates)
    weights = gates * numbers.exp(-before)
    slopes = abs(share - rates * drift) * numbers.exp(-(rates - 1) * before)
    return {
        moved: (slopes * weights).sum(),
        first: weights.sum(),
        second: (weights * before).sum(),
        Y: numbers.largest(gates),
    }


EXPONENTIALS = ("e^-v at b S", "e^-v at b h")
STATEMENT = Statement(
    label="5.1-gate",
    title="The slopes of the gate, summed, for s_A <= 0",
    claim=claim,
    source="theory.md 5.1, R_g, M4.0",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(y, Y), Le(-1, x), Le(x, 1), Eq(g, slope(x))),
    prose=(
        "lambda = -s_A > 0, everything in its units: y = lambda c_i with 0 < c_i <= M, Y = lambda M, t = lambda tau_i",
        "c_i' = x c_i with |x| <= 1, tau_i' = sum_{l<i} c_l'; S = lambda |tau_i'| <= t = S + h; a = -(1 + b) lambda",
        "Sigma_g = lambda sum_i |c_i' + a tau_i' c_i| e^{a tau_i}, a chosen at every i; g = |x - (1 + b) S| e^{-bt}",
        "Sigma_1 = sum_i y e^{-t}, Sigma_2 = sum_i y t e^{-t}, Q = sum_i y^2 e^{-t}; W: the weight e^{-t} of one gate",
    ),
    witness={moved: 1, first: 1, second: 1, Y: 1, y: 1, x: 1} | {g: 1, S: 0, h: 0, b: 0},
    derivation=(
        Step("e^-v", Ge(1 - exp(-v) * (1 + v + v**2 / 2), 0), Monotone(v, Integer(0))),
        *(
            Step(f"e^-v at {name}", Ge(1 - exp(-at) * (1 + at + at**2 / 2), 0), Instance(((v, at),)), ("e^-v",))
            for name, at in (("b S", b * S), ("b h", b * h), ("y", y))
        ),
        # c' = -c: both terms have one sign
        Step("same sign", Le(slope(Integer(-1)), 1 + S), Z3(), EXPONENTIALS),
        Step("same sign, potential", Le(gate(1 + S, Integer(-1)), allowed), Z3(), ("e^-v at y",)),
        Step("gate at c' = -c", Le(ends[0], allowed), Z3(), ("same sign", "same sign, potential")),
        # c' = c: opposite signs
        Step("h only lowers", Le(slope(Integer(1)), nearest), Z3(), ("e^-v at b h",)),
        Step("opposite, S <= 2", Implies(Le(S, 2), Le(nearest, low)), Z3(), ("e^-v at b S",)),
        Step("opposite, S > 2", Implies(Gt(S, 2), Le(nearest, S - 1)), Z3(), ("e^-v at b S",)),
        Step("potential, S <= 2", Implies(Le(S, 2), Le(gate(low, Integer(1)), allowed)), Z3(), ("e^-v at y",)),
        Step("potential, S > 2", Implies(Gt(S, 2), Le(gate(S - 1, Integer(1)), allowed)), Z3(), ("e^-v at y",)),
        Step(
            "gate at c' = c, S <= 2",
            Implies(Le(S, 2), Le(ends[1], allowed)),
            Z3(),
            ("h only lowers", "opposite, S <= 2", "potential, S <= 2"),
        ),
        Step(
            "gate at c' = c, S > 2",
            Implies(Gt(S, 2), Le(ends[1], allowed)),
            Z3(),
            ("h only lowers", "opposite, S > 2", "potential, S > 2"),
        ),
        # between them both terms are convex in x
        Step("slope between", Le(slope(x), between(slope(Integer(-1)), slope(Integer(1)))), Z3()),
        Step("square between", Le((S + x * y) ** 2, between((S - y) ** 2, (S + y) ** 2)), Z3()),
        Step("gate between", Le(gate(slope(x), x), between(*ends)), Z3(), ("slope between", "square between")),
        Step("gate at c' = c", Le(ends[1], allowed), Z3(), ("gate at c' = c, S <= 2", "gate at c' = c, S > 2")),
        Step("chord", Ge(between(p, q), 0), Z3()),
        Step(
            "chord of a gate",
            Ge(between(allowed - ends[0], allowed - ends[1]), 0),
            Instance(((p, allowed - ends[0]), (q, allowed - ends[1]))),
            ("chord", "gate at c' = -c", "gate at c' = c"),
        ),
        Step("one gate", Le(gate(slope(x), x), allowed), Sum(), ("gate between", "chord of a gate")),
        Step(
            "all gates",
            Le(moved, first + squares / 2),
            Axiom(
                "the sum over i of one gate times e^{-t}, and of one gate at (-c', -tau') where tau' < 0: "
                "e^{-t} S^2/2 telescopes from 0 to something >= 0",
                "telescoping sum",
            ),
            ("one gate",),
        ),
        Step("squares", Le(squares, Y * first), Fold(((squares, y**2 * weight), (first, y * weight)))),
        Step("second form", Le(moved, (1 + Y / 2) * first), Z3(), ("all gates", "squares")),
        Step("largest slope", Le(slope(x), slope(Integer(-1))), Z3()),
        Step("size of a slope", Le(g, 1 + S), Z3(), ("largest slope", "same sign")),
        Step(
            "first form",
            Le(moved, first + second),
            Fold(((moved, y * g * weight), (first, y * weight), (second, y * t * weight))),
            ("size of a slope",),
        ),
        Step("conclusion", claim, Z3(), ("first form", "second form")),
    ),
    not_claimed=("The second form for s_A > 0, where it is false: there R_1 + s_A R_2 is attained.",),
    adversary=Adversary(
        tuple({"T": length} for length in (1, 2, 5, 40)),
        lambda sizes: dict.fromkeys(("gates", "moves", "rates"), (sizes["T"],)),
        bind,
    ),
    theorems=(Theorem("slopes.gate_lemma", Reading.FORMULA),),
)
