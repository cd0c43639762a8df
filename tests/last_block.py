"""A second writing of f of theory M6.4, in torch, over given inputs of the ball: for attacks on its bounds."""

from __future__ import annotations

import numpy as np
import torch

from ssm_bounds.bounds.architectures.mamba.last import ENTRY

SHAPES = {"D": 3, "d": 4, "N": 2, "R": 1, "k": 2, "G": 1, "H": 2, "c": 1}


def shapes(kind: int, D: int, inputs: int = 0) -> dict[str, tuple[int, ...]]:
    """Blocks of ``architectures.mamba.last``; ``inputs``: of a trained map of so many reals."""
    d, N, R, k, H = (SHAPES[name] for name in ("d", "N", "R", "k", "H"))
    width = inputs + 1 if inputs else D
    if kind == 1:
        found = {
            "R_x": (d, width), "R_z": (d, width), "K": (d, k), "b": (d,), "X_dt": (R, d), "X_B": (N, d), "X_C": (N, d),
            "W_dt": (d, R), "p": (d,), "A_log": (d, N), "D": (d,),
        }  # fmt: skip
    else:
        n = d + 2 * N
        found = {
            "R_xBC": (n, width), "R_z": (d, width), "R_dt": (H, width), "K": (n, k), "b": (n,), "p": (H,),
            "A_log": (H,), "D": (H,),
        }  # fmt: skip
    own = {ENTRY: (width * (width + 1) // 2,)} if inputs else {}
    return found | own | {"omega": (d,), "line": (inputs or D,), "beta": (1,)}


def output(
    w: dict[str, torch.Tensor], v: torch.Tensor, phi: torch.Tensor, unit: float, eps: float | None
) -> torch.Tensor:
    """f at the last of the inputs v (T,width) of the block."""
    d = len(w["omega"])
    x = v @ (w["R_x"] if "R_x" in w else w["R_xBC"]).T
    a = torch.stack(
        [w["b"] + sum(w["K"][:, i] * x[t - i] for i in range(min(t + 1, w["K"].shape[1]))) for t in range(len(v))]
    )
    u = a * torch.sigmoid(a)
    if "R_x" in w:
        B, C = u @ w["X_B"].T, u @ w["X_C"].T
        logits, rates, skip = (u @ w["X_dt"].T) @ w["W_dt"].T + w["p"], torch.exp(w["A_log"]), w["D"]
    else:
        head = torch.arange(d) * len(w["p"]) // d
        u, B, C = u[:, :d], *u[:, d:].chunk(2, dim=1)
        logits = (v @ w["R_dt"].T + w["p"])[:, head]
        rates, skip = torch.exp(w["A_log"])[head][:, None], w["D"][head]
    steps = torch.nn.functional.softplus(logits, threshold=1e3)
    state = torch.zeros(d, B.shape[1], dtype=torch.float64)
    for t in range(len(v)):
        state = torch.exp(-rates * steps[t][:, None]) * state + (steps[t] * u[t])[:, None] * B[t]
    z = w["R_z"] @ v[-1]
    out = (state @ C[-1] + skip * u[-1]) * z * torch.sigmoid(z)
    s = 1.0 if eps is None else ((out * out).mean() + eps).sqrt()
    return (s * (w["line"] @ phi + w["beta"][0]) + w["omega"] @ out) / (unit + phi.norm())


def normed(triangle: torch.Tensor, x: torch.Tensor, D: int) -> torch.Tensor:
    """Inputs of the block (T,c+1) of reals x (T,c) under L."""
    count = x.shape[1] + 1
    L = torch.zeros(count, count, dtype=torch.float64)
    rows, columns = zip(*((i, k) for k in range(count) for i in range(k + 1)), strict=True)
    h = (
        torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
        @ L.index_put((torch.tensor(rows), torch.tensor(columns)), triangle).T
    )
    return h / (h.square().sum(dim=1, keepdim=True) / D + 1e-5).sqrt()


def tensors(values: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
