"""Other engines for the function of ``selective_ssm.scan.last_output``, where they are installed: numba, jax, mambapy.

Each maps (u, A, W_B, W_C, q, p), float32 tensors, to the outputs and to the gradients of their weighted sum.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ssm_bounds.models.selective_ssm.scan import step_sizes


def autograd(f: Callable[..., torch.Tensor]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Forward and forward + backward of a function of tensors."""

    def forward(inputs, weight):
        with torch.inference_mode():
            return f(*inputs)

    def both(inputs, weight):
        return torch.autograd.grad((f(*inputs) * weight).sum(), inputs)

    return forward, both


def numba_engine():
    """The recurrence with a hand-written backward; sequences in parallel. The rest (gate, projections) is torch."""
    import numba

    @numba.njit(parallel=True, fastmath=True, error_model="numpy")
    def forward(u, delta, A, B, C):
        b, t, d = u.shape
        n = A.shape[1]
        y = np.zeros((b, d), u.dtype)
        for i in numba.prange(b):
            x = np.zeros((d, n), u.dtype)
            for s in range(t):
                step = delta[i, s]
                for j in range(d):
                    update = step * u[i, s, j]
                    for k in range(n):
                        x[j, k] = np.exp(step * A[j, k]) * x[j, k] + update * B[i, s, k]
            for j in range(d):
                for k in range(n):
                    y[i, j] += x[j, k] * C[i, k]
        return y

    @numba.njit(parallel=True, fastmath=True, error_model="numpy")
    def backward(grad, u, delta, A, B, C):
        b, t, d = u.shape
        n = A.shape[1]
        g_u, g_delta, g_B, g_C = np.zeros_like(u), np.zeros_like(delta), np.zeros_like(B), np.zeros_like(C)
        g_A = np.zeros((b, d, n), u.dtype)
        for i in numba.prange(b):
            decay, x = np.empty((t, d, n), u.dtype), np.zeros((t + 1, d, n), u.dtype)
            for s in range(t):
                step = delta[i, s]
                for j in range(d):
                    update = step * u[i, s, j]
                    for k in range(n):
                        e = np.exp(step * A[j, k])
                        decay[s, j, k] = e
                        x[s + 1, j, k] = e * x[s, j, k] + update * B[i, s, k]
            flow = np.empty((d, n), u.dtype)
            for j in range(d):
                for k in range(n):
                    flow[j, k] = grad[i, j] * C[i, k]
                    g_C[i, k] += grad[i, j] * x[t, j, k]
            for s in range(t - 1, -1, -1):
                step, g_step = delta[i, s], np.float32(0)
                for j in range(d):
                    u_j, g_u_j = u[i, s, j], np.float32(0)
                    for k in range(n):
                        f = flow[j, k]
                        carried = f * decay[s, j, k]
                        back = carried * x[s, j, k]
                        g_step += back * A[j, k]
                        g_A[i, j, k] += back * step
                        g_u_j += f * B[i, s, k]
                        g_B[i, s, k] += f * step * u_j
                        flow[j, k] = carried
                    g_step += g_u_j * u_j
                    g_u[i, s, j] = g_u_j * step
                g_delta[i, s] = g_step
        return g_u, g_delta, g_A.sum(0), g_B, g_C

    class Engine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            return torch.from_numpy(forward(*(x.detach().numpy() for x in tensors)))

        @staticmethod
        def backward(ctx, grad):
            arrays = (x.detach().numpy() for x in (grad.contiguous(), *ctx.saved_tensors))
            return tuple(torch.from_numpy(g) for g in backward(*arrays))

    def last(u, A, W_B, W_C, q, p):
        return Engine.apply(u, step_sizes(u, q, p, "softplus"), A, u @ W_B.mT, u[:, -1] @ W_C.mT)

    numba.set_num_threads(2)
    return autograd(last)


def mambapy_engine():
    """Parallel scan of all states (in powers of two), then the last."""
    from mambapy.pscan import pscan

    def last(u, A, W_B, W_C, q, p):
        delta = step_sizes(u, q, p, "softplus")
        decay = torch.exp(delta[:, :, None, None] * A)
        update = (delta[..., None] * u)[..., None] * (u @ W_B.mT)[:, :, None]
        return torch.einsum("bdn,bn->bd", pscan(decay, update)[:, -1], u[:, -1] @ W_C.mT)

    return autograd(last)


def jax_engine(checkpoint: bool):
    """``lax.scan``, compiled, with or without recomputing each step in backward."""
    import jax
    import jax.numpy as jnp

    def last(u, A, W_B, W_C, q, p):
        delta = jax.nn.softplus(u @ q + p)

        def step(x, at):
            u_t, delta_t, B_t = at
            decay = jnp.exp(delta_t[:, None, None] * A)
            return decay * x + (delta_t[:, None] * u_t)[..., None] * B_t[:, None], None

        time_first = (jnp.moveaxis(x, 1, 0) for x in (u, delta, u @ W_B.T))
        start = jnp.zeros((u.shape[0], *A.shape), u.dtype)
        x, _ = jax.lax.scan(jax.checkpoint(step) if checkpoint else step, start, tuple(time_first))
        return jnp.einsum("bdn,bn->bd", x, u[:, -1] @ W_C.T)

    run = jax.jit(last)
    grads = jax.jit(jax.grad(lambda inputs, weight: (last(*inputs) * weight).sum()))
    shared = functools.cache(lambda x: jnp.asarray(x.detach().numpy()))

    def as_torch(x):
        return torch.from_numpy(np.asarray(x.block_until_ready()).copy())

    def forward(inputs, weight):
        return as_torch(run(*map(shared, inputs)))

    def both(inputs, weight):
        return tuple(map(as_torch, grads(tuple(map(shared, inputs)), shared(weight))))

    return forward, both


PEERS = {
    "numba, hand-written backward": numba_engine,
    "mambapy pscan": mambapy_engine,
    "jax lax.scan": functools.partial(jax_engine, False),
    "jax lax.scan, checkpoint": functools.partial(jax_engine, True),
}


def installed() -> tuple[dict[str, Any], list[str]]:
    """The engines that can be imported, and a message for each that cannot."""
    found, missing = {}, []
    for name, build in PEERS.items():
        try:
            found[name] = build()
        except ImportError as error:
            missing.append(f"skipped {name}: {error}")
    return found, missing
