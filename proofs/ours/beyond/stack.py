"""11, stacks: a move of the first layer counts times the Lipschitz constant of the second, one of the second once."""

import sympy
from sympy import Le

from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

whole, first, second, through, slope, one, two = sympy.symbols("D d_1 d_2 d_21 L m_1 m_2", nonnegative=True)
claim = Le(whole, slope * one + two)

STATEMENT = Statement(
    label="11-stack",
    title="Perturbation of a stack of layers",
    claim=claim,
    source="theory.md 11",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(
        Le(first, one),
        Le(second, two),
        Le(through, slope * first),
        Le(whole, through + second),
    ),
    prose=(
        "f = f_2 o f_1 and f^ = f^_2 o f^_1, all in the class; D = |f(x) - f^(x)|_2",
        "d_1 = |f_1(x) - f^_1(x)|_2, at most m_1; d_21 = |f_2(f_1(x)) - f_2(f^_1(x))|_2, f_2 being L-Lipschitz on what "
        "members of the class put out; d_2 = |f_2(f^_1(x)) - f^_2(f^_1(x))|_2, at most m_2 for inputs of that size",
        "D <= d_21 + d_2 is the triangle inequality; more layers by induction",
    ),
    witness={whole: 3, first: 1, second: 1, through: 2, slope: 2, one: 1, two: 1},
    derivation=(Step("triangle", claim, Z3()),),
    not_claimed=("Anything useful for many layers: the constants multiply.",),
)
