"""A second writing of one block in tables, in torch: for derivatives, and for attacks on their bounds."""

from __future__ import annotations

import numpy as np
import torch

from ssm_bounds.bounds.architectures.mamba.telescope import BLOCKS


def shapes(V: int, d: int, N: int, R: int, k: int) -> dict[str, tuple[int, ...]]:
    return {
        "X": (V, d), "Om": (V, d), "rho": (V,), "K": (d, k), "b": (d,), "X_dt": (R, d), "W_dt": (d, R), "p": (d,),
        "X_B": (N, d), "X_C": (N, d), "A_log": (d, N), "D": (d,),
    }  # fmt: skip


def output(blocks: dict[str, torch.Tensor], tokens: list[int]) -> torch.Tensor:
    """z after the last of the tokens, entry by entry as theory M0 and M5.1 write it."""
    a, u = [], []
    for t in range(len(tokens)):
        found = blocks["b"]
        for i in range(min(t + 1, blocks["K"].shape[1])):
            found = found + blocks["K"][:, i] * blocks["X"][tokens[t - i]]
        a.append(found)
        u.append(found * torch.sigmoid(found))
    state = torch.zeros_like(blocks["A_log"])
    for token in u:
        step = torch.nn.functional.softplus(blocks["p"] + blocks["W_dt"] @ (blocks["X_dt"] @ token), threshold=1e3)
        decay = torch.exp(-torch.exp(blocks["A_log"]) * step[:, None])
        state = decay * state + (step * token)[:, None] * (blocks["X_B"] @ token)
    y = state @ (blocks["X_C"] @ u[-1]) + blocks["D"] * u[-1]
    last = tokens[-1]
    return blocks["rho"][last] + blocks["Om"][last] @ y


def derivatives(blocks: dict[str, np.ndarray], tokens: list[int]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """First and second derivative of z in each entry, by block."""
    at = {name: torch.tensor(blocks[name], dtype=torch.float64) for name in BLOCKS}
    flat = torch.cat([at[name].ravel() for name in BLOCKS])

    def of(values: torch.Tensor) -> torch.Tensor:
        return output(split(values, at), tokens)

    first = torch.autograd.functional.jacobian(of, flat)
    second = torch.diagonal(torch.autograd.functional.hessian(of, flat))
    ones, twos = split(first, at), split(second, at)
    return {name: (ones[name].numpy(), twos[name].numpy()) for name in BLOCKS}


def split(values: torch.Tensor, like: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found, used = {}, 0
    for name in BLOCKS:
        size = like[name].numel()
        found[name] = values[used : used + size].reshape(like[name].shape)
        used += size
    return found
