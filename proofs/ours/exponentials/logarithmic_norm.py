"""4.1: |e^{A tau}| <= e^{mu tau} with the logarithmic norm mu, for every tau >= 0 and every A."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Ge, Le, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

growth = sympy.Symbol("n_tau", positive=True)  # |e^{A tau}|_2
mu = sympy.Symbol("mu", real=True)
tau = sympy.Symbol("tau", nonnegative=True)
norm = sympy.Function("n", positive=True)  # n(tau) = |e^{A tau} x|_2, x a unit vector
claim = Le(growth, exp(mu * tau))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    time = numbers.exp(free["tau"])
    return {
        growth: numbers.spectral(numbers.exponential(time * free["A"])),
        mu: numbers.logarithmic_norm(free["A"]),
        tau: time,
    }


STATEMENT = Statement(
    label="4.1",
    title="Growth by the logarithmic norm",
    claim=claim,
    source="theory.md 4.1 (Dahlquist 1958, Lozinskii 1958)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "n_tau = |e^{A tau}|_2, mu = lambda_max((A + A^T)/2)",
        "n(tau) = |e^{A tau} x|_2 for a unit vector x at which the norm n_tau is attained",
    ),
    witness={growth: 1, mu: 0, tau: 1},
    derivation=(
        Step(
            "logarithmic norm",
            Ge(mu * norm(tau) - sympy.Derivative(norm(tau), tau), 0),
            Axiom("d|v|/dtau = <v, A v>/|v| <= mu |v| along v' = A v", "Rayleigh quotient of (A + A^T)/2"),
        ),
        Step(
            "Gronwall",
            Ge(norm(0) - norm(tau) * exp(-mu * tau), 0),
            Monotone(tau, sympy.Integer(0)),
            ("logarithmic norm",),
        ),
        Step("unit vector", Eq(norm(0), 1), Axiom("|x| = 1", "definition")),
        Step("norm", Eq(growth, norm(tau)), Axiom("x attains the norm of e^{A tau}", "operator norm")),
        Step("conclusion", claim, Z3(), ("Gronwall", "unit vector", "norm")),
    ),
    not_claimed=("No threshold in tau: unlike Gelfand's formula this holds from tau = 0 on.",),
    adversary=Adversary(({"n": 2}, {"n": 3}), lambda sizes: {"A": (sizes["n"],) * 2, "tau": ()}, bind),
    theorems=(Theorem("riemann.growth_diagonal", Reading.GENERAL),),
)
