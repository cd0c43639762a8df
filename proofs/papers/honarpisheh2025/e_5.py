"""Claim: |A^t - A^^t| <= t rho^t (M eps_A + B_A eps_g). It rests on C.3, and is false with it for general A."""

from collections.abc import Mapping

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.balls import START_BITS, Value, bits
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.papers.honarpisheh2025.c_3 import spectral, turning
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

power, matrix, gate = sympy.symbols("d_t eps_A eps_g", nonnegative=True)
t = sympy.Symbol("t", positive=True, integer=True)
bound = t * sym.rho**t * (sym.M * matrix + sym.B_A * gate)


def point() -> dict[sympy.Symbol, Value]:
    with bits(START_BITS):
        difference, step, rho = turning()
        return {power: spectral(difference), matrix: spectral(step), gate: 0, sym.rho: rho, sym.M: 1, sym.B_A: 63, t: 1}


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    X, Y = free["X"], free["X"] + free["dX"]
    first, second = numbers.exponential(X), numbers.exponential(Y)
    return {
        power: numbers.spectral(first - second),
        matrix: numbers.spectral(X - Y),
        gate: 0 * numbers.norm(X),
        sym.rho: numbers.maximum(numbers.spectral(first), numbers.spectral(second)),
        sym.M: 1 + 0 * numbers.norm(X),
        sym.B_A: numbers.maximum(numbers.spectral(X), numbers.spectral(Y)),
        t: 1,
    }


STATEMENT = Statement(
    label="paper:E.5",
    title="How far a product of t transitions moves",
    claim=sympy.Le(power, bound),
    source="theory.md 2, E.5 to E.7 (arXiv:2502.01473v3, Lemma E.5; which label has which sum is our reading)",
    kind=Kind.UPPER,
    recorded=Verdict.REPAIRED,
    prose=(
        "d_t = |product of t transitions - product of t transitions^|_2, products of any t of either have norm at most "
        "rho^t; eps_A = |A - A^|_2, eps_g = eps_p + B_u eps_q",
    ),
    witness={power: 0, matrix: 1, gate: 1, sym.rho: 1, sym.M: 1, sym.B_A: 1, t: 1},
    counterexample=Counterexample(
        "the matrices of paper:C.3 as A and A^, every gate 1, rho = |e^Y|_2 (e^X = I, and |e^{tY}| <= rho^t), t = 1",
        point,
    ),
    repaired_by="5.5",
    not_claimed=("Nothing against diagonal A with a valid rho, for which it is true (5.5).",),
    adversary=Adversary(({},), lambda sizes: {"X": (2, 2), "dX": (2, 2)}, bind),
)
