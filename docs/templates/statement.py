"""An inequality and its proof, step by step: a start for ``proofs/ours/CHAPTER/SUBJECT.py``."""

import sympy
from sympy import Ge, Le

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

x, y = sympy.symbols("x y", real=True)
square = Ge((x - y) ** 2, 0)
claim = Le(2 * x * y, x**2 + y**2)

STATEMENT = Statement(
    label="example",
    title="Twice a product is at most the sum of squares",
    claim=claim,
    source="theory.md 3.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("attained at x = y",),
    witness={x: 1, y: 1},
    derivation=(Step("square", square, Z3()), Step("conclusion", claim, Z3(), ("square",))),
    not_claimed=("Anything about complex numbers.",),
)
