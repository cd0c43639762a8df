"""tau of an S4D layer: of its inputs' mean and deviation, at least the mean square of its last output (theory 16).

For any training loop. Of a torch model with layers of ``ssm_bounds.models.s4d.module``::

    rescale_(model, batch)                      # once, before training
    with watched(model) as seen:
        loss = criterion(model(x), y)
    (loss + weight * penalty(seen)).backward()

Layers of other code bring their taps: ``tau(taps, Statistics.of(inputs))``, the skip in ``taps[:, 0]``. The taps meet
the inputs in reverse, by a dot product; no FFT. tau is a measure: what it says of new rows is no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ssm_bounds.bounds.values import require
from ssm_bounds.models.s4d.module import S4DLayer


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Mean and *biased* deviation of inputs by time and channel, detached: (T,d), or (T,1) of channels that are alike.

    With the biased one tau is at least the mean square over the very batch (theory 16.2). Raises: DomainError.
    """

    mean: Tensor
    deviation: Tensor

    def __post_init__(self) -> None:
        alike = self.mean.ndim == 2 and self.mean.shape == self.deviation.shape
        require(alike, f"statistics are two of (T, d), got {tuple(self.mean.shape)} and {tuple(self.deviation.shape)}")

    @classmethod
    def of(cls, batch: Tensor) -> Self:
        """Of inputs (m,T,d), one sequence or more. Raises: DomainError."""
        full = batch.ndim == 3 and len(batch) > 0
        require(full, f"statistics are of a batch (m, T, d) of at least one sequence, got {tuple(batch.shape)}")
        x = batch.detach()
        return cls(x.mean(0), x.std(0, correction=0))


def parts(taps: Tensor, statistics: Statistics) -> tuple[Tensor, Tensor]:
    """``a_j = sum_s |g_js| sd_js`` and ``b_j = |sum_s g_js mu_js|``, g the reversed taps (d,T): each (d,).

    Raises: DomainError for another length.
    """
    T = len(statistics.mean)
    require(taps.shape[-1] == T, f"{taps.shape[-1]} taps do not fit statistics of {T} times")
    g = taps.flip(-1).T
    return (g.abs() * statistics.deviation).sum(0), (g * statistics.mean).sum(0).abs()


def tau(taps: Tensor, statistics: Statistics) -> Tensor:
    """``(a_j + b_j)^2`` (d,). Source: theory 16.1."""
    a, b = parts(taps, statistics)
    return (a + b).square()


def second_moment(taps: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """``E y_j^2 = g^T K g + (g . mu)^2`` (d,) of the last output, at most tau. mean (T,) and covariance (T,T): those of
    the inputs of every channel. Source: theory 16.1."""
    g = taps.flip(-1)
    return torch.einsum("ds,st,dt->d", g, covariance, g) + (g @ mean).square()


def penalty(seen: Iterable[tuple[S4DLayer, Statistics]]) -> Tensor:
    """tau of each layer, the mean over its channels, summed over the layers: differentiable in the layers alone.

    Raises: DomainError for no layer at all.
    """
    found = [tau(layer.taps(len(statistics.mean)), statistics).mean() for layer, statistics in seen]
    require(bool(found), "tau of no layer: the model ran no S4DLayer while it was watched")
    return torch.stack(found).sum()


@contextmanager
def watched(model: nn.Module) -> Iterator[list[tuple[S4DLayer, Statistics]]]:
    """Every S4D layer that runs inside, in order, with the statistics of what it is given."""
    seen: list[tuple[S4DLayer, Statistics]] = []

    def note(layer: S4DLayer, inputs: Tensor) -> None:
        seen.append((layer, Statistics.of(inputs)))

    with _before_each(model, note):
        yield seen


@torch.no_grad()
def rescale_(model: nn.Module, batch: Tensor) -> list[Tensor]:
    """Divide C and D of every S4D layer by sqrt tau, channel by channel, so that tau is 1: what it was (d,), by layer.

    One run of the model: a layer's inputs come from the layers before it as they are after their own rescaling. A
    channel with tau = 0 is left alone. Source: theory 16.3.
    """
    found: list[Tensor] = []

    def rescale(layer: S4DLayer, inputs: Tensor) -> None:
        statistics = Statistics.of(inputs)
        found.append(tau(layer.taps(len(statistics.mean)), statistics))
        divide_(layer, found[-1])

    with _before_each(model, rescale):
        model(batch)
    return found


@torch.no_grad()
def divide_(layer: S4DLayer, before: Tensor) -> None:
    """Divide C and D by the root of what tau was (d,), where it is not 0."""
    factor = torch.where(before > 0, before.rsqrt(), torch.ones_like(before))
    layer.C.mul_(factor[:, None, None])
    layer.D.mul_(factor)


@contextmanager
def _before_each(model: nn.Module, call: Callable[[S4DLayer, Tensor], None]) -> Iterator[None]:
    """``call`` with every S4D layer, and what it is given, before it runs."""

    def hook(layer: S4DLayer) -> RemovableHandle:
        return layer.register_forward_pre_hook(lambda _, inputs: call(layer, inputs[0]))

    hooks = [hook(each) for each in model.modules() if isinstance(each, S4DLayer)]
    try:
        yield
    finally:
        for each in hooks:
            each.remove()
