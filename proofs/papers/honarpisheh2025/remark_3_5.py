"""Claim: some p and q = 0 give the gate Delta = 1, linear attention. True for p = ln(e - 1)."""

from sympy import E, Eq, log

from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.proofs.solvers import Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

claim = Eq(softplus(log(E - 1)), 1, evaluate=False)

STATEMENT = Statement(
    label="paper:3.5",
    title="A gate that is always 1",
    claim=claim,
    source="theory.md 2, 3.5 (arXiv:2502.01473v3, Remark 3.5)",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    prose=("q = 0",),
    derivation=(Step("value", claim, Identity()),),
    not_claimed=("Our copy reads p = e, perhaps an extraction artefact; softplus(e) = 2.78.",),
)
