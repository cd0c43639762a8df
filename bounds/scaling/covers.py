"""``H(eps)`` of many classes at once: the blocks of ``bounds.blocks.covers``, the split of theory.md 3.4. Float64.

Not certified. The split is chosen by the function that a certificate's is (``entropy.optimal_shares``); any split is
valid, so what is off is rounding, and near an integer the ceilings of 3.1 and 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bounds import covering
from bounds.elementary import Functions
from bounds.entropy import optimal_shares
from bounds.scaling.coefficients import Class
from bounds.scaling.logspace import Floats, log

_LN2 = math.log(2)


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


def _volume(entries: Floats, radius: Floats) -> Cover:
    return Cover(covering.volume, entries, _LN2 + log(radius))


def covers(of: Class) -> dict[str, tuple[Cover, ...]]:
    """The alternatives of each block, in its own metric: those of ``bounds.blocks.covers``."""
    size, readout = of["d"] * of["N"], of["k"] * of["d"]
    half = np.maximum(of["B_A"] + of["s_A"], 0.0) / 2

    def with_maurey(cover: Cover, radius: str) -> tuple[Cover, ...]:
        return (cover, Cover(covering.maurey, cover.entries, log(of[radius]))) if radius in of else (cover,)

    found = {
        "A": with_maurey(_volume(size, half) if "M_A" in of else Cover(covering.box, size, log(half)), "M_A"),
        "B": with_maurey(_volume(size, of["B_B"]), "M_B"),
        "C": with_maurey(_volume(size, of["B_C"]), "M_C"),
        "w": with_maurey(_volume(readout, of["B_w"]), "M_w"),
    }
    if "B_q" in of:
        interval = (of["p_hi"] - of["p_lo"]) / 2
        if "M" in of:
            found["g"] = (_volume(of["d"] + 1, interval + of["B_q"] * of["B_u"]),)
        else:
            found["p"] = (Cover(covering.box, np.ones(()), log(interval)),)
            log_u = log(of["B_u"])
            found["q"] = tuple(cover.seen(log_u) for cover in with_maurey(_volume(of["d"], of["B_q"]), "M_q"))
    if "V" in of:
        found["e"] = (_volume(of["V"] * of["d"], of["B_u"]),)
    return found


@dataclass(frozen=True)
class Entropy:
    """``H`` of a class at every point. ``blocks``: the alternatives of each block, seen in the output."""

    blocks: Mapping[str, tuple[Cover, ...]]

    @classmethod
    def of(cls, constants: Class, log_beta: Class) -> Entropy:
        return cls(
            {
                name: tuple(cover.seen(log_beta["g" if name in ("p", "q") else name]) for cover in found)
                for name, found in covers(constants).items()
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
