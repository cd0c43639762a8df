"""M2.1: the step rises with its logit, with limits and without them."""

from collections.abc import Mapping

import sympy
from sympy import Ge, Integer, Le, Max, Min

from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

logit = sympy.Symbol("ell", real=True)
rest, low, more = sympy.symbols("r lo g", nonnegative=True)  # limits lo and lo + g


def limited(step: sympy.Expr) -> sympy.Expr:
    return Min(Max(step, low), low + more)


claim = Le(limited(softplus(logit)), limited(softplus(logit + rest)))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    return {logit: free["logit"]} | {symbol: numbers.exp(free[symbol.name]) for symbol in (rest, low, more)}


STATEMENT = Statement(
    label="M2.1",
    title="The step at the end of its logit's range",
    claim=claim,
    source="theory.md M2.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("ell + r: the upper end of the logit's range; limits lo and lo + g; at the lower end the same",),
    witness={logit: 0, rest: 1, low: 0, more: 3},
    derivation=(
        Step("softplus rises", Ge(softplus(logit + rest) - softplus(logit), 0), Monotone(rest, Integer(0))),
        Step("limits", claim, Z3(), ("softplus rises",)),
    ),
    adversary=Adversary(({},), lambda sizes: dict.fromkeys(("logit", "r", "lo", "g"), ()), bind),
    theorems=(Theorem("mamba.steps", Reading.CLAIM),),
)
