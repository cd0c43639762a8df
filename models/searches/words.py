"""A classifier of Mamba blocks and its words: what each tensor is good for, and the count that certifies a word.

Source: theory 8.12 to 8.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssm_bounds.bounds.codes.decode import decode
from ssm_bounds.bounds.codes.families import Part
from ssm_bounds.bounds.codes.word import Start, Word
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.occam import certify
from ssm_bounds.bounds.values import Scalar, require
from ssm_bounds.models.files.classifier import assembled, configured
from ssm_bounds.models.mamba import start
from ssm_bounds.models.mamba.design import Design, lengths
from ssm_bounds.models.mamba.roles import role
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.program.classifier import stack as of_classifier
from ssm_bounds.models.program.evaluate import errors, logits
from ssm_bounds.models.program.run import prepared
from ssm_bounds.models.program.stack import Stack
from ssm_bounds.models.tasks.task import Split


@dataclass(frozen=True, slots=True)
class Counted:
    """What the exact program counts for a word: ``errors`` on m rows, which were drawn i.i.d.; nats; risk at delta."""

    errors: int
    m: int
    nats: Enclosure
    risk: Enclosure


def parts(design: Design) -> dict[str, Part]:
    """Every tensor of the design with its role."""
    return {part.name: Part(part.shape, role(part.name)) for part in start.parts(design)}


def ordered(design: Design, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors in the order of a word, in whatever order a file has them. Raises: DomainError for other names."""
    expected = [part.name for part in start.parts(design)]
    wrong = sorted(tensors.keys() ^ set(expected))
    require(not wrong, f"expected the tensors of the design: {', '.join(wrong)} missing, or too many")
    return {name: tensors[name] for name in expected}


def scratch(design: Design, seed: int) -> Start:
    """What a word from scratch says of this design. Raises: DomainError where it has no price."""
    plain = design.mixer == "mamba" and design.final_norm and not design.pool_before_norm
    require(plain, "a word from scratch is of Mamba blocks with a final norm before the pooling")
    pooling = None if design.pooling == "none" else design.pooling
    return Start(design.D, design.layers, design.N, design.k, design.expand, pooling, seed)


def stack(design: Design, tensors: Mapping[str, Array]) -> Stack:
    """The program's model of these tensors (float64). Raises: DomainError for a design that has no such search."""
    require(design.outputs >= 2, "the search is for 2 outputs or more")
    labels = tuple(map(str, range(design.outputs)))
    return of_classifier(assembled(tensors, configured(design, labels)))


def counted(word: Word, design: Design, base: Mapping[str, Array], split: Split, delta: Scalar) -> Counted:
    """The word decoded on ``base`` (float64, by the names of a file), and the exact program run on every row.

    Raises: DomainError.
    """
    weights = decode(word, parts(design), ordered(design, base))
    z = logits(prepared(stack(design, weights)), split.x, lengths(split.x, design.pad))
    found, nats = errors(z, split.y), word.nats()
    return Counted(found, split.m, nats, certify(nats, found, split.m, delta))
