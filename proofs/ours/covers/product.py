"""3.4, products: a cover of every block at eps_i, sum beta_i eps_i = eps, covers the outputs at eps."""

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Z3, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

moved, sum_moved = sympy.symbols("d_z D", nonnegative=True)
beta, distance, radius = sympy.symbols("beta_i d_i eps_i", nonnegative=True)
claim = Le(moved, sym.eps)

STATEMENT = Statement(
    label="3.4-product",
    title="Product of covers of the blocks",
    claim=claim,
    source="theory.md 3.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(distance, radius), Le(moved, sum_moved)),
    prose=(
        "d_i: distance of block i to its centre, at most eps_i; d_z: move of the output, at most D = sum_i beta_i d_i",
        "sum_i beta_i eps_i = eps; the centres are all tuples of centres of blocks: ln N <= sum_i ln N_i(eps_i)",
    ),
    witness={moved: 1, sum_moved: 1, beta: 1, distance: 1, radius: 1, sym.eps: 1},
    derivation=(
        Step("blocks", Le(sum_moved, sym.eps), Fold(((sum_moved, beta * distance), (sym.eps, beta * radius)))),
        Step("conclusion", claim, Z3(), ("blocks",)),
    ),
    not_claimed=("The centres of every block must lie in the class (3.3): the move is bounded between members only.",),
    theorems=(Theorem("covers.product", Reading.FORMULA),),
)
