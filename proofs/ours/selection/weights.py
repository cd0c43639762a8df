"""7: the weights 1/(2(|j|+1)(|j|+2)) of the grid points, j in Z, sum to 3/4."""

import sympy
from sympy import Integer, Le, Rational

from ssm_bounds.proofs.solvers import Z3, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

n, pairs = sympy.symbols("n W", nonnegative=True)


def weight(index: sympy.Expr) -> sympy.Expr:
    """For an index >= 0."""
    return 1 / (2 * (index + 1) * (index + 2))


claim = Le(weight(Integer(0)) + pairs, Rational(3, 4))

STATEMENT = Statement(
    label="7-weights",
    title="Weights of a grid",
    claim=claim,
    source="theory.md 7",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("W: sum of the weights of j and -j for j = 1..n, any n",),
    witness={pairs: Rational(1, 6), n: 1},
    derivation=(
        Step(
            "partial sums",
            Le(pairs, Rational(1, 2) - 1 / (n + 2)),
            Fold(((pairs, 2 * weight(n + 1)), (n, Integer(1)))),
        ),
        Step("sum", claim, Z3(), ("partial sums",)),
    ),
    not_claimed=("Attained in the limit only; the missing quarter is not spent.",),
    theorems=(Theorem("selection.weights", Reading.FORMULA),),
)
