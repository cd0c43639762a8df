"""Claim: with C scaled by 1/sqrt tau, tau is 1. True of a layer without a skip, whose taps C scales: 16.3 of tau as
this package has it."""

from sympy import Eq

from ssm_bounds.proofs.ours.tau.population import a, b
from ssm_bounds.proofs.ours.tau.rescaled import STATEMENT as RESCALED
from ssm_bounds.proofs.ours.tau.rescaled import claim, factor, tau
from ssm_bounds.proofs.statement import Kind, Statement, Verdict

STATEMENT = Statement(
    label="liu-li:8",
    title="The scaling rule makes the measure 1",
    claim=claim,
    source="theory.md 16.7 (arXiv:2405.02670, the scaling by 1/sqrt tau, as reviews of the paper describe it)",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    hypotheses=(Eq(tau, (a + b) ** 2),),
    prose=(
        "without a skip taps are linear in C: tau of C scaled by c is c^2 tau (16.3, which scales a skip as well)",
        "a, b and tau are those of 16.1",
    ),
    witness={a: 1, b: 1, tau: 4, factor: 2},
    derivation=RESCALED.derivation,
    not_claimed=(
        "The wording and the number of the equation were not read, nor whether the paper's measure is this tau.",
        "Its bound: no constant was read.",
    ),
)
