"""15.5 (a): the mean squared error on four sequences whose target has a defect."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.ours.order.largest_error import defect, errors
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

mean = sum((error**2 for error in errors), sympy.Integer(0)) / 4
claim = Le(defect**2 / 16, mean)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Any four errors."""
    e = free["e"]
    return dict(zip(errors, e, strict=True)) | {defect: e[0] - e[1] - e[2] + e[3]}


STATEMENT = Statement(
    label="15.5-square",
    title="The mean squared error on four sequences",
    claim=claim,
    source="theory.md 15.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Eq(defect, errors[0] - errors[1] - errors[2] + errors[3]),),
    prose=(
        "e_i: target less output on qpe, qp'e, q'pe, q'p'e; the output has defect 0 (15.4), the target D",
        "attained by D/4, -D/4, -D/4, D/4; for labels +1, -1, -1, +1, D = 4: nothing beats a constant",
    ),
    witness=dict(zip(errors, (1, -1, -1, 1), strict=True)) | {defect: 4},
    derivation=(Step("Cauchy-Schwarz", claim, Z3()),),
    not_claimed=("The mean over a task: only quadruples that are complete in it count.",),
    adversary=Adversary(({},), lambda sizes: {"e": (4,)}, bind),
    theorems=(Theorem("order.square", Reading.CLAIM),),
)
