"""The classifier of a ``Design`` in torch: what is trained. ``models.mamba.forward`` writes it a second time.

Parameters are named and laid out as transformers names those of ``MambaModel`` and ``Mamba2Model`` under ``backbone.``,
beside ``input_proj`` and ``score``. Inside, time comes first: (t,b,...).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.scan import states

_SOFTPLUS_IS_LINEAR = 40.0  # as in selective_ssm.scan


class Mixer1(nn.Module):
    """theory M0. Shapes: (t,b,D) to (t,b,D)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        D, d, N, R = design.D, design.d, design.N, design.R
        self.in_proj = nn.Linear(D, 2 * d, bias=False)
        self.conv1d = nn.Conv1d(d, d, design.k, groups=d)
        self.x_proj = nn.Linear(d, R + 2 * N, bias=False)
        self.dt_proj = nn.Linear(R, d)
        self.A_log = nn.Parameter(torch.empty(d, N))
        self.D = nn.Parameter(torch.empty(d))
        self.out_proj = nn.Linear(d, D, bias=False)

    def forward(self, v: Tensor) -> Tensor:
        N, R = self.A_log.shape[1], self.dt_proj.in_features
        x, z = self.in_proj(v).chunk(2, dim=-1)
        u = functional.silu(_convolved(x, self.conv1d))
        low, B, C = self.x_proj(u).split((R, N, N), dim=-1)
        delta = _softplus(self.dt_proj(low))
        decay = torch.exp(delta[..., None] * -torch.exp(self.A_log))
        found = states(decay, (delta * u)[..., None] * B[:, :, None])
        y = torch.einsum("tbdn,tbn->tbd", found, C) + self.D * u
        return self.out_proj(y * functional.silu(z))


class Mixer2(nn.Module):
    """theory M0, steps without a clamp. Shapes: (t,b,D) to (t,b,D)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        D, d, H, channels = design.D, design.d, design.H, design.d + 2 * design.G * design.N
        self.groups = design.G
        self.in_proj = nn.Linear(D, d + channels + H, bias=False)
        self.conv1d = nn.Conv1d(channels, channels, design.k, groups=channels)
        self.dt_bias = nn.Parameter(torch.empty(H))
        self.A_log = nn.Parameter(torch.empty(H))
        self.D = nn.Parameter(torch.empty(H))
        self.norm = nn.RMSNorm(d, eps=design.eps)
        self.out_proj = nn.Linear(d, D, bias=False)

    def forward(self, v: Tensor) -> Tensor:
        d, H, G = self.out_proj.in_features, len(self.A_log), self.groups
        channels = self.conv1d.in_channels
        z, xBC, dt = self.in_proj(v).split((d, channels, H), dim=-1)
        x, B, C = functional.silu(_convolved(xBC, self.conv1d)).split((d, *2 * ((channels - d) // 2,)), dim=-1)
        u = x.unflatten(-1, (H, d // H))
        B, C = (part.unflatten(-1, (G, -1)).repeat_interleave(H // G, dim=2) for part in (B, C))
        delta = _softplus(dt + self.dt_bias)
        decay = torch.exp(delta * -torch.exp(self.A_log))[..., None, None]
        found = states(decay, (delta[..., None] * u)[..., None] * B[:, :, :, None])
        y = torch.einsum("tbhpn,tbhn->tbhp", found, C) + self.D[:, None] * u
        w = (y.flatten(2) * functional.silu(z)).unflatten(-1, (G, -1))
        normed = functional.rms_norm(w, w.shape[-1:], eps=self.norm.eps).flatten(-2)
        return self.out_proj(self.norm.weight * normed)


class Block(nn.Module):
    """``h + mixer(norm(h))``."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(design.D, eps=design.eps)
        self.mixer = Mixer1(design) if design.mixer == "mamba" else Mixer2(design)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.mixer(self.norm(h))


class Backbone(nn.Module):
    """The stack, without its final norm: that is applied before or after pooling."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.embeddings = None if design.V is None else nn.Embedding(design.V, design.D)
        self.layers = nn.ModuleList(Block(design) for _ in range(design.layers))
        self.norm_f = nn.RMSNorm(design.D, eps=design.eps) if design.final_norm else None


class MambaClassifier(nn.Module):
    """Logits of a row, or of each position: see ``Design``. Made by :meth:`from_tensors`, from a start among others."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        self.input_proj = None if design.c is None else nn.Linear(design.c, design.D)
        self.backbone = Backbone(design)
        if design.pooling == "none":  # the head is the embedding
            self.lm_head = nn.ParameterDict({"bias": nn.Parameter(torch.empty(design.outputs))})
        else:
            self.score = nn.Linear(design.D, design.outputs)

    @classmethod
    def from_tensors(
        cls,
        design: Design,
        tensors: Mapping[str, NDArray[np.floating]],
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> Self:
        """The classifier with these weights, each rounded to ``dtype``. Raises: RuntimeError for names or shapes."""
        with torch.device("meta"):  # nothing is drawn from torch's generator
            model = cls(design)
        found = {name: torch.tensor(tensor, dtype=dtype, device=device) for name, tensor in tensors.items()}
        model.load_state_dict(found, assign=True)
        return model

    def tensors(self) -> dict[str, NDArray[np.floating]]:
        """Every weight by name, in the dtype it has."""
        return {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}

    def hidden(self, inputs: Tensor) -> Tensor:
        """What the last block leaves, before any norm. Shapes: tokens (b,t) or inputs (b,t,c) -> (b,t,D)."""
        return self._hidden(inputs).transpose(0, 1)

    def _hidden(self, inputs: Tensor) -> Tensor:
        if self.backbone.embeddings is not None:
            h = self.backbone.embeddings(inputs.long().transpose(0, 1))
        elif self.input_proj is not None:
            h = self.input_proj(inputs.to(self.input_proj.weight.dtype).transpose(0, 1))
        for block in self.backbone.layers:
            h = block(h)
        return h

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits. Shapes: tokens (b,t) or inputs (b,t,c), lengths (b,) in 1..t (without: t) -> (b,outputs).

        Of a language model at every position: (b,t,V), whatever the lengths.
        """
        design, norm = self.design, self.backbone.norm_f or nn.Identity()
        h = self._hidden(inputs)
        if self.backbone.embeddings is not None and design.pooling == "none":
            z = functional.linear(norm(h), self.backbone.embeddings.weight, self.lm_head["bias"])
            return z.transpose(0, 1)
        if lengths is None:
            lengths = torch.full((h.shape[1],), len(h), device=h.device)
        if design.pooling == "last":
            pooled = norm(h[lengths - 1, torch.arange(h.shape[1], device=h.device)])
        else:
            valid = (torch.arange(len(h), device=h.device)[:, None] < lengths)[..., None]
            summed = ((h if design.pool_before_norm else norm(h)) * valid).sum(0)
            pooled = summed / lengths[:, None]
            pooled = norm(pooled) if design.pool_before_norm else pooled
        return self.score(pooled)


def _softplus(x: Tensor) -> Tensor:
    return functional.softplus(x, threshold=_SOFTPLUS_IS_LINEAR)


def _convolved(x: Tensor, convolution: nn.Conv1d) -> Tensor:
    """(t,b,d): the last tap meets the token itself, those before it earlier ones, zeros before the first.

    As shifted products: ``conv1d`` of single channels is several times slower on a CPU.
    """
    t, weight = len(x), convolution.weight[:, 0]
    taps = weight.shape[1]
    before = functional.pad(x, (0, 0, 0, 0, taps - 1, 0))
    found = before[:t] * weight[:, 0]
    for i in range(1, taps):
        found = torch.addcmul(found, before[i : i + t], weight[:, i])
    return found if convolution.bias is None else found + convolution.bias
