"""6.1, Dudley: gap <= 2 Rad + c sqrt(ln(2/delta)/(2m)), two-sided, with Rad by the entropy integral up to c/2."""

import sympy
from sympy import Abs, Eq, Implies, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.gaps.chaining import GAP
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

gap, mean_gap, mean_rad, integral, x = sympy.symbols("G EG ER I x", nonnegative=True)
t = sympy.Symbol("t", positive=True)
dudley = 4 * sym.a + 12 / sympy.sqrt(sym.m) * integral
deviation = GAP.subs(sym.rademacher, 0)
claim = Le(gap, GAP.subs(sym.rademacher, dudley))

SYMMETRISED = Step(
    "symmetrisation", Le(mean_gap, 2 * mean_rad), Axiom("symmetrisation by a ghost sample", "Koltchinskii 2001")
)
TWO_SIDED = (
    SYMMETRISED,
    # McDiarmid: one example moves G by at most c/m, so each sign deviates by t with probability e^{-2mt^2/c^2}
    Step("half of delta", Eq(2 * sym.m * t**2 / sym.c**2, sympy.log(2 / sym.delta)), Z3()),
    Step(
        "deviation",
        Le(gap, mean_gap + t),
        Axiom("McDiarmid's inequality at level delta/2 for each sign", "McDiarmid 1989"),
        ("half of delta",),
    ),
)
"""From a Rademacher average to the gap, with losses in [0, c]."""

STATEMENT = Statement(
    label="6.1",
    title="Dudley's integral to c/2, and the gap",
    claim=claim,
    source="theory.md 6.1",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Eq(t, deviation), Le(sym.delta, 1)),
    prose=(
        "I = int_alpha^{c/2} sqrt(H(eps/l)) d eps; H bounds ln N of the outputs in sup norm, losses lie in [0, c]",
        "G: largest risk minus training loss, or the reverse; EG, ER: means of G and of the Rademacher complexity",
        "m i.i.d. examples; probability at least 1 - delta for both signs",
    ),
    witness={gap: 0, mean_gap: 0, mean_rad: 0, integral: 1, x: 1, sym.a: 1, sym.m: 1, sym.c: 1, sym.delta: 1}
    | {t: deviation.subs({sym.c: 1, sym.m: 1, sym.delta: 1})},
    derivation=(
        Step("one constant at c/2", Implies(Le(x, sym.c), Le(Abs(x - sym.c / 2), sym.c / 2)), Z3()),
        Step(
            "every sample",
            Le(mean_rad, dudley),
            Axiom("Dudley's entropy integral with D.4-inner, on every sample; ln N = 0 from c/2 on", "Dudley 1967"),
            ("one constant at c/2",),
        ),
        *TWO_SIDED,
        Step("sum", claim, Z3(), ("every sample", "symmetrisation", "deviation")),
    ),
    not_claimed=("The infimum over alpha is attained: any alpha <= c/2 that is fixed before the data is valid.",),
)
