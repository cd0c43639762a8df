"""Claim: E|sum sigma| >= sqrt(2m/pi). True for odd m, false for even m."""

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.lower import absolute_sum
from ssm_bounds.bounds.evaluate.balls import Value
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

mean = sympy.Symbol("E_m", positive=True)  # E |sigma_1 + ... + sigma_m|
claimed = sympy.sqrt(2 * sym.m / sympy.pi)


def point() -> dict[sympy.Symbol, Value]:
    return {sym.m: 2, mean: absolute_sum(2)}


STATEMENT = Statement(
    label="paper:4.1-step",
    title="Absolute sum of signs",
    claim=sympy.Le(claimed, mean),
    source="theory.md 2, 4.1 (arXiv:2502.01473v3, Theorem 4.1, a step of its proof)",
    kind=Kind.LOWER,
    recorded=Verdict.REPAIRED,
    prose=("E_m = E |sigma_1 + ... + sigma_m| over independent signs",),
    counterexample=Counterexample("m = 2: E|sigma_1 + sigma_2| = 1, and sqrt(4/pi) > sqrt(4/(22/7)) = 1.128", point),
    repaired_by="9.1",
    not_claimed=("Nothing against odd m; sqrt(m/2) is right for all m (9.1).",),
)
