"""What a code knows of a model: its named tensors, the index that each of their axes carries, and its symmetries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.values import require

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """What axes of several tensors count in common, as "channels", and how many there are."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """The index of each axis. A row is a value of the first of two or more axes; fewer axes make one row."""

    name: str
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """The values of an index may be permuted, in all tensors that carry it at once.

    ``by``: these tensors, as the representative looks at them for sorting: the first that differs decides.
    """

    index: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """One sign for each value of an index (None: a single one), which the entries of ``tensors`` there have in common.

    They may change together.
    """

    index: str | None
    tensors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A model's tensors, in coding order, and its symmetries: all of it fixed before the data.

    ``narrow``: the indices of which a narrow code keeps the first values only. ``orders``: representatives are sorted
    along the first, then along the next. ``gauge``: the tensors that flip, in the order in which the representative
    looks for entries to make positive. Raises: DomainError.

    >>> line = Layout((Index("inputs", 3), Index("outputs", 2)), (Tensor("W", ("outputs", "inputs")), Tensor("b", ())))
    >>> line.shapes()
    {'W': (2, 3), 'b': ()}
    """

    indices: tuple[Index, ...]
    tensors: tuple[Tensor, ...]
    narrow: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()
    flips: tuple[Flip, ...] = ()
    gauge: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sizes, names = self.sizes(), {tensor.name: tensor for tensor in self.tensors}
        require(len(sizes) == len(self.indices), f"layout: an index is named twice in {self.indices}")
        require(len(names) == len(self.tensors) > 0, f"layout: needs tensors of different names, got {self.tensors}")
        for index in self.indices:
            fits = type(index.size) is int and index.size >= 1
            require(fits, f"{index.name}: a size is an integer >= 1, got {index.size!r}")
            require(self.carriers(index.name) != (), f"{index.name}: no tensor carries this index")
        for tensor in self.tensors:
            fits = set(tensor.axes) <= set(sizes) and len(set(tensor.axes)) == len(tensor.axes)
            require(fits, f"{tensor.name}: axes {tensor.axes} are not different indices of {tuple(sizes)}")
        for listed in (self.narrow, tuple(order.index for order in self.orders)):
            fits = set(listed) <= set(sizes) and len(set(listed)) == len(listed)
            require(fits, f"layout: {listed} are not different indices of {tuple(sizes)}")
        for order in self.orders:
            carriers = self.carriers(order.index)
            require(sorted(order.by) == sorted(carriers), f"{order.index}: is carried by {carriers}, got {order.by}")
        for flip in self.flips:
            carriers = tuple(names) if flip.index is None else self.carriers(flip.index)
            fits = set(flip.tensors) <= set(carriers) and len(set(flip.tensors)) == len(flip.tensors) > 0
            require(fits, f"{flip.index}: signs flip tensors of {carriers}, got {flip.tensors}")
        flipping = {name for flip in self.flips for name in flip.tensors}
        require(
            sorted(self.gauge) == sorted(flipping), f"layout: the tensors that flip are {flipping}, not {self.gauge}"
        )

    def sizes(self) -> dict[str, int]:
        """The size of each index."""
        return {index.name: index.size for index in self.indices}

    def axes(self) -> dict[str, tuple[str, ...]]:
        """The indices of each tensor."""
        return {tensor.name: tensor.axes for tensor in self.tensors}

    def carriers(self, index: str) -> tuple[str, ...]:
        """The tensors that carry an index."""
        return tuple(tensor.name for tensor in self.tensors if index in tensor.axes)

    def shapes(self, kept: Sequence[int] | None = None) -> dict[str, Shape]:
        """The shape of each tensor, or of what is left of it with the first ``kept`` values of the narrow indices."""
        sizes = self.sizes()
        if kept is not None:
            sizes |= dict(zip(self.narrow, kept, strict=True))
        return {tensor.name: tuple(sizes[index] for index in tensor.axes) for tensor in self.tensors}


def row_index(axes: tuple[str, ...]) -> str | None:
    """What the rows of a tensor are values of, if there are several."""
    return axes[0] if len(axes) > 1 else None


def row_count(shape: Shape) -> int:
    """How many rows a tensor has."""
    return shape[0] if len(shape) > 1 else 1


def corner(shape: Shape) -> tuple[slice, ...]:
    """Where the first entries along each axis are."""
    return tuple(slice(size) for size in shape)


def taken(
    layout: Layout, tensors: Mapping[str, NDArray[Any]], values: Mapping[str, Sequence[int]]
) -> dict[str, NDArray[Any]]:
    """The tensors with these values of some indices, in this order."""
    found = {}
    for name, axes in layout.axes().items():
        tensor = np.asarray(tensors[name])
        for axis, index in enumerate(axes):
            if index in values:
                tensor = np.take(tensor, values[index], axis)
        found[name] = tensor
    return found
