"""Adversarial ascent with torch for the largest left/right of a claim over everything its quantifiers allow.

A batch of random starts climbs ``ln left - ln right`` by Adam, at each choice of sizes in turn. Nothing that float64
says is believed: the ends of all climbs are replayed in ball arithmetic (``proofs.adversary.replay``), and the ratio
reported is one that the exact left/right certainly reaches.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import sympy
import torch
from sympy.logic.boolalg import Boolean
from torch import Tensor

from ssm_bounds.bounds.evaluate.balls import Arithmetic
from ssm_bounds.bounds.values import DomainError, Scalar
from ssm_bounds.proofs.adversary import (
    Adversary,
    Array,
    Finding,
    Point,
    Sizes,
    assignment,
    certified_ratio,
    replay,
    sides,
)

STARTS = 24
STEPS = 120
RATE = 0.1
_TINY = 1e-200  # keeps the logarithm and the root of an exact 0, and their derivatives, finite


class Tensors:
    """float64 tensors; derivatives exist wherever the exact ones do."""

    def exp(self, x: Array) -> Tensor:
        return torch.exp(x)

    def log(self, x: Array) -> Tensor:
        return torch.log(x)

    def softplus(self, x: Array) -> Tensor:
        return torch.logaddexp(x, torch.zeros_like(x))

    def maximum(self, x: Array, y: Array) -> Tensor:
        return torch.maximum(x, y)

    def largest(self, x: Array) -> Tensor:
        return x.amax()

    def prefix_sums(self, x: Array) -> Tensor:
        return torch.cat([torch.zeros_like(x[:1]), x.cumsum(0)[:-1]])

    def norm(self, x: Array) -> Tensor:
        return torch.sqrt((x * x).sum() + _TINY)

    def spectral(self, x: Array) -> Tensor:
        if 1 in x.shape:
            return self.norm(x)
        gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
        return torch.sqrt(torch.linalg.eigvalsh(gram).amax().clamp_min(0) + _TINY)

    def logarithmic_norm(self, x: Array) -> Tensor:
        return torch.linalg.eigvalsh((x + x.T) / 2).amax()

    def exponential(self, x: Array) -> Tensor:
        return torch.linalg.matrix_exp(x)


class _TensorArithmetic(Arithmetic):
    """Sympy expressions on tensors; every branch is computed and one is kept, since a batch may need them all."""

    number = Tensor
    functions: ClassVar = {
        sympy.Add: torch.add,
        sympy.Mul: torch.mul,
        sympy.Abs: torch.abs,
        sympy.exp: torch.exp,
        sympy.log: torch.log,
        sympy.sqrt: torch.sqrt,
        sympy.Min: torch.minimum,
        sympy.Max: torch.maximum,
    }

    @staticmethod
    def log1p(x: Tensor) -> Tensor:
        return torch.log1p(x)

    @staticmethod
    def from_rational(p: int, q: int) -> Tensor:
        return torch.tensor(p / q, dtype=torch.float64)

    @staticmethod
    def from_scalar(value: Scalar) -> Tensor:
        return torch.tensor(float(value), dtype=torch.float64)

    def _build_piecewise(self, node: sympy.Piecewise) -> Any:
        *branches, (last, condition) = node.args
        if condition is not sympy.true:
            raise DomainError(f"the last branch of {node} has a condition")
        otherwise = self.compile(last)
        parts = [(condition.func, *map(self.compile, condition.args), self.compile(x)) for x, condition in branches]

        def choose(state: dict[sympy.Symbol, Any]) -> Tensor:
            result = otherwise(state)
            for relation, left, right, branch in reversed(parts):
                result = torch.where(_RELATIONS[relation](left(state), right(state)), branch(state), result)
            return result

        return choose


_RELATIONS = {
    sympy.Eq: torch.eq,
    sympy.StrictLessThan: torch.lt,
    sympy.LessThan: torch.le,
    sympy.StrictGreaterThan: torch.gt,
    sympy.GreaterThan: torch.ge,
}
TENSORS = Tensors()
_EVALUATE = _TensorArithmetic()


def climb(claim: Boolean, adversary: Adversary, sizes: Sizes, generator: torch.Generator) -> Iterator[Point]:
    """The ends of ``STARTS`` ascents at one choice of sizes: random directions at random scales."""
    shapes = adversary.arrays(sizes)
    arrays = {}
    for name, shape in shapes.items():
        spread = torch.rand((STARTS,) + (1,) * len(shape), generator=generator, dtype=torch.float64)
        arrays[name] = torch.randn((STARTS, *shape), generator=generator, dtype=torch.float64)
        arrays[name] *= torch.exp(4 * spread - 3)  # from 0.05 to 2.7
        arrays[name].requires_grad_()
    left, right = (_EVALUATE.compile(side) for side in sides(claim))

    def height(instance: Mapping[str, Tensor]) -> Tensor:
        values = assignment(adversary, TENSORS, instance, sizes)
        return torch.log(left(dict(values)).clamp_min(_TINY)) - torch.log(right(dict(values)).clamp_min(_TINY))

    heights = torch.vmap(height)
    optimiser = torch.optim.Adam(arrays.values(), lr=RATE)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / STEPS) + 1e-3
        optimiser.zero_grad()
        (-heights(arrays).sum()).backward()
        for array in arrays.values():
            if array.grad is not None:
                array.grad.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
        optimiser.step()
    ends = {name: array.detach().numpy() for name, array in arrays.items()}
    for i in range(STARTS):
        point = Point(sizes, {name: np.array(array[i]) for name, array in ends.items()})
        if all(np.isfinite(array).all() for array in point.arrays.values()):
            yield point


def search(claim: Boolean, adversary: Adversary, *, seed: int = 0, seconds: float = 0.0) -> Finding | None:
    """The best point of one round over all sizes, and of further rounds for ``seconds``; None if no side is finite.

    Without further rounds the result is a function of the seed.
    """
    generator = torch.Generator().manual_seed(seed)
    end = time.monotonic() + seconds
    best: Finding | None = None
    while True:
        for sizes in adversary.sizes:
            for point in climb(claim, adversary, sizes, generator):
                if (found := replay(claim, adversary, point)) is None:
                    continue
                ratio = certified_ratio(*found)
                if best is None or ratio > best.ratio:
                    best = Finding(ratio, point)
            if best is not None and 0 < seconds < time.monotonic() - end + seconds:
                return best
        if time.monotonic() >= end:
            return best
