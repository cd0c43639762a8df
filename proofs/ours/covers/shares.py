"""3.4, volume blocks: the share eta = (2n/mu)/(1 + sqrt(1 + 4n/(mu g))) is the stationary one."""

import sympy
from sympy import Eq, log, sqrt

from ssm_bounds.proofs.solvers import Identity
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

n, mu, g, eta = sympy.symbols("n mu g eta", positive=True)
share = (2 * n / mu) / (1 + sqrt(1 + 4 * n / (mu * g)))
claim = Eq(n * g / (share * (share + g)), mu, evaluate=False)

STATEMENT = Statement(
    label="3.4",
    title="Stationary split of a product of volume blocks",
    claim=claim,
    source="theory.md 3.4",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    prose=("the cost of a block is n ln(1 + g/eta); mu is fixed by sum eta_i = 1",),
    witness={n: 1, mu: 1, g: 1},
    derivation=(
        Step(
            "marginal cost",
            Eq(-sympy.Derivative(n * log(1 + g / eta), eta), n * g / (eta * (eta + g))),
            Identity(),
        ),
        Step("stationary", claim, Identity(), ("marginal cost",)),
    ),
    not_claimed=("That no split is better: see 3.4-best.",),
    theorems=(Theorem("covers.stationary", Reading.CLAIM),),
)
