"""3.2, box: max(1, ceil(r/eps)) cells a side suffice for half-width r; the midpoints are an eps-cover in sup norm."""

import sympy
from sympy import Abs, Integer, Le, Max, ceiling

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

r = sympy.Symbol("r", nonnegative=True)
x, middle = sympy.symbols("x y", real=True)  # one coordinate of a point, and of the midpoint of its cell
cells = Max(1, ceiling(r / sym.eps))
claim = Le(Abs(x - middle), sym.eps)

STATEMENT = Statement(
    label="3.2-box",
    title="Cover of a box by midpoints of its cells",
    claim=claim,
    source="theory.md 3.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(middle - r / cells, x), Le(x, middle + r / cells)),
    prose=("each side, of length 2r, is cut into max(1, ceil(r/eps)) equal cells; x lies in the cell around y",),
    witness={r: 1, sym.eps: Integer(1), x: 1, middle: 0},
    derivation=(Step("distance", claim, Z3()),),
    not_claimed=("The midpoints need not satisfy a further constraint, such as an l1 norm: then 3.2 by volume.",),
    theorems=(Theorem("covers.box", Reading.CLAIM),),
)
