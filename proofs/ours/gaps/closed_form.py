"""D.4 within its range: the closed form is Dudley's bound at alpha = 3 l C/sqrt m for ln N <= C^2/eps^2."""

import sympy
from sympy import Eq, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.gaps.chaining import PUBLISHED_CONDITION, PUBLISHED_RADEMACHER
from ssm_bounds.proofs.solvers import Z3, Axiom, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

C, l_, c, m = sympy.symbols("C_F l c m", positive=True)
rad = sympy.Symbol("R_S", nonnegative=True)
t = sympy.Symbol("t", positive=True)
rename = {sym.C_F: C, sym.l: l_, sym.c: c, sym.m: m}
closed = PUBLISHED_RADEMACHER.subs(rename)
alpha = 3 * l_ * C / sympy.sqrt(m)
dudley = 4 * alpha + 12 / sympy.sqrt(m) * sympy.Integral(l_ * C / t, (t, alpha, c))
claim = Le(rad, closed)

STATEMENT = Statement(
    label="D.4",
    title="Closed form of the Dudley integral, in its range",
    claim=claim,
    source="theory.md 2, D.4, and 6.1",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(PUBLISHED_CONDITION.subs(rename), 1),),
    prose=("ln N(eps) <= C_F^2/eps^2 for the outputs; the loss is l-Lipschitz with range c",),
    witness={rad: 0, l_: 1, c: 1, m: 100, C: 1},
    derivation=(
        Step("alpha lies below c", Le(alpha, c), Z3()),
        # sqrt(ln N) at eps is at most l C_F/eps, by the inner step D.4-inner
        Step(
            "Dudley at alpha",
            Le(rad, dudley),
            Axiom("Dudley's entropy integral from alpha to c, for alpha <= c", "theory.md 6.1; Dudley 1967"),
            ("alpha lies below c",),
        ),
        Step("closed form", Eq(dudley, closed), Identity()),
        Step("conclusion", claim, Z3(), ("Dudley at alpha", "closed form")),
    ),
    not_claimed=("Ceilings of the covers are not included: a certified value keeps them.", "Nothing beyond the range."),
)
