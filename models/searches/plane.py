"""The subspace in which the family *subspace* moves a model, in float32 and differentiable (theory 8.12)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ssm_bounds.bounds.codes.families import Part, reach
from ssm_bounds.bounds.codes.layout import Shape
from ssm_bounds.bounds.codes.moves import signs
from ssm_bounds.bounds.values import require
from ssm_bounds.models.mamba.weights import Array

_MOST = 2**27
"""Entries of the matrix: half a gigabyte."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Starts (n,) of all tensors that are moved, and ``c P`` (n,size)."""

    shapes: Mapping[str, Shape]
    starts: Tensor
    matrix: Tensor

    @classmethod
    def of(cls, still: Mapping[str, Array], parts: Mapping[str, Part], size: int, seed: int) -> Plane:
        """As ``decode`` has it. ``still``: what is moved, in the order of the model. Raises: DomainError where the
        matrix would take too much memory."""
        count = sum(value.size for value in still.values())
        fits = count * size <= _MOST
        require(fits, f"a search in {size} dimensions moves at most {_MOST // size} weights, and these are {count}")
        numbers, rows = np.random.Philox(key=seed), list[Tensor]()
        for name, value in still.items():
            c = reach(parts[name], size)
            for block in signs(numbers, value.size, size):
                rows.append(torch.from_numpy(block).float().mul_(2 * c).sub_(c))
        starts = np.concatenate([value.ravel() for value in still.values()])
        shapes = {name: value.shape for name, value in still.items()}
        return cls(shapes, torch.tensor(starts, dtype=torch.float32), torch.cat(rows))

    def moved(self, numbers: Tensor) -> dict[str, Tensor]:
        """Each tensor, for numbers z s (size,)."""
        values = (self.starts + self.matrix @ numbers).split([math.prod(shape) for shape in self.shapes.values()])
        return {name: value.view(shape) for (name, shape), value in zip(self.shapes.items(), values, strict=True)}
