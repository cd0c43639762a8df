"""A diagonal linear time-invariant layer with real exponents, as a table of blocks (theory 14.6).

``z = sum_j w_j sum_{l<T} sum_n C_jn e^{a_jn l} B_jn u_{T-l,j}`` with ``-B_A <= a_jn <= s_A``; B and C are in units of
their largest norm over the channels, which the readout w takes over.
"""

from __future__ import annotations

from sympy import Expr, Integer, Symbol, exp

from ssm_bounds.bounds.architectures.block import Architecture, Block
from ssm_bounds.bounds.architectures.selective_ssm.sums import geometric, weighted_geometric
from ssm_bounds.bounds.covers.lemmas import Box, Volume
from ssm_bounds.bounds.notation import B_A, S_1, S_2, B_u, B_w, N, T, d, rho, s_A

_one = Integer(1)

DIAGONAL = Architecture(
    "diagonal linear time-invariant layer",
    (
        Block("A", "A", "A", d * N, (B_A + s_A) / 2, "max", Box, None, {"sharp": B_u * B_w * S_2}),
        Block("B", "B", "B", d * N, _one, "largest l2 norm of a channel", Volume, None, {"sharp": B_u * B_w * S_1}),
        Block("C", "C", "C", d * N, _one, "largest l2 norm of a channel", Volume, None, {"sharp": B_u * B_w * S_1}),
        Block("W", "w", "W", d, B_w, "l2", Volume, None, {"sharp": B_u * S_1}, words="the readout W"),
    ),
    items={},
    sources={"sharp": "theory.md 14.6"},
    coefficients=("A", "B", "C", "w"),
    derived=frozenset({S_1, S_2, rho}),
)

DEFINITIONS: dict[Symbol, Expr] = {rho: exp(s_A), S_1: geometric(rho, T), S_2: weighted_geometric(rho, T)}
"""What the derived symbols stand for: one step a token."""
