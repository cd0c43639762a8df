"""The sums over time S_1, S_2 (published) and R_1, R_2 (sharp), and what they are made of.

Closed forms with their limits as branches; the evaluation in ``enclose`` raises its precision until the
cancellation at rho -> 1 and s_A -> 0 is resolved, so no second, "stable" formula is needed.
"""

from __future__ import annotations

from typing import Literal

from sympy import Abs, Eq, Expr, Integer, Min, Piecewise, Symbol, exp, log

from ssm_bounds.bounds.notation import (
    B_B,
    B_C,
    R_1,
    R_2,
    S_1,
    S_2,
    B_q,
    B_u,
    B_w,
    Delta_min,
    L,
    M,
    R_g,
    T,
    kappa,
    lambda_,
    p_hi,
    p_lo,
    phi,
    rho,
    s_A,
)


def softplus(logit: Expr) -> Expr:
    """ln(1 + e^logit)."""
    return log(1 + exp(logit))


def geometric(ratio: Expr, terms: Expr) -> Expr:
    """``sum_{t < terms} ratio^t``. Source: theory 2 (S_1)."""
    return Piecewise((terms, Eq(ratio, 1)), ((1 - ratio**terms) / (1 - ratio), True))


def weighted_geometric(ratio: Expr, terms: Expr) -> Expr:
    """``sum_{t < terms} t ratio^t``, T(T-1)/2 at ratio 1. Source: theory 2 (S_2)."""
    closed = ratio * (1 - ratio**terms) / (1 - ratio) ** 2 - terms * ratio**terms / (1 - ratio)
    # one term is exactly 0, which no finite precision would enclose to a relative width
    return Piecewise((Integer(0), Eq(terms, 1)), (terms * (terms - 1) / 2, Eq(ratio, 1)), (closed, True))


step = exp(s_A * M)
# phi * lowergamma(2, lambda L) / lambda^2, with the incomplete gamma function written out (theory 4.5)
_riemann = phi * (1 - exp(-lambda_ * L) * (1 + lambda_ * L)) / lambda_**2
_plateau = M**2 * T * (T - 1) / 2

DEFINITIONS: dict[Symbol, Expr] = {
    M: softplus(p_hi + B_q * B_u),
    Delta_min: softplus(p_lo - B_q * B_u),
    kappa: B_w * B_B * B_C * B_u**3,
    lambda_: -s_A,
    L: T * M,
    phi: lambda_ * M / (1 - exp(-lambda_ * M)),
    S_1: geometric(rho, T),
    S_2: weighted_geometric(rho, T),
    R_1: M * geometric(step, T),
    R_2: Piecewise(
        (Min(_riemann, _plateau), s_A < 0),
        (_plateau, Eq(s_A, 0)),
        (M**2 * weighted_geometric(step, T), True),
    ),
    # min(R_1 + |s_A| R_2, (1 + |s_A| M/2) R_1) for s_A <= 0 (theory 5.1; proofs: 5.1-gate)
    R_g: Piecewise((R_1 + Abs(s_A) * Min(R_2, M * R_1 / 2), s_A <= 0), (R_1 + s_A * R_2, True)),
}
"""What each derived symbol stands for in the classes of theory 1; a class may override M (its cap) or both gates."""

RHO: dict[Literal["published", "repaired"], Expr] = {
    # theory 2: printed with the smallest gate whatever the sign of s_A, which E.3 (b) refutes for s_A > 0
    "published": exp(s_A * Delta_min),
    # theory 5.5
    "repaired": Piecewise((exp(s_A * Delta_min), s_A < 0), (exp(s_A * M), True)),
}
