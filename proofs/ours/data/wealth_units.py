"""8.5 for units of any laws, a random part of which is seen: the mean of the product of factors is at most V."""

import sympy
from sympy import Eq, Le

from ssm_bounds.proofs.solvers import Axiom, Chain
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

product, symmetric, power = sympy.symbols("E_W S V", nonnegative=True)
claim = Le(product, power)

STATEMENT = Statement(
    label="8.5-units",
    title="Products over a random part of independent units",
    claim=claim,
    source="theory.md 8.5",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "N independent units, of any laws, factors f_i >= 0 of means g_i; n of them are seen, a uniformly random "
        "subset, n fixed without a look at them; E_W: mean of the product of the factors seen, V = ((1/N) sum g_i)^n",
        "i.i.d. rows and fixed numbers of each class: n = N; a random sample without replacement: units are constants",
        "S: the elementary symmetric mean of order n of g_1, ..., g_N",
    ),
    witness=dict.fromkeys((product, symmetric, power), 1),
    derivation=(
        Step("mean", Eq(product, symmetric), Axiom("E prod f_i = prod g_i given the subset; mean over it", "Fubini")),
        Step("power", Le(symmetric, power), Axiom("S^(1/n) falls in n", "Maclaurin's inequality, 1729")),
        Step("conclusion", claim, Chain(), ("mean", "power")),
    ),
    not_claimed=(
        "That the binomial inversion of 8.1 and 8.4 holds for such rows: without replacement it does not.",
        "All n at once: for a sample without replacement n is fixed.",
    ),
)
