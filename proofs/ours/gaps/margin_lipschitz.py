"""6.3, the margin ``z_y - max_{j != y} z_j`` is sqrt 2-Lipschitz in l2 (for one output ``+-z``: 1-Lipschitz)."""

import sympy
from sympy import Eq, Ge, Le

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

z_y, z_j, x_y, x_j, top_z, top_x = sympy.symbols("z_y z_j x_y x_j m_z m_x", real=True)
distance = sympy.Symbol("D", nonnegative=True)
claim = Le((z_y - top_z) - (x_y - top_x), sympy.sqrt(2) * distance)

STATEMENT = Statement(
    label="6.3-lipschitz",
    title="Lipschitz constant of the margin",
    claim=claim,
    source="theory.md 6.3, 6.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(
        Ge(distance**2, (z_y - x_y) ** 2 + (z_j - x_j) ** 2),
        Eq(top_x, x_j),
        Ge(top_z, z_j),
    ),
    prose=(
        "D = |z - x|_2 of two output vectors, m_z, m_x their largest entries besides y, j the place of m_x",
        "the other sign by exchanging z and x; for k = 1 the margin +-z moves by exactly |z - x|",
    ),
    witness={z_y: 1, z_j: -1, x_y: 0, x_j: 0, top_z: -1, top_x: 0, distance: sympy.sqrt(2)},
    derivation=(Step("the competitor j", claim, Z3()),),
    theorems=(Theorem("losses.margin_lipschitz", Reading.CLAIM),),
)
