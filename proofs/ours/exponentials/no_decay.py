"""4.5 for s_A = 0: sum_i c_i tau_i <= M^2 T(T-1)/2. Attained at c_i = M."""

from sympy import And, Eq, Integer, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Z3, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import COUNT, GATES, M, T, adversary, branch, c, n, second_sum, tau

R_2 = branch(sym.R_2, 0)
claim = Le(second_sum, R_2)

STATEMENT = Statement(
    label="4.5-zero",
    title="R_2 for s_A = 0 (R_1 = T M is then the sum of the gates)",
    claim=claim,
    source="theory.md 4.5, R_2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(c, M), Eq(n, T)),
    prose=(*GATES, COUNT),
    witness={second_sum: 1, M: 1, T: 2, n: 2, c: 1},
    derivation=(
        Step(
            "after n gates",
            And(Le(tau, n * M), Le(second_sum, R_2.subs(T, n))),
            Fold(((second_sum, c * tau), (tau, c), (n, Integer(1)))),
        ),
        Step("conclusion", claim, Z3(), ("after n gates",)),
    ),
    adversary=adversary(0),
    theorems=(Theorem("sums.second_zero", Reading.FORMULA), Theorem("sums.first_zero", Reading.GENERAL)),
)
