"""Claim: |A^t| <= rho^t with rho at the smallest gate, whatever the sign of s_A. False for s_A > 0."""

from collections.abc import Mapping

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.evaluate.balls import Value
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

t = sympy.Symbol("t", positive=True, integer=True)
gates = sympy.Symbol("Delta", positive=True)
power = sympy.exp(sym.s_A * gates * t)  # the scalar product of t gates, all equal to Delta
bound = sympy.exp(sym.s_A * softplus(sym.p - sym.B_q * sym.B_u) * t)

POINT = {sym.s_A: sympy.Rational(1, 2), sym.p: 0, sym.B_q: 1, sym.B_u: 1, t: 10}


def point() -> dict[sympy.Symbol, Value]:
    return {**POINT, gates: softplus(sym.p + sym.B_q * sym.B_u)}


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    q, u = free["q"], free["u"]
    return {
        sym.s_A: free["s"],
        sym.p: free["p"],
        sym.B_q: abs(q),
        sym.B_u: abs(u),
        gates: numbers.softplus(free["p"] + q * u),
        t: sizes["t"],
    }


STATEMENT = Statement(
    label="paper:E.3",
    title="Powers of the transition by the smallest gate",
    claim=sympy.Le(power, bound),
    source="theory.md 2, E.3 (arXiv:2502.01473v3, Lemma E.3, with rho as printed in E.4, eta = 0)",
    kind=Kind.UPPER,
    recorded=Verdict.REPAIRED,
    prose=("every gate lies between softplus(p - B_q B_u) and softplus(p + B_q B_u); the scalar case d = N = 1",),
    witness={sym.s_A: -1, sym.p: 0, sym.B_q: 1, sym.B_u: 1, t: 10, gates: 1},
    counterexample=Counterexample(
        "s_A = 1/2, p = 0, B_q B_u = 1, t = 10, every gate at its maximum: (1 + e)^5 against (1 + 1/e)^5", point
    ),
    repaired_by="4.1",
    not_claimed=("For s_A < 0 and diagonal A the right end is the smallest gate, and the statement is true.",),
    adversary=Adversary(({"t": 1}, {"t": 10}), lambda sizes: {"s": (), "p": (), "q": (), "u": ()}, bind),
)
