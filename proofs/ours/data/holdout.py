"""8.4, hold-out: Clopper-Pearson for k errors on n fresh examples is the least p whose tail is below delta."""

import sympy
from sympy import Le

from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

failure, tail = sympy.symbols("P t", nonnegative=True)
delta = sympy.Symbol("delta", positive=True)
claim = Le(failure, delta)

STATEMENT = Statement(
    label="8.4",
    title="Hold-out bound",
    claim=claim,
    source="theory.md 8.4 (Clopper and Pearson 1934)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(tail, delta),),
    prose=(
        "P: chance that the risk p exceeds the bound; the bound is the largest p with P(Bin(n, p) <= errors) >= delta",
        "t: chance of at most k errors at the true risk, k the largest count whose bound is below it; n fresh examples "
        "of the distribution in question, met by this model alone",
    ),
    witness={failure: 0, tail: 0, delta: 1},
    derivation=(
        Step(
            "tail", Le(failure, tail), Axiom("the bound lies below p exactly when errors <= k", "tails decrease in p")
        ),
        Step("conclusion", claim, Z3(), ("tail",)),
    ),
)
