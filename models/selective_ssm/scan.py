"""Outputs of the selective state-space block (theory 1): the last one, unrolled or by the recurrence that checks it,
and all of them.

Shapes, here and in every file that imports this one:
    b  sequences in the batch       t  tokens of a sequence
    d  channels                     n  states per channel       k  outputs
One step size ``Delta_t`` is shared by all channels. Any floating dtype; results have the dtype of the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.selective_ssm.unrolled import unrolled

Form = Literal["unrolled", "sequential"]

# Beyond 40, softplus(x) - x = log(1 + e^-x) is below half an ulp of x in float64 (torch's default, 20, is not).
_SOFTPLUS_IS_LINEAR = 40.0
_BLOCK = 1 << 18  # entries of a (b,t,d,n) block of states
_SHORTEST = 16  # tokens of a block


def step_sizes(u: Tensor, q: Tensor, p: Tensor, gate: Gate) -> Tensor:
    """``Delta_t = softplus(p + q.u_t)``, or 1 for ``gate="none"``. Shapes: u (b,t,d), q (d,), p (1,) -> (b,t)."""
    if gate == "none":
        return u.new_ones(u.shape[:2])
    return functional.softplus(u @ q + p, threshold=_SOFTPLUS_IS_LINEAR)


def sequential(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """``x_t = exp(Delta_t A) x_{t-1} + Delta_t (u_t (x) B_t)``, ``y = x_T C``: the reference.

    Shapes: as in ``selective_ssm.unrolled.unrolled``.
    """
    x = u.new_zeros(u.shape[0], *A.shape)
    for decay, update in _updates(u, delta, A, B):
        x = torch.addcmul(update, decay, x)
    return torch.einsum("bdn,bn->bd", x, C)


def _updates(u: Tensor, delta: Tensor, A: Tensor, B: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Decay and update (b,d,n) of each token. ``unbind``, not ``[:, t]``, whose backward fills a (b,t,d,n) tensor."""
    decay = torch.exp(delta[:, :, None, None] * A)
    update = (delta[..., None] * u)[..., None] * B[:, :, None]
    return zip(decay.unbind(1), update.unbind(1), strict=True)


_FORMS: dict[Form, Callable[..., Tensor]] = {"unrolled": unrolled, "sequential": sequential}


def last_output(
    u: Tensor,
    A: Tensor,
    W_B: Tensor,
    W_C: Tensor,
    q: Tensor,
    p: Tensor,
    *,
    gate: Gate = "softplus",
    convention: Convention = "code",
    form: Form = "unrolled",
) -> Tensor:
    """``y`` at the last token. Shapes: u (b,t,d) with t >= 1, A (d,n), W_B and W_C (n,d), q (d,), p (1,) -> (b,d).

    ``convention="code"`` (the authors' program): the last token is in the state that it reads; t terms.
    ``convention="paper"`` (eq. (7)): ``x[t+1] = exp(Delta_t A) x[t] + Delta_t (u_t (x) W_B u_t)`` and
    ``y[t] = (I (x) (W_C u_t)^T) x[t]``, so the last token gives only the output matrix; t - 1 terms, 0 for t = 1.
    Source: theory 1.
    """
    C = u[:, -1] @ W_C.mT
    if convention == "paper":
        u = u[:, :-1]
    return _FORMS[form](u, step_sizes(u, q, p, gate), A, u @ W_B.mT, C)


@torch.compiler.disable  # a compiled loop over time is unrolled: minutes
def outputs(
    u: Tensor,
    A: Tensor,
    W_B: Tensor,
    W_C: Tensor,
    q: Tensor,
    p: Tensor,
    *,
    gate: Gate = "softplus",
    convention: Convention = "code",
) -> Tensor:
    """``y`` at every token. Shapes and conventions: as in :func:`last_output` -> (b,t,d).

    Time is linear in t. Memory is that of u and of one block of states, which backward computes again.
    No decay is divided by another, and none exceeds 1 for A <= 0.
    """
    b = len(u)
    delta, B, C = step_sizes(u, q, p, gate), u @ W_B.mT, u @ W_C.mT
    length = max(_SHORTEST, _BLOCK // max(1, b * A.numel()))
    x = u.new_zeros(b, *A.shape)
    parts = []
    for block in zip(*(tensor.split(length, 1) for tensor in (u, delta, B, C)), strict=True):
        y, x = checkpoint(_block_outputs, x, *block, A, convention == "paper", use_reentrant=False)
        parts.append(y)
    return torch.cat(parts, 1)


def _block_outputs(
    x: Tensor, u: Tensor, delta: Tensor, B: Tensor, C: Tensor, A: Tensor, before: bool
) -> tuple[Tensor, Tensor]:
    """y (b,t,d) of consecutive tokens, read ``before`` or after each update, and the last state.

    About sqrt(t) pieces advance together: from 0, which gives what each adds to the state that reaches it, and then
    from that state. Steps of 0 fill the last piece; they keep the state.
    """
    b, t, d = u.shape
    length = math.isqrt(t - 1) + 1
    u, delta, B, C = (_pieces(tensor, length) for tensor in (u, delta, B, C))
    updates = list(_updates(u, delta, A, B))
    added = x.new_zeros(len(u), *A.shape)
    for decay, update in updates:
        added = torch.addcmul(update, decay, added)
    across = torch.exp(delta.sum(1)[:, None, None] * A)
    starts = [x]
    for decay, update in zip(*(tensor.unflatten(0, (b, -1)).unbind(1) for tensor in (across, added)), strict=True):
        starts.append(torch.addcmul(update, decay, starts[-1]))
    states = [torch.stack(starts[:-1], 1).flatten(0, 1)]
    for decay, update in updates:
        states.append(torch.addcmul(update, decay, states[-1]))
    read = torch.stack(states[:-1] if before else states[1:], 1)
    y = torch.einsum("btdn,btn->btd", read, C)
    return y.reshape(b, -1, d)[:, :t], starts[-1]


def _pieces(tensor: Tensor, length: int) -> Tensor:
    """(b,t,...) cut into pieces of equal length, the last filled with zeros: (b * pieces, length, ...)."""
    missing = -tensor.shape[1] % length
    filled = torch.cat((tensor, tensor.new_zeros(len(tensor), missing, *tensor.shape[2:])), 1)
    return filled.reshape(-1, length, *tensor.shape[2:])
