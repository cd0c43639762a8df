"""What holds between the sums of 3.3: S_2 <= rho/(1 - rho) S_1, so for rho < 1/2 S_2 is the smaller, at every T."""

import sympy
from sympy import Le, Lt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.sums import geometric, weighted_geometric
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

S_1, S_2 = (total(sym.rho, sym.T).args[-1][0] for total in (geometric, weighted_geometric))
claim = Le(S_2, sym.rho / (1 - sym.rho) * S_1)

STATEMENT = Statement(
    label="paper:3.3-factor",
    title="The factor hidden when S_1 is dropped against S_2",
    claim=claim,
    source="theory.md 2, 3.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Lt(sym.rho, 1),),
    witness={sym.rho: sympy.Rational(1, 4), sym.T: 3},
    derivation=(Step("closed forms", claim, Z3()),),
    not_claimed=("For rho near 1 the factor is large, and S_2 does dominate.",),
    theorems=(Theorem("papers.hidden_factor", Reading.CLAIM),),
)
