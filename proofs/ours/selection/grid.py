"""7: rounding a constant up to the grid b 2^{j/8} loses at most the factor 2^{1/8}."""

import sympy
from sympy import Eq, Le, Lt, Rational

from ssm_bounds.proofs.solvers import Z3, Identity
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

value, below, above, b = sympy.symbols("v G_- G_+ b", positive=True)
j = sympy.Symbol("j", integer=True)
ratio = sympy.Integer(2) ** Rational(1, 8)
claim = Le(above, ratio * value)

STATEMENT = Statement(
    label="7-grid",
    title="Loss of rounding to the grid",
    claim=claim,
    source="theory.md 7",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Eq(above, ratio * below), Lt(below, value)),
    prose=("v the constant, G_+ = b 2^{j/8} the least point of the grid that contains it, G_- the one before",),
    witness={value: 2, below: 1, above: ratio},
    derivation=(
        Step("neighbours", Eq(b * 2 ** (j / 8) / (b * 2 ** ((j - 1) / 8)), ratio), Identity()),
        Step("conclusion", claim, Z3()),
    ),
    theorems=(Theorem("selection.grid", Reading.CLAIM),),
)
