"""6.4, binary cross-entropy clipped at c: its slope in the margin is at most 1 - e^{-c} where it is not clipped."""

import sympy
from sympy import Eq, Le, exp, log

from ssm_bounds.proofs.solvers import Z3, Identity
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

z = sympy.Symbol("z", real=True)
c, H = sympy.symbols("c H", positive=True)  # H: the cross-entropy itself
slope = 1 - exp(-H)
claim = Le(slope, 1 - exp(-c))

STATEMENT = Statement(
    label="6.4",
    title="Lipschitz constant of the clipped cross-entropy, one output",
    claim=claim,
    source="theory.md 6.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(H, c),),
    prose=("H = ln(1 + e^{-z}) at margin z, below the clip c; the slope is |dH/dz|",),
    witness={H: 1, c: 2},
    derivation=(
        Step("slope", Eq(-sympy.Derivative(log(1 + exp(-z)), z), 1 - exp(-log(1 + exp(-z)))), Identity()),
        Step("below the clip", claim, Z3()),
    ),
    not_claimed=("k > 1: see 6.4-softmax.",),
    theorems=(Theorem("losses.binary", Reading.CLAIM),),
)
