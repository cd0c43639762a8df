"""Decay groups chosen after the data (theory 5.2): which split of the entries of A, of the rows, of the columns.

A dynamic programme over sorted decays proposes splits; any proposal is valid, since its labels and the cell of each
group's bound are paid for. So the programme may work in float64 and with a smooth stand-in for the covers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.block import Block
from ssm_bounds.bounds.architectures.selective_ssm.blocks import coefficients, count, images
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants, DecayGroups, MeasuredConstants
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.elementary import Floats, log_of
from ssm_bounds.bounds.selection.cells import Cell, abscissa_cells
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.bounds.selection.splits import MOST_GROUPS, Group, Item, Split
from ssm_bounds.bounds.values import Sample, Scalar

MOST_LEVELS = 64


def item_decays(measured: MeasuredConstants) -> dict[Item, tuple[Scalar, ...]]:
    """Largest decay that each entry of A (channel by channel), row of W_B and W_C, column of W touches.

    The states are sorted first, slowest first, which is a symmetry. Without measured entries every decay is s_A.
    """
    if measured.decays is None:
        s = measured.s_A
        return {"A": (s,) * (measured.d * measured.N), "rows": (s,) * measured.N, "columns": (s,) * measured.d}
    states = sorted(zip(*measured.decays, strict=True), key=max, reverse=True)
    channels = list(zip(*states, strict=True))
    return {
        "A": tuple(a for channel in channels for a in channel),
        "rows": tuple(map(max, states)),
        "columns": tuple(map(max, channels)),
    }


class _Levels(NamedTuple):
    """The distinct cells that the decays of items fall into, slowest first, and the level of each item."""

    cells: tuple[Cell, ...]
    level: NDArray[np.intp]


def _levels(decays: Sequence[Scalar], top: Cell) -> _Levels:
    """At most ``MOST_LEVELS`` levels; ``top`` bounds every decay and is the first of them."""
    found = [abscissa_cells(s)[0] for s in decays]
    below = {cell.value: cell for cell in found if cell.value < top.value}
    cells = [top, *(below[value] for value in sorted(below, reverse=True))]
    kept = np.unique(np.linspace(0, len(cells) - 1, min(len(cells), MOST_LEVELS)).astype(int))
    # an item belongs to the last level kept that still bounds it
    values = -np.array([float(cells[i].value) for i in kept])
    level = np.searchsorted(values, [-float(cell.value) for cell in found], side="right") - 1
    return _Levels(tuple(cells[i] for i in kept), np.maximum(level, 0))


@dataclass(frozen=True, slots=True)
class _Block:
    """One of the matrices that an item belongs to: entries per item, ``ln(g/eps)`` at each level (theory 3.4)."""

    size: int
    log_scale: Floats


def _share_cost(entries: Floats, log_scale: Floats, multiplier: float) -> Floats:
    """``min over eta of n ln(1 + g/eta) + mu eta``: what n entries cost when the shares of a product are optimal."""
    weight = np.maximum(entries, 1e-9)
    root = np.sqrt(1 + 4 * weight / multiplier * elementary.exp(-log_scale))
    eta = 2 * weight / multiplier / (1 + root)
    cost: Floats = entries * elementary.logaddexp(0.0, log_scale - elementary.log(eta)) + multiplier * eta
    return cost


def _best_labels(levels: _Levels, blocks: Sequence[_Block], multiplier: float, *, ordered: bool) -> tuple[int, ...]:
    """Group of every level: the partition into runs of levels of least cost and price."""
    count = len(levels.cells)
    held = np.concatenate([[0], np.cumsum(np.bincount(levels.level, minlength=count))])
    items = held[None, 1:] - held[:-1, None]  # of the run of levels [a, b]
    factorial = np.concatenate([[0.0], np.cumsum(elementary.log(np.arange(1, held[-1] + 1)))])
    run = np.where(items > 0, 0.0, np.inf)
    for block in blocks:
        run = run + _share_cost(np.maximum(items, 0) * float(block.size), block.log_scale[:, None], multiplier)
    if not ordered:
        run = run - factorial[np.maximum(items, 0)]
    prices = [-log_of(cell.weight) for cell in levels.cells]
    run[1:] += np.array(prices[1:])[:, None]  # the first group's bound is s_A, whose cell is paid in any case
    best = run[0]
    chosen: list[NDArray[np.intp]] = []
    totals = [best[-1]]
    for groups in range(2, min(MOST_GROUPS, count) + 1):
        extended = np.full((count, count), np.inf)
        extended[1:] = best[:-1, None] + run[1:]
        chosen.append(extended.argmin(axis=0))
        best = extended.min(axis=0)
        totals.append(best[-1] + log_of(math.comb(int(held[-1]) + groups - 1, groups - 1)))
    labels = np.zeros(count, dtype=int)
    end = count - 1
    for back in reversed(chosen[: int(np.argmin(totals))]):
        start = int(back[end])
        labels[start:] += 1
        end = start - 1
    return tuple(labels.tolist())


def _blocks(shell: ClassConstants, T: int, cells: Sequence[Cell], item: Item, eps: float) -> list[_Block]:
    """The matrices of an item and, for each level, the scale at which a product would weigh them there."""
    bare, log_eps = replace(shell, s_A=0.0), log_of(eps)
    scales = zip(*(_log_scales(bare, cell.value, T, item) for cell in cells), strict=True)
    return [
        _Block(
            count(SELECTIVE_SSM.per_item(block), shell),
            np.array([-700.0 if scale is None else max(scale, -700.0) - log_eps for scale in found]),
        )
        for block, found in zip(_divided(item), scales, strict=True)
    ]


def _divided(item: Item) -> list[Block]:
    return [block for block in SELECTIVE_SSM.blocks if block.item == item]


@functools.lru_cache(maxsize=512)
def _log_scales(bare: ClassConstants, s_A: Scalar, T: int, item: Item) -> tuple[float | None, ...]:
    """ln g of each matrix of an item in a class with s_A, None where the output does not depend on it.

    ``bare``: the class with another s_A, as several that are split share the rest of theirs.
    """
    at = _with_abscissa(bare, s_A)
    divided = _divided(item)
    blocks = images(at, coefficients(at, T), divided)
    surrogates = [blocks[block.key].surrogates() for block in divided]
    return tuple(found[0].log_scale if found else None for found in surrogates)


@functools.lru_cache(maxsize=512)
def _with_abscissa(bare: ClassConstants, s_A: Scalar) -> ClassConstants:
    return replace(bare, s_A=s_A)


def _groups(labels: Sequence[int], bounds: Sequence[Scalar]) -> tuple[Group, ...]:
    return tuple(Group(labels.count(group), bound) for group, bound in enumerate(bounds))


def one_group(shell: SelectedClass, measured: MeasuredConstants) -> SelectedClass:
    """The class with a single group for each item: what is left where no split pays."""
    labels = {item: (0,) * len(decays) for item, decays in item_decays(measured).items()}
    return _with_splits(shell, labels, dict.fromkeys(labels, ()))


def split(shell: SelectedClass, measured: MeasuredConstants, sample: Sample, eps: float) -> SelectedClass:
    """The class with the decay groups that the dynamic programme proposes at the output radius ``eps``.

    ``shell``: a class of ``selective_ssm.family.selected_classes`` with ``groups=True``. Source: theory 5.2, 7.
    """
    top = next(cell for cell in shell.cells if cell.name == "s_A")
    labels: dict[Item, tuple[int, ...]] = {}
    cells: dict[Item, tuple[Cell, ...]] = {}
    for item, decays in item_decays(measured).items():
        levels = _levels(decays, top)
        blocks = _blocks(shell.constants, sample.T, levels.cells, item, eps)
        of_level = _best_labels(levels, blocks, float(shell.constants.parameters), ordered=item == "rows")
        labels[item] = tuple(of_level[level] for level in levels.level)
        firsts = [of_level.index(group) for group in range(1, max(of_level) + 1)]
        cells[item] = tuple(
            replace(levels.cells[first], name=f"s_{item}.{group}") for group, first in enumerate(firsts, 2)
        )
    return _with_splits(shell, labels, cells)


def _with_splits(
    shell: SelectedClass, labels: dict[Item, tuple[int, ...]], cells: dict[Item, tuple[Cell, ...]]
) -> SelectedClass:
    groups = {
        item: _groups(labels[item], [shell.constants.s_A, *(cell.value for cell in cells[item])]) for item in labels
    }
    return replace(
        shell,
        constants=replace(shell.constants, groups=DecayGroups(**groups)),
        cells=(*shell.cells, *(cell for found in cells.values() for cell in found)),
        splits=tuple(Split(item, labels[item], len(groups[item]), item == "rows") for item in labels),
    )


def measured_groups(splits: Sequence[Split], measured: MeasuredConstants) -> DecayGroups:
    """The same splits with the measured bound of each group, *before section 7*."""
    decays = item_decays(measured)
    found = {
        split.name: _groups(
            split.labels,
            [
                max(s for s, label in zip(decays[split.name], split.labels, strict=True) if label == group)
                for group in range(split.groups)
            ],
        )
        for split in splits
    }
    return DecayGroups(**found)
