"""8.1, the geometric code: P(z) = (1-r)/(1+r) r^|z| sums to 1 over the integers."""

import sympy
from sympy import Eq, Sum

from ssm_bounds.proofs.solvers import Z3, Axiom, Induction
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

r = sympy.Symbol("r", positive=True)
T = sympy.Symbol("n", positive=True, integer=True)
t = sympy.Symbol("z", nonnegative=True, integer=True)
half = sympy.Symbol("h", nonnegative=True)  # sum_{z >= 0} r^z
claim = Eq((1 - r) / (1 + r) * (2 * half - 1), 1)

STATEMENT = Statement(
    label="8.1-geometric",
    title="Kraft sum of the geometric code",
    claim=claim,
    source="theory.md 8.1",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(sympy.Lt(r, 1),),
    prose=("h = sum_{z >= 0} r^z, so that the sum over all integers of r^|z| is 2h - 1",),
    witness={r: sympy.Rational(1, 2), half: 2},
    derivation=(
        Step("partial sums", Eq(Sum(r**t, (t, 0, T - 1)), (1 - r**T) / (1 - r)), Induction(T, 1)),
        Step("limit", Eq(half * (1 - r), 1), Axiom("r^n tends to 0 for 0 < r < 1", "limits"), ("partial sums",)),
        Step("conclusion", claim, Z3(), ("limit",)),
    ),
    theorems=(Theorem("codes.geometric", Reading.FORMULA), Theorem("codes.geometric_partial", Reading.GENERAL)),
)
