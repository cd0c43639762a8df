"""``H(eps)`` of many classes at once: the blocks of ``selective_ssm.blocks.covers``, the split of theory 3.4.
Float64.

Not certified. The split is chosen by the function that a certificate's is (``entropy.optimal_shares``); any split is
valid, so what is off is rounding, and near an integer the ceilings of 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Block
from ssm_bounds.bounds.covers import lemmas as covering
from ssm_bounds.bounds.covers.entropy import optimal_shares
from ssm_bounds.bounds.evaluate.elementary import Functions
from ssm_bounds.bounds.evaluate.logs import Floats, log, numbers, symbols
from ssm_bounds.bounds.sweeps.coefficients import Class, blocks_of


@dataclass(frozen=True, slots=True)
class Cover:
    """One covering lemma over arrays: ``number`` of (entries, ``log_scale - ln eps``, NumPy); log_scale is the
    argument's own."""

    number: Callable[[Floats, Floats, Functions], Floats]
    entries: Floats
    log_scale: Floats

    @property
    def power(self) -> bool:
        """Which surrogate stands for it when a radius is split."""
        return self.number is covering.maurey

    @property
    def weight(self) -> Floats:
        return np.log1p(2 * self.entries) if self.power else self.entries

    def seen(self, log_beta: Floats) -> Cover:
        """The cover of the outputs: ``ln N(K, eps/beta)``."""
        return Cover(self.number, self.entries, self.log_scale + log_beta)


def covers(of: Class) -> dict[str, tuple[Cover, ...]]:
    """The alternatives of each block, in its own metric: those of ``selective_ssm.blocks.covers``."""
    return {block.key: found for block, found in _covers(of)}


def _covers(of: Class) -> Iterator[tuple[Block, tuple[Cover, ...]]]:
    values = symbols(of)
    for block in blocks_of(of, joint="M" in of):
        sparse = block.l1 is not None and block.l1.name in of
        entries = numbers(block.entries, values)
        lemma, radius = block.lemma(sparse=sparse), np.maximum(numbers(block.radius, values), 0.0)  # a rounding below 0
        number = covering.box if lemma is covering.Box else covering.volume
        found: tuple[Cover, ...] = (Cover(number, entries, log(numbers(lemma.reach, {sym.r: radius}))),)
        if sparse and block.l1 is not None:
            found += (Cover(covering.maurey, entries, log(of[block.l1.name])),)
        if block.seen != 1:
            found = tuple(each.seen(log(numbers(block.seen, values))) for each in found)
        yield block, found


@dataclass(frozen=True)
class Entropy:
    """``H`` of a class at every point. ``blocks``: the alternatives of each block, seen in the output."""

    blocks: Mapping[str, tuple[Cover, ...]]

    @classmethod
    def of(cls, constants: Class, log_beta: Class) -> Entropy:
        return cls(
            {
                block.key: tuple(cover.seen(log_beta[block.coefficient]) for cover in found)
                for block, found in _covers(constants)
            }
        )

    def shares(self, log_eps: Floats) -> Floats:
        """The split eta_i (blocks, points) at ``ln eps`` (points,)."""
        width = max(map(len, self.blocks.values()))
        padded = [found + (found[-1],) * (width - len(found)) for found in self.blocks.values()]
        kind = np.array([[[cover.power] for cover in found] for found in padded])
        points = len(log_eps)
        weight, log_g = np.empty((2, len(padded), width, points))
        for i, found in enumerate(padded):
            for j, cover in enumerate(found):
                weight[i, j], log_g[i, j] = cover.weight, cover.log_scale - log_eps
        return optimal_shares(kind, weight, log_g, by=np)

    def __call__(self, log_eps: Floats, shares: Floats | None = None) -> Floats:
        """``H`` at ``ln eps`` (points,) in nats, at the given split or the one chosen there."""
        shares = self.shares(log_eps) if shares is None else shares
        total = np.zeros(len(log_eps))
        for found, log_share in zip(self.blocks.values(), np.log(shares), strict=True):
            at = log_eps + log_share
            values = [cover.number(cover.entries, cover.log_scale - at, np) for cover in found]
            total += np.minimum(values[0], values[1]) if len(values) > 1 else values[0]
        return total
