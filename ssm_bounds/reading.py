"""What of a classifier a posterior is put around, and what it answers in real arithmetic: three ways to read it.

One block over a small vocabulary in tables (theory M5.1); one block on real inputs, its map of inputs with it, or the
last block on the features of a frozen backbone, over the ball of the block's norm (theory M6.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ssm_bounds import words
from ssm_bounds.bounds.architectures.mamba.heads import Fixed
from ssm_bounds.bounds.architectures.mamba.last import Last
from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.architectures.mamba.windows import Windows
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.ladder import last_block, one_block
from ssm_bounds.bounds.ladder.last_block import LastBlock
from ssm_bounds.bounds.ladder.rung import Hypothesis
from ssm_bounds.bounds.ladder.sup import Block2
from ssm_bounds.bounds.ladder.telescope import Block, Boxed, scale_weight
from ssm_bounds.bounds.values import require
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.mamba.last import last
from ssm_bounds.models.mamba.last_scores import scored as scored_last
from ssm_bounds.models.mamba.last_scores import sizes
from ssm_bounds.models.mamba.near import Near
from ssm_bounds.models.mamba.prior import around, prior
from ssm_bounds.models.mamba.scores import cells, cells2, scored
from ssm_bounds.models.mamba.tables import one_layer, tables
from ssm_bounds.models.mamba.tables2 import fixed, tables2
from ssm_bounds.models.mamba.weights import Mamba1, Mamba2

REAL = "the program that is used computes the real-arithmetic model"
FEATURES = f"the features before the last block are those that the program {words.PROGRAM} computes; beyond them {REAL}"


class Reading(Protocol):
    """``rung``: the name of its bound, which rests on ``rests_on``; ``kind`` of model; ``assumed`` of programs;
    ``scale``: what divides logits beside norms, if anything does."""

    @property
    def classifier(self) -> Classifier: ...
    @property
    def kind(self) -> str: ...
    @property
    def rung(self) -> str: ...
    @property
    def rests_on(self) -> tuple[Hypothesis, ...]: ...
    @property
    def assumed(self) -> str: ...
    @property
    def scale(self) -> str: ...

    def prior(self) -> tuple[Mapping[str, NDArray[np.float64]], Enclosure, str]:
        """theta_0, what its choice costs, and what it is in words."""
        ...

    def block(self, T: int, start: Mapping[str, NDArray[np.float64]], price: Enclosure, x: NDArray | None) -> Boxed:
        """What a posterior is put around, known the training rows ``x``. Raises: DomainError."""
        ...

    def scored(self, block: Boxed, x: NDArray) -> Near:
        """The output of each row, and how far it can be off."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Tabled:
    """A block in tables; ``fixed``: of Mamba-2."""

    classifier: Classifier
    kind: str
    center: Mapping[str, Range]
    fixed: Fixed | None = None

    rung = one_block.NAME
    rests_on = one_block.RESTS_ON
    assumed = REAL
    scale = ""

    @classmethod
    def of(cls, classifier: Classifier) -> Tabled:
        """Raises: DomainError naming the hypothesis that the model breaks."""
        if isinstance(one_layer(classifier).mixer, Mamba2):
            return cls(classifier, "Mamba-2 block with a readout", tables2(classifier), fixed(classifier))
        return cls(classifier, "Mamba block with a readout", tables(classifier))

    def prior(self) -> tuple[Mapping[str, NDArray[np.float64]], Enclosure, str]:
        return prior(self.classifier)

    def block(self, T: int, start: Mapping[str, NDArray[np.float64]], price: Enclosure, x: NDArray | None) -> Block:
        """Raises: DomainError for too many windows of tokens."""
        V = 0 if self.classifier.embedding is None else len(self.classifier.embedding)
        windows = Windows.of(V, self.classifier.layers[0].mixer.K.shape[1], T)
        if self.fixed is None:
            return Block(self.center, start, windows, T, price)
        return Block2(self.center, start, windows, T, price, fixed=self.fixed)

    def scored(self, block: Boxed, x: NDArray) -> Near:
        if not isinstance(block, Block):
            raise TypeError(f"tables are of a Block, got {type(block).__name__}")
        made = (
            cells2(block.center, block.windows, block.fixed)
            if isinstance(block, Block2)
            else cells(block.center, block.windows)
        )
        tokens = x.astype(np.int64)
        length = lengths(tokens, self.classifier.pad)
        return scored(made, block.windows, tokens, length, mean=self.classifier.pooling == "mean")


@dataclass(frozen=True, slots=True, eq=False)
class InBall:
    """A block over the ball of its norm: that of a model of real inputs with one block, or the last of a model whose
    other parts are those of ``base``. ``last``: what it is evaluated from, but for T and the unit."""

    classifier: Classifier
    last: Last
    base: Classifier | None = None

    @classmethod
    def of(cls, classifier: Classifier, base: Classifier | None = None) -> InBall:
        """Raises: DomainError naming the hypothesis that the model breaks."""
        if base is None:
            one_layer(classifier)
        alone = len(classifier.layers) == 1 and classifier.input_weight is not None
        said = "one block on real inputs is bounded with its map of inputs; leave --base out (theory M6.4)"
        require(base is None or not alone, said)
        return cls(classifier, last(classifier, 1, 1.0), base)

    @property
    def kind(self) -> str:
        own = "Mamba" if isinstance(self.classifier.layers[-1].mixer, Mamba1) else "Mamba-2"
        if self.base is None:
            return f"{own} block with a readout"
        return f"last {own} block with a readout"

    @property
    def rung(self) -> str:
        return one_block.NAME if self.base is None else last_block.NAME

    @property
    def rests_on(self) -> tuple[Hypothesis, ...]:
        return one_block.RESTS_ON if self.base is None else (*one_block.RESTS_ON, Hypothesis.BASE)

    @property
    def assumed(self) -> str:
        return REAL if self.base is None else FEATURES

    @property
    def scale(self) -> str:
        of = "x_T, its last input" if self.base is None else "phi, its feature at the last token"
        return (
            f"the logit of a row is divided by c plus the l2 norm of {of}, c a power of two that is paid for, which "
            "moves no error: margins, their radius and the mean loss are those of the quotient (theory M6.4)"
        )

    def prior(self) -> tuple[Mapping[str, NDArray[np.float64]], Enclosure, str]:
        if self.base is None:
            return prior(self.classifier)
        own = self.classifier  # whatever head the base had, that of the prior is 0
        headed = replace(
            self.base, score=own.score, bias=own.bias, final_norm=own.final_norm, pooling=own.pooling, labels=own.labels
        )
        return around(headed), Enclosure.point(0), "the last block of the base"

    def block(self, T: int, start: Mapping[str, NDArray[np.float64]], price: Enclosure, x: NDArray | None) -> LastBlock:
        j = 0 if x is None else _unit(sizes(self.classifier, x))
        with bits(START_BITS):
            paid = Enclosure.of(price.ball() - exact(scale_weight(j)).log())
        return LastBlock(replace(self.last, T=T, unit=2.0**j), start, paid)

    def scored(self, block: Boxed, x: NDArray) -> Near:
        if not isinstance(block, LastBlock):
            raise TypeError(f"a last block is a LastBlock, got {type(block).__name__}")
        return scored_last(self.classifier, block.last, x)


def _unit(sizes: NDArray[np.float64]) -> int:
    """j of a unit 2^j of about four times the median size, between 2^-64 and 2^64: any may be taken, and it is paid."""
    middle = float(np.sort(sizes)[len(sizes) // 2]) if len(sizes) else 0.0
    return int(np.clip(np.frexp(3 * middle)[1], -64, 64)) if middle > 0 else 0
