"""Claim: the state moves by at most S_2 M B_B B_u^2 (M eps_A + B_A eps_g) + ... in A. False with E.5 for general A."""

import sympy
from flint import arb_mat

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.sums import weighted_geometric
from ssm_bounds.bounds.evaluate.balls import START_BITS, Value, bits
from ssm_bounds.proofs.papers.honarpisheh2025.c_3 import spectral, turning
from ssm_bounds.proofs.papers.honarpisheh2025.e_5 import matrix
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

moved = sympy.Symbol("d_x", nonnegative=True)
T = sympy.Symbol("T", positive=True, integer=True)
S_2 = weighted_geometric(sym.rho, T).args[-1].expr


def point() -> dict[sympy.Symbol, Value]:
    with bits(START_BITS):
        difference, step, rho = turning()
        update = arb_mat([[0], [1]])  # u (x) W_B u for d = 1, N = 2, u = 1, W_B = (0, 1)
        moved_by = difference * update  # x_2 = e^A b + b, only the first b passes a transition
        length = (moved_by[0, 0] * moved_by[0, 0] + moved_by[1, 0] * moved_by[1, 0]).sqrt()
        return {moved: length, matrix: spectral(step), sym.rho: rho, sym.M: 1, sym.B_B: 1, sym.B_u: 1, T: 2}


STATEMENT = Statement(
    label="paper:E.7",
    title="How far the state moves with A",
    claim=sympy.Le(moved, S_2 * sym.M * sym.B_B * sym.B_u**2 * sym.M * matrix),
    source="theory.md 2, E.5 to E.7 (arXiv:2502.01473v3, Lemma E.7; which label has which sum is our reading)",
    kind=Kind.UPPER,
    recorded=Verdict.REPAIRED,
    prose=("d_x = |x_T - x^_T|_2 when only A moves; eps_A, rho as in paper:E.5; rho != 1",),
    witness={moved: 0, matrix: 1, sym.rho: sympy.Rational(1, 2), sym.M: 1, sym.B_B: 1, sym.B_u: 1, T: 2},
    counterexample=Counterexample(
        "that of paper:E.5 with d = 1, N = 2, u = 1, W_B = (0, 1), M = 1 and T = 2, where S_2 = rho", point
    ),
    repaired_by="5.5",
    not_claimed=("Nothing against diagonal A with a valid rho, for which it is true (5.5).",),
)
