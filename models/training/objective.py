"""What training minimises: the cross-entropy, and two penalties."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_LEAST_SPREAD = 0.1


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Mean over the batch, in nats. Shapes: logits z (b,k), labels y (b,) -> scalar."""
    if z.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(z[:, 0], y.to(z.dtype))
    return functional.cross_entropy(z, y)


def output_spread(z: Tensor) -> Tensor:
    """``max(0, 0.1 - std(sigmoid(z)))``, std (unbiased) over all entries of z (b,k): the authors' penalty of outputs
    that are all alike, with a factor of 10 (their code; the paper does not print it). 0 for a single entry.

    >>> output_spread(torch.zeros(4, 1)), output_spread(torch.tensor([[-1.0], [1.0]]))
    (tensor(0.1000), tensor(0.))
    """
    if z.numel() < 2:
        return z.new_zeros(())
    return (_LEAST_SPREAD - torch.sigmoid(z).std()).clamp_min(0)


def instability(A: Tensor) -> Tensor:
    """``sum_jn max(0, a_jn)``: 0 exactly when s_A <= 0, where R_1 and R_2 do not grow with T beyond M^2 T^2/2
    (theory 4.5). It acts on every unstable entry, not on the largest alone. Shapes: A (d,n) -> scalar.
    """
    return A.clamp_min(0).sum()
