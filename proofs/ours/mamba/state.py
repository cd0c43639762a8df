"""M3.2, the third bound: the Frobenius norm of the state with a step for each channel."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Ge, Integer, Le, Min, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Fold, Instance, Monotone
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.gates import COUNT, n
from ssm_bounds.proofs.systems.mamba import ball
from ssm_bounds.proofs.systems.selective_ssm import larger

B, B_u, R_1, square, v, tau, i = sympy.symbols("B B_u R_1 s v tau i", nonnegative=True)
x = sympy.Symbol("x", nonnegative=True)
w, c, m, M, rate = sympy.symbols("omega c m M lambda", positive=True)
linear, weights, squares, all_channels, all_squares, part, decay, geometric = sympy.symbols(
    "P Q S F Sigma sigma e G", nonnegative=True
)
T = sympy.Symbol("T", positive=True, integer=True)
R_lo = Min(M * T, M / (1 - exp(-rate * m)))
claim = Le(square, B**2 * B_u**2 * R_1 * R_lo)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """N = 1: tokens (T,d) in a ball, |B_i| <= 1, steps (T,d), a rate for each channel."""
    steps, T_, d = numbers.exp(free["steps"] / 8), sizes["T"], sizes["d"]
    rates = numbers.exp(free["rates"] - 4)
    u = [row / numbers.norm(row) for row in free["u"]]
    signs = [ball(numbers, 4 * free["B"][t]) for t in range(T_)]
    squares, firsts = [], []
    for j in range(d):
        before = numbers.prefix_sums(steps[:, j])
        kept = steps[:, j] * numbers.exp(-rates[j] * before)
        squares.append(sum(kept[t] * signs[t] * u[t][j] for t in range(T_)) ** 2)
        largest, lost = numbers.largest(steps[:, j]), 1
        step = numbers.exp(-rates[j] * largest)
        for _ in range(T_):
            lost = lost * step
        firsts.append(largest * (1 - lost) / (1 - step))
    every = [steps[:, j] for j in range(d)]
    slowest = -larger(numbers, [-rates[j] for j in range(d)])
    smallest = -larger(numbers, [numbers.largest(-one) for one in every])
    return {
        square: sum(squares),
        B: 1, B_u: 1, R_1: larger(numbers, firsts), M: larger(numbers, [numbers.largest(one) for one in every]),
        m: smallest, rate: slowest, T: T_,
    }  # fmt: skip


STATEMENT = Statement(
    label="M3.2",
    title="The state as a whole, with a step for each channel",
    claim=claim,
    source="theory.md M3.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(weights, R_1), Le(c, M), Le(m * i, tau), Eq(n, T), Eq(decay, exp(-rate * m * i))),
    prose=(
        "s = |s_t|_F^2; B and B_u at least |B_i|_2 and |u_i|_2; R_1 = max_j R_1(j)",
        "steps in [m, M], rates at least lambda",
        "omega = c_{ij} e^{-lambda_j tau_{ij}}, v = |u_{ij}|; of channel j P = sum_i omega v, Q = sum_i omega and "
        "S = sum_i omega v^2; F = sum_j P^2, Sigma = sum_j S = sum_i sigma, sigma = sum_j omega v^2 of token i",
        "e = e^{-lambda m i}, G their sum over i; c, tau: the step of the largest weight of token i, the time after it",
        COUNT,
    ),
    witness=dict.fromkeys((square, B, B_u, R_1, v, w, c, m, M, rate, weights, squares, decay, geometric), 1)
    | dict.fromkeys((linear, all_channels, all_squares, part), 1)
    | {tau: 1, i: 0, T: 2, n: 2},
    derivation=(
        Step(
            "Cauchy-Schwarz over tokens",
            Le(linear**2, weights * squares),
            Fold(((linear, w * v), (weights, w), (squares, w * v**2))),
        ),
        Step("one channel", Le(linear**2, R_1 * squares), Z3(), ("Cauchy-Schwarz over tokens",)),
        Step(
            "all channels",
            Le(all_channels, R_1 * all_squares),
            Fold(((all_channels, linear**2), (all_squares, squares))),
            ("one channel",),
        ),
        Step("largest weight", Le(c * exp(-rate * tau), M * exp(-rate * m * i)), Z3()),
        Step(
            "one token",
            Le(part, M * B_u**2 * decay),
            Axiom("sigma is at most the largest weight of token i times |u_i|^2", "norm rules"),
            ("largest weight",),
        ),
        Step(
            "all tokens",
            Le(all_squares, M * B_u**2 * geometric),
            Fold(((all_squares, part), (geometric, decay))),
            ("one token",),
        ),
        Step("below 1", Ge(1 - exp(-x), 0), Monotone(x, Integer(0))),
        Step("decay below 1", Ge(1 - exp(-rate * m * i), 0), Instance(((x, rate * m * i),)), ("below 1",)),
        Step("at most one a token", Le(geometric, n), Fold(((geometric, decay), (n, Integer(1)))), ("decay below 1",)),
        Step(
            "geometric sum",
            Le(geometric * (1 - exp(-rate * m)), 1 - exp(-rate * m * n)),
            Fold(((geometric, exp(-rate * m * n)), (n, Integer(1)))),
        ),
        Step("longest", Le(M * geometric, R_lo), Z3(), ("at most one a token", "geometric sum")),
        Step(
            "slowest decay",
            Le(square, B**2 * all_channels),
            Axiom("|s_j| <= B sum_i c_ij e^{-lambda_j tau_ij}|u_ij|", "Cauchy-Schwarz inequality"),
        ),
        Step(
            "squares",
            Le(all_channels, R_1 * M * B_u**2 * geometric),
            Z3(),
            ("all channels", "all tokens"),
        ),
        Step("in R_lo", Le(all_channels, B_u**2 * R_1 * R_lo), Z3(), ("squares", "longest")),
        Step("conclusion", claim, Z3(), ("slowest decay", "in R_lo")),
    ),
    not_claimed=("Which of the three bounds of M3.2 is smallest: that depends on how far apart the clocks are.",),
    adversary=Adversary(
        ({"T": 2, "d": 2},),
        lambda sizes: (
            dict.fromkeys(("steps", "u"), (sizes["T"], sizes["d"])) | {"rates": (sizes["d"],), "B": (sizes["T"],)}
        ),
        bind,
    ),
)
