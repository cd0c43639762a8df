"""4.4, the Riemann lemma, one step: ``c g(tau) <= phi int_tau^{tau+c} g`` for 0 < c <= M."""

import sympy
from sympy import Eq, Ge, Le, Lt, exp

from proofs.solvers import Z3, Axiom, Chain, Identity, Monotone
from proofs.statement import Kind, Statement, Step, Verdict

c, M, rate, g = sympy.symbols("c M lambda g", positive=True)  # g = g(tau)
x, y = sympy.symbols("x y", positive=True)  # lambda c <= lambda M
u = sympy.Symbol("u", nonnegative=True)
area = sympy.Symbol("I", positive=True)  # int_tau^{tau + c} g
phi = rate * M / (1 - exp(-rate * M))
loss = g * (1 - exp(-rate * c)) / rate
claim = Le(c * g, phi * area)

STATEMENT = Statement(
    label="4.4",
    title="Riemann lemma, one step",
    claim=claim,
    source="theory.md 4.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(c, M),),
    prose=("g >= 0 and g(x) e^{lambda x} nondecreasing; I = int_tau^{tau + c} g(x) dx, g = g(tau)",),
    witness={c: 1, M: 2, rate: 1, g: 1, area: 1},
    derivation=(
        # c/(1 - e^{-lambda c}) increases: with x = lambda c <= y = lambda M, x (1 - e^{-y}) <= y (1 - e^{-x})
        Step("at equality", Ge(1 - exp(-x) - x * exp(-x), 0), Monotone(x, sympy.Integer(0))),
        Step(
            "e^{-y} <= e^{-x}",
            sympy.Implies(Le(x, y), Le(exp(-y), exp(-x))),
            Axiom("exp is increasing", "calculus"),
        ),
        Step(
            "slope in y",
            sympy.Implies(Le(x, y), Ge(1 - exp(-x) - x * exp(-y), 0)),
            Z3(),
            ("at equality", "e^{-y} <= e^{-x}"),
        ),
        Step("starts at 0", Eq((y * (1 - exp(-x)) - x * (1 - exp(-y))).subs(y, x), 0), Identity()),
        Step(
            "slope is the derivative",
            Eq(sympy.Derivative(y * (1 - exp(-x)) - x * (1 - exp(-y)), y), 1 - exp(-x) - x * exp(-y)),
            Identity(),
        ),
        Step(
            "increasing",
            Le(rate * c * (1 - exp(-rate * M)), rate * M * (1 - exp(-rate * c))),
            Axiom("mean value theorem on [lambda c, lambda M]", "calculus"),
            ("slope in y", "starts at 0", "slope is the derivative"),
        ),
        Step("positive denominator", Lt(exp(-rate * M), 1), Axiom("e^{-x} < 1 for x > 0", "calculus")),
        Step(
            "pointwise loss",
            Eq(sympy.Integral(g * exp(-rate * u), (u, 0, c)), loss),
            Identity(),
        ),
        Step(
            "area",
            Le(loss, area),
            Axiom("g(tau + u) >= g(tau) e^{-lambda u}, integrated over [0, c]", "monotonicity of the integral"),
            ("pointwise loss",),
        ),
        Step(
            "step",
            Le(c * g, phi * loss),
            Z3(),
            ("increasing", "positive denominator"),
        ),
        Step("scale", Le(phi * loss, phi * area), Z3(), ("area", "positive denominator")),
        Step("conclusion", claim, Chain(), ("step", "scale")),
    ),
    not_claimed=("The sum over steps, and the two closed forms: see 4.5.",),
)
