"""One layer of attention, as tables of blocks: softmax (theory 10.2) and linear (theory 10.3).

*Softmax*: ``z = w . W_c^T sigma(W_v^T X^T p)``, ``p = softmax(X W_qk x)``, the rows of X the tokens, x one of them, all
of l2 norm at most B_u; sigma is L_sigma-Lipschitz and 0 at 0. *Linear*: the paper's model with A = 0 and Delta = 1.
"""

from __future__ import annotations

from dataclasses import replace

from ssm_bounds.bounds.architectures.block import Architecture, Block
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.covers.lemmas import Volume
from ssm_bounds.bounds.notation import R_1, B_c, B_qk, B_u, B_v, B_w, L_sigma, T, d, k

_behind = B_w * B_c * L_sigma

SOFTMAX = Architecture(
    "softmax attention",
    (
        Block("w", "w", "w", k * d, B_w, "spectral", Volume, None, {"sharp": B_c * L_sigma * B_v * B_u},
              words="the readout w"),
        Block("W_c", "c", "W_c", d * d, B_c, "spectral", Volume, None, {"sharp": B_w * L_sigma * B_v * B_u}),
        Block("W_v", "v", "W_v", d * d, B_v, "spectral", Volume, None, {"sharp": _behind * B_u}),
        Block("W_qk", "qk", "W_qk", d * d, B_qk, "spectral", Volume, None, {"sharp": _behind * B_v * B_u**3}),
    ),
    items={},
    sources={"sharp": "theory.md 10.2"},
    coefficients=("w", "c", "v", "qk"),
)  # fmt: skip
"""No coefficient depends on T. B_qk is in the radius of W_qk alone: the weights sum to 1 whatever it is."""

LINEAR = Architecture(
    "linear attention",
    tuple(
        replace(block, l1=None, item=None, alpha=None, beta={"sharp": block.beta["sharp"].xreplace({R_1: T})})
        for block in SELECTIVE_SSM.blocks
        if block.key in ("B", "C", "w")
    ),
    items={},
    sources={"sharp": "theory.md 10.3"},
    coefficients=("B", "C", "w"),
)
"""The table of the paper's model at R_1 = T; neither A nor a gate is a parameter."""
