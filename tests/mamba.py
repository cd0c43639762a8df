"""Random Mamba layers, and theory M0 written a second time, in torch and one token after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import silu, softplus

from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.weights import GatedNorm, InnerNorms, Layer, Mamba1, Mamba2, Norm


def uniform(rng: np.random.Generator, *shape: int, fan: int) -> np.ndarray:
    return (rng.uniform(-1, 1, shape) / np.sqrt(fan)).astype(np.float32).astype(np.float64)


def step_biases(rng: np.random.Generator, size: int) -> np.ndarray:
    """The inverse softplus of log-uniform steps in [0.001, 0.1], as at a usual start; the same on every machine."""
    steps = elementary.exp(rng.uniform(-6.9078, -2.3026, size))
    return elementary.log(elementary.expm1(steps))


def norm_of(D: int, kind: str = "rms", rng: np.random.Generator | None = None) -> Norm:
    if rng is None:
        return Norm("rms", np.ones(D), 1e-5)
    return Norm(kind, rng.uniform(0.5, 1.5, D), 1e-5, rng.normal(size=D) / 4 if kind == "layer" else None)  # type: ignore[arg-type]


def mamba1(seed: int, D: int = 8, N: int = 4, R: int = 2, k: int = 4, biases: float = 0.0, **changes: Any) -> Layer:
    rng = np.random.default_rng(seed)
    d = 2 * D
    mixer = dict(
        R_x=uniform(rng, d, D, fan=D), R_z=uniform(rng, d, D, fan=D), K=uniform(rng, d, k, fan=k),
        b=uniform(rng, d, fan=k), X_dt=uniform(rng, R, d, fan=d), X_B=uniform(rng, N, d, fan=d),
        X_C=uniform(rng, N, d, fan=d), W_dt=uniform(rng, d, R, fan=R), p=step_biases(rng, d),
        A_log=elementary.log(np.tile(np.arange(1.0, N + 1), (d, 1))), D=np.ones(d), W_o=uniform(rng, D, d, fan=d),
        **{name: biases * rng.normal(size=n) for name, n in
           (("c", d), ("c_z", d), ("c_dt", R), ("c_B", N), ("c_C", N), ("b_o", D))},
    )  # fmt: skip
    applied = changes.pop("norm", norm_of(D))
    return Layer(0, "layers.0", applied, Mamba1(**(mixer | changes)))


def mamba2(
    seed: int, D: int = 8, N: int = 4, H: int = 4, G: int = 1, k: int = 4, biases: float = 0.0, **changes: Any
) -> Layer:
    rng = np.random.default_rng(seed)
    d, n = 2 * D, 2 * D + 2 * G * N
    mixer = dict(
        R_z=uniform(rng, d, D, fan=D), R_x=uniform(rng, d, D, fan=D), R_B=uniform(rng, G * N, D, fan=D),
        R_C=uniform(rng, G * N, D, fan=D), R_dt=uniform(rng, H, D, fan=D), K=uniform(rng, n, k, fan=k),
        b=uniform(rng, n, fan=k), p=step_biases(rng, H), A_log=elementary.log(rng.uniform(1, 16, H)), D=np.ones(H),
        W_o=uniform(rng, D, d, fan=d), groups=G, norm=GatedNorm(np.ones(d), 1e-5, 1),
        **{name: biases * rng.normal(size=size) for name, size in
           (("c", d), ("c_z", d), ("c_B", G * N), ("c_C", G * N), ("b_o", D))},
    )  # fmt: skip
    applied = changes.pop("norm", norm_of(D))
    mixer["norm"] = changes.pop("gated", mixer["norm"])
    return Layer(0, "layers.0", applied, Mamba2(**(mixer | changes)))


def _tensors(mixer: Mamba1 | Mamba2) -> dict[str, torch.Tensor]:
    found = {name: getattr(mixer, name) for name in mixer.__slots__}
    return {name: torch.from_numpy(value) for name, value in found.items() if isinstance(value, np.ndarray)}


def normed(layer: Layer, h: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(T,D) -> what in_proj is given; masked tokens are zeros."""
    norm = layer.norm
    assert norm is not None
    if norm.kind == "layer":
        h = h - h.mean(dim=-1, keepdim=True)
    v = torch.from_numpy(norm.gamma) * h / torch.sqrt(h.square().mean(dim=-1, keepdim=True) + norm.eps)
    return (v if norm.beta is None else v + torch.from_numpy(norm.beta)) * mask[:, None]


def _window(x: torch.Tensor, K: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    padded = torch.cat([x.new_zeros(K.shape[1] - 1, x.shape[1]), x])
    return b + sum(K[:, i] * padded[K.shape[1] - 1 - i : len(padded) - i] for i in range(K.shape[1]))


def normal(seed: int) -> Callable[..., np.ndarray]:
    """Draws of a shape, rounded to 32 bits as in a file."""
    rng = np.random.default_rng(seed)
    return lambda *shape: rng.normal(size=shape).astype(np.float32).astype(np.float64)


def around(
    mixer: Mamba1 | Mamba2, draw: Callable[..., np.ndarray], V: int, D: int, outputs: int, **changes: Any
) -> Classifier:
    """One block between an embedding and a head, both drawn."""
    found = Classifier(
        layers=(Layer(0, "0", Norm("rms", draw(D), 1e-5), mixer),),
        final_norm=None,
        score=draw(outputs, D),
        bias=draw(outputs),
        pooling="last",
        pool_before_norm=False,
        sha256="0" * 64,
        embedding=draw(V, D),
    )
    return replace(found, **changes)


def rms(x: torch.Tensor, gamma: np.ndarray, eps: float) -> torch.Tensor:
    return torch.from_numpy(gamma) * x / torch.sqrt(x.square().mean(dim=-1, keepdim=True) + eps)


def forward1(layer: Layer, h: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Everything of one causal Mamba-1 layer on (T,D)."""
    mixer = layer.mixer
    assert isinstance(mixer, Mamba1)
    w, v = _tensors(mixer), normed(layer, h, mask)
    x, z = v @ w["R_x"].T + w["c"], v @ w["R_z"].T + w["c_z"]
    u = silu(_window(x, w["K"], w["b"])) * mask[:, None]
    low, B, C = u @ w["X_dt"].T + w["c_dt"], u @ w["X_B"].T + w["c_B"], u @ w["X_C"].T + w["c_C"]
    if isinstance(mixer.inner, InnerNorms):
        low, B, C = (
            rms(y, g, mixer.inner.eps) for y, g in ((low, mixer.inner.dt), (B, mixer.inner.B), (C, mixer.inner.C))
        )
    step = softplus(low @ w["W_dt"].T + w["p"]) + mixer.step_offset
    a, s, states, scans = -torch.exp(w["A_log"]), u.new_zeros(w["A_log"].shape), [], []
    for t in range(len(u)):
        s = torch.exp(a * step[t][:, None]) * s + (step[t] * u[t])[:, None] * B[t]
        states.append(s)
        scans.append(s @ C[t])
    scan = torch.stack(scans)
    o = (scan + w["D"] * u) * silu(z)
    return {
        "u": u,
        "step": step,
        "B": B,
        "C": C,
        "state": torch.stack(states),
        "scan": scan,
        "out": o @ w["W_o"].T + w["b_o"],
    }


def forward2(layer: Layer, h: torch.Tensor, mask: torch.Tensor, decode: bool = False) -> dict[str, torch.Tensor]:
    """The same of Mamba-2; ``decode``: without the step's limits."""
    mixer = layer.mixer
    assert isinstance(mixer, Mamba2)
    w, v = _tensors(mixer), normed(layer, h, mask)
    d, H, G = len(w["R_x"]), len(w["A_log"]), mixer.groups
    rows = torch.cat([w["R_x"], w["R_B"], w["R_C"]])
    xBC = silu(_window(v @ rows.T + torch.cat([w["c"], w["c_B"], w["c_C"]]), w["K"], w["b"])) * mask[:, None]
    u, (B, C) = xBC[:, :d], (part.reshape(len(h), G, -1) for part in xBC[:, d:].chunk(2, dim=1))
    z, step = v @ w["R_z"].T + w["c_z"], softplus(v @ w["R_dt"].T + w["p"])
    step = step if decode else step.clamp(*mixer.limits)
    s, states, scans = u.new_zeros(H, d // H, B.shape[2]), [], []
    for t in range(len(u)):
        decay = torch.exp(-torch.exp(w["A_log"]) * step[t])
        U = u[t].reshape(H, -1)
        b, c = (y[t].repeat_interleave(H // G, dim=0) for y in (B, C))
        s = decay[:, None, None] * s + (step[t][:, None] * U)[:, :, None] * b[:, None, :]
        states.append(s.reshape(d, -1))
        scans.append(torch.einsum("hpn,hn->hp", s, c).reshape(d))
    scan = torch.stack(scans)
    y = scan + w["D"].repeat_interleave(d // H) * u
    if mixer.norm is None:
        o = y * silu(z)
    else:
        grouped = lambda x: rms(x.reshape(len(x), mixer.norm.groups, -1), np.ones(1), mixer.norm.eps).reshape(len(x), d)  # noqa: E731
        o = torch.from_numpy(mixer.norm.gamma) * (
            grouped(y) * silu(z) if mixer.norm.before_gate else grouped(y * silu(z))
        )
    return {
        "u": u,
        "step": step,
        "B": B,
        "C": C,
        "state": torch.stack(states),
        "scan": scan,
        "out": o @ w["W_o"].T + w["b_o"],
    }


def ascend(
    target: Callable[[torch.Tensor], torch.Tensor],
    T: int,
    D: int,
    seed: int,
    steps: int = 150,
    start: np.ndarray | None = None,
) -> float:
    """The largest value that Adam finds over inputs (T,D) of large norm, where eps does not count."""
    rng = np.random.default_rng(seed)
    h = torch.tensor(rng.normal(size=(T, D)) if start is None else start, requires_grad=True)
    optimiser, best = torch.optim.Adam([h], lr=0.1), -np.inf
    for _ in range(steps):
        value = target(1e4 * h)
        best = max(best, value.item())
        optimiser.zero_grad()
        (-value).backward()
        optimiser.step()
    return best
