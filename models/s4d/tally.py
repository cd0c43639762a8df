"""What rows do in S4D layers: a, b, tau and the mean square of the last output, by layer and channel (theory 16.2).

Measured in float64, to the nearest: nothing here is enclosed. Rows go through all layers a few at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ssm_bounds.bounds.values import require
from ssm_bounds.models.files.s4d_layers import File, Layer
from ssm_bounds.models.s4d.measure import LARGEST_STEP
from ssm_bounds.models.s4d.module import S4DLayer
from ssm_bounds.models.s4d.tau import Statistics, parts

_BLOCK = 1 << 21  # numbers of a layer's inputs at once
_EPS = 1e-5  # of a LayerNorm, as torch and the public code have it
_MOST_POWERS = 1 << 24  # complex numbers of a table of powers of all modes of a layer
_MOST_TAPS = 1 << 27  # of all layers
_LARGEST_PHASE = 2.0**30  # radians over all tokens: float64 then has the angle within 2^-22
_EXTREME = 1e150  # beyond it, and below its inverse, products with A or dt may leave float64
_LOST = 2.0**-40  # a ratio beside sums that cancel is off by about 2^-10 where they are that small, a row or a token


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Of one layer, each (d,): tau is ``(a + b)^2``, ``square`` the mean square of its last output over the rows.

    ``ratio``: of the two; NaN where tau is 0, or so far below what its sums add up that rounding decides.
    """

    name: str
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    tau: NDArray[np.float64]
    square: NDArray[np.float64]
    ratio: NDArray[np.float64]


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
    """Of every layer, for inputs x (m,T,n_u) to the first.

    Raises: DomainError (more than fits here; a mode, taps or sums that float64 does not hold), naming the layer.
    """
    m, T, _ = x.shape
    _require_room(file, T)
    for layer in file.layers:
        _require_modes(layer, T)
    modules = [S4DLayer(**{name: torch.tensor(value) for name, value in each.tensors.items()}) for each in file.layers]
    kernels = [module.taps(T) for module in modules]
    for layer, kernel in zip(file.layers, kernels, strict=True):
        require(bool(kernel.isfinite().all()), f"layer {layer.name!r}: its taps exceed float64 (kernel.C, D)")
    found = [_Moments() for _ in modules]
    step = max(1, _BLOCK // (T * file.layers[0].d))
    for start in range(0, m, step):
        rows = torch.from_numpy(x[start : start + step].astype(np.float64))
        for moments, (inputs, last) in zip(found, _through(file, modules, kernels, rows, prenorm), strict=True):
            moments.add(inputs, last)
        progress(min(start + step, m), m)
    return tuple(map(_of, file.layers, kernels, found))


def _require_room(file: File, T: int) -> None:
    """Before anything is made. Raises: DomainError."""
    root = math.isqrt(T - 1) + 1
    for layer in file.layers:
        powers = layer.d * layer.N * root
        require(
            powers <= _MOST_POWERS,
            f"layer {layer.name!r}: {layer.d * layer.N:,} modes and T = {T:,} take {powers:,} powers, at most "
            f"{_MOST_POWERS:,} are made; give shorter rows",
        )
    taps = T * sum(layer.d for layer in file.layers)
    require(
        taps <= _MOST_TAPS, f"its layers have {taps:,} taps at T = {T:,}, at most {_MOST_TAPS:,}; give shorter rows"
    )


def _require_modes(layer: Layer, T: int) -> None:
    """Raises: DomainError naming a mode whose numbers would mean nothing, and its tensors."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        dt = np.exp(layer.tensors["log_dt"])[:, None]
        real, imag = np.exp(layer.tensors["log_A_real"]), layer.tensors["A_imag"]
        size = np.hypot(real, imag)
        checks = (
            ((dt >= 1 / _EXTREME) & (dt <= _EXTREME), "dt is outside 1e-150 to 1e150 (kernel.log_dt)"),
            (
                (size >= 1 / _EXTREME) & (size <= _EXTREME),
                "|A| is outside 1e-150 to 1e150 (kernel.log_A_real, kernel.A_imag)",
            ),
            (real * dt < LARGEST_STEP, "a step of 2^40 or more (kernel.log_A_real, kernel.log_dt)"),
            (
                np.abs(imag) * dt * T < _LARGEST_PHASE,
                f"it turns by 2^30 radians or more over T = {T:,} tokens (kernel.A_imag, kernel.log_dt)",
            ),
        )
    for fits, words in checks:
        if not (fits := np.broadcast_to(fits, size.shape)).all():
            j, n = np.argwhere(~fits)[0].tolist()
            require(False, f"layer {layer.name!r}, mode {n} of channel {j}: {words}")


def _of(layer: Layer, taps: Tensor, moments: _Moments) -> Tally:
    statistics = moments.statistics
    a, b = parts(taps, statistics)
    tau, square = (a + b).square(), moments.squares / moments.count
    require(
        all(bool(each.isfinite().all()) for each in (a, b, tau, square)),
        f"layer {layer.name!r}: tau or a mean square exceeds float64 on these rows: the rows are too large, or the "
        "tensors of this layer or of one before it",
    )
    # what the sums of tau and of the outputs add up, by which their roundings go
    added = (taps.flip(-1).T.abs() * torch.hypot(statistics.mean, statistics.deviation)).sum(0)
    known = (tau > 0) & (a + b > _LOST * (len(statistics.mean) + moments.count) * added)
    ratio = torch.where(known, square / tau, torch.nan)
    return Tally(layer.name, *(each.numpy() for each in (a, b, tau, square, ratio)))


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
