"""4.2: |e^X - e^Y| <= |X - Y| max(e^{mu(X)}, e^{mu(Y)}), which repairs C.3."""

from collections.abc import Mapping

import sympy
from sympy import Implies, Integral, Le, Max, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Integrated
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

difference, distance = sympy.symbols("n_exp n_dist", nonnegative=True)
x, y = sympy.symbols("mu_X mu_Y", real=True)
s = sympy.Symbol("s", nonnegative=True)
largest = exp(Max(x, y))
along = exp(s * x + (1 - s) * y)
average = Integral(along, (s, 0, 1))
claim = Le(difference, distance * largest)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    X, Y = free["X"], free["X"] + free["dX"]
    return {
        difference: numbers.spectral(numbers.exponential(X) - numbers.exponential(Y)),
        distance: numbers.spectral(X - Y),
        x: numbers.logarithmic_norm(X),
        y: numbers.logarithmic_norm(Y),
    }


STATEMENT = Statement(
    label="4.2",
    title="Difference of exponentials by logarithmic norms",
    claim=claim,
    source="theory.md 4.2 (Van Loan 1977)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=("n_exp = |e^X - e^Y|_2, n_dist = |X - Y|_2, mu_X and mu_Y the logarithmic norms",),
    witness={difference: 0, distance: 1, x: 0, y: 0},
    derivation=(
        Step(
            "Duhamel",
            Le(difference, distance * average),
            Axiom("e^X - e^Y = int_0^1 e^{sX}(X-Y)e^{(1-s)Y} ds, submultiplicativity and 4.1", "Van Loan 1977"),
        ),
        Step("exponent", Implies(Le(s, 1), Le(s * x + (1 - s) * y, Max(x, y))), Z3()),
        Step("integrand", Implies(Le(s, 1), Le(along, largest)), Z3(), ("exponent",)),
        Step("average", Le(average, largest), Integrated(s), ("integrand",)),
        Step("times the distance", Le(distance * average, distance * largest), Z3(), ("average",)),
        Step("conclusion", claim, Chain(), ("Duhamel", "times the distance")),
    ),
    adversary=Adversary(({"n": 1}, {"n": 2}), lambda sizes: {"X": (sizes["n"],) * 2, "dX": (sizes["n"],) * 2}, bind),
)
