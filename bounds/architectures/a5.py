"""The alternating group A5, counted: words that no model of one linear layer tells apart as their products ask.

``s = cd (dc)^{-1}`` is an involution for some pairs (c, d). Then ``c <-> d`` and ``x -> xs`` keep s, and the block
(x, c, d) and its images (x, d, c), (xs, c, d), (xs, d, c) have the products a, b, b, a with a != b. Source: theory
15.6; what follows from the counts is ``order.word_problem``.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple, TypeAlias

from ssm_bounds.bounds.values import require

Element: TypeAlias = tuple[int, ...]
Block: TypeAlias = tuple[Element, Element, Element]
_ONE: Element = tuple(range(5))


class Counts(NamedTuple):
    """Of the group: pairs (c, d), those whose ``cd (dc)^{-1}`` is an involution, blocks (x, c, d) with such a pair, and
    their orbits of four."""

    pairs: int
    good: int
    blocks: int
    orbits: int


def counted() -> Counts:
    """By enumeration; each orbit is looked at. Raises: DomainError where one is not as claimed.

    >>> counted()
    Counts(pairs=3600, good=480, blocks=28800, orbits=7200)
    """
    group = [p for p in itertools.permutations(range(5)) if _even(p)]
    turns = {(c, d): _times(_times(c, d), _inverse(_times(d, c))) for c in group for d in group}
    good = {pair: s for pair, s in turns.items() if s != _ONE and _times(s, s) == _ONE}
    orbits = set[frozenset[Block]]()
    for x in group:
        for (c, d), s in good.items():
            orbit = _orbit(x, c, d, s)
            products = [_times(g, _times(a, b)) for g, a, b in orbit]
            fits = products[0] == products[3] != products[1] == products[2] and good.get((d, c)) == s
            require(fits and len(set(orbit)) == 4, f"the block {(x, c, d)} has no orbit of four")
            orbits.add(frozenset(orbit))
    return Counts(len(turns), len(good), len(group) * len(good), len(orbits))


def _orbit(x: Element, c: Element, d: Element, s: Element) -> tuple[Block, Block, Block, Block]:
    turned = _times(x, s)
    return (x, c, d), (x, d, c), (turned, c, d), (turned, d, c)


def _even(p: Element) -> bool:
    return sum(p[i] > p[j] for i, j in itertools.combinations(range(5), 2)) % 2 == 0


def _times(a: Element, b: Element) -> Element:
    return tuple(a[i] for i in b)


def _inverse(a: Element) -> Element:
    return tuple(sorted(range(5), key=a.__getitem__))
