"""The S4D layer of theory 14.1 as a torch module, for training and measuring: nothing that is certified is run here."""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor, nn

from ssm_bounds.models.s4d.weights import S4D

STEPS = (0.001, 0.1)
"""Between which the public code draws dt, uniformly in its logarithm."""


class S4DLayer(nn.Module):
    """d channels of N modes, parameters named as in ``ssm_bounds.models.s4d.weights.SHAPES``, without a readout.

    ``forward``: inputs (m,T,d) to outputs (m,T,d), by FFT of length 2 T; ``last``: the last output alone, by dot
    products. Unlike the public code it uses expm1. Source: theory 14.1.
    """

    def __init__(self, *, C: Tensor, log_dt: Tensor, log_A_real: Tensor, A_imag: Tensor, D: Tensor) -> None:
        super().__init__()
        self.C, self.log_dt, self.log_A_real, self.A_imag, self.D = map(
            nn.Parameter, (C, log_dt, log_A_real, A_imag, D)
        )

    @classmethod
    def initial(cls, d: int, N: int, *, generator: torch.Generator, steps: tuple[float, float] = STEPS) -> Self:
        """As the public code begins, in float64: C (a complex normal) and D normal, A = -1/2 + i pi n."""
        options: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
        low, high = map(math.log, steps)
        return cls(
            C=torch.randn(d, N, 2, **options) / math.sqrt(2),
            log_dt=low + (high - low) * torch.rand(d, **options),
            log_A_real=torch.full((d, N), math.log(0.5), dtype=torch.float64),
            A_imag=(math.pi * torch.arange(N, dtype=torch.float64)).repeat(d, 1),
            D=torch.randn(d, **options),
        )

    @classmethod
    def of(cls, weights: S4D) -> Self:
        """The layer of these weights, in float64."""
        names = ("C", "log_dt", "log_A_real", "A_imag", "D")
        return cls(**{name: torch.tensor(getattr(weights, name)) for name in names})

    def taps(self, L: int) -> Tensor:
        """``k_jl``, l < L, the skip in l = 0: (d,L). Powers are products of two, ``l = q a + b``, q about sqrt L."""
        A = torch.complex(-self.log_A_real.exp(), self.A_imag)
        step = self.log_dt.exp()[:, None] * A
        c = torch.view_as_complex(self.C) * torch.expm1(step) / A
        q = math.isqrt(L - 1) + 1
        low = torch.arange(q, dtype=self.D.dtype, device=self.D.device)
        high = q * torch.arange(-(-L // q), dtype=self.D.dtype, device=self.D.device)
        left = c[:, None] * torch.exp(step[:, None] * high[:, None])  # (d,a,n)
        found = 2 * (left @ torch.exp(step[..., None] * low)).real.flatten(1)[:, :L]
        return torch.cat([found[:, :1] + self.D[:, None], found[:, 1:]], dim=1)

    def forward(self, u: Tensor) -> Tensor:
        T = u.shape[1]
        spectrum = torch.fft.rfft(u, n=2 * T, dim=1) * torch.fft.rfft(self.taps(T).T, n=2 * T, dim=0)
        return torch.fft.irfft(spectrum, n=2 * T, dim=1)[:, :T]

    def last(self, u: Tensor) -> Tensor:
        """The output after the last token: (m,d)."""
        return torch.einsum("dl,mld->md", self.taps(u.shape[1]).flip(1), u)
