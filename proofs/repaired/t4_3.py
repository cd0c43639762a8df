"""4.3: gates move multiplicatively. d softplus/d ell = 1 - e^{-Delta} <= min(1, Delta)."""

import sympy
from sympy import Eq, Ge, Le, Min

from bounds.sums import softplus
from proofs.solvers import Z3, Identity, Monotone
from proofs.statement import Kind, Statement, Step, Verdict

gate = sympy.Symbol("Delta", nonnegative=True)
logit = sympy.Symbol("ell", real=True)
slope = 1 - sympy.exp(-gate)
claim = Le(slope, Min(1, gate))

STATEMENT = Statement(
    label="4.3",
    title="Gates move multiplicatively",
    claim=claim,
    source="theory.md 4.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    witness={gate: 1},
    derivation=(
        Step(
            "derivative of softplus",
            Eq(sympy.Derivative(softplus(logit), logit), 1 - sympy.exp(-softplus(logit))),
            Identity(),
        ),
        Step("the slope is nonnegative", Ge(slope, 0), Monotone(gate, sympy.Integer(0))),
        Step("below Delta", Ge(gate - slope, 0), Monotone(gate, sympy.Integer(0)), ("the slope is nonnegative",)),
        Step("both", claim, Z3(), ("below Delta",)),
    ),
    not_claimed=(
        "Tight in each argument of the minimum: at Delta -> 0 and at Delta -> oo, not at one Delta for both.",
    ),
)
