"""Claim: the labels of the toy task are antisymmetric in their letters. False: they are plain iterated integrals."""

import sympy
from sympy import Abs, Le

from ssm_bounds.bounds.evaluate.balls import Value
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

x_1, x_2, y_1, y_2 = sympy.symbols("x_1 x_2 y_1 y_2", real=True)


def integral(x: sympy.Expr, y: sympy.Expr, u: sympy.Expr, v: sympy.Expr) -> sympy.Expr:
    """``S^{ij}`` of two segments: coordinate i moves by x, then y, coordinate j by u, then v."""
    return x * u / 2 + x * v + y * v / 2


def point() -> dict[sympy.Symbol, Value]:
    return {x_1: 1, x_2: 0, y_1: 0, y_2: 1}


STATEMENT = Statement(
    label="paper:MC-labels",
    title="The labels of the toy task are terms of the antisymmetric part of the signature",
    claim=Le(Abs(integral(x_1, y_1, x_2, y_2) + integral(x_2, y_2, x_1, y_1)), 0),
    source="theory.md 15.9 (public code of arXiv:2402.19047, commit 18a0a8d: its README against its data generator)",
    kind=Kind.IDENTITY,
    recorded=Verdict.REFUTED,
    prose=(
        "the label in dimension 2 as the generator computes it: S^{12}, up to one factor for all paths",
        "x_i and y_i: the increments of coordinate i in the first and in the second of two segments",
        "antisymmetric: S^{12} + S^{21} = 0, as for the Levy area (S^{12} - S^{21})/2",
    ),
    counterexample=Counterexample("e_1, then e_2: S^{12} = 1 and S^{21} = 0", point),
    not_claimed=("Anything against the theorems of the paper, or against learning these labels: 15.5 (c) is on them.",),
)
