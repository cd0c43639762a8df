"""3.4, volume blocks: the share eta = (2n/mu)/(1 + sqrt(1 + 4n/(mu g))) is the stationary one."""

import sympy
from sympy import Eq, log, sqrt

from proofs.solvers import Identity
from proofs.statement import Kind, Statement, Step, Verdict

n, mu, g, eta, s = sympy.symbols("n mu g eta s", positive=True)
share = (2 * n / mu) / (1 + s)  # s = sqrt(1 + 4n/(mu g)), that is g = 4n/(mu (s^2 - 1))
scale = 4 * n / (mu * (s**2 - 1))
claim = Eq(n * scale / (share * (share + scale)), mu, evaluate=False)

STATEMENT = Statement(
    label="3.4",
    title="Stationary split of a product of volume blocks",
    claim=claim,
    source="theory.md 3.4",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    prose=("s = sqrt(1 + 4n/(mu g)) > 1, so g = 4n/(mu (s^2 - 1)); mu is fixed by sum eta_i = 1",),
    witness={n: 1, mu: 1, s: 2},
    derivation=(
        Step(
            "marginal cost",
            Eq(-sympy.Derivative(n * log(1 + g / eta), eta), n * g / (eta * (eta + g))),
            Identity(),
        ),
        Step("root", Eq(sqrt(1 + 4 * n / (mu * scale)) ** 2, s**2, evaluate=False), Identity()),
        Step("stationary", claim, Identity(), ("marginal cost", "root")),
    ),
    not_claimed=(
        "Any split is valid; convexity of n ln(1 + g/eta) makes this one the best, tested in tests/test_entropy.py.",
    ),
)
