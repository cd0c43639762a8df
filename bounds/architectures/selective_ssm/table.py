"""The paper's model as one table: blocks, sizes, radii, covers, coefficients, names.

Written without the theory's divisions (kappa R_1/B_B is B_w B_C B_u^3 R_1), so that a zero norm is no special case.
Metrics: A in the entrywise maximum; W_B, W_C, W spectral, under *vocabulary* in the seminorms that v_B, v_C, v_w bound;
the gate in the largest move of a logit; the embedding in the largest l2 move of a row.
"""

from __future__ import annotations

from sympy import Expr, Integer, log, sqrt

from ssm_bounds.bounds.architectures.block import Architecture, Block, Theorem
from ssm_bounds.bounds.covers.lemmas import Box, Volume
from ssm_bounds.bounds.notation import (
    B_A,
    B_B,
    B_C,
    M_A,
    M_B,
    M_C,
    R_1,
    R_2,
    S_1,
    S_2,
    B_q,
    B_u,
    B_w,
    B_x,
    M,
    M_q,
    M_w,
    N,
    R_g,
    V,
    d,
    k,
    kappa,
    p_hi,
    p_lo,
    s_A,
    v_B,
    v_C,
    v_w,
)

PUBLISHED_STATE: Expr = M * B_B * B_u**2 * S_1
"""theory 2, E.4: B_x."""

SEMINORMS = {B_B: v_B, B_C: v_C, B_w: v_w}
"""What bounds W_B, W_C, W in the place of their spectral norms in a class of vocabulary norms (theory 5.3)."""

_size, _half = d * N, (p_hi - p_lo) / 2
_gate: dict[Theorem, Expr] = {
    "sharp": kappa * R_g,
    "vocabulary": v_w * v_B * v_C * R_g,
    "repaired": kappa * (S_1 + M * B_A * S_2),
}
_chain = kappa * M**2 * S_2  # of A in the published chain and in its repair

SELECTIVE_SSM = Architecture(
    "selective SSM",
    (
        Block("A", "A", "A", _size, (B_A + s_A) / 2, "max", Box, M_A, {
            "sharp": kappa * R_2,
            "vocabulary": v_w * v_B * v_C * R_2,
            "repaired": _chain,
            "published": _chain,
        }, M_A**2 * N * d * log(2 * N**2 * d**2), "A"),
        Block("W_B", "B", "W_B", _size, B_B, "spectral", Volume, M_B, {
            "sharp": B_w * B_C * B_u**3 * R_1,
            "vocabulary": v_w * v_C * R_1,
            "repaired": B_w * B_C * B_u**3 * M * S_1,
            "published": B_w * B_C * B_u**2 * M * S_1,
        }, B_u**2 * M_B**2 * log(2 * N * d + 1), "rows"),
        Block("W_C", "C", "W_C", _size, B_C, "spectral", Volume, M_C, {
            "sharp": B_w * B_B * B_u**3 * R_1,
            "vocabulary": v_w * v_B * R_1,
            "repaired": B_w * B_B * B_u**3 * M * S_1,
            "published": B_w,
        }, B_u**2 * M_C**2 * B_x**2 * log(2 * N * d + 1), "rows"),
        Block("W", "w", "W", k * d, B_w, "spectral", Volume, M_w, {
            "sharp": B_B * B_C * B_u**3 * R_1,
            "vocabulary": v_B * v_C * R_1,
            "repaired": B_B * B_C * B_u**3 * M * S_1,
            "published": Integer(1),
        }, (B_C * B_u * B_x) ** 2 * M_w**2 * log(2 * k * d + 1), "columns", words="the readout W"),
        Block("(p, q)", "g", "(p, q)", d + 1, _half + B_q * B_u, "|dp| + B_u |dq|", Volume, None, _gate,
              part="joint gate", words="the gate (p, q)"),
        Block("p", "p", "p", Integer(1), _half, "max", Box, None, _gate, part="gate", coefficient="g"),
        Block("q", "q", "q", d, B_q, "l2", Volume, M_q, _gate | {"published": kappa * (S_1 + M * B_A * S_2)},
              B_u**2 * M_q**2 * log(2 * d + 1), part="gate", seen=B_u, coefficient="g"),
        Block("embedding", "e", "E", V * d, B_u, "largest row, l2", Volume, None, {
            "embedding": B_w * B_C * (2 * B_B * B_u**2 * R_1 + B_B * B_u**3 * B_q * R_g + B_B * B_u**2 * R_1),
        }, part="embedding", words="the embedding"),
    ),
    items={"A": d * N, "rows": N, "columns": d},
    sources={
        "sharp": "theory.md 5.1",
        "vocabulary": "theory.md 5.3",
        "embedding": "theory.md 5.4",
        "repaired": "theory.md 5.5",
        "published": "theory.md 2",
    },
    coefficients=("A", "B", "C", "g", "w", "e"),
)  # fmt: skip
"""theory 5.1, 5.3 to 5.5 and 2. With decay groups (5.2) a group's coefficient is that of its block with the group's
bound as s_A. *repaired* with its rho (``sums.RHO``); *published* is our reading of the printed chain."""


def _norms(block: Block) -> tuple[Expr, ...]:
    """Those over the rows of the embedding move with it too."""
    seminorms = SEMINORMS.values() if block.part == "embedding" else (SEMINORMS.get(block.radius),)
    return tuple(norm for norm in (block.radius, block.l1, *seminorms) if norm is not None)


NORMS = {block.radius: _norms(block) for block in SELECTIVE_SSM.blocks if block.radius.is_Symbol}
"""Of each tensor that one norm bounds, all its norms: they grow alike when it is scaled."""

BALL_RADII = tuple(dict.fromkeys(s.name for b in SELECTIVE_SSM.blocks for s in sorted(b.radius.free_symbols, key=str)))
"""The constants that single out a ball or a box of each tensor."""

L1_RADII = tuple(block.l1.name for block in SELECTIVE_SSM.blocks if block.l1 is not None)
"""Those of the entrywise l1 norms."""

LARGEST_L1 = tuple(
    (block.l1, block.entries * (B_A if block.metric == "max" else block.radius / sqrt(d)))
    for block in SELECTIVE_SSM.blocks
    if block.l1 is not None
)
"""The largest entrywise l1 norms that B_A and the spectral norms allow, for d >= N and d >= k: |W|_{1,1} is at most
sqrt(entries) |W|_F, and |W|_F at most sqrt(rank) |W|_2, the rank at most entries/d."""
