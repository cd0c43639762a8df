"""Claim: S_1 may be dropped against S_2, that is S_1 <= S_2. False for fast decay, at every length."""

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.evaluate.balls import Value
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

S_1, S_2 = DEFINITIONS[sym.S_1], DEFINITIONS[sym.S_2]


def point() -> dict[sympy.Symbol, Value]:
    return {sym.rho: sympy.Rational(1, 4), sym.T: 10**6}


STATEMENT = Statement(
    label="paper:3.3",
    title="Dropping S_1 against S_2",
    claim=sympy.Le(S_1, S_2),
    source="theory.md 2, 3.3 (arXiv:2502.01473v3, Theorem 3.3)",
    kind=Kind.UPPER,
    recorded=Verdict.REPAIRED,
    witness={sym.rho: sympy.Rational(9, 10), sym.T: 100},
    counterexample=Counterexample("rho = 1/4, T = 10^6: S_1 = 4/3, S_2 = 4/9", point),
    repaired_by="5.5",
    not_claimed=("For rho near 1 and long sequences S_2 does dominate; the hidden factor is (1 - rho)/rho.",),
)
