"""16.1: the second moment of the last output is at most tau, whatever the law of the inputs."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

a, b, deviation, square = sympy.symbols("a b v E_2", nonnegative=True)
claim = Le(square, (a + b) ** 2)

MINKOWSKI = Axiom("Minkowski's inequality in L2, term by term", "Minkowski 1896")
MOMENTS = Axiom("a second moment is the variance plus the square of the mean", "linearity of expectation")


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Any covariance F F^T, any mean."""
    g, F, mean, T = free["g"], free["F"], free["mean"], sizes["T"]
    moduli = [numbers.maximum(g[s], -g[s]) * numbers.norm(F[s]) for s in range(T)]
    centre, y = (g * mean).sum(), g @ F
    return {a: sum(moduli[1:], moduli[0]), b: numbers.maximum(centre, -centre), square: (y * y).sum() + centre * centre}


STATEMENT = Statement(
    label="16.1",
    title="The second moment of the last output is at most tau",
    claim=claim,
    source="theory.md 16.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "E_2 = E y^2 of y = sum_s g_s x_s; a = sum_s |g_s| sd_s, b = |sum_s g_s mu_s|; tau = (a + b)^2",
        "v: the deviation of y; any law of the inputs with a second moment, any dependence in time",
        "attained at b = 0 by x_s - mu_s = sign(g_s) sd_s xi, one variable xi at all times",
    ),
    witness={a: 1, b: 1, deviation: 1, square: 2},
    derivation=(
        Step("moments", Eq(square, deviation**2 + b**2), MOMENTS),
        Step("deviation", Le(deviation, a), MINKOWSKI),
        Step("conclusion", claim, Z3(), ("moments", "deviation")),
    ),
    not_claimed=(
        "That tau is near the second moment: it does not see inputs that cancel.",
        "Anything about new rows where mean and deviation come from a sample (16.4 does).",
    ),
    adversary=Adversary(
        tuple({"T": T} for T in (1, 2, 4)),
        lambda sizes: {"g": (sizes["T"],), "F": (sizes["T"], sizes["T"]), "mean": (sizes["T"],)},
        bind,
    ),
)
