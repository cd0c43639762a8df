"""Two layers of theory 1 with linear mixing and a residual between them, and no activation: outside theory 15.4."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.selective_ssm.scan import last_output, outputs


class TwoLayers(nn.Module):
    """``z = W y'_T``, y' of the inputs ``u_t + W_1 y_t``, y of the embedded tokens. Shapes: tokens (b,t) -> (b,k)."""

    def __init__(
        self, *, d: int, N: int, V: int, k: int = 1, s_A: float = 0.0, generator: torch.Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.first = SelectiveSSM(d=d, N=N, k=d, V=V, s_A=s_A, generator=generator, dtype=dtype)
        self.second = SelectiveSSM(d=d, N=N, k=k, s_A=s_A, generator=generator, dtype=dtype)

    def forward(self, tokens: Tensor) -> Tensor:
        u = self.first.embedded(tokens)
        u = u + outputs(u, *_of(self.first)) @ self.first.W.mT
        return last_output(u, *_of(self.second)) @ self.second.W.mT


def _of(layer: SelectiveSSM) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return layer.A, layer.W_B, layer.W_C, layer.q, layer.p
