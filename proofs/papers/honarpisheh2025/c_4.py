"""Claim: softplus is 1-Lipschitz. True; 4.3 sharpens it."""

from collections.abc import Mapping

import sympy
from sympy import Abs, Ge, Integer, Le

from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

logit = sympy.Symbol("ell", real=True)
h = sympy.Symbol("h", nonnegative=True)
rise = softplus(logit + h) - softplus(logit)
claim = Le(Abs(rise), h)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    return {logit: free["logit"], h: numbers.exp(free["h"])}


STATEMENT = Statement(
    label="paper:C.4",
    title="Softplus is 1-Lipschitz",
    claim=claim,
    source="theory.md 2, C.4 (arXiv:2502.01473v3, Lemma C.4)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("the two logits are ell and ell + h, the larger one second",),
    witness={logit: 0, h: 1},
    derivation=(
        Step("increasing", Ge(rise, 0), Monotone(h, Integer(0))),
        Step("by at most h", Ge(h - rise, 0), Monotone(h, Integer(0))),
        Step("both", claim, Z3(), ("increasing", "by at most h")),
    ),
    adversary=Adversary(({},), lambda sizes: {"logit": (), "h": ()}, bind),
    theorems=(Theorem("papers.softplus_lipschitz", Reading.CLAIM),),
)
