"""Four sequences at a time, ``q p e``, ``q p' e``, ``q' p e``, ``q' p' e``: p' is p reversed, e is not empty.

They are what the four-point identity is about (theory 15.4). No quadruple here is trivial: p is no palindrome, and q is
not q'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.values import require

LONGEST = 8
"""Tokens of a block, and of a suffix after drawn ones, at most."""
LENGTHS = (24, 40)
"""Tokens of drawn sequences with the one prefix and with the other."""
_TOKENS = 1 << 20  # of one sequence each, in one batch
_ROUNDS = 64  # of candidates, until rows are given up that hardly have a block with an order

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Quadruples:
    """Shapes: ``first`` (n,T) and ``second`` (n,T') hold q p e and q' p e, tokens, or (n,T,d) reals; ``block`` (n,2) is
    where p begins and ends, counted from the end of a sequence."""

    first: NDArray
    second: NDArray
    block: Ints

    def __len__(self) -> int:
        return len(self.block)

    def sequences(self) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """``q p e``, ``q p' e``, ``q' p e``, ``q' p' e``."""
        return (
            self.first,
            _reversed(self.first, self.block),
            self.second,
            _reversed(self.second, self.block),
        )

    def proper(self) -> NDArray[np.bool_]:
        """Which of them (n,) are not trivial."""
        moved = _differ(self.first, _reversed(self.first, self.block))
        if self.first.shape != self.second.shape:
            return moved
        return np.logical_and(moved, _differ(self.first, self.second))

    def taken(self, which: NDArray) -> Quadruples:
        return Quadruples(self.first[which], self.second[which], self.block[which])


def drawn(V: int, count: int, seed: int) -> Iterator[Quadruples]:
    """``count`` quadruples of uniform tokens in 0..V-1, in batches; sequences of both ``LENGTHS``.

    Raises: DomainError for a vocabulary of one token, which has no order.
    """
    require(V >= 2, f"random tokens: a vocabulary of {V} token has no order; give --data")
    rng = np.random.default_rng(seed)

    def candidates(n: int) -> Quadruples:
        end = rng.integers(1, LONGEST + 1, n)
        begin = end + rng.integers(2, LONGEST + 1, n)
        first, second = (rng.integers(0, V, (n, T)) for T in LENGTHS)
        shared = _from_end(LENGTHS[1])[None] <= begin[:, None]
        tail = 2 * LONGEST
        second[:, -tail:] = np.where(shared[:, -tail:], first[:, -tail:], second[:, -tail:])
        return Quadruples(first, second, np.stack([begin, end], axis=1))

    return _batches(candidates, count, max(LENGTHS))


def cut(x: NDArray, count: int, seed: int) -> Iterator[Quadruples]:
    """``count`` quadruples out of rows (n,T) or (n,T,d), in batches: a block in a row, and the prefix of another row.

    Fewer where the rows hardly hold any. Raises: DomainError for rows of fewer than four tokens, and for one row.
    """
    n, T = x.shape[:2]
    require(T >= 4, f"rows of {T} tokens: a prefix, a block of two and a suffix need four")
    require(n >= 2, "one row alone has no other prefix; give more rows")
    rng = np.random.default_rng(seed)

    def candidates(wanted: int) -> Quadruples:
        length = rng.integers(2, min(LONGEST, T - 2) + 1, wanted)
        end = rng.integers(1, T - length)
        begin = end + length
        mine, other = x[rng.integers(0, n, wanted)], x[rng.integers(0, n, wanted)]
        shared = (_from_end(T)[None] <= begin[:, None]).reshape(wanted, T, *[1] * (x.ndim - 2))
        return Quadruples(mine, np.where(shared, mine, other), np.stack([begin, end], axis=1))

    return _batches(candidates, count, T)


def _batches(candidates: Callable[[int], Quadruples], count: int, T: int) -> Iterator[Quadruples]:
    at_once = max(1, _TOKENS // T)
    while count > 0:
        wanted = min(count, at_once)
        parts, found = list[Quadruples](), 0
        for _ in range(_ROUNDS):
            some = candidates(wanted)
            parts.append(some.taken(np.flatnonzero(some.proper())[: wanted - found]))
            found += len(parts[-1])
            if found == wanted:
                break
        if found:
            yield Quadruples(*(np.concatenate(arrays) for arrays in zip(*map(_arrays, parts), strict=True)))
        if found < wanted:
            return
        count -= found


def _arrays(part: Quadruples) -> tuple[NDArray, NDArray, NDArray]:
    return part.first, part.second, part.block


def _from_end(T: int) -> Ints:
    """Of each place, how many tokens there are from it to the end."""
    return np.arange(T, 0, -1)


def _reversed(x: NDArray, block: Ints) -> NDArray:
    """Each row with its block in reverse."""
    T = x.shape[1]
    place, start, stop = np.arange(T)[None], T - block[:, :1], T - block[:, 1:]
    source = np.where((place >= start) & (place < stop), start + stop - 1 - place, place)
    return x[np.arange(len(x))[:, None], source]


def _differ(a: NDArray, b: NDArray) -> NDArray[np.bool_]:
    """Which rows are not the same. Shapes: (n,T) or (n,T,d) twice -> (n,)."""
    return np.any(a != b, axis=tuple(range(1, a.ndim)))
