"""Claim: softplus is 1-Lipschitz. True; 4.3 sharpens it."""

import sympy
from sympy import Eq, Ge, Le, exp

from bounds.sums import softplus
from proofs.solvers import Z3, Axiom, Identity
from proofs.statement import Kind, Statement, Step, Verdict

logit = sympy.Symbol("ell", real=True)
moved, distance = sympy.symbols("d_Delta d_ell", nonnegative=True)
slope = exp(logit) / (1 + exp(logit))
claim = Le(moved, distance)

STATEMENT = Statement(
    label="paper:C.4",
    title="Softplus is 1-Lipschitz",
    claim=claim,
    source="theory.md 2, C.4 (arXiv:2502.01473v3, Lemma C.4)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=("d_ell = |ell - ell^|, d_Delta = |softplus(ell) - softplus(ell^)|",),
    witness={moved: 0, distance: 1},
    derivation=(
        Step("derivative", Eq(sympy.Derivative(softplus(logit), logit), slope), Identity()),
        Step("slope is at most 1", Ge(1 - slope, 0), Z3()),
        Step(
            "mean value",
            claim,
            Axiom("mean value theorem", "calculus"),
            ("derivative", "slope is at most 1"),
        ),
    ),
)
