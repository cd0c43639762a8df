"""5.1, the sharp perturbation theorem: how far the output moves, one block at a time in (U)."""

from collections.abc import Mapping

import sympy
from sympy import Abs, And, Eq, Ge, Gt, Implies, Integer, Le, Lt, Min, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import SHARP
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.perturbation import gate as t5_1_gate
from ssm_bounds.proofs.solvers import Z3, Axiom, Fold, Instance, Monotone, Sum
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.selective_ssm import (
    class_constants,
    distances,
    output_move,
    pair,
    pair_arrays,
    pair_sizes,
)

moved = sympy.Symbol("d_z", nonnegative=True)
radius = {block: sympy.Symbol(f"eps_{block}", nonnegative=True) for block in SHARP}
block_move = {block: sympy.Symbol(f"d_{block}", nonnegative=True) for block in SHARP}
S_1, S_2, S_g, S_s, tau, x, h = sympy.symbols("Sigma_1 Sigma_2 Sigma_g Sigma_s tau x h", nonnegative=True)
c, rate = sympy.symbols("c lambda", positive=True)
a = sympy.Symbol("a", real=True)  # one entry of A

kappa = DEFINITIONS[sym.kappa]
weight = exp(sym.s_A * tau)
token = sym.B_C * sym.B_u**3  # |W_C u_T| |u_i| |u_i| for unit norms of W_B and W
claim = Le(moved, sympy.Add(*(SHARP[block] * radius[block] for block in SHARP)))


def at_most(first: sympy.Expr, second: sympy.Expr) -> sympy.Expr:
    """R_g for s_A <= 0, of the two sums."""
    return first + Abs(sym.s_A) * Min(second, sym.M * first / 2)


def both_forms(slopes: sympy.Expr, decay: sympy.Expr) -> sympy.Basic:
    """5.1-gate at the decay rate, in its units."""
    first, second = decay * S_1, decay**2 * S_2
    return Le(decay * slopes, Min(first + second, (1 + decay * sym.M / 2) * first))


OF_R_G = (
    Le(c, sym.M),
    Implies(Le(sym.s_A, 0), Eq(sym.R_g, at_most(sym.R_1, sym.R_2))),
    Implies(Gt(sym.s_A, 0), Eq(sym.R_g, sym.R_1 + sym.s_A * sym.R_2)),
)
PATH = Axiom(
    "mean value inequality along the path, with |c'| <= eps_g c, |tau'| <= eps_g tau and the largest slope",
    "mean value inequality; norm rules",
)


LARGEST_SLOPES = Step(
    "largest slopes",
    Le(S_s, S_g),
    Axiom("term by term, |c_i' + a tau_i' c_i| <= c_i (1 + |a| tau_i) eps_g", "triangle inequality"),
    ("gates move multiplicatively", "the slope is largest at s_A"),
)


def block_by_block(coefficients: Mapping[str, sympy.Expr]) -> tuple[Step, ...]:
    """The last steps: from the move of each block in terms of the two sums to the theorem with these coefficients."""
    using = {"A": ("A",), "B": ("W_B",), "C": ("W_C",), "w": ("W",), "g": ("gate", "slopes")}
    bound = {block: coefficients[block] * radius[block] for block in using}
    return (
        *(Step(f"coefficient of {block}", Le(block_move[block], bound[block]), Z3(), using[block]) for block in using),
        Step(
            "one block at a time",
            Le(moved, sympy.Add(*block_move.values())),
            Axiom("triangle inequality through the models that change block by block", "the class is a product"),
        ),
        Step(
            "conclusion",
            Le(moved, sympy.Add(*bound.values())),
            Sum(),
            ("one block at a time", *(f"coefficient of {block}" for block in using)),
        ),
    )


def bind(numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    first, second = pair(numbers, arrays, sizes)
    distance = distances(numbers, first, second)
    found = {moved: output_move(numbers, first, second)} | {radius[block]: distance[block] for block in SHARP}
    return class_constants(numbers, first, second) | found


STATEMENT = Statement(
    label="5.1",
    title="Sharp perturbation theorem (diagonal A)",
    claim=claim,
    source="theory.md 5.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(a, sym.s_A), Le(S_1, sym.R_1), Le(S_2, sym.R_2), Eq(sym.kappa, kappa), *OF_R_G),
    prose=(
        "two models of the class with one input; eps_A = |A - A^|_max, eps_B, eps_C, eps_w spectral, "
        "eps_g: largest move of a logit; every gate on the straight path between them is at most M",
        "Sigma_1 = sum_i c_i e^{s_A tau_i}, Sigma_2 = sum_i c_i tau_i e^{s_A tau_i}, at most R_1 and R_2 by 4.5",
        "Sigma_s = sum_i max_a |c_i' + a tau_i' c_i| e^{a tau_i}/eps_g, Sigma_g = sum_i c_i (1 + |s_A| tau_i) "
        "e^{s_A tau_i}; lambda = -s_A where s_A < 0",
        "a: an entry of A; c, tau: a gate and the gated time after it; d_X: move of the output with block X alone",
    ),
    witness=dict.fromkeys((*radius.values(), *block_move.values(), sym.B_w, sym.B_B, sym.B_C, sym.B_u), 1)
    | {moved: 1, sym.kappa: 1, S_1: 1, S_2: 1, sym.R_1: 1, sym.R_2: 1, sym.s_A: -1, a: -2}
    | {c: 1, sym.M: 2, sym.R_g: 2},
    derivation=(
        Step(
            "A, one entry",
            Implies(Le(a, sym.s_A), Le(exp(a * tau) - exp((a - h) * tau), h * tau * weight)),
            Z3(),
        ),
        Step(
            "A",
            Le(block_move["A"], sym.B_w * token * sym.B_B * S_2 * radius["A"]),
            Axiom("triangle inequality over (U); |diag| = largest entry; submultiplicativity", "norm rules"),
            ("A, one entry",),
        ),
        Step(
            "W_B",
            Le(block_move["B"], sym.B_w * token * S_1 * radius["B"]),
            Axiom("triangle inequality over (U); |u (x) v| = |u||v|; submultiplicativity", "norm rules"),
        ),
        Step(
            "W_C",
            Le(block_move["C"], sym.B_w * sym.B_B * sym.B_u**3 * S_1 * radius["C"]),
            Axiom("triangle inequality over (U); |u (x) v| = |u||v|; submultiplicativity", "norm rules"),
        ),
        Step(
            "W",
            Le(block_move["w"], sym.B_B * token * S_1 * radius["w"]),
            Axiom("triangle inequality over (U); |u (x) v| = |u||v|; submultiplicativity", "norm rules"),
        ),
        Step("gates move multiplicatively", Le(1 - exp(-c), c), Z3()),  # 4.3
        Step(
            "decaying entries",
            Ge((1 + x * tau) * exp(-x * tau) - (1 + (x + h) * tau) * exp(-(x + h) * tau), 0),
            Monotone(h, Integer(0)),
        ),
        Step(
            "a <= s_A <= 0",
            Implies(
                And(Le(a, sym.s_A), Le(sym.s_A, 0)),
                Ge((1 - sym.s_A * tau) * weight - (1 - a * tau) * exp(a * tau), 0),
            ),
            Instance(((x, -sym.s_A), (h, sym.s_A - a))),
            ("decaying entries",),
        ),
        Step(
            "a <= 0",
            Implies(Le(a, 0), Ge(1 - (1 - a * tau) * exp(a * tau), 0)),
            Instance(((x, Integer(0)), (h, -a))),
            ("decaying entries",),
        ),
        Step(
            "the slope is largest at s_A",
            Le((1 + Abs(a) * tau) * exp(a * tau), (1 + Abs(sym.s_A) * tau) * weight),
            Z3(),
            ("a <= s_A <= 0", "a <= 0"),
        ),
        Step(
            "slopes add up",
            Le(S_g, S_1 + Abs(sym.s_A) * S_2),
            Fold(
                (
                    (S_g, c * (1 + Abs(sym.s_A) * tau) * weight),
                    (S_1, c * weight),
                    (S_2, c * tau * weight),
                )
            ),
        ),
        LARGEST_SLOPES,
        Step(
            "slopes together",
            both_forms(S_s, rate),
            Lemma(
                t5_1_gate.STATEMENT,
                (
                    (t5_1_gate.moved, rate * S_s),
                    (t5_1_gate.first, rate * S_1),
                    (t5_1_gate.second, rate**2 * S_2),
                    (t5_1_gate.Y, rate * sym.M),
                    (t5_1_gate.y, rate * c),
                    *((symbol, Integer(0)) for symbol in (t5_1_gate.x, t5_1_gate.g, t5_1_gate.S, t5_1_gate.b)),
                ),
            ),
        ),
        Step(
            "slopes together at s_A",
            Implies(Lt(sym.s_A, 0), both_forms(S_s, -sym.s_A)),
            Instance(((rate, -sym.s_A),)),
            ("slopes together",),
        ),
        Step(
            "second form",
            Implies(Lt(sym.s_A, 0), Le(S_s, at_most(S_1, S_2))),
            Z3(),
            ("slopes together at s_A",),
        ),
        Step(
            "slopes, s_A <= 0",
            Implies(Le(sym.s_A, 0), Le(S_s, at_most(sym.R_1, sym.R_2))),
            Z3(),
            ("second form", "largest slopes", "slopes add up"),
        ),
        Step(
            "slopes, s_A > 0",
            Implies(Gt(sym.s_A, 0), Le(S_s, sym.R_1 + sym.s_A * sym.R_2)),
            Z3(),
            ("largest slopes", "slopes add up"),
        ),
        Step("slopes", Le(S_s, sym.R_g), Z3(), ("slopes, s_A <= 0", "slopes, s_A > 0")),
        Step(
            "gate",
            Le(block_move["g"], sym.B_w * token * sym.B_B * S_s * radius["g"]),
            PATH,
            ("gates move multiplicatively",),
        ),
        *block_by_block(SHARP),
    ),
    not_claimed=("Nothing for a full matrix A (see 5.5) or a step size per channel (theory 11).",),
    adversary=Adversary(
        pair_sizes(("A", 2, 1, 1, True), ("A", 4, 2, 2, False), ("qp", 3, 1, 1, False), ("ABCqpW", 5, 2, 2, True)),
        pair_arrays,
        bind,
    ),
    theorems=(
        Theorem("perturbation.sharp", Reading.FORMULA),
        Theorem("channels.unrolled", Reading.GENERAL),
        Theorem("channels.sums_falling", Reading.GENERAL),
        Theorem("channels.sums_rising", Reading.GENERAL),
    ),
)
