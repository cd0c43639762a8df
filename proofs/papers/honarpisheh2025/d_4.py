"""Claim: the closed form of the Dudley integral bounds a Rademacher complexity. It turns negative, which none is."""

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.gaps.chaining import PUBLISHED_RADEMACHER
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict


def point() -> dict[sympy.Symbol, int]:
    """The class {0}, whose complexity is 0."""
    return {sym.rademacher: 0, sym.l: 1, sym.c: 1, sym.m: 100, sym.C_F: 100}


STATEMENT = Statement(
    label="paper:D.4",
    title="Closed form of the Dudley integral, as printed",
    claim=sympy.Le(sym.rademacher, PUBLISHED_RADEMACHER),
    source="theory.md 2, D.4 (arXiv:2502.01473v3, Lemma D.4)",
    kind=Kind.UPPER,
    recorded=Verdict.REPAIRED,
    prose=("ln N(eps) <= C_F^2/eps^2 for every eps > 0; no condition on C_F is printed",),
    witness={sym.rademacher: 0, sym.l: 1, sym.c: 1, sym.m: 100, sym.C_F: 1},
    counterexample=Counterexample(
        "l = c = 1, m = 100, C_F = 100: the class {0} has complexity 0, the bound is < 0", point
    ),
    repaired_by="D.4",
    not_claimed=("Nothing against the closed form while 3 l C_F <= c sqrt m: see D.4.",),
)
