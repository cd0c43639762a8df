"""What rows do in S4D layers: a, b, tau and the mean square of the last output, by layer and channel (theory 16.2).

Measured in float64, to the nearest: nothing here is enclosed. Rows go through all layers a few at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ssm_bounds.models.files.s4d_layers import File, Layer
from ssm_bounds.models.s4d.module import S4DLayer
from ssm_bounds.models.s4d.tau import Statistics, parts

_BLOCK = 1 << 21  # numbers of a layer's inputs at once
_EPS = 1e-5  # of a LayerNorm, as torch and the public code have it


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Of one layer, each (d,): tau is ``(a + b)^2``, ``square`` the mean square of its last output over the rows."""

    name: str
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    tau: NDArray[np.float64]
    square: NDArray[np.float64]


class Progress(Protocol):
    def __call__(self, done: int, total: int) -> None: ...


class _Moments:
    """Count, mean and sum of squares less the mean's, by time and channel; and the sum of squared last outputs."""

    def __init__(self) -> None:
        self.count, self.mean, self.spread, self.squares = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())

    def add(self, inputs: Tensor, last: Tensor) -> None:
        """Chan, Golub and LeVeque 1979: two groups of rows become one."""
        n, mean = len(inputs), inputs.mean(0)
        spread, total = (inputs - mean).square().sum(0), self.count + n
        shift = mean - self.mean
        self.spread = self.spread + spread + shift.square() * (self.count * n / total)
        self.mean = self.mean + shift * (n / total)
        self.count, self.squares = total, self.squares + last.square().sum(0)

    @property
    def statistics(self) -> Statistics:
        return Statistics(self.mean, (self.spread / self.count).sqrt())


@torch.no_grad()
def tally(
    file: File,
    x: NDArray[np.integer | np.floating],
    *,
    prenorm: bool = False,
    progress: Progress = lambda done, total: None,
) -> tuple[Tally, ...]:
    """Of every layer, for inputs x (m,T,n_u) to the first."""
    modules = [S4DLayer(**{name: torch.tensor(value) for name, value in each.tensors.items()}) for each in file.layers]
    m, T, _ = x.shape
    kernels = [module.taps(T) for module in modules]
    found = [_Moments() for _ in modules]
    step = max(1, _BLOCK // (T * file.layers[0].d))
    for start in range(0, m, step):
        rows = torch.from_numpy(x[start : start + step].astype(np.float64))
        for moments, (inputs, last) in zip(found, _through(file, modules, kernels, rows, prenorm), strict=True):
            moments.add(inputs, last)
        progress(min(start + step, m), m)
    return tuple(map(_of, file.layers, kernels, found))


def _of(layer: Layer, taps: Tensor, moments: _Moments) -> Tally:
    a, b = parts(taps, moments.statistics)
    return Tally(layer.name, *(each.numpy() for each in (a, b, (a + b).square(), moments.squares / moments.count)))


def _through(
    file: File, modules: list[S4DLayer], kernels: list[Tensor], rows: Tensor, prenorm: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """What each layer is given, and its last output before any activation."""
    state = rows if file.encoder is None else functional.linear(rows, *map(torch.from_numpy, file.encoder))
    for i, (layer, module, taps) in enumerate(zip(file.layers, modules, kernels, strict=True)):
        inputs = _normed(layer, state) if prenorm else state
        yield inputs, torch.einsum("dl,mld->md", taps.flip(1), inputs)
        if i + 1 == len(modules):
            return
        out = module(inputs)
        if layer.mixing is not None:
            out = functional.glu(functional.linear(functional.gelu(out), *map(torch.from_numpy, layer.mixing)), dim=-1)
        state = out + state if file.residual else out
        if file.residual and not prenorm:
            state = _normed(layer, state)


def _normed(layer: Layer, x: Tensor) -> Tensor:
    assert layer.norm is not None
    weight, bias = map(torch.from_numpy, layer.norm)
    return functional.layer_norm(x, x.shape[-1:], weight, bias, _EPS)
