"""6.4, the ramp ``min(1, max(0, 1 - margin/g))`` is 1/g-Lipschitz in the margin: 1/g or sqrt 2/g in the output."""

import sympy
from sympy import Abs, Le, Max, Min

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

mu, nu = sympy.symbols("mu nu", real=True)  # two margins
g, L, D = sympy.symbols("g L_mu D", positive=True)


def ramp(margin: sympy.Expr) -> sympy.Expr:
    return Min(1, Max(0, 1 - margin / g))


claim = Le(Abs(ramp(mu) - ramp(nu)), L * D / g)

STATEMENT = Statement(
    label="6.4-ramp",
    title="Lipschitz constant of the ramp",
    claim=claim,
    source="theory.md 6.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(Abs(mu - nu), L * D),),
    prose=("margins mu, nu of two outputs at distance D; L_mu = 1 (k = 1) or sqrt 2 (k > 1) by 6.3-lipschitz",),
    witness={mu: 1, nu: 0, g: 1, L: 1, D: 1},
    derivation=(Step("in the output", claim, Z3()),),
    theorems=(Theorem("losses.ramp", Reading.CLAIM),),
)
