"""A table at the constants of a class: each block's cover, its coefficient, and the entropy of the outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sympy import Symbol

from ssm_bounds.bounds.architectures.block import Block, Theorem
from ssm_bounds.bounds.covers.entropy import EntropyBound, LipschitzImage, Minimum, Product, Projection
from ssm_bounds.bounds.covers.lemmas import Maurey
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose_all, rational

OUTPUT = "output, sup over inputs, l2"
Values = Mapping[Symbol, Any]
"""What the symbols of a table stand for: exact numbers, None for an l1 radius that the class does not constrain, and
expressions of the other symbols."""


def cover(block: Block, metric: str, entries: int, values: Values) -> EntropyBound:
    """The minimum with Maurey's cover when the class constrains the l1 norm (theory 3.1, 3.3, 3.5)."""
    l1_radius = None if block.l1 is None else values[block.l1]
    lemma = block.lemma(sparse=l1_radius is not None)
    found: EntropyBound = lemma(entries, rational(block.radius, values), metric)
    if l1_radius is not None:
        found = Minimum((found, Projection(Maurey(entries, l1_radius), block.metric)))
    return found if block.seen == 1 else LipschitzImage(found, Enclosure.point(rational(block.seen, values)), "logit")


def entropy(blocks: Iterable[Block], theorem: Theorem, values: Values) -> Product:
    """``H(eps)`` of the outputs over these blocks, each in its own metric (theory 3.4).

    Raises: KeyError for a block that the theorem is not about.
    """
    blocks = tuple(blocks)
    beta = enclose_all({block.key: block.beta[theorem] for block in blocks}, values)
    return Product(
        {
            block.key: LipschitzImage(
                cover(block, block.metric, int(rational(block.entries, values)), values), beta[block.key], OUTPUT
            )
            for block in blocks
        }
    )
