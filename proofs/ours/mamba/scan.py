"""M3.1: y of one channel of a Mamba mixer, by the slowest of its rates."""

from collections.abc import Mapping

import sympy
from sympy import Abs, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.exponentials import sum_r1
from ssm_bounds.proofs.solvers import Z3, Axiom, Sum
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.gates import GATES, M, T, branch, c, first_sum, rate, tau
from ssm_bounds.proofs.systems.mamba import ball, scanned

U, B, C, D = sympy.symbols("U B C D", nonnegative=True)
y, scan, skip = sympy.symbols("y s k", real=True)
R_1 = branch(sym.R_1, -1)
claim = Le(Abs(y), U * B * C * R_1 + U * D)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Tokens inside the balls of radius U, B, C; rates from the slowest up."""
    steps, slow = numbers.exp(free["gates"]), numbers.exp(free["rate"] - 2)
    size, last = numbers.exp(free["U"]), free["C"]
    tokens, rows = size * ball(numbers, free["u"]), free["B"]
    pairs = rows * last[None]
    norms = [numbers.norm(row) for row in rows]
    found = scanned(numbers, steps, slow * (1 + numbers.exp(free["rates"])), pairs, tokens) + free["D"] * tokens[0]
    largest = norms[0]
    for one in norms[1:]:
        largest = numbers.maximum(largest, one)
    values = {y: found, U: size, B: largest, C: numbers.norm(last), D: abs(free["D"]), M: numbers.largest(steps)}
    return values | {rate: slow, T: sizes["T"]}


STATEMENT = Statement(
    label="M3.1",
    title="The scan of a Mamba mixer and its skip, one channel",
    claim=claim,
    source="theory.md M3.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=sum_r1.STATEMENT.hypotheses,
    prose=(
        *GATES,
        "s_A = -lambda, lambda the slowest rate of the channel",
        "y = s + k, the scan and the skip of a token; U, B, C, D: at least |u_j|, |B_t|_2, |C_t|_2 of each, |D_j|",
    ),
    witness={y: 1, scan: 1, skip: 0, U: 1, B: 1, C: 1, D: 1} | {first_sum: 1, M: 1, rate: 1, tau: 1, T: 2, c: 1},
    derivation=(
        Step(
            "token by token",
            Le(Abs(scan), U * B * C * first_sum),
            Axiom("|sum_n C_n B_n e^{a_n tau}| <= |C||B| e^{-lambda tau}", "Cauchy-Schwarz inequality"),
        ),
        Step("sum of the weights", Le(first_sum, R_1), Lemma(sum_r1.STATEMENT)),
        Step("scan", Le(U * B * C * first_sum, U * B * C * R_1), Z3(), ("sum of the weights",)),
        Step("skip", Le(Abs(skip), U * D), Axiom("|D_j u_j| <= |D_j| U_j", "norm rules")),
        Step("both", Le(Abs(y), Abs(scan) + Abs(skip)), Axiom("y = s + k", "triangle inequality")),
        Step("conclusion", claim, Sum(), ("both", "token by token", "scan", "skip")),
    ),
    not_claimed=("Tight for a real layer: u, B, C and the step are bounded one by one, and rarely are large at once.",),
    adversary=Adversary(
        ({"T": 3, "N": 1}, {"T": 2, "N": 2}),
        lambda sizes: (
            dict.fromkeys(("gates", "u"), (sizes["T"],))
            | {"B": (sizes["T"], sizes["N"]), "C": (sizes["N"],), "rates": (sizes["N"],)}
            | dict.fromkeys(("rate", "U", "D"), ())
        ),
        bind,
    ),
)
