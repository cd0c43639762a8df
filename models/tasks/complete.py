"""Complete quadruples in data: rows ``q p e``, ``q p' e``, ``q' p e``, ``q' p' e`` with the labels a, b, b, a, a != b.

p' is a permutation of one contiguous block p of 2 to 8 tokens, all four rows have one length, and q, q' and e are not
empty. Claim: every model under the four-point identity, and every fixed rule for ties, errs on one row at least of each
quadruple; so on as many rows as there are quadruples without a row in common. Derivation: ``f_a - f_b`` (of one output:
the logit) would have to be above, below, below, above 0, and its alternating sum is 0. Source: theory 15.4, 15.5 (a).

**Not claimed.** That no more of them can be made disjoint: they are taken as they come. That none is there, where the
search ended early (``exhaustive``).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.quadruples import LONGEST
from ssm_bounds.models.tasks.task import LARGEST, Split

MOST_PAIRS = 1 << 20
"""Pairs of rows that differ by a permuted block, looked at before the search ends."""

Ints: TypeAlias = NDArray[np.int64]
Pair: TypeAlias = tuple[int, int]
Labels: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Complete:
    """``rows``: the four of each quadruple, in the order above, no row in two of them."""

    rows: tuple[tuple[int, int, int, int], ...]
    exhaustive: bool


class _Free:
    """Rows that are in no quadruple yet, by what they hold and by label."""

    def __init__(self, inverse: Ints, y: Ints) -> None:
        self._rows: dict[int, dict[int, list[int]]] = defaultdict(dict)
        for row in range(len(y) - 1, -1, -1):
            self._rows[int(inverse[row])].setdefault(int(y[row]), []).append(row)

    def labels(self, pair: Pair) -> Iterator[Labels]:
        """Two different labels of a pair of rows."""
        first, second = (sorted(label for label, rows in self._rows[one].items() if rows) for one in pair)
        return ((a, b) for a in first for b in second if a != b)

    def has(self, pair: Pair, labels: Labels) -> bool:
        return all(self._rows[one].get(label) for one, label in zip(pair, labels, strict=True))

    def take(self, pair: Pair, labels: Labels) -> Pair:
        first, second = (self._rows[one][label].pop() for one, label in zip(pair, labels, strict=True))
        return first, second


def complete(split: Split, *, most: int = MOST_PAIRS) -> Complete:
    """Complete quadruples without a common row; about ``most`` pairs are looked at, at most twice as many."""
    x, inverse = np.unique(_tokens(split.x), axis=0, return_inverse=True)
    free, found, left = _Free(inverse.reshape(-1), split.y), list[tuple[int, int, int, int]](), most
    for gathered, looked_at in _by_block(x, most):
        for pairs in gathered:
            found += _matched(pairs, free)
        left -= looked_at
        if left <= 0:
            return Complete(tuple(found), False)
    return Complete(tuple(found), True)


def _tokens(x: NDArray) -> NDArray:
    """Rows of tokens; a real input is a token, equal to those that are equal to it."""
    if x.ndim == 2:
        return x
    n, T, d = x.shape
    return np.unique(x.reshape(n * T, d), axis=0, return_inverse=True)[1].reshape(n, T)


def _matched(pairs: list[Pair], free: _Free) -> Iterator[tuple[int, int, int, int]]:
    """Quadruples of pairs with one p, p' and e: each pair has a q of its own."""
    by_labels: dict[Labels, list[Pair]] = defaultdict(list)
    for pair in pairs:
        for labels in free.labels(pair):
            by_labels[labels].append(pair)
    for (a, b), here in sorted(by_labels.items()):
        there = by_labels.get((b, a), []) if a < b else []
        for one in here:
            for other in [*there]:
                while one != other and free.has(one, (a, b)) and free.has(other, (b, a)):
                    yield (*free.take(one, (a, b)), *free.take(other, (b, a)))
                if not free.has(other, (b, a)):
                    there.remove(other)
                if not free.has(one, (a, b)):
                    break


def _by_block(x: NDArray, most: int) -> Iterator[tuple[list[list[Pair]], int]]:
    """For each place and length of a block: pairs of rows (n,T), all different, that are q p e and q p' e, gathered by
    p, p' and e; and how many pairs were looked at. The block is as short as can be: its first and its last token move.
    """
    T = x.shape[1]
    after = _ends(x, sum(1 for _ in _starts(x)) + LONGEST)
    for start, before in enumerate(_starts(x), start=1):
        for stop in range(start + 2, min(start + LONGEST, T - 1) + 1):
            if stop in after:
                yield _gathered(x[:, start:stop], before, after[stop], most)


def _starts(x: NDArray) -> Iterator[tuple[Ints, Ints]]:
    """For prefixes of 1, 2, .. tokens: the rows that share theirs with another row, and a number for it."""
    n, T = x.shape
    now = np.arange(n), np.zeros(n, dtype=np.int64)
    for start in range(1, T - 2):
        now = _shared(*now, x[:, start - 1])
        if not len(now[0]):
            return
        yield now


def _ends(x: NDArray, last: int) -> dict[int, tuple[Ints, Ints]]:
    """The same of suffixes, by their first place, up to the last place that is asked for: padding is shared by all."""
    n, T = x.shape
    found = {}
    now = np.arange(n), np.zeros(n, dtype=np.int64)
    for place in range(T - 1, 2, -1):
        now = _shared(*now, x[:, place])
        if not len(now[0]):
            break
        if place <= last:
            found[place] = now
    return found


def _shared(rows: Ints, names: Ints, column: NDArray) -> tuple[Ints, Ints]:
    """Of rows with names: those that share name and token with another, and a name for both."""
    keys = names * LARGEST + column[rows].astype(np.int64)  # below 2^63: there are fewer than 2^32 rows
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    several = counts[inverse] > 1
    return rows[several], inverse[several].astype(np.int64)


def _gathered(
    blocks: NDArray, before: tuple[Ints, Ints], after: tuple[Ints, Ints], most: int
) -> tuple[list[list[Pair]], int]:
    rows, left, right = np.intersect1d(before[0], after[0], assume_unique=True, return_indices=True)
    if len(rows) < 2:
        return [], 0
    block = blocks[rows].astype(np.int64)
    keys = np.column_stack([before[1][left], after[1][right], np.sort(block, axis=1)])
    _, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    order = np.argsort(inverse, kind="stable")
    groups = np.split(order, np.cumsum(counts)[:-1])
    found: dict[tuple[int, tuple[int, ...], tuple[int, ...]], list[Pair]] = defaultdict(list)
    pairs = itertools.chain.from_iterable(itertools.combinations(group.tolist(), 2) for group in groups)
    looked_at = 0
    for i, j in itertools.islice(pairs, most):
        looked_at += 1
        p, other = tuple(block[i].tolist()), tuple(block[j].tolist())
        if p[0] == other[0] or p[-1] == other[-1]:
            continue
        i, j, p, other = (i, j, p, other) if p < other else (j, i, other, p)
        found[int(after[1][right[i]]), p, other].append((int(rows[i]), int(rows[j])))
    return [*found.values()], looked_at
