"""3.5: the minimum of two valid bounds on ln N at the same eps is valid."""

import sympy
from sympy import Le, Min

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

entropy, first, second = sympy.symbols("H H_1 H_2", nonnegative=True)
claim = Le(entropy, Min(first, second))

STATEMENT = Statement(
    label="3.5",
    title="The smaller of two valid bounds",
    claim=claim,
    source="theory.md 3.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(entropy, first), Le(entropy, second)),
    prose=("H = ln N(eps), H_1, H_2 two bounds of it, in one metric and with centres on one side",),
    witness={entropy: 1, first: 1, second: 2},
    derivation=(Step("both", claim, Z3()),),
    not_claimed=("Nothing for bounds in different metrics, or for centres inside against outside.",),
    theorems=(Theorem("covers.smaller", Reading.CLAIM),),
)
