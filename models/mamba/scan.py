"""The linear recurrence ``h_t = a_t h_{t-1} + x_t`` of every state by itself, and its derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Recurrence(torch.autograd.Function):
    """Two loops without a graph. For ``g_t = dL/dh_t + a_{t+1} g_{t+1}``: ``dL/dx_t = g_t``, ``dL/da_t = g_t h_{t-1}``.

    A graph of the loop costs several times as much, and ``torch.compile`` would unroll it: minutes.
    """

    @staticmethod
    def forward(ctx: Any, decay: Tensor, update: Tensor) -> Tensor:
        states = update.clone(memory_format=torch.contiguous_format)
        for a, before, h in zip(decay[1:], states[:-1], states[1:], strict=True):
            h.addcmul_(a, before)
        ctx.save_for_backward(decay, states)
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        decay, states = ctx.saved_tensors
        g = gradient.clone(memory_format=torch.contiguous_format)
        for t in range(len(g) - 2, -1, -1):
            g[t].addcmul_(decay[t + 1], g[t + 1])
        by_decay = torch.zeros_like(g)
        torch.mul(g[1:], states[:-1], out=by_decay[1:])
        return by_decay, g


def states(decay: Tensor, update: Tensor) -> Tensor:
    """All states from 0 on. Shapes: time first, decay of any shape that broadcasts to update (t,...) -> (t,...).

    No decay is divided by another, so decays in [0, 1] do no harm. One derivative, not two.
    """
    found: Tensor = _Recurrence.apply(decay.expand_as(update), update)
    return found
