"""Claim: Dudley's entropy integral bounds the Rademacher complexity. True (normalised metric)."""

import sympy
from sympy import Le, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

integral = sympy.Symbol("I", nonnegative=True)
claim = Le(sym.rademacher, 4 * sym.a + 12 / sqrt(sym.m) * integral)

STATEMENT = Statement(
    label="paper:3.2",
    title="Dudley's entropy integral",
    claim=claim,
    source="theory.md 2, 3.2 (arXiv:2502.01473v3, Theorem 3.2)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "R_S: empirical Rademacher complexity of a class; I = int_alpha^b sqrt(ln N_2(eps)) d eps, 0 < alpha <= b",
        "N_2: covering number in the normalised metric sqrt(mean (f - g)^2); b at least every sqrt(mean f^2)",
    ),
    witness={sym.rademacher: 0, sym.a: 1, sym.m: 1, integral: 1},
    derivation=(
        Step(
            "Dudley", claim, Axiom("Dudley's entropy integral, cut at alpha", "Dudley 1967; Srebro and Sridharan 2010")
        ),
    ),
    not_claimed=("The constants 4 and 12 are not the best: other sources have others.",),
)
