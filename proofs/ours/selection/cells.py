"""7: with probability 1 - delta all cells hold at once, a cell at delta pi, pi the product of its weights."""

import sympy
from sympy import And, Eq, Implies, Le, Rational

from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.selection import weights
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

failure, delta = sympy.symbols("P delta", positive=True)
n, pairs, grid, abscissa, product, others, one = sympy.symbols("n W pi_grid pi_s Pi Pi_0 pi_k", nonnegative=True)
claim = Le(failure, delta)

STATEMENT = Statement(
    label="7",
    title="All cells of the grids at once",
    claim=claim,
    source="theory.md 7",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Eq(grid, Rational(1, 4) + pairs), Eq(abscissa, grid / 4 + Rational(1, 4) + grid / 4)),
    prose=(
        "P: chance that some cell fails; a cell fails with chance at most delta pi, pi the product of its weights",
        "pi_grid: sum of the weights of a positive constant, or of p; pi_s: of s_A; Pi: sum of pi over all cells",
        "grids, delta and the list of constants fixed before the data",
    ),
    witness={
        failure: Rational(1, 2),
        delta: 1,
        pairs: Rational(1, 2),
        n: 1,
        grid: Rational(3, 4),
        abscissa: Rational(5, 8),
        product: Rational(1, 2),
        others: 1,
        one: 1,
    },
    derivation=(
        Step("weights", weights.claim, Lemma(weights.STATEMENT)),
        Step("one constant", And(Le(grid, 1), Le(abscissa, 1)), Z3(), ("weights",)),
        Step("one more constant", Implies(And(Le(others, 1), Le(one, 1)), Le(others * one, 1)), Z3()),
        Step(
            "all constants",
            Le(product, 1),
            Axiom("the sum over cells of products is the product of the sums", "distributive law, induction"),
            ("one constant", "one more constant"),
        ),
        Step(
            "union bound", Le(failure, delta * product), Axiom("union bound over countably many cells", "probability")
        ),
        Step("conclusion", claim, Z3(), ("all constants", "union bound")),
    ),
    not_claimed=("Options chosen after the data, such as capping M, pay ln of their number besides.",),
)
