"""4.1: |e^{A tau}| <= e^{mu tau} with the logarithmic norm mu, for every tau >= 0 and every A."""

import sympy
from sympy import Le, exp

from proofs.solvers import Axiom
from proofs.statement import Kind, Statement, Step, Verdict

growth = sympy.Symbol("n_tau", positive=True)  # |e^{A tau}|_2
mu = sympy.Symbol("mu", real=True)
tau = sympy.Symbol("tau", nonnegative=True)
claim = Le(growth, exp(mu * tau))

STATEMENT = Statement(
    label="4.1",
    title="Growth by the logarithmic norm",
    claim=claim,
    source="theory.md 4.1 (Dahlquist 1958, Lozinskii 1958)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=("n_tau = |e^{A tau}|_2, mu = lambda_max((A + A^T)/2)",),
    witness={growth: 1, mu: 0, tau: 1},
    derivation=(
        Step("logarithmic norm", claim, Axiom("logarithmic norm of the l2 norm", "Dahlquist 1958; Van Loan 1977")),
    ),
    not_claimed=("No threshold in tau: unlike Gelfand's formula this holds from tau = 0 on.",),
)
