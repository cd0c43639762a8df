"""15.5 (a): the mean logistic loss on four sequences labelled +1, -1, -1, +1."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le, exp, log

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

scores = sympy.symbols("s_1 s_2 s_3 s_4", real=True)
logistic = sum((log(1 + exp(-s)) for s in scores), sympy.Integer(0)) / 4
claim = Le(log(2), logistic)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Any three scores, and the fourth that the identity leaves."""
    s = free["s"]
    return dict(zip(scores, (s[0], s[1], s[2], -s.sum()), strict=True))


STATEMENT = Statement(
    label="15.5-logistic",
    title="The logistic loss on four labelled sequences",
    claim=claim,
    source="theory.md 15.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Eq(sum(scores), 0),),
    prose=(
        "s_i: label times output on qpe, qp'e, q'pe, q'p'e; their sum is 0, as the output has defect 0 (15.4)",
        "attained where all four are 0",
    ),
    witness=dict.fromkeys(scores, 0),
    derivation=(
        *(
            Step(
                f"tangent at {s}",
                Le(log(2) - s / 2, log(1 + exp(-s))),
                Axiom("ln(1 + e^-s) is convex, of slope -1/2 at 0", "tangent of a convex function"),
            )
            for s in scores
        ),
        Step("conclusion", claim, Z3(), tuple(f"tangent at {s}" for s in scores)),
    ),
    not_claimed=("Anything at labels of another pattern.",),
    adversary=Adversary(({},), lambda sizes: {"s": (3,)}, bind),
    theorems=(Theorem("order.logistic", Reading.CLAIM),),
)
