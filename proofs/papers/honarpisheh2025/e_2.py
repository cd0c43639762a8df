"""Claim: gap <= 2 Rad + 3c sqrt(ln(2/delta)/(2m)). True; 6.1 has c in place of 3c."""

import sympy
from sympy import Eq, Le, log, sqrt

from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

gap, mean_gap, mean_rad, rad = sympy.symbols("G EG ER R_S", nonnegative=True)
c, m, delta, t = sympy.symbols("c m delta t", positive=True)
deviation = c * sqrt(log(2 / delta) / (2 * m))
claim = Le(gap, 2 * rad + 3 * deviation)

STATEMENT = Statement(
    label="paper:E.2",
    title="Gap by the empirical Rademacher complexity",
    claim=claim,
    source="theory.md 2, E.2 (arXiv:2502.01473v3, Theorem E.2)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Eq(t, deviation), Le(delta, 1)),
    prose=(
        "G: largest risk minus training loss over the class, losses in [0, c]; EG, ER: means of G and R_S over samples",
        "m i.i.d. examples; probability at least 1 - delta",
    ),
    witness={gap: 0, mean_gap: 0, mean_rad: 0, rad: 0, c: 1, m: 1, delta: 1, t: deviation.subs({c: 1, m: 1, delta: 1})},
    derivation=(
        # McDiarmid: one example moves G and R_S by at most c/m, so each deviates by t with probability e^{-2mt^2/c^2}
        Step("half of delta", Eq(2 * m * t**2 / c**2, log(2 / delta)), Z3()),
        Step(
            "gap",
            Le(gap, mean_gap + t),
            Axiom("McDiarmid's inequality at level delta/2", "McDiarmid 1989"),
            ("half of delta",),
        ),
        Step(
            "symmetrisation", Le(mean_gap, 2 * mean_rad), Axiom("symmetrisation by a ghost sample", "Koltchinskii 2001")
        ),
        Step(
            "complexity",
            Le(mean_rad, rad + t),
            Axiom("McDiarmid's inequality at level delta/2", "McDiarmid 1989"),
            ("half of delta",),
        ),
        Step("sum", claim, Z3(), ("gap", "symmetrisation", "complexity")),
    ),
    not_claimed=("Two-sided at the same level only through 6.1, where a bound on R_S holds for every sample.",),
)
