"""Claim: E|sum sigma| >= sqrt(2m/pi). True for odd m, false for even m."""

import sympy

from bounds import notation as sym
from bounds.enclose import Enclosure, enclose
from bounds.lower import absolute_sum
from proofs.statement import Counterexample, Kind, Statement, Verdict

mean = sympy.Symbol("E_m", positive=True)  # E |sigma_1 + ... + sigma_m|
claimed = sympy.sqrt(2 * sym.m / sympy.pi)


def sides() -> tuple[Enclosure, Enclosure]:
    # sqrt(4/pi) > 1, squared so that the comparison is 4/pi > E_2^2 with pi < 22/7
    return enclose(sympy.sqrt(4 / sympy.Rational(22, 7)), {}), Enclosure.point(absolute_sum(2))


STATEMENT = Statement(
    label="paper:4.1",
    title="Absolute sum of signs",
    claim=sympy.Le(claimed, mean),
    source="theory.md 2, 4.1 (arXiv:2502.01473v3, Theorem 4.1)",
    kind=Kind.LOWER,
    recorded=Verdict.REPAIRED,
    prose=("E_m = E |sigma_1 + ... + sigma_m| over independent signs",),
    witness={},
    counterexample=Counterexample("m = 2: E|sigma_1 + sigma_2| = 1, and sqrt(4/pi) > sqrt(4/(22/7)) = 1.128", sides),
    repaired_by="9.1",
    not_claimed=("Nothing against odd m; sqrt(m/2) is right for all m (Szarek).",),
)
