"""Splits of a block's items into groups that are chosen after the data, and what that costs (theory 5.2, 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ssm_bounds.bounds.values import Scalar, require, require_finite

Item = Literal["A", "rows", "columns"]
MOST_GROUPS = 4


@dataclass(frozen=True, slots=True)
class Split:
    """A labelled split of a block's items into groups (theory 5.2), one of a family fixed before the data.

    ``labels``: the group of every item; the entries of A channel by channel. ``ordered``: the items were sorted by
    their decay beforehand, which is a symmetry for the states, so that the sizes of the groups say everything.

    >>> Split("A", (0, 1, 1, 1), 2, ordered=False).weight  # of 4 groupings, 5 pairs of sizes, 4 sets of one item
    Fraction(1, 80)
    """

    name: Item
    labels: tuple[int, ...]
    groups: int
    ordered: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.labels.count(group) for group in range(self.groups))

    @property
    def weight(self) -> Fraction:
        """``1/(MOST_GROUPS binom(n+G-1, G-1))``, and 1 over the number of labellings of these sizes."""
        n = len(self.labels)
        ways = MOST_GROUPS * math.comb(n + self.groups - 1, self.groups - 1)
        if not self.ordered:
            ways *= math.factorial(n) // math.prod(map(math.factorial, self.sizes))
        return Fraction(1, ways)


@dataclass(frozen=True, slots=True)
class Group:
    """Items of a matrix that touch no decay above ``s_A`` (theory 5.2): entries of A, rows, or columns."""

    items: int
    s_A: Scalar

    def __post_init__(self) -> None:
        require(self.items >= 1, f"Group: a group has at least one item, got {self.items}")
        require_finite("Group", "s_A", self.s_A)


def sizes(split: Split) -> str:
    """The sizes of its groups in text: 1+5+58."""
    return "+".join(map(str, split.sizes))
