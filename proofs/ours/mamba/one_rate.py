"""M4.1 for clocks with one rate: a moving A_log costs at most lambda R_2, and at most R_1."""

from collections.abc import Mapping

import sympy
from sympy import Le, Min

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.exponentials import sum_r2
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import adversary, branch, rate, second_sum

R_1, R_2 = branch(sym.R_1, -1), branch(sym.R_2, -1)
gates = adversary(-1)
claim = Le(rate * second_sum, Min(rate * R_2, R_1))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """At small rates, where lambda R_2 counts."""
    return dict(gates.bind(numbers, {**free, "rate": free["rate"] - 6}, sizes))


STATEMENT = Statement(
    label="M4.1-R_s",
    title="A moving A_log with one rate per clock: R_s",
    claim=claim,
    source="theory.md M4.1, R_s",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=sum_r2.STATEMENT.hypotheses,
    prose=(*sum_r2.STATEMENT.prose, "so lambda S_2 is the derivative in ln lambda, in modulus"),
    witness=sum_r2.STATEMENT.witness,
    derivation=(
        Step("second sum", Le(second_sum, R_2), Lemma(sum_r2.STATEMENT)),
        Step("R_2 <= R_1/lambda", claim, Z3(), ("second sum",)),
    ),
    not_claimed=("R_s for several rates on one clock, where it is too small: see M4.1.",),
    adversary=Adversary(({"T": 2},), gates.arrays, bind),
    theorems=(Theorem("mamba.one_rate", Reading.FORMULA),),
)
