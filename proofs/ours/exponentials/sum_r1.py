"""4.5 for s_A < 0: sum_i c_i e^{-lambda tau_i} <= R_1 = M (1 - r^T)/(1 - r), r = e^{-lambda M}. Attained at c_i = M."""

from sympy import Le, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.exponentials import riemann_factor as factor
from ssm_bounds.proofs.solvers import Z3, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import GATES, M, T, adversary, branch, c, first_sum, rate, tau

so_far = M / (1 - exp(-rate * M)) * (1 - exp(-rate * tau))  # phi int_0^tau e^{-lambda x} dx
claim = Le(first_sum, branch(sym.R_1, -1))

STATEMENT = Statement(
    label="4.5",
    title="R_1 for s_A < 0",
    claim=claim,
    source="theory.md 4.5, R_1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(c, M), Le(tau, T * M)),
    prose=(*GATES, "lambda = -s_A > 0"),
    witness={first_sum: 1, M: 1, rate: 1, tau: 1, T: 2, c: 1},
    derivation=(
        Step(
            "factor",
            Le(c * (1 - exp(-rate * M)), M * (1 - exp(-rate * c))),
            Lemma(factor.STATEMENT, ((factor.c, c), (factor.rest, M - c), (factor.rate, rate))),
        ),
        Step("sum", Le(first_sum, so_far), Fold(((first_sum, c * exp(-rate * tau)), (tau, c))), ("factor",)),
        Step("conclusion", claim, Z3(), ("sum",)),
    ),
    adversary=adversary(-1),
    theorems=(Theorem("sums.first_falling", Reading.FORMULA),),
)
