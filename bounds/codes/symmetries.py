"""Symmetric codewords share one prior mass: the push-forward of a prior under a choice of representatives.

**Claim.** Let p be a prior over codewords (a codebook and its integers) of sum at most 1, and R a map from codewords to
codewords, both fixed before the data. If only ``R(w)`` is ever run, theory 8.1 holds with the prior
``pi(theta) = sum of p(w) over all w with R(w) = theta``. For the R below and a code that gives the members of an orbit
equal masses, ``pi(theta) = p(theta) 2^r prod_i n_i!/prod a!`` over the ordered indices i of the layout, with n_i coded
values: the a count those that R cannot tell apart, and r is the number of independent changes of sign.

**Derivation.** The union bound of 8.1 is over the functions that can be run, one for each theta in the image of R, and
``sum_theta pi(theta) = sum_w p(w) <= 1``: every w counts once. No symmetry of the function enters: R is fixed by the
layout, and that is all.

R sorts, then flips. The indices of ``Layout.orders`` are sorted one after the other, stably and in decreasing order, by
keys that neither signs nor the order of later indices change; a step of a row goes with its row. The key of a value:
whether there is any weight, then what the tensors hold there (absolute values where signs may flip; along later indices
as a sorted list), then the steps of its rows.

The signs: one for each value of the index of each of ``Layout.flips``. Each is a vector over GF(2), and so is each
weight: its sign is the parity of what flips it. R goes through the weights that are not zero in a fixed order, keeps
those that are independent of the ones kept before (r of them, whatever the signs are), and flips so that the kept ones
are positive. If two flips agree there they agree on every weight, so the orbit of signs has ``2^r`` members, of which R
picks one. The fixed order is that of ``Layout.gauge``; in a tensor, entries of the same signs make a cell, cells come
in the order of storage, and the first entry of a cell, the last axis running slowest, stands for it.

Which w have ``R(w) = theta``: those that sort to a change of signs of theta. Keys are invariant, so w arises from theta
by flips and by permutations that keep equal keys in order. Two different arrangements of the keys are two words, and so
are two of the ``2^r`` changes of signs: multinomials times ``2^r``. Values that are copies of each other have equal
keys and count once; values of equal keys that are not copies are counted once too, and their other order may be another
fixed point of R, with its own mass.

Which flips and permutations preserve the mass: all, for codes of ``|z|`` alone. The mass of ``Counts`` depends on
signs, so there R only sorts: r = 0.

**Not claimed.** That the members of an orbit answer alike, or that the layout names symmetries of the model: in float64
a permutation changes the order of sums (flips are exact). The certificate is about the representative, and only it may
be run. Powers of two that move between tensors are symmetries as well; they change the mass, and no sum over them is
taken.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.codes.layout import Flip, Layout, row_index, taken

Tensors = Mapping[str, NDArray[Any]]
Exponents = Mapping[str, Sequence[int]]


def order(layout: Layout, values: Tensors, exponents: Exponents) -> dict[str, list[int]]:
    """The values of the ordered indices in the order that R gives them, those without weights last.

    ``values``: the coded part of each tensor. ``exponents``: that of the step of each of its rows.
    """
    found: dict[str, list[int]] = {}
    for at, index in enumerate(order.index for order in layout.orders):
        keys = _keys(layout, at, values, exponents)
        found[index] = sorted(range(len(keys)), key=keys.__getitem__, reverse=True)  # stable: equal keys stay in order
        values = taken(layout, values, {index: found[index]})
    return found


def moved_rows(layout: Layout, exponents: Exponents, order: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """The exponents of rows that are moved as ``layout.taken`` moves the tensors."""
    found = {}
    for name, axes in layout.axes().items():
        index, rows = row_index(axes), exponents[name]
        found[name] = tuple(rows[i] for i in order[index]) if index is not None and index in order else tuple(rows)
    return found


def positive(layout: Layout, tensors: Tensors) -> dict[str, NDArray[Any]]:
    """The tensors with signs flipped so that the weights that determine the others' signs are positive."""
    flips = 0
    rows: list[tuple[int, int]] = []
    for mask, odd in _independent(layout, tensors):
        for known, value in rows:
            if mask ^ known < mask:
                mask, odd = mask ^ known, odd ^ value
        rows = sorted([*rows, (mask, odd)], reverse=True)
    for mask, odd in reversed(rows):  # highest bits differ: the lowest first
        if ((flips & mask).bit_count() & 1) != odd:
            flips |= 1 << (mask.bit_length() - 1)
    found = dict(tensors)
    for flip, bits in _bits(layout, tensors):
        for name in flip.tensors:
            sign = np.array([1 - 2 * (flips >> bit & 1) for bit in bits], dtype=found[name].dtype)
            shape = [-1 if index == flip.index else 1 for index in layout.axes()[name]]
            found[name] = np.asarray(found[name] * sign.reshape(shape))
    return found


def orbit(layout: Layout, values: Tensors, exponents: Exponents, *, signs: bool) -> int:
    """How many words R maps to one: those that share their mass. ``signs``: whether R flips signs. Exact."""
    count = math.prod(_arrangements(_keys(layout, at, values, exponents)) for at in range(len(layout.orders)))
    return count << sum(1 for _ in _independent(layout, values)) if signs else count


def _arrangements(keys: Sequence[Any]) -> int:
    equal = Counter(keys).values()
    return math.factorial(len(keys)) // math.prod(map(math.factorial, equal))


def _keys(layout: Layout, at: int, values: Tensors, exponents: Exponents) -> list[Any]:
    """Of each value of the ordered index number ``at``: what no change of signs and no order of later ones changes."""
    order, later = layout.orders[at], [order.index for order in layout.orders[at + 1 :]]
    axes, flipped = layout.axes(), {name for flip in layout.flips for name in flip.tensors}
    parts: dict[tuple[str, ...], list[NDArray[Any]]] = {}
    for name in order.by:
        front = (order.index, *(index for index in later if index in axes[name]))
        size = np.abs(values[name]) if name in flipped else values[name]
        rest = (index for index in axes[name] if index not in front)
        moved = size.transpose([axes[name].index(index) for index in (*front, *rest)])
        parts.setdefault(front, []).append(moved.reshape(*moved.shape[: len(front)], -1))
    joined = [np.concatenate(found, axis=-1) for found in parts.values()]
    rows = [part.tolist() for part in joined]
    steps = [exponents[name] for name in order.by if row_index(axes[name]) == order.index]
    some = np.any([part.reshape(len(part), -1).any(1) for part in joined], axis=0).tolist()
    return [(some[j], *(_bag(row[j]) for row in rows), *(step[j] for step in steps)) for j in range(len(some))]


def _bag(table: Any) -> tuple[Any, ...]:
    """Numbers in their order; lists of lists in an order of their own, whatever order they came in."""
    return tuple(sorted(map(_bag, table), reverse=True)) if isinstance(table[0], list) else tuple(table)


def _bits(layout: Layout, tensors: Tensors) -> list[tuple[Flip, range]]:
    """Each flip with the bits of its signs, one for each coded value of its index."""
    sizes: dict[str | None, int] = {None: 1}
    for name, axes in layout.axes().items():
        sizes |= zip(axes, tensors[name].shape, strict=True)
    ends = list(accumulate(sizes[flip.index] for flip in layout.flips))
    return [(flip, range(end - sizes[flip.index], end)) for flip, end in zip(layout.flips, ends, strict=True)]


def _independent(layout: Layout, tensors: Tensors) -> Iterator[tuple[int, int]]:
    """The weights that are not zero and independent of those before: what flips each, and whether it is negative.

    Basis: highest bit to mask.
    """
    bits, basis = _bits(layout, tensors), dict[int, int]()
    full = sum(len(signs) for _, signs in bits)
    for mask, odd in _cells(layout, tensors, bits):
        rest = mask
        while rest and rest.bit_length() in basis:
            rest ^= basis[rest.bit_length()]
        if rest:
            basis[rest.bit_length()] = rest
            yield mask, odd
            if len(basis) == full:
                return


def _cells(layout: Layout, tensors: Tensors, bits: Sequence[tuple[Flip, range]]) -> Iterator[tuple[int, int]]:
    """The cells of entries with the same signs, these as a mask; and whether the first that is not zero is negative."""
    axes = layout.axes()
    for name in layout.gauge:
        masks: dict[str | None, list[int]] = {}
        for flip, signs in bits:
            if name in flip.tensors:
                before = masks.get(flip.index, [0] * len(signs))
                masks[flip.index] = [mask ^ (1 << bit) for mask, bit in zip(before, signs, strict=True)]
        signed = [axis for axis, index in enumerate(axes[name]) if index in masks]
        others = [axis for axis in reversed(range(len(axes[name]))) if axis not in signed]
        moved = tensors[name].transpose(signed + others)
        cells = moved.reshape(math.prod(moved.shape[: len(signed)]), -1)
        used = np.flatnonzero(cells.any(1))
        odd = cells[used, (cells[used] != 0).argmax(1)] < 0
        alone = masks.get(None, [0])[0]
        for cell, negative in zip(used.tolist(), odd.tolist(), strict=True):
            mask = alone
            for axis in reversed(signed):
                cell, value = divmod(cell, len(masks[axes[name][axis]]))
                mask ^= masks[axes[name][axis]][value]
            yield mask, int(negative)
