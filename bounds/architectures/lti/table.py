"""A linear S4D model with its readout, as a table of blocks (theory 14.4).

The exponents lambda lie in a rectangle, ``-b <= Re lambda <= s`` and ``0 <= Im lambda <= pi`` without loss; the
coefficients c in a ball of ``max_j sum_n |c_jn|``.
"""

from __future__ import annotations

from sympy import Expr, Symbol, exp, log, sqrt

from ssm_bounds.bounds.architectures.block import Architecture, Block
from ssm_bounds.bounds.architectures.selective_ssm.sums import geometric, weighted_geometric
from ssm_bounds.bounds.covers.lemmas import Box, Strip, Volume
from ssm_bounds.bounds.notation import (
    C_1,
    K_1,
    K_2,
    S_1,
    S_2,
    B_u,
    B_w,
    D_skip,
    K_rho,
    N,
    T,
    b_lambda,
    d,
    k,
    m,
    rho,
    s_lambda,
)

_modes = d * N

S4D = Architecture(
    "linear S4D",
    (
        Block("lambda", "lambda", "lambda", 2 * _modes, (b_lambda + s_lambda) / 2, "largest modulus", Strip, None, {
            "sharp": 2 * B_u * B_w * C_1 * S_2,
        }, words="the exponents lambda"),
        Block("c", "c", "c", 2 * _modes, C_1, "largest sum of moduli of a channel", Volume, None, {
            "sharp": 2 * B_u * B_w * S_1,
        }, words="the coefficients c"),
        Block("D", "D", "D", d, D_skip, "max", Box, None, {"sharp": B_u * B_w}, words="the skip D"),
        Block("W", "w", "W", k * d, B_w, "spectral", Volume, None, {
            "sharp": B_u * (2 * C_1 * S_1 + D_skip),
        }, words="the readout W"),
    ),
    items={},
    sources={"sharp": "theory.md 14.4"},
    coefficients=("lambda", "c", "D", "w"),
    derived=frozenset({S_1, S_2, rho}),
)  # fmt: skip

DEFINITIONS: dict[Symbol, Expr] = {
    rho: exp(s_lambda),
    S_1: geometric(rho, T),
    S_2: weighted_geometric(rho, T),
}
"""What the derived symbols of this chapter stand for."""

AVERAGES: dict[str, Expr] = {
    "h2": K_2 * B_u * sqrt(T) / sqrt(m),
    "l1": K_1 * B_u * sqrt(2 * log(2 * T * d) / m),
    "geometric": K_rho * B_u * S_1 / sqrt(m),
}
"""Bounds of the Rademacher average of one output on every sample, ``|u_t|_2 <= B_u``, by the norm that is bounded."""
