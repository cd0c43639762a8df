"""The paper's quantities of one layer, given u (theory M7): its sums S_1, S_2 and its core bound, beside ours."""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Expr, Integer, exp

from ssm_bounds.bounds.architectures.selective_ssm.perturbation import PUBLISHED, PUBLISHED_STATE
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, geometric, weighted_geometric
from ssm_bounds.bounds.evaluate.balls import enclose_all
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, norm
from ssm_bounds.bounds.notation import (
    B_B,
    B_C,
    R_1,
    R_2,
    S_1,
    S_2,
    B_o,
    B_u,
    B_w,
    D_skip,
    Delta_min,
    T,
    U,
    Z,
    kappa,
    rho,
    s_A,
)

CORE: dict[str, dict[str, Expr]] = {
    "published": {
        "sup": B_C * B_u * PUBLISHED_STATE,
        "beta_A": PUBLISHED["A"].xreplace({kappa: DEFINITIONS[kappa].xreplace({B_w: Integer(1)})}),
    },
    "sharp": {"sup": B_B * B_C * B_u**2 * R_1 * U, "beta_A": B_B * B_C * B_u**2 * R_2 * U},
}
"""M7: the largest output of the core, and how far it moves with A, for a readout of norm 1 and the slowest channel's
sums in all: M is the largest step, -s_A the slowest rate."""

OUTPUT: Expr = B_o * Z * U * (B_B * B_C * B_u**2 * R_1 + D_skip)
"""M3.1 without the bias b_o, at the same sums."""


@dataclass(frozen=True, slots=True)
class Paper:
    """All from above but ``p_lo``, ``Delta_min``; p is dt_proj's bias."""

    B_u: float
    B_B: float
    B_C: float
    M_B: float
    M_C: float
    B_q: float
    p_lo: float
    p_hi: float
    M_Delta: float
    Delta_min: float
    rho_A: float
    S_1: float
    S_2: float
    published_sup: float
    sharp_sup: float


def published_sums(abscissa: float, least_step: float, length: int) -> tuple[float, float, float]:
    """``rho_A = e^(s_A Delta_min)``, S_1 and S_2, from above. One ulp of Delta_min moves the sums where rho nears 1."""
    sums = {rho: rho, S_1: geometric(rho, T), S_2: weighted_geometric(rho, T)}
    values = {rho: exp(s_A * Delta_min), s_A: abscissa, Delta_min: least_step, T: length}
    ratio, first, second = (enclosure.float_upper() for enclosure in enclose_all(sums, values).values())
    return min(ratio, 1.0), min(first, float(length)), second


def core(B_B: float, B_C: float, B_u: float, M_Delta: float, first: float, reach: Floats) -> tuple[float, float]:
    """The published supremum ``B_B B_C B_u^3 M_Delta S_1`` and the sharp ``B_B B_C B_u^2 |(R_1(j) U_j)_j|``; ``reach``
    (d,) is R_1(j) U_j."""
    square = above(B_B * B_C * B_u * B_u, 3)
    return float(above(square * B_u * M_Delta * first, 3)), float(above(square * norm(reach)))
