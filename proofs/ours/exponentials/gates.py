"""4.3: gates move multiplicatively. d softplus/d ell = 1 - e^{-Delta} <= min(1, Delta)."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le, Min

from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Identity
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

gate = sympy.Symbol("Delta", nonnegative=True)
logit = sympy.Symbol("ell", real=True)
slope = 1 - sympy.exp(-gate)
claim = Le(slope, Min(1, gate))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    return {gate: numbers.exp(free["gate"])}


STATEMENT = Statement(
    label="4.3",
    title="Gates move multiplicatively",
    claim=claim,
    source="theory.md 4.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    witness={gate: 1},
    derivation=(
        Step(
            "derivative of softplus",
            Eq(sympy.Derivative(softplus(logit), logit), 1 - sympy.exp(-softplus(logit))),
            Identity(),
        ),
        Step("below 1 and Delta", claim, Z3()),
    ),
    not_claimed=(
        "Tight in each argument of the minimum: at Delta -> 0 and at Delta -> oo, not at one Delta for both.",
    ),
    adversary=Adversary(({},), lambda sizes: {"gate": ()}, bind),
    theorems=(Theorem("gates.slope", Reading.CLAIM), Theorem("gates.softplus_derive", Reading.GENERAL)),
)
