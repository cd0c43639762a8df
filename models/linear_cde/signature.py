"""Truncated signatures as the state of a nilpotent linear CDE, in exact arithmetic.

``S^{i_1..i_k} = int_{u_1<..<u_k} dX^{i_1} ... dX^{i_k}``, words of letters 0..r-1 in the order of levels, each level
lexicographic. With ``A_i e_w = e_{wi}`` for words shorter than the depth, 0 beyond, and Z_0 = e_(), the state *is* the
signature up to that depth: the series of 15.1 ends. Source: theory 15.2.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import TypeAlias

from ssm_bounds.bounds.values import require
from ssm_bounds.models.linear_cde.cde import LinearCDE, Path, fraction

Word: TypeAlias = tuple[int, ...]
MOST_WORDS = 4096
"""States of a nilpotent equation: its matrices are dense."""


def words(letters: int, depth: int) -> Iterator[Word]:
    """The empty word first.

    >>> list(words(2, 1))
    [(), (0,), (1,)]
    """
    return (word for k in range(depth + 1) for word in itertools.product(range(letters), repeat=k))


def nilpotent(letters: int, depth: int) -> LinearCDE:
    """The equation whose state is the signature. Raises: DomainError for more than 4096 words."""
    require(letters >= 1 and depth >= 0, f"words: expected a letter and a depth >= 0, got {letters} and {depth}")
    count = sum(letters**k for k in range(min(depth, MOST_WORDS) + 1))
    require(count <= MOST_WORDS, f"{letters} letters to depth {depth}: {count} words, more than {MOST_WORDS}")
    place = {word: at for at, word in enumerate(words(letters, depth))}
    A = [[[0] * count for _ in range(count)] for _ in range(letters)]
    for word, at in place.items():
        for i in range(letters if len(word) < depth else 0):
            A[i][place[*word, i]][at] = 1
    return LinearCDE.of(A, [1, *[0] * (count - 1)])


def signature(path: Path, depth: int) -> dict[Word, Fraction]:
    """Every iterated integral of a piecewise linear path up to ``depth``, exactly.

    Raises: DomainError.

    >>> signature([(0, 0), (1, 0), (1, 2)], 2)[0, 1]
    Fraction(2, 1)
    """
    require(len(path) >= 1 and len(path[0]) >= 1, "a signature needs a path of at least one point")
    letters = len(path[0])
    state = nilpotent(letters, depth).series(path, depth)
    return dict(zip(words(letters, depth), map(fraction, state.entries()), strict=True))
