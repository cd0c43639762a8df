"""The tensors of a word while they are trained: rounded in the forward pass, priced by the laws of their integers.

Source: theory 8.14 (straight-through rounding, learned steps; the rate of a discretised Laplace law as in Balle et al.,
2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ssm_bounds.bounds.codes.layout import Shape
from ssm_bounds.bounds.codes.moves import STEPS
from ssm_bounds.bounds.codes.symbols import WORD_ALPHABET, Integers
from ssm_bounds.bounds.codes.word import Coded
from ssm_bounds.models.mamba.weights import Array

FIRST_STEP = 1.5
"""The step that a tensor begins with, in units of the root mean square of its move."""
_STEPS = torch.tensor([float(step) for step in STEPS])
_LARGEST = 2.0**20
_LEAST_MOVE = 2.0**-6
_LEAST_SCALE = 0.05  # of a Laplace law, in steps


@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """The tensors of a family while they are trained: ``centre + s z``, z the rounding of ``move/s``.

    All in a row: n numbers of t tensors. Shapes: centre, move, owner (n,), the last the tensor of each; j, scale (t,):
    s is the step of j's rounding, and scale ln of that of the Laplace law which prices z, in steps. ``from_zero``:
    which are centred at zero, the others at the base.
    """

    shapes: Mapping[str, Shape]
    from_zero: tuple[bool, ...]
    centre: Tensor
    owner: Tensor
    move: Tensor
    j: Tensor
    scale: Tensor

    @classmethod
    def around(
        cls,
        base: Mapping[str, Array],
        weights: Mapping[str, Array],
        shapes: Mapping[str, Shape],
        may_leave: bool,
        first: float = FIRST_STEP,
    ) -> Latents:
        """Around the base, or around zero where that is nearer and ``may_leave`` allows it."""
        found = []
        for name in shapes:
            zero = may_leave and bool(np.abs(weights[name]).mean() < np.abs(weights[name] - base[name]).mean())
            move = weights[name] - (np.zeros_like(base[name]) if zero else base[name])
            step = first * max(float(np.sqrt(np.square(move).mean())), _LEAST_MOVE)
            found.append((zero, move, min(max(-2 * math.log2(step), 0.0), len(STEPS) - 1.0)))
        return cls._made(base, shapes, found)

    @classmethod
    def at(cls, base: Mapping[str, Array], tensors: Mapping[str, Coded | None], shapes: Mapping[str, Shape]) -> Latents:
        """At the integers of a word, each tensor with its step and centre."""
        found = []
        for name in shapes:
            each = tensors[name]
            if each is None:
                found.append((False, np.zeros_like(base[name]), -2 * math.log2(FIRST_STEP * _LEAST_MOVE)))
            else:
                move = np.asarray(each.z * float(STEPS[each.step]), dtype=np.float64)
                found.append((each.centre == "zero", move, float(each.step)))
        return cls._made(base, shapes, found)

    @classmethod
    def _made(
        cls, base: Mapping[str, Array], shapes: Mapping[str, Shape], parts: Sequence[tuple[bool, Array, float]]
    ) -> Latents:
        """Of each tensor: is its centre zero, how far has it moved, and j of its step."""
        zeros, moves, j = zip(*parts, strict=True)
        centres = [np.zeros_like(base[name]) if zero else base[name] for name, zero in zip(shapes, zeros, strict=True)]
        steps = [2 ** (-each / 2) for each in j]
        scales = [
            math.log(max(float(np.abs(move).mean()) / step, _LEAST_SCALE))
            for move, step in zip(moves, steps, strict=True)
        ]
        sizes = torch.tensor([move.size for move in moves])
        return cls(
            shapes,
            tuple(zeros),
            torch.tensor(np.concatenate([each.ravel() for each in centres]), dtype=torch.float32),
            torch.arange(len(sizes)).repeat_interleave(sizes),
            torch.tensor(np.concatenate([move.ravel() for move in moves]), dtype=torch.float32, requires_grad=True),
            torch.tensor(j, requires_grad=True),
            torch.tensor(scales, requires_grad=True),
        )

    def copy(self) -> Latents:
        """The same numbers, to be trained apart."""
        move, j, scale = (each.detach().clone().requires_grad_() for each in (self.move, self.j, self.scale))
        return replace(self, move=move, j=j, scale=scale)

    def keep_steps(self) -> None:
        """On the ends of the grid: beyond them a gradient says what no word can do, and float32 loses the step."""
        with torch.no_grad():
            self.j.clamp_(0, len(STEPS) - 1)

    def index(self) -> Tensor:
        """j of each step as it is (t,)."""
        return self.j.detach().round().clamp(0, len(STEPS) - 1).long()

    def step(self) -> Tensor:
        """s_j (t,), with the gradient of ``2^{-j/2}``."""
        free = torch.exp2(-self.j / 2)
        return free + (_STEPS[self.index()] - free).detach()

    def weights(self) -> dict[str, Tensor]:
        """The weights that the word will have, with the gradients of the numbers before rounding."""
        step = self.step()[self.owner]
        z = self.move / step
        return self._split(self.centre + step * (z + (_rounded(z) - z).detach()))

    def rate(self, generator: torch.Generator) -> Tensor:
        """About the nats of z: those of a discretised Laplace law at ``move/s`` plus noise in [-1/2, 1/2]."""
        noise = torch.rand(len(self.move), generator=generator) - 0.5
        scale = self.scale.exp().clamp_min(_LEAST_SCALE)[self.owner]
        return laplace_nats(self.move / self.step()[self.owner] + noise, scale).sum()

    def tensors(self) -> dict[str, Coded | None]:
        """The integers of each tensor in the code that is shortest for them; None where it stays at its base."""
        with torch.no_grad():
            split = self._split(_rounded(self.move / self.step()[self.owner]))
        found: dict[str, Coded | None] = {}
        for (name, part), j, zero in zip(split.items(), self.index().tolist(), self.from_zero, strict=True):
            z = part.numpy().astype(np.int64)
            if zero or z.any():
                code = _shortest(z.ravel())
                found[name] = Coded(z, j, code, "zero" if zero else "base")
            else:
                found[name] = None
        return found

    def _split(self, values: Tensor) -> dict[str, Tensor]:
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        pieces = zip(self.shapes.items(), values.split(sizes), strict=True)
        return {name: piece.view(shape) for (name, shape), piece in pieces}


def _rounded(z: Tensor) -> Tensor:
    """To integers that any training that did not diverge has."""
    return z.round().clamp(-_LARGEST, _LARGEST)


def _shortest(z: Integers) -> int:
    """The code of ``WORD_ALPHABET`` that is shortest for z."""
    prices = [code.about(z) for code in WORD_ALPHABET]
    return prices.index(min(prices))


def laplace_nats(z: Tensor, scale: Tensor) -> Tensor:
    """``-ln (F(z + 1/2) - F(z - 1/2))``, F the distribution function of the Laplace law of this scale.

    >>> z = torch.arange(-60.0, 61.0)
    >>> round(float(torch.exp(-laplace_nats(z, torch.tensor(2.0))).sum()), 6)
    1.0
    """
    size = z.abs()
    beyond = (size - 0.5) / scale - torch.log(-torch.expm1(-1 / scale) / 2)
    near = size.clamp_max(0.5)
    inside = -torch.log(-(torch.expm1((near - 0.5) / scale) + torch.expm1(-(near + 0.5) / scale)) / 2)
    return torch.where(size >= 0.5, beyond, inside)
