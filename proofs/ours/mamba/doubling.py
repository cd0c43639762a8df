"""M2.3: twice the length at most doubles R_1, and with it every norm of the bounds S_j."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import M, T, branch, rate

R_1 = branch(sym.R_1, -1)
claim = Le(R_1.subs(T, 2 * T), 2 * R_1)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    return {M: numbers.exp(free["M"]), rate: numbers.exp(free["rate"] - 4), T: sizes["T"]}


STATEMENT = Statement(
    label="M2.3",
    title="The doubling exponent is at most 1",
    claim=claim,
    source="theory.md M2.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("lambda = lambda_j > 0, the slowest rate of a channel, M = M_j its largest step, T any length",),
    witness={M: 1, rate: 1, T: 2},
    derivation=(Step("1 + e^{-lambda M T} times", claim, Z3()),),
    not_claimed=("Anything of the model: an exponent 0 says that the bound has saturated.",),
    adversary=Adversary(({"T": 3},), lambda sizes: {"M": (), "rate": ()}, bind),
    theorems=(Theorem("mamba.doubling", Reading.CLAIM),),
)
