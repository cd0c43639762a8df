"""What an architecture is to the bounds: a table of its parameter blocks, one line each, in symbols of the class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sympy import Expr, S, Symbol

from ssm_bounds.bounds.covers.lemmas import Box, Strip, Volume
from ssm_bounds.bounds.selection.splits import Item

Theorem = Literal["sharp", "vocabulary", "embedding", "repaired", "published"]
Part = Literal["core", "joint gate", "gate", "embedding"]


@dataclass(frozen=True, slots=True)
class Block:
    """One line: a tensor of the model, how it is covered, and how far the output moves with it.

    ``name``: the tensor's own; ``shown``: on pages and plots; ``words``: in a sentence.
    ``entries``: their number. ``radius``: of the ball, half-width of the box, in ``metric``, which ``cover`` covers.
    ``l1``: entrywise l1 radius, where Maurey's cover is an alternative; a box is then covered by volume.
    ``beta``: by theorem, the move of the output per unit in its own metric, in which a move of the block is at most
    ``seen`` times as large as in ``metric``. ``alpha``: ln N is at most ``alpha/eps^2`` in the published chain.
    ``part``: which classes have the block. ``item``: what its decay groups are groups of (theory 5.2).
    ``key``, ``coefficient``: names of its cost and of its beta in details and in the JSON document.
    """

    name: str
    key: str
    shown: str
    entries: Expr
    radius: Expr
    metric: str
    cover: type[Volume] | type[Box] | type[Strip]
    l1: Symbol | None
    beta: Mapping[Theorem, Expr]
    alpha: Expr | None = None
    item: Item | None = None
    part: Part = "core"
    seen: Expr = S.One
    coefficient: str = ""
    words: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficient", self.coefficient or self.key)
        object.__setattr__(self, "words", self.words or self.shown)

    def lemma(self, *, sparse: bool) -> type[Volume] | type[Box] | type[Strip]:
        """The cover where the class constrains the l1 radii (``sparse``) or not: midpoints of a box need not have a
        small l1 norm."""
        return Volume if sparse and self.l1 is not None else self.cover


@dataclass(frozen=True, slots=True)
class Flow:
    """From vectors to vectors: the l2 radius of what goes in, that of what comes out, and how fast it moves with it.

    All of them, and every coefficient, increase with the radius of the input, of which a stack puts in the largest.
    """

    input: Symbol
    output: Expr
    lipschitz: Expr


@dataclass(frozen=True, slots=True)
class Architecture:
    """Blocks in the order of a product of covers. ``items``: how many each kind of decay group divides.

    ``sources``: where each theorem is proved. ``coefficients``: the keys of beta, in the order of the JSON document.
    ``flow``: of a layer that another one can follow; None for one whose output is read at the last token alone.
    ``derived``: symbols that stand for expressions of others, as sums over time do.
    """

    name: str
    blocks: tuple[Block, ...]
    items: Mapping[Item, Expr]
    sources: Mapping[Theorem, str]
    coefficients: tuple[str, ...]
    flow: Flow | None = None
    derived: frozenset[Symbol] = frozenset()

    def block(self, key: str) -> Block:
        """The block of a cost, or of a coefficient: that of the gate as a whole."""
        return next(block for block in self.blocks if key in (block.key, block.coefficient))

    def shown(self, term: str) -> str:
        """A term of a product of covers, or a tensor, in the letters of the theory: its block, and its decay group."""
        name, _, group = term.partition(".")
        found = [block.shown for block in self.blocks if name in (block.key, block.coefficient, block.name)]
        return (found[0] if found else name) + (f", group {group}" if group else "")

    def of(self, *, gate: bool, joint: bool = False, embedding: bool = False) -> tuple[Block, ...]:
        """The blocks of a class with a gate (covered as one block or in parts) and the embedding, or without."""
        parts: set[Part] = {"core"}
        if gate:
            parts.add("joint gate" if joint else "gate")
        if embedding:
            parts.add("embedding")
        return tuple(block for block in self.blocks if block.part in parts)

    def under(self, theorem: Theorem) -> tuple[Block, ...]:
        """The blocks that a theorem is about, in the order of ``coefficients``."""
        found = (block for block in self.blocks if theorem in block.beta)
        return tuple(sorted(found, key=lambda block: self.coefficients.index(block.coefficient)))

    def source(self, block: Block, theorem: Theorem) -> str:
        """Where its coefficient is proved: of the embedding (5.4), which no other theorem is about, apart."""
        return self.sources[theorem if theorem in block.beta else "embedding"]

    def per_item(self, block: Block) -> Expr:
        """How many entries of a block belong to one of the items that its decay groups divide."""
        return block.entries / self.items[block.item] if block.item is not None else block.entries

    def beta(self, theorem: Theorem) -> dict[str, Expr]:
        """The coefficients of a theorem."""
        return {block.coefficient: block.beta[theorem] for block in self.under(theorem)}
