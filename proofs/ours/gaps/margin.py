"""6.3, margins: a margin <= 0 puts the centre's margin at <= g/2, which puts the member's at <= g."""

import sympy
from sympy import And, Implies, Le

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

mu, mu_0 = sympy.symbols("mu mu_0", real=True)  # margins of a member and of its centre on one example
g, eps, L = sympy.symbols("g epsilon L_mu", positive=True)  # L_mu: Lipschitz constant of the margin, 1 or sqrt 2
claim = And(Implies(Le(mu, 0), Le(mu_0, g / 2)), Implies(Le(mu_0, g / 2), Le(mu, g)))

STATEMENT = Statement(
    label="6.3",
    title="Margin form: two implications between a member and its centre",
    claim=claim,
    source="theory.md 6.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(L * eps, g / 2), Le(mu - mu_0, L * eps), Le(mu_0 - mu, L * eps)),
    prose=("the outputs of member and centre differ by at most eps; the margin is L_mu-Lipschitz: 6.3-lipschitz",),
    witness={mu: 0, mu_0: 0, g: 1, eps: sympy.Rational(1, 2), L: 1},
    derivation=(Step("implications", claim, Z3()),),
    not_claimed=("The risk: see 6.3-risk.",),
    theorems=(Theorem("losses.margin", Reading.CLAIM),),
)
