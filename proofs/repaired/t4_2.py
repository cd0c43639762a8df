"""4.2: |e^X - e^Y| <= |X - Y| max(e^{mu(X)}, e^{mu(Y)}), which repairs C.3."""

import sympy
from sympy import Le, Max, exp

from proofs.solvers import Z3, Axiom, Chain
from proofs.statement import Kind, Statement, Step, Verdict

difference, distance, average = sympy.symbols("n_exp n_dist I", nonnegative=True)
x, y = sympy.symbols("mu_X mu_Y", real=True)
s = sympy.Symbol("s", nonnegative=True)
largest = exp(Max(x, y))
claim = Le(difference, distance * largest)

STATEMENT = Statement(
    label="4.2",
    title="Difference of exponentials by logarithmic norms",
    claim=claim,
    source="theory.md 4.2 (Van Loan 1977)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "n_exp = |e^X - e^Y|_2, n_dist = |X - Y|_2, mu the logarithmic norm; I = int_0^1 e^{s mu_X + (1-s) mu_Y} ds",
    ),
    witness={difference: 0, distance: 1, average: 1, x: 0, y: 0},
    derivation=(
        Step(
            "Duhamel",
            Le(difference, distance * average),
            Axiom("e^X - e^Y = int_0^1 e^{sX}(X-Y)e^{(1-s)Y} ds, submultiplicativity and 4.1", "Van Loan 1977"),
        ),
        Step("exponent", sympy.Implies(Le(s, 1), Le(s * x + (1 - s) * y, Max(x, y))), Z3()),
        Step("average", Le(average, largest), Axiom("exp and the integral are monotone", "calculus"), ("exponent",)),
        Step("times the distance", Le(distance * average, distance * largest), Z3(), ("average",)),
        Step("conclusion", claim, Chain(), ("Duhamel", "times the distance")),
    ),
)
