"""Claim: the moves of the products of t < T transitions sum to at most S_2 (M eps_A + B_A eps_g). False with E.5."""

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.sums import weighted_geometric
from ssm_bounds.bounds.evaluate.balls import START_BITS, Value, bits
from ssm_bounds.proofs.papers.honarpisheh2025.c_3 import spectral, turning
from ssm_bounds.proofs.papers.honarpisheh2025.e_5 import gate, matrix
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

total = sympy.Symbol("D", nonnegative=True)
T = sympy.Symbol("T", positive=True, integer=True)
S_2 = weighted_geometric(sym.rho, T).args[-1].expr


def point() -> dict[sympy.Symbol, Value]:
    with bits(START_BITS):
        difference, step, rho = turning()
        return {total: spectral(difference), matrix: spectral(step), gate: 0, sym.rho: rho, sym.M: 1, sym.B_A: 63, T: 2}


STATEMENT = Statement(
    label="paper:E.6",
    title="How far the products of transitions move, summed",
    claim=sympy.Le(total, S_2 * (sym.M * matrix + sym.B_A * gate)),
    source="theory.md 2, E.5 to E.7 (arXiv:2502.01473v3, Lemma E.6; which label has which sum is our reading)",
    kind=Kind.UPPER,
    recorded=Verdict.REPAIRED,
    prose=("D = sum_{t<T} d_t with d_t, eps_A, eps_g and rho as in paper:E.5; rho != 1",),
    witness={total: 0, matrix: 1, gate: 1, sym.rho: sympy.Rational(1, 2), sym.M: 1, sym.B_A: 1, T: 2},
    counterexample=Counterexample("that of paper:E.5 with T = 2, where S_2 = rho", point),
    repaired_by="5.5",
    not_claimed=("Nothing against diagonal A with a valid rho, for which it is true (5.5).",),
)
