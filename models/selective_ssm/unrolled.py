"""The unrolled form of the last-token output, (U) of theory 1, with its gradient written out.

No tensor of shape (b,t,d,n) is made: both directions take one state n at a time, over blocks of time, and backward
computes the weights again from ``tau``. Letters of shapes: ``selective_ssm.scan``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_BLOCK = 1 << 16  # entries of a (b,d,t) block: few enough for the cache, enough to share between threads
_SHORTEST = 64  # tokens of a block
_LOG2_E = math.log2(math.e)


def unrolled(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """``y_j = sum_n C_n sum_t exp(a_jn tau_t) Delta_t u_tj B_tn``, ``tau_t`` the later steps' sum: (U) of theory 1.

    Shapes: u (b,t,d), delta (b,t) >= 0, A (d,n), B (b,t,n), C (b,n) -> y (b,d).
    No recurrence: time is linear in t, and memory is that of a few tensors like u, in both directions.
    Stable for A <= 0: tau is a sum of steps, never a difference of sums, so it is >= 0 after rounding as well and no
    weight exceeds 1. Weights below tiny/eps of the dtype are held there: an error below 1e-30 in float32, 1e-291 in
    float64, and arithmetic on what underflows is up to 20 times slower. For A > 0 a weight may overflow to infinity;
    a token with u = 0 and B = 0 (padding) adds nothing even then.
    Differentiable twice and more; ``torch.vmap`` and ``torch.compile`` apply.
    """
    later = delta[:, 1:].flip(1).cumsum(1).flip(1)
    tau = functional.pad(later, (0, 1))[:, : delta.shape[1]]
    tau = tau.masked_fill(~(u.any(-1) | B.any(-1)), 0)  # no weight where there is no term
    steps = (delta[..., None] * u).mT.contiguous()  # (b,d,t): time last, so that every product runs along memory
    scores = (B * C[:, None]).mT.contiguous()  # (b,n,t)
    y: Tensor = _Unrolled.apply(tau, steps, scores, A)
    return y


class _Unrolled(torch.autograd.Function):
    """``y_j = sum_tn exp(a_jn tau_t) scores_nt steps_jt``: tau (b,t), steps (b,d,t), scores (b,n,t), A (d,n)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(tau: Tensor, steps: Tensor, scores: Tensor, A: Tensor) -> Tensor:
        y = torch.zeros_like(steps[:, :, 0]) if steps.shape[2] else steps.sum(2)
        for tau_i, steps_i, scores_i in _blocks(tau, steps, scores):
            kernel = torch.zeros_like(steps_i)
            for a_n, score in zip(A.unbind(1), scores_i.unbind(1), strict=True):
                kernel = torch.addcmul(kernel, _weights(a_n, tau_i), score[:, None])
            y = y + (kernel * steps_i).sum(2)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        f = _compiled_backward if torch.compiler.is_compiling() else _backward
        grads: tuple[Tensor, ...] = f(grad, *ctx.saved_tensors)
        return grads


def _backward(grad: Tensor, tau: Tensor, steps: Tensor, scores: Tensor, A: Tensor) -> tuple[Tensor, ...]:
    """Gradients of tau, steps, scores and A; ``grad`` (b,d) is that of y."""
    parts = []
    grad_A = torch.zeros_like(A)
    for tau_i, steps_i, scores_i in _blocks(tau, steps, scores):
        flow = grad[..., None] * steps_i
        kernel, grad_tau = torch.zeros_like(flow), torch.zeros_like(tau_i)
        grad_scores, grads_a = [], []
        for a_n, score in zip(A.unbind(1), scores_i.unbind(1), strict=True):
            weights = _weights(a_n, tau_i)
            kernel = torch.addcmul(kernel, weights, score[:, None])
            weights = weights * flow
            grad_scores.append(weights.sum(1))
            grad_tau = grad_tau + score * (weights * a_n[:, None]).sum(1)
            grads_a.append((weights * (score * tau_i)[:, None]).sum(2).sum(0))
        parts.append((grad_tau, grad[..., None] * kernel, torch.stack(grad_scores, 1)))
        grad_A = grad_A + torch.stack(grads_a, 1)
    return *(torch.cat(blocks, -1) for blocks in zip(*parts, strict=True)), grad_A


@functools.cache
def _fused_backward() -> Callable[..., Any]:
    from ssm_bounds.models.selective_ssm.compiled import compiled  # starts the compiler: a second

    return compiled(_backward)


@torch.library.custom_op("ssm_bounds::unrolled_backward", mutates_args=())
def _compiled_backward(
    grad: Tensor, tau: Tensor, steps: Tensor, scores: Tensor, A: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """:func:`_backward` compiled on its own: fused with what makes its operands it would make them for each use."""
    grads: tuple[Tensor, Tensor, Tensor, Tensor] = _fused_backward()(grad, tau, steps, scores, A)
    return grads


@_compiled_backward.register_fake
def _(grad: Tensor, tau: Tensor, steps: Tensor, scores: Tensor, A: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.empty_like(tau), torch.empty_like(steps), torch.empty_like(scores), torch.empty_like(A)


def _blocks(tau: Tensor, steps: Tensor, scores: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The operands over one block of time after another; compiled code, which makes no blocks, in one."""
    b, d, t = steps.shape
    length = max(1, t if torch.compiler.is_compiling() else _SHORTEST, _BLOCK // max(1, b * d))
    return zip(tau.split(length, 1), steps.split(length, 2), scores.split(length, 2), strict=True)


def _weights(a: Tensor, tau: Tensor) -> Tensor:
    """``exp(a_j tau_t)``. Shapes: a (d,), tau (b,t) -> (b,d,t).

    By exp2: it is faster, and ``torch.compile`` computes it where it is used, but writes the values of exp to memory.
    """
    limits = torch.finfo(tau.dtype)
    exponent = (_LOG2_E * a)[:, None] * tau[:, None]
    return exponent.clamp_min_(math.log2(limits.tiny / limits.eps)).exp2_()
