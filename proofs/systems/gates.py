"""Gate sequences: the adversary of 4.4 and 4.5, and R_1, R_2 of ``selective_ssm.sums`` on one side of s_A = 0."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes

c, M, rate = sympy.symbols("c M lambda", positive=True)  # one gate, the largest gate, |s_A|
first_sum, second_sum, tau = sympy.symbols("S_1 S_2 tau", nonnegative=True)
n = sympy.Symbol("n", nonnegative=True)  # how many gates, while they are counted
T = sympy.Symbol("T", positive=True, integer=True)

GATES = (
    "S_1 = sum_{i<T} c_i e^{s_A tau_i}, S_2 = sum_{i<T} c_i tau_i e^{s_A tau_i}, tau = c_0 + ... + c_{T-1}",
    "0 < c_i <= M, tau_i = c_0 + ... + c_{i-1}; c: any one of the gates",
)

COUNT = "n counts the gates"


def branch(symbol: sympy.Symbol, sign: int) -> sympy.Expr:
    """R_1 or R_2 as ``selective_ssm.sums`` defines it for s_A of this sign, with s_A = sign lambda."""
    derived = {name: DEFINITIONS[name] for name in (sym.lambda_, sym.L, sym.phi)}
    expression = DEFINITIONS[symbol].subs(derived).subs(derived)
    sample = {sym.s_A: sympy.Integer(sign), sym.M: sympy.Integer(1), sym.T: sympy.Integer(2)}

    def choose(piecewise: sympy.Piecewise) -> sympy.Expr:
        return next(value for value, condition in piecewise.args if condition.subs(sample) != sympy.false)

    while pieces := expression.atoms(sympy.Piecewise):
        expression = expression.xreplace({piece: choose(piece) for piece in pieces})
    return expression.subs({sym.s_A: sign * rate, sym.M: M, sym.T: T})


def adversary(sign: int) -> Adversary:
    """Over gates, their number and the rate."""

    def arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {"gates": (sizes["T"],), **({"rate": ()} if sign else {})}

    def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
        gates = numbers.exp(free["gates"])
        before = numbers.prefix_sums(gates)
        found = {M: numbers.largest(gates), tau: gates.sum(), T: sizes["T"], n: sizes["T"], c: gates[0]}
        weight = gates
        if sign:
            found[rate] = numbers.exp(free["rate"])
            weight = gates * numbers.exp(sign * found[rate] * before)
        return found | {first_sum: weight.sum(), second_sum: (weight * before).sum()}

    return Adversary(tuple({"T": length} for length in (1, 2, 5, 40)), arrays, bind)
