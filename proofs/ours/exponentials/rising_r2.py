"""4.5 for s_A > 0: sum_i c_i tau_i e^{s_A tau_i} <= M^2 sum_{i<T} i r^i, r = e^{s_A M}. Attained at c_i = M."""

from sympy import And, Eq, Integer, Le, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Z3, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import COUNT, GATES, M, T, adversary, branch, c, n, rate, second_sum, tau

R_2 = branch(sym.R_2, 1)
claim = Le(second_sum, R_2)

STATEMENT = Statement(
    label="4.5-R_2-rising",
    title="R_2 for s_A > 0",
    claim=claim,
    source="theory.md 4.5, R_2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(c, M), Eq(n, T)),
    prose=(*GATES, COUNT, "lambda = s_A > 0"),
    witness={second_sum: 1, M: 1, rate: 1, T: 2, n: 2, c: 1},
    derivation=(
        Step(
            "after n gates",
            And(Le(tau, n * M), Le(second_sum, R_2.subs(T, n))),
            Fold(((second_sum, c * tau * exp(rate * tau)), (tau, c), (n, Integer(1)))),
        ),
        Step("conclusion", claim, Z3(), ("after n gates",)),
    ),
    adversary=adversary(1),
    theorems=(Theorem("sums.second_rising", Reading.FORMULA),),
)
