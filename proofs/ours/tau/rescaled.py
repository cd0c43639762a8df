"""16.3: with C and D divided by sqrt tau, tau is 1."""

from sympy import Eq, Symbol, sqrt

from ssm_bounds.proofs.ours.tau.population import a, b
from ssm_bounds.proofs.solvers import Z3, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

tau, factor = Symbol("tau", positive=True), Symbol("c", positive=True)
claim = Eq((a / sqrt(tau) + b / sqrt(tau)) ** 2, 1)

STATEMENT = Statement(
    label="16.3",
    title="Taps that are divided by the root of tau have tau 1",
    claim=claim,
    source="theory.md 16.3",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    hypotheses=(Eq(tau, (a + b) ** 2),),
    prose=(
        "taps are linear in C and D together, so dividing both by sqrt tau divides every tap, and a and b with them",
        "tau > 0; the mean square of the last output is then at most 1 (16.2)",
    ),
    witness={a: 1, b: 1, tau: 4, factor: 2},
    derivation=(
        Step("degree 2", Eq((factor * a + factor * b) ** 2, factor**2 * (a + b) ** 2, evaluate=False), Identity()),
        Step("at 1/sqrt tau", claim, Z3()),
    ),
    not_claimed=("Outputs before the last one: they see fewer taps.", "A channel with tau = 0: it is left alone."),
)
