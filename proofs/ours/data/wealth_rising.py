"""8.7: (s - r t)/(b - r) falls in r, so that what a bet earned rises, and no grid of r is paid."""

import sympy
from sympy import Ge, Le, Lt

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

score, r, more, b = sympy.symbols("s r q b", real=True)
length, longest = sympy.symbols("t T", positive=True)
nu = sympy.Symbol("nu", positive=True)
share = (score - r * length) / (b - r)
claim = Le((score - more * length) / (b - more), share)

STATEMENT = Statement(
    label="8.7-rising",
    title="A document's share falls in the rate it is held against",
    claim=claim,
    source="theory.md 8.7",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(score, b * length), Le(length, longest), Le(r, more), Lt(more, b), Lt(nu, 1)),
    prose=(
        "r <= q < b; a document of score s and length t <= T, at most b a symbol; equal at s = b t",
        "on the way: its factor 1 - nu (s - r t)/(T (b - r)) is at least 1 - nu",
    ),
    witness={score: 1, r: 0, more: 0, b: 1, length: 1, longest: 1, nu: sympy.Rational(1, 2)},
    derivation=(
        Step("factor", Ge(1 - nu * share / longest, 1 - nu), Z3()),
        Step("conclusion", claim, Z3()),
    ),
    theorems=(Theorem("wealth.rising", Reading.CLAIM),),
)
