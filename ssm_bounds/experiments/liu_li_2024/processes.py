"""Gaussian inputs on [0,1], by a name: white noise, squared exponential, Ornstein-Uhlenbeck and Brownian ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_JITTER = 1e-10  # relative; slow covariances are singular to float64


@dataclass(frozen=True, slots=True)
class Process:
    """``scale`` times a process of covariance ``kind`` at breadth b, plus ``mean``, at L equidistant times.

    kinds: white; se, e^{-(r/b)^2}; ou, e^{-r/b}; brownian, min(s,t).
    """

    kind: str
    b: float = 1.0
    scale: float = 1.0
    mean: float = 0.0

    def covariance(self, L: int) -> Tensor:
        """(L,L), float64."""
        times = (torch.arange(L, dtype=torch.float64) + 1) / L
        r = (times[:, None] - times[None, :]).abs()
        shapes = {
            "white": lambda: torch.eye(L, dtype=torch.float64),
            "se": lambda: torch.exp(-((r / self.b) ** 2)),
            "ou": lambda: torch.exp(-r / self.b),
            "brownian": lambda: torch.minimum(times[:, None], times[None, :]),
        }
        return self.scale**2 * shapes[self.kind]()

    def means(self, L: int) -> Tensor:
        return torch.full((L,), self.mean, dtype=torch.float64)

    def sample(self, m: int, L: int, d: int, generator: torch.Generator) -> Tensor:
        """Independent channels: (m,L,d)."""
        covariance = self.covariance(L)
        shift = _JITTER * self.scale**2 * torch.eye(L, dtype=torch.float64)
        factor = torch.linalg.cholesky(covariance + shift)
        noise = torch.randn(m, L, d, generator=generator, dtype=torch.float64)
        return self.mean + torch.einsum("st,mtd->msd", factor, noise)

    def __str__(self) -> str:
        name = self.kind if self.kind in ("white", "brownian") else f"{self.kind} {self.b:g}"
        name += f" x {self.scale:.3g}" * (self.scale != 1)
        return name + f" + {self.mean:g}" * (self.mean != 0)


def unit_area(b: float) -> float:
    """The scale at which a squared exponential covariance has area 1: (b sqrt pi)^{-1/2}."""
    return 1 / math.sqrt(b * math.sqrt(math.pi))
