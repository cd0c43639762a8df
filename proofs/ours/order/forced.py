"""Claim: one diagonal layer with forcing is blind to the order of its tokens. False for one unit and two tokens."""

import sympy
from sympy import Abs, Le, Rational, exp

from ssm_bounds.bounds.evaluate.balls import Value
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

a_1, a_2 = sympy.symbols("a_1 a_2", nonzero=True)
b_1, b_2, z = sympy.symbols("b_1 b_2 z", real=True)


def token(state: sympy.Expr, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    return exp(a) * state + b * (exp(a) - 1) / a


moved = token(token(z, a_1, b_1), a_2, b_2) - token(token(z, a_2, b_2), a_1, b_1)


def point() -> dict[sympy.Symbol, Value]:
    return {a_1: Rational(1, 2), a_2: Rational(-3, 4), b_1: 1, b_2: 2, z: Rational(1, 2)}


STATEMENT = Statement(
    label="15.8-forced",
    title="One diagonal layer with forcing is blind to order",
    claim=Le(Abs(moved), 0),
    source="theory.md 15.8",
    kind=Kind.IDENTITY,
    recorded=Verdict.REFUTED,
    prose=(
        "dz = a_i z d omega^i + b_i d xi^i: token i moves the i-th coordinates by one, and maps z to "
        "e^{a_i} z + b_i (e^{a_i} - 1)/a_i",
    ),
    counterexample=Counterexample("a = (1/2, -3/4), b = (1, 2), z = 1/2: e_1 e_2 and e_2 e_1 are 1.597 apart", point),
    not_claimed=("It holds without forcing (B = 0), and with it what differs is the same after every prefix (15.4).",),
)
