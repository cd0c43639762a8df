"""The program of a block and a classifier in float64 NumPy, as theory M0 writes it: a second writing, not a fast one.

One sequence, rows of (T,...) arrays, or many of one length, (m,T,...). ``see`` is told what is on the way, by the names
of ``ssm_bounds inspect``: "u", "step", "scan" and "out" of all tokens, and "state" of one
token after another. Masks as transformers 5.24 applies them: v and u (of Mamba-2: all that
leaves the convolution) are multiplied by the mask; a masked token still has a step, and still lets the state decay.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.weights import Array, Backward, GatedNorm, InnerNorms, Layer, Mamba1, Mamba2, Norm


class See(Protocol):
    def __call__(self, name: str, value: Array) -> None: ...


def unseen(name: str, value: Array) -> None:
    """Nothing is looked at."""


def logits(model: Classifier, x: Array, length: int | None = None) -> Array:
    """Tokens (T,) or inputs (T,c) to (k,); the first ``length`` of them are valid, all without it."""
    x = np.asarray(x)[:length]  # causal: what comes later changes nothing
    if model.embedding is not None:
        h = model.embedding[x.astype(np.int64)]
    elif model.input_weight is not None and model.input_bias is not None:
        h = x @ model.input_weight.T + model.input_bias
    else:
        raise DomainError("a classifier without inputs: neither an embedding nor a map of reals")
    for layer in model.layers:
        h = h + block(layer, h)
    h = h if model.pool_before_norm else normed(model.final_norm, h)
    pooled = h[-1] if model.pooling == "last" else h.mean(axis=0)
    return model.score @ (normed(model.final_norm, pooled) if model.pool_before_norm else pooled) + model.bias


def block(layer: Layer, h: Array, mask: Array | None = None, see: See = unseen) -> Array:
    """(...,T,D) to (...,T,D): what the block adds to its input ``h``. ``mask`` (...,T) of ones and zeros."""
    return mixer(layer.mixer, normed(layer.norm, h), mask, see)


def mixer(weights: Mamba1 | Mamba2, v: Array, mask: Array | None = None, see: See = unseen) -> Array:
    """(...,T,D) to (...,T,D), from the normed input ``v``."""
    kept = np.ones(v.shape[:-1]) if mask is None else np.asarray(mask, dtype=np.float64)
    if isinstance(weights, Mamba1):
        out = mamba1(weights, v, kept[..., None], see)
    else:
        out = mamba2(weights, v, kept[..., None], see)
    see("out", out)
    return out


def mamba1(w: Mamba1, v: Array, kept: Array, see: See = unseen) -> Array:
    v = v * kept
    x, z = v @ w.R_x.T + w.c, v @ w.R_z.T + w.c_z
    u = kept * silu(convolved(x, w.K, w.b, same=w.convolution == "same"))
    see("u", u)
    scan, skip = scan1(w, u, see), w.D * u
    if w.directions == 2 and w.backward is None:
        scan, skip = scan + turned(scan1(w, turned(u), see)), skip + w.D * u
    if w.backward is not None:
        u = turned(kept) * silu(convolved(turned(x), w.backward.K, w.backward.b))
        see("u", u)
        scan, skip = scan + turned(scan1(w.backward, u, see)), skip + turned(w.backward.D * u)
    see("scan", scan)
    return ((scan + skip) * silu(z)) @ w.W_o.T + w.b_o


def turned(x: Array) -> Array:
    """(...,T,n), the last token first."""
    return x[..., ::-1, :]


def scan1(w: Mamba1 | Backward, u: Array, see: See = unseen) -> Array:
    """The selective scan of one direction, (...,T,d) to (...,T,d), without the skip."""
    low, B, C = u @ w.X_dt.T, u @ w.X_B.T, u @ w.X_C.T
    offset = 0.0
    if isinstance(w, Mamba1):
        low, B, C, offset = low + w.c_dt, B + w.c_B, C + w.c_C, w.step_offset
        low, B, C = inner(w.inner, low, B, C)
    steps = softplus(w.p + low @ w.W_dt.T) + offset
    see("step", steps)
    a, state, scan = -np.exp(w.A_log), np.zeros(u.shape[:-2] + w.A_log.shape), np.zeros(u.shape)
    for t in range(u.shape[-2]):
        step = steps[..., t, :, None]
        state = np.exp(a * step) * state + (step * u[..., t, :, None]) * B[..., t, None, :]
        see("state", state)
        scan[..., t, :] = (state @ C[..., t, :, None])[..., 0]
    return scan


def inner(norms: InnerNorms | None, low: Array, B: Array, C: Array) -> tuple[Array, Array, Array]:
    if norms is None:
        return low, B, C
    return rms(low, norms.eps) * norms.dt, rms(B, norms.eps) * norms.B, rms(C, norms.eps) * norms.C


def mamba2(w: Mamba2, v: Array, kept: Array, see: See = unseen) -> Array:
    v = v * kept
    d, H, G = len(w.R_x), len(w.A_log), w.groups
    z = v @ w.R_z.T + w.c_z
    before = np.concatenate([v @ w.R_x.T + w.c, v @ w.R_B.T + w.c_B, v @ w.R_C.T + w.c_C], axis=-1)
    after = kept * silu(convolved(before, w.K, w.b))
    see("u", after[..., :d])
    u = after[..., :d].reshape(*v.shape[:-1], H, d // H)
    B, C = (
        part.reshape(*v.shape[:-1], G, -1).repeat(H // G, axis=-2) for part in np.split(after[..., d:], 2, axis=-1)
    )  # (...,T,H,N)
    steps = np.clip(softplus(w.p + v @ w.R_dt.T), *w.limits)
    see("step", steps)
    a, scan = -np.exp(w.A_log), np.zeros(u.shape)
    state = np.zeros((*v.shape[:-2], H, d // H, B.shape[-1]))
    for t in range(v.shape[-2]):
        step = steps[..., t, :, None]
        write = (step * u[..., t, :, :])[..., None] * B[..., t, :, None, :]
        state = np.exp(a * steps[..., t, :])[..., None, None] * state + write
        see("state", state)
        scan[..., t, :, :] = (state @ C[..., t, :, :, None])[..., 0]
    see("scan", scan.reshape(*v.shape[:-1], d))
    skipped = (scan + w.D[:, None] * u).reshape(*v.shape[:-1], d)
    return gated(w.norm, skipped, silu(z)) @ w.W_o.T + w.b_o


def gated(norm: GatedNorm | None, y: Array, gate: Array) -> Array:
    """The norm over each of G groups of channels, of y times the gate, or of y before the gate."""
    if norm is None:
        return y * gate
    y = y if norm.before_gate else y * gate
    y = rms(y.reshape(*y.shape[:-1], norm.groups, -1), norm.eps).reshape(y.shape) * norm.gamma
    return y * gate if norm.before_gate else y


def convolved(x: Array, K: Array, b: Array, same: bool = False) -> Array:
    """(...,T,d): tap i meets the token i back, or k//2 - i ahead of it in a "same" convolution; zeros outside."""
    T, k = x.shape[-2], K.shape[1]
    ahead = k // 2 if same else 0
    zeros = [np.zeros((*x.shape[:-2], count, x.shape[-1])) for count in (k - 1 - ahead, ahead)]
    padded = np.concatenate([zeros[0], x, zeros[1]], axis=-2)
    return b + sum(K[:, i] * padded[..., k - 1 - i : k - 1 - i + T, :] for i in range(k))


def normed(norm: Norm | None, h: Array) -> Array:
    if norm is None:
        return h
    centred = h - h.mean(axis=-1, keepdims=True) if norm.kind == "layer" else h
    return rms(centred, norm.eps) * norm.gamma + (0.0 if norm.beta is None else norm.beta)


def rms(x: Array, eps: float) -> Array:
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + eps)


def silu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(0.5 * x))  # x / (1 + e^-x), without overflow


def softplus(x: Array) -> Array:
    return np.logaddexp(0.0, x)
