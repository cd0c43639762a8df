"""16.2: the mean square of the last output over a batch is at most tau of that batch, its biased deviation taken."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.ours.tau.population import MINKOWSKI, MOMENTS, a, b, claim, deviation, square
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Any rows x (m,T)."""
    g, x, m, T = free["g"], free["x"], sizes["m"], sizes["T"]
    mean = x.sum(0) / m
    # the norm of a column is sqrt m times its deviation, that of m ones is sqrt m
    moduli = [numbers.maximum(g[s], -g[s]) * numbers.norm(x[:, s] - mean[s]) for s in range(T)]
    y, centre = x @ g, (g * mean).sum()
    return {
        a: sum(moduli[1:], moduli[0]) / numbers.norm(x[:, 0] * 0 + 1),
        b: numbers.maximum(centre, -centre),
        square: (y * y).sum() / m,
    }


STATEMENT = Statement(
    label="16.2",
    title="The mean square over a batch is at most tau of the batch",
    claim=claim,
    source="theory.md 16.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "E_2 = (1/m) sum_i y_i^2 of m rows; a = sum_s |g_s| sd_s, b = |sum_s g_s mu_s| with the mean of the rows and "
        "their biased deviation, the root of (1/m) sum_i (x_is - mu_s)^2",
        "16.1 for the law that draws one of the rows: for every batch, of one row too",
    ),
    witness={a: 1, b: 1, deviation: 1, square: 2},
    derivation=(
        Step("moments", Eq(square, deviation**2 + b**2), MOMENTS),
        Step("deviation", Le(deviation, a), MINKOWSKI),
        Step("conclusion", claim, Z3(), ("moments", "deviation")),
    ),
    not_claimed=("Anything about rows outside the batch, or about outputs before the last.",),
    adversary=Adversary(
        tuple({"m": m, "T": T} for m, T in ((2, 1), (2, 3), (5, 2))),
        lambda sizes: {"g": (sizes["T"],), "x": (sizes["m"], sizes["T"])},
        bind,
    ),
)
