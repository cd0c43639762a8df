"""8.1, Occam: for all codable weights at once, the risk is below the tail inversion at level delta pi(theta)."""

import sympy
from sympy import Le, Symbol

from ssm_bounds.proofs.solvers import Z3, Axiom, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

failure, failures, one = sympy.symbols("P F P_theta", nonnegative=True)
mass, total = sympy.symbols("pi_theta Pi", nonnegative=True)
delta = Symbol("delta", positive=True)
claim = Le(failure, delta)

STATEMENT = Statement(
    label="8.1",
    title="Occam bound over a countable set of weights",
    claim=claim,
    source="theory.md 8.1",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(total, 1),),
    prose=(
        "P: chance that the bound fails for some theta; P_theta: for this one; F: sum of P_theta, Pi: of pi(theta)",
        "pi fixed before the data with Pi <= 1 (Kraft); the errors of theta on m i.i.d. examples are a fixed function "
        "of theta and the example",
        "where only representatives run (codes/symmetries.py), pi(theta) sums over the words of theta: the same total",
        "the bound: largest p with P(Bin(m, p) <= errors) >= delta pi(theta); or kl_inv(emp, (ln 1/pi + ln 1/delta)/m)",
    ),
    witness={failure: 0, failures: 0, one: 0, mass: 1, total: 1, delta: 1},
    derivation=(
        Step(
            "one theta",
            Le(one, delta * mass),
            Axiom("P(errors <= the largest k of tail below a level) is at most the level", "Clopper, Pearson 1934"),
        ),
        Step("sum", Le(failures, delta * total), Fold(((failures, one), (total, mass))), ("one theta",)),
        Step("union", Le(failure, failures), Axiom("union bound over countably many theta", "probability")),
        Step("conclusion", claim, Z3(), ("sum", "union")),
    ),
    not_claimed=(
        "Anything about the weights before rounding: the certificate is that of the rounded model.",
        "Kraft sums of the codes: 8.1-geometric here, the others and those over representatives in tests/bounds/codes.",
    ),
    theorems=(Theorem("codes.occam", Reading.GENERAL),),
)
