"""Last-token output of the selective state-space block (theory.md 1): unrolled, and the recurrence that checks it.

Shapes, here and in every file that imports this one:
    b  sequences in the batch       t  tokens of a sequence
    d  channels                     n  states per channel       k  outputs
One step size ``Delta_t`` is shared by all channels. Any floating dtype; results have the dtype of the inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from bounds.constants import Gate
from models.checkpoint import Convention

Form = Literal["unrolled", "sequential"]

# Beyond 40, softplus(x) - x = log(1 + e^-x) is below half an ulp of x in float64 (torch's default, 20, is not).
_SOFTPLUS_IS_LINEAR = 40.0


def step_sizes(u: Tensor, q: Tensor, p: Tensor, gate: Gate) -> Tensor:
    """``Delta_t = softplus(p + q.u_t)``, or 1 for ``gate="none"``. Shapes: u (b,t,d), q (d,), p (1,) -> (b,t)."""
    if gate == "none":
        return u.new_ones(u.shape[:2])
    return functional.softplus(u @ q + p, threshold=_SOFTPLUS_IS_LINEAR)


def unrolled(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """``y_j = sum_n C_n sum_t exp(a_jn tau_t) Delta_t u_tj B_tn``, ``tau_t`` the later steps' sum: (U) of theory.md 1.

    Shapes: u (b,t,d), delta (b,t) >= 0, A (d,n), B (b,t,n), C (b,n) -> y (b,d).
    No recurrence, so backward is O(t); one (b,d,t) tensor at a time (backward keeps n of them).
    Stable for A <= 0: tau is a sum of steps, never a difference of sums, so it is >= 0 after rounding as well and no
    weight exceeds 1. Weights below tiny/eps of the dtype are held there (their gradients are too): an error below
    1e-30 in float32, 1e-292 in float64, and ``exp`` is up to 20 times slower where it underflows.
    """
    limits = torch.finfo(u.dtype)
    floor = math.log(limits.tiny / limits.eps)
    later = delta[:, 1:].flip(1).cumsum(1).flip(1)
    tau = functional.pad(later, (0, 1))[:, None, : delta.shape[1]]  # (b,1,t)
    steps = (delta[..., None] * u).mT.contiguous()  # (b,d,t): time last, so that every product below runs along memory
    scores = (B * C[:, None]).permute(2, 0, 1)[:, :, None].contiguous()  # (n,b,1,t)
    kernel = torch.zeros_like(steps)
    for a_n, score in zip(A[..., None].unbind(1), scores.unbind(0), strict=True):
        weight = a_n * tau
        with torch.no_grad():
            weight.clamp_min_(floor)
        kernel = torch.addcmul(kernel, weight.exp_(), score)
    return (kernel * steps).sum(-1)


def sequential(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """``x_t = exp(Delta_t A) x_{t-1} + Delta_t (u_t (x) B_t)``, ``y = x_T C``: the reference.

    Shapes: as in :func:`unrolled`. ``unbind`` and not ``[:, t]``, whose backward fills a (b,t,d,n) tensor at every t.
    """
    decay = torch.exp(delta[:, :, None, None] * A)
    update = (delta[..., None] * u)[..., None] * B[:, :, None]
    x = u.new_zeros(u.shape[0], *A.shape)
    for decay_t, update_t in zip(decay.unbind(1), update.unbind(1), strict=True):
        x = torch.addcmul(update_t, decay_t, x)
    return torch.einsum("bdn,bn->bd", x, C)


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
    Source: theory.md 1.
    """
    C = u[:, -1] @ W_C.mT
    if convention == "paper":
        u = u[:, :-1]
    return _FORMS[form](u, step_sizes(u, q, p, gate), A, u @ W_B.mT, C)
