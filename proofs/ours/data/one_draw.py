"""8.2, one draw theta from Q: kl(emp || risk) <= (ln dQ/dP + ln(xi(m)/delta))/m, with probability 1 - delta."""

import sympy
from sympy import Eq, Le

from ssm_bounds.proofs.solvers import Z3, Axiom, Chain
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

failure, mean_P, mean_Q = sympy.symbols("F E_P E_Q", nonnegative=True)
xi, delta = sympy.symbols("xi delta", positive=True)
claim = Le(failure, delta)

STATEMENT = Statement(
    label="8.2",
    title="One draw from a posterior",
    claim=claim,
    source="theory.md 8.2 (Rivasplata et al. 2020, Theorem 1; Maurer 2004)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "F: chance over sample and draw that m kl(emp || risk) - ln dQ/dP(theta) > ln(xi(m)/delta)",
        "E_P = E_S E_{theta ~ P} e^{m kl}, E_Q = E_S E_{theta ~ Q} e^{m kl - ln dQ/dP(theta)}",
        "P fixed before the data, Q << P chosen with them, theta drawn once with a seed independent of the sample",
        "xi(m) = sum_k binom(m,k) (k/m)^k (1 - k/m)^{m-k}, at most 2 sqrt m for m >= 8",
    ),
    witness={failure: 0, mean_P: 1, mean_Q: 1, xi: 2, delta: 1},
    derivation=(
        Step("one theta", Le(mean_P, xi), Axiom("E e^{m kl(emp || risk)} <= xi(m); Fubini", "Maurer 2004, Theorem 1")),
        Step("change of measure", Eq(mean_Q, mean_P), Axiom("E_Q f e^{-ln dQ/dP} = E_P f", "Radon-Nikodym")),
        Step("Markov", Le(failure, mean_Q / (xi / delta)), Axiom("P(X > a) <= E X/a", "Markov's inequality")),
        Step("level", Le(mean_Q / (xi / delta), delta), Z3(), ("one theta", "change of measure")),
        Step("conclusion", claim, Chain(), ("Markov", "level")),
    ),
    not_claimed=("Anything after a second draw, or for a seed chosen with the data.",),
)
