"""15.5 (a): the mean hinge loss on four sequences labelled +1, -1, -1, +1."""

import sympy
from sympy import Eq, Le, Max

from ssm_bounds.proofs.adversary import Adversary
from ssm_bounds.proofs.ours.order.logistic import bind, scores
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

claim = Le(1, sum((Max(0, 1 - s) for s in scores), sympy.Integer(0)) / 4)

STATEMENT = Statement(
    label="15.5-hinge",
    title="The hinge loss on four labelled sequences",
    claim=claim,
    source="theory.md 15.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Eq(sum(scores), 0),),
    prose=(
        "s_i: label times output on qpe, qp'e, q'pe, q'p'e; their sum is 0, as the output has defect 0 (15.4)",
        "attained where none is above 1",
    ),
    witness=dict.fromkeys(scores, 0),
    derivation=(Step("conclusion", claim, Z3()),),
    not_claimed=("Anything at labels of another pattern.",),
    adversary=Adversary(({},), lambda sizes: {"s": (3,)}, bind),
    theorems=(Theorem("order.hinge", Reading.CLAIM),),
)
