"""The inner step of D.4, repaired: an eps/l-cover of F is mapped to an eps-cover of l o F."""

import sympy
from sympy import Le

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

moved, distance, eps, constant = sympy.symbols("d_loss d_output epsilon l", positive=True)
claim = Le(moved, eps)

STATEMENT = Statement(
    label="D.4-inner",
    title="Covering numbers under a Lipschitz loss: ln N(l o F, eps) <= ln N(F, eps/l)",
    claim=claim,
    source="theory.md 2, D.4, inner step, as repaired",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(distance, eps / constant), Le(moved, constant * distance)),
    prose=(
        "d_output: distance of a member to its centre in an eps/l-cover; d_loss: that of their losses",
        "the second hypothesis says that the loss is l-Lipschitz",
    ),
    witness={moved: 1, distance: 1, eps: 1, constant: 1},
    derivation=(Step("the image is a cover", claim, Z3()),),
)
