"""Claim: ln N(l o F, eps) <= l ln N(F, eps), as printed inside the proof of D.4. False already for an interval."""

import sympy

from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

scaled = sympy.Symbol("H_l", nonnegative=True)  # ln N(l o F, eps)
plain = sympy.Symbol("H_F", nonnegative=True)  # ln N(F, eps)
constant = sympy.Symbol("l", positive=True)


def interval(length: sympy.Rational, eps: sympy.Rational) -> Enclosure:
    """Exact: an interval needs ceil(length/(2 eps)) balls of radius eps."""
    return enclose(sympy.log(sympy.ceiling(length / (2 * eps))), {})


def point() -> dict[sympy.Symbol, Value]:
    l_, eps = sympy.Rational(1, 10), sympy.Rational(1, 100)
    return {scaled: interval(l_, eps).ball(), plain: interval(sympy.Integer(1), eps).ball(), constant: l_}


STATEMENT = Statement(
    label="paper:D.4-inner",
    title="Covering numbers under a Lipschitz loss, as printed",
    claim=sympy.Le(scaled, constant * plain),
    source="theory.md 2, D.4, inner step (printed)",
    kind=Kind.UPPER,
    recorded=Verdict.REPAIRED,
    prose=("H_l = ln N(l o F, eps), H_F = ln N(F, eps)",),
    witness={scaled: 0, plain: 0, constant: 1},
    counterexample=Counterexample("F = [0, 1], l(x) = x/10, eps = 1/100: ln 5 against (1/10) ln 50", point),
    repaired_by="D.4-inner",
    not_claimed=("What holds and suffices is ln N(l o F, eps) <= ln N(F, eps/l).",),
)
