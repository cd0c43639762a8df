"""15.5 (a): the largest error on four sequences whose target has a defect."""

from collections.abc import Mapping

import sympy
from sympy import Abs, Eq, Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

errors = sympy.symbols("e_1 e_2 e_3 e_4", real=True)
defect = sympy.Symbol("D", real=True)
largest = sympy.Symbol("m", nonnegative=True)
claim = Le(Abs(defect) / 4, largest)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Any four errors."""
    e = free["e"]
    top = numbers.maximum(numbers.largest(e), numbers.largest(-e))
    return dict(zip(errors, e, strict=True)) | {defect: e[0] - e[1] - e[2] + e[3], largest: top}


STATEMENT = Statement(
    label="15.5-largest",
    title="The largest error on four sequences",
    claim=claim,
    source="theory.md 15.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(
        Eq(defect, errors[0] - errors[1] - errors[2] + errors[3]),
        *(Le(Abs(error), largest) for error in errors),
    ),
    prose=(
        "e_i: target less output on qpe, qp'e, q'pe, q'p'e; the output has defect 0 (15.4), the target D",
        "attained by D/4, -D/4, -D/4, D/4",
    ),
    witness=dict(zip(errors, (1, -1, -1, 1), strict=True)) | {defect: 4, largest: 1},
    derivation=(Step("triangle inequality", claim, Z3()),),
    not_claimed=("Which of the four errs.",),
    adversary=Adversary(({},), lambda sizes: {"e": (4,)}, bind),
    theorems=(Theorem("order.largest", Reading.CLAIM),),
)
