"""3.3, the joint block (p, q): it lies in a ball of radius r_p + B_q B_u of the norm |dp| + B_u |dq|_2."""

import sympy
from sympy import Abs, Eq, Le

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

p, low, high = sympy.symbols("p p_lo p_hi", real=True)
r, B_q, B_u, n_q = sympy.symbols("r_p B_q B_u n_q", nonnegative=True)
claim = Le(Abs(p - (low + high) / 2) + B_u * n_q, r + B_q * B_u)

STATEMENT = Statement(
    label="3.3-gate",
    title="The gate's bias and weights as one block",
    claim=claim,
    source="theory.md 3.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(low, p), Le(p, high), Le(n_q, B_q), Eq(r, (high - low) / 2)),
    prose=("n_q = |q|_2; the centre of the ball is ((p_lo + p_hi)/2, 0); 3.2 covers it in d + 1 dimensions",),
    witness={p: 1, low: 0, high: 1, r: sympy.Rational(1, 2), B_q: 1, B_u: 1, n_q: 1},
    derivation=(Step("radius", claim, Z3()),),
    not_claimed=("Under a cap on M the block is smaller: the same radius is used.",),
    theorems=(Theorem("covers.joint_gate", Reading.CLAIM),),
)
