"""9.1: E|sigma_1 + ... + sigma_m| >= sqrt(m/2) for every m, which repairs the step of 4.1."""

import sympy
from sympy import Le, sqrt

from bounds import notation as sym
from proofs.solvers import Axiom
from proofs.statement import Kind, Statement, Step, Verdict

mean = sympy.Symbol("E_m", positive=True)
claim = Le(sqrt(sym.m / sympy.Integer(2)), mean)

STATEMENT = Statement(
    label="9.1",
    title="Absolute sum of signs",
    claim=claim,
    source="theory.md 9.1",
    kind=Kind.LOWER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=("E_m = m binom(m-1, floor((m-1)/2))/2^{m-1}: the expectation over independent signs",),
    witness={sym.m: 2, mean: 1},
    derivation=(
        Step("Khintchine", claim, Axiom("Szarek's constant 1/sqrt 2 in Khintchine's inequality", "Szarek 1976")),
    ),
    not_claimed=("Attained at m = 2 only.",),
)
