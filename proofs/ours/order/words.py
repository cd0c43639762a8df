"""15.6: the word problem of A5 at the last position."""

import sympy
from sympy import Eq, Le, Rational, Sum

from ssm_bounds.bounds.architectures.order import GOOD
from ssm_bounds.proofs.solvers import Assumed, Axiom, Induction, Instance
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

n = sympy.Symbol("n", integer=True, nonnegative=True)
j = sympy.Symbol("j", integer=True, nonnegative=True)
share = sympy.Symbol("g", positive=True)
error = sympy.Symbol("R", nonnegative=True)
good = Rational(GOOD.numerator, GOOD.denominator)


def floor(of: sympy.Expr) -> sympy.Expr:
    return (1 - (1 - of) ** n) / 4


claim = Le(floor(good), error)

STATEMENT = Statement(
    label="15.6",
    title="Words in A5, at the last position",
    claim=claim,
    source="theory.md 15.6",
    kind=Kind.LOWER,
    recorded=Verdict.CHECKED,
    prose=(
        "R: the error rate of any f under 15.4, by the largest of its outputs with one fixed rule for ties, for the "
        "product of T independent uniform letters of A5; n = floor((T - 1)/3) blocks (x, c, d) before the last letter",
        "g: the share of pairs (c, d) for which cd (dc)^{-1} is an involution: 480 of 3600",
    ),
    witness={n: 1, error: Rational(1, 30), share: good},
    derivation=(
        Step(
            "a word with such a block",
            Eq(Sum(share * (1 - share) ** j, (j, 0, n - 1)), 1 - (1 - share) ** n),
            Induction(n),
        ),
        Step(
            "one of four is wrong",
            Le(floor(share), error),
            Axiom(
                "orbits of four equally likely words have the products a, b, b, a, and f_a - f_b defect 0",
                "15.4, 15.5 (a)",
            ),
            ("a word with such a block",),
        ),
        Step("pairs", Eq(share, good), Assumed("all 3600 pairs: tests/bounds/architectures/test_order.py")),
        Step("conclusion", claim, Instance(((share, good),)), ("one of four is wrong",)),
    ),
    not_claimed=(
        "Anything about models with activations after the scan, or at other positions than the last.",
        "That a model reaches it.",
    ),
)
