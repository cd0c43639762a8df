"""Claim: Rad >= B_w ((1+s_A)^T - 1)/s_A sqrt(2/(pi m)), for every m. False at s_A = 0 (the limit T) and even m."""

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.lower import ball_class
from ssm_bounds.bounds.architectures.selective_ssm.sums import geometric
from ssm_bounds.bounds.evaluate.balls import Enclosure, Value
from ssm_bounds.bounds.values import Sample
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

claimed = sym.B_w * geometric(1 + sym.s_A, sym.T) * sympy.sqrt(2 / (sympy.pi * sym.m))
SAMPLE = Sample(m=2, T=3)
UNIT_BALLS = ClassConstants(
    d=1, N=1, k=1, V=None, gate="none", s_A=0, B_A=1, M_A=None, B_u=1, B_B=1, M_B=None, B_C=1, M_C=None,
    B_q=0, M_q=None, p_lo=0, p_hi=0, B_w=1, M_w=None,
)  # fmt: skip


def point() -> dict[sympy.Symbol, Value | Enclosure]:
    constants = {sym.B_w: UNIT_BALLS.B_w, sym.s_A: UNIT_BALLS.s_A, sym.T: SAMPLE.T, sym.m: SAMPLE.m}
    return constants | {sym.rademacher: ball_class(UNIT_BALLS, SAMPLE)}


STATEMENT = Statement(
    label="paper:4.1",
    title="Lower bound of the Rademacher complexity",
    claim=sympy.Le(claimed, sym.rademacher),
    source="theory.md 2, 4.1 (arXiv:2502.01473v3, Theorem 4.1)",
    kind=Kind.LOWER,
    recorded=Verdict.REPAIRED,
    prose=(
        "R_S: empirical complexity of the class with Delta = 1 and B_B = B_C = B_u = 1 on the constant input of norm 1",
        "(1/s_A)((1+s_A)^T - 1) is T at s_A = 0",
    ),
    counterexample=Counterexample(
        "d = N = k = 1, s_A = 0, T = 3, m = 2, B_w = 1: 3 sqrt(1/(22/7)) = 1.69 against exactly 3/2", point
    ),
    repaired_by="9.1",
    not_claimed=(
        "Nothing against odd m and s_A >= -1: there e^{s_A} >= 1 + s_A >= 0 and the bound holds.",
        "Nothing for samples other than the constant input: a sample of zeros has complexity 0.",
    ),
)
