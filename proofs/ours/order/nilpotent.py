"""15.2: the state of the nilpotent equation is the signature: a word of three letters, along two segments."""

import sympy
from sympy import Eq, Integral, Rational

from ssm_bounds.proofs.solvers import Axiom, Chain, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

x, y = (sympy.symbols(f"{name}_1 {name}_2 {name}_3", real=True) for name in "xy")
u, v, w = sympy.symbols("u v w", nonnegative=True)
whole = sympy.Symbol("S_123", real=True)


def grown(state: sympy.Matrix, increments: tuple[sympy.Symbol, ...]) -> sympy.Matrix:
    """``e^M state`` over the words (), 1, 12, 123: A_i e_w = e_{wi}, so that M^4 = 0."""
    M = sympy.zeros(4, 4)
    for i, increment in enumerate(increments):
        M[i + 1, i] = increment
    return state + M * state + M**2 * state / 2 + M**3 * state / 6


state = grown(grown(sympy.Matrix([1, 0, 0, 0]), x), y)
chen = x[0] * x[1] * x[2] / 6 + x[0] * x[1] * y[2] / 2 + x[0] * y[1] * y[2] / 2 + y[0] * y[1] * y[2] / 6
claim = Eq(state[3], whole, evaluate=False)

STATEMENT = Statement(
    label="15.2",
    title="The signature as the state of a nilpotent equation: three letters, two segments",
    claim=claim,
    source="theory.md 15.2",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "x_i and y_i: the increments of coordinate i in the first and in the second segment; S_123: the iterated "
        "integral along both. Letters that repeat are equal increments",
        "the entry 123 of e^{M_2} e^{M_1} e_(), A_i e_w = e_{wi}",
    ),
    witness=dict.fromkeys((*x, *y), 1) | {whole: Rational(8, 6)},
    derivation=(
        Step("two in one segment", Eq(Integral(1, (u, 0, v), (v, 0, 1)), Rational(1, 2), evaluate=False), Identity()),
        Step(
            "three in one segment",
            Eq(Integral(1, (u, 0, v), (v, 0, w), (w, 0, 1)), Rational(1, 6), evaluate=False),
            Identity(),
        ),
        Step(
            "by how many lie in the first segment",
            Eq(whole, chen),
            Axiom("u < v < w is split by the end of the first segment", "additivity of the integral"),
            ("two in one segment", "three in one segment"),
        ),
        Step("conclusion", claim, Chain(), ("by how many lie in the first segment",)),
    ),
    not_claimed=("More segments and longer words here: tests hold them to exact rationals of other libraries.",),
)
