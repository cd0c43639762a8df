"""Which tensors a word moves: the families of theory 8.12, over named tensors and what each is good for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ssm_bounds.bounds.codes.layout import Shape
from ssm_bounds.bounds.values import require

Family = Literal["head", "bitfit", "lora", "full", "subspace"]
FAMILIES: tuple[Family, ...] = get_args(Family)
Role = Literal["head", "vector", "matrix", "other"]
"""head: coded in every family. vector: moved by bitfit (biases, norms, skips, convolutions). matrix: moved by lora."""
RANKS = tuple(range(1, 9))
DIMENSIONS = tuple(2**k for k in range(4, 14))
SUBSPACE = "subspace"
"""The name of the vector that moves all tensors but the head in the family subspace."""


@dataclass(frozen=True, slots=True)
class Part:
    """The shape and the role of one tensor of a model; a matrix is (out, in). Raises: DomainError."""

    shape: Shape
    role: Role

    def __post_init__(self) -> None:
        require(self.role in get_args(Role), f"part of a model: unknown role {self.role!r}")
        fits = all(type(size) is int and size >= 1 for size in self.shape)
        require(fits, f"part of a model: sizes are integers >= 1, got {self.shape}")
        require(self.role != "matrix" or len(self.shape) == 2, f"a matrix has two axes, got {self.shape}")


def coded(family: Family, parts: Mapping[str, Part], size: int | None = None) -> dict[str, Shape]:
    """The tensors of integers that a word of this family holds, in order: a function of what is fixed before the data.

    ``size``: the rank of lora, the dimension of the subspace. Raises: DomainError.

    >>> model = {"in": Part((6, 2), "matrix"), "b": Part((6,), "vector"), "head": Part((3, 2), "head")}
    >>> coded("lora", model, 1)
    {'in.A': (1, 2), 'in.B': (6, 1), 'head': (3, 2)}
    """
    check_size(family, size)
    found: dict[str, Shape] = {}
    for name, part in parts.items():
        if part.role == "head" or family == "full" or (family == "bitfit" and part.role == "vector"):
            found[name] = part.shape
        elif family == "lora" and part.role == "matrix" and size is not None:
            rows, columns = part.shape
            found |= {f"{name}.A": (size, columns), f"{name}.B": (rows, size)}
    if family == "subspace" and size is not None:
        found[SUBSPACE] = (size,)
    return found


def reach(part: Part, size: int) -> float:
    """c of a tensor that the subspace of ``size`` dimensions moves: a power of two, ``2^-ceil(ceil(log2 n)/2)``, n =
    ``size`` times the fan-in, which is all axes but the first. So numbers z s of about 1 move a weight about as far
    as a seeded start lies from zero, in whatever dimension. Source: theory 8.12 (c is fixed before the data).

    >>> reach(Part((6, 16), "matrix"), 256), reach(Part((6,), "vector"), 32)
    (0.015625, 0.125)
    """
    n = size * math.prod(part.shape[1:])
    return float(2.0 ** -(((n - 1).bit_length() + 1) // 2))


def check_size(family: Family, size: int | None) -> None:
    """Raises: DomainError unless the family exists and has this rank, dimension or none."""
    require(family in FAMILIES, f"unknown family {family!r}: expected one of {', '.join(FAMILIES)}")
    wanted = {"lora": RANKS, "subspace": DIMENSIONS}.get(family, (None,))
    whole = size is None or type(size) is int  # 64.0 and True are equal to members of the lists
    require(size in wanted and whole, f"{family}: expected a size of {wanted}, got {size!r}")
