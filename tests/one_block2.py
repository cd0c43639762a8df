"""A second writing of one Mamba-2 block in tables, in torch: for derivatives, and for attacks on their bounds."""

from __future__ import annotations

import numpy as np
import torch

from ssm_bounds.bounds.architectures.mamba.heads import BLOCKS2, Fixed


def shapes2(V: int, H: int, P: int, G: int, N: int, k: int) -> dict[str, tuple[int, ...]]:
    d = H * P
    n = d + 2 * G * N
    return {
        "XBC": (V, n), "Z": (V, d), "L": (V, H), "omega": (d,), "rho": (V,), "K": (n, k), "b": (n,), "A_log": (H,),
        "D": (H,),
    }  # fmt: skip


def output2(blocks: dict[str, torch.Tensor], fixed: Fixed, tokens: list[int]) -> torch.Tensor:
    """f after the last of the tokens, head by head as theory M0 and M5.2 (b) write it."""
    d, H, G = len(blocks["omega"]), len(blocks["A_log"]), fixed.groups
    state = torch.zeros(d, (len(blocks["b"]) - d) // (2 * G), dtype=torch.float64)
    group, head = (torch.arange(d) * parts // d for parts in (G, H))
    for t in range(len(tokens)):
        a = blocks["b"]
        for i in range(min(t + 1, blocks["K"].shape[1])):
            a = a + blocks["K"][:, i] * blocks["XBC"][tokens[t - i]]
        after = a * torch.sigmoid(a)
        u, B, C = after[:d], *(part.reshape(G, -1)[group] for part in after[d:].chunk(2))
        step = torch.nn.functional.softplus(blocks["L"][tokens[t]], threshold=1e3).clamp(*fixed.limits)[head]
        decay = torch.exp(-torch.exp(blocks["A_log"])[head] * step)
        state = decay[:, None] * state + (step * u)[:, None] * B
    z = blocks["Z"][tokens[-1]]
    w = ((state * C).sum(dim=1) + blocks["D"][head] * u) * z * torch.sigmoid(z)
    scale = 1.0 if fixed.eps is None else ((w * w).mean() + fixed.eps).sqrt()
    return blocks["rho"][tokens[-1]] * scale + blocks["omega"] @ w


def derivatives2(blocks: dict[str, np.ndarray], fixed: Fixed, tokens: list[int]) -> dict[str, np.ndarray]:
    """Of f in each entry, by block."""
    at = {name: torch.tensor(blocks[name], dtype=torch.float64, requires_grad=True) for name in BLOCKS2}
    found = torch.autograd.grad(output2(at, fixed, tokens), list(at.values()), allow_unused=True)
    return {
        name: np.zeros(blocks[name].shape) if each is None else each.numpy()
        for name, each in zip(at, found, strict=True)
    }
