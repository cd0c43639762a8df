"""Claim: with C scaled by 1/sqrt tau the measure is 1. True of a layer without a skip, as the paper's theory has it."""

from sympy import Eq, sqrt

from ssm_bounds.proofs.ours.tau.population import a, b
from ssm_bounds.proofs.ours.tau.rescaled import tau
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

claim = Eq(tau * (1 / sqrt(tau)) ** 2, 1, evaluate=False)

STATEMENT = Statement(
    label="liu-li:8",
    title="The scaling rule makes the measure 1",
    claim=claim,
    source="theory.md 16.7 (arXiv:2405.02670, the scaling by 1/sqrt tau, as reviews of the paper describe it)",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    hypotheses=(Eq(tau, (a + b) ** 2),),
    prose=("tau of C scaled by c is c^2 tau: 16.3, which scales a skip as well",),
    witness={a: 1, b: 1, tau: 4},
    derivation=(Step("value", claim, Z3()),),
    not_claimed=("The wording and the number of the equation were not read.", "Its bound: no constant was read."),
)
