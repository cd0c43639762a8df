"""A classifier with one Mamba or Mamba-2 block, what a person states, the data: what is asked, the ladder that answers.

Its one bound by norms is margin PAC-Bayes in tables over the vocabulary (theory M5); a hold-out stands beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_bounds import bases, evidence, words
from ssm_bounds import coding as codings
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.architectures.mamba.heads import Fixed
from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.architectures.mamba.windows import Windows
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.ladder.one_block import pac_bayes
from ssm_bounds.bounds.ladder.rung import Rung
from ssm_bounds.bounds.ladder.sup import Block2
from ssm_bounds.bounds.ladder.telescope import Block, Family
from ssm_bounds.bounds.values import DomainError, Draws, Sample, Scalar, require
from ssm_bounds.coding import Coding
from ssm_bounds.data import Data, looked_at
from ssm_bounds.evidence import Evidence, Fact, exactly, simplest
from ssm_bounds.folders import File, OfFolder, Setting, claiming, count, ran, require_rows, require_stated
from ssm_bounds.inquiry import DELTA, STANDING, Search, require_models, shifted
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.mamba.prior import prior
from ssm_bounds.models.mamba.scores import Near, cells, cells2, scored
from ssm_bounds.models.mamba.tables import one_layer, tables
from ssm_bounds.models.mamba.tables2 import fixed, tables2
from ssm_bounds.models.mamba.weights import Mamba2
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.selective_ssm.tally import Answers
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.programs import Progress
from ssm_bounds.sampling import Sampling

SCALED = (
    "a final norm, or one after the gate, divides logits by a positive number, which moves no error: margins, their "
    "radius and the mean loss are those before it (theory M5.2)"
)
OTHERS = (
    f"for every rung but occam, occam-chained and occam-paired, which are about the program {words.PROGRAM}, the "
    "hold-out too: the program that is used computes the real-arithmetic model"
)
REAL = "for every rung, the hold-out too: the program that is used computes the real-arithmetic model"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BlockQuestion(OfFolder):
    """What is asked of a classifier with one Mamba or Mamba-2 block."""

    family: Family

    @property
    def standing(self) -> tuple[str, ...]:
        return (*STANDING, REAL if self.coding is None else OTHERS)

    @property
    def margins(self) -> str:
        return "training margins before its norms" if self.divided else "training margins"

    @property
    def divided(self) -> bool:
        """Whether a norm divides what is read out, so that margins are known up to a positive factor (theory M5.2)."""
        block = self.family.block
        gated = isinstance(block, Block2) and block.fixed.eps is not None
        return gated or self.classifier.final_norm is not None


class NotOneBlockError(DomainError):
    """A classifier that the theorem is not about."""


def ask(
    path: Path,
    classifier: Classifier,
    *,
    m: int | None = None,
    T: int | None = None,
    delta: Scalar | str = DELTA,
    margin: Scalar | str = 1,
    data: str | os.PathLike[str] | Task | Data | None = None,
    test: str | os.PathLike[str] | None = None,
    models_on_test: int = 1,
    draws: Draws = "iid",
    groups: str | None = None,
    search: Search | None = None,
    **stated: Any,
) -> BlockQuestion:
    """What is asked of the classifier that was read in a folder. Raises: ValueError (what does not apply to it, a
    contradiction, something missing, a file that cannot be read), OSError."""
    search = search or Search()
    require_stated(path, search, stated)
    try:
        tabled = in_tables(classifier)
    except DomainError as error:
        raise NotOneBlockError(f"{path}: nothing end to end is certified of it: {error}") from error
    known = looked_at(data, test, groups)
    if not Sampling.of(draws, None if known is None else known.task).independent:
        raise NotOneBlockError(f"{path}: its bound by norms is for independent rows of one law")
    coding = Coding.of(path, classifier, search)
    require(coding is None or data is not None, "--occam needs the training data: give --data FILE")
    if coding is not None:
        stack(classifier)  # is there such a program?
    automatic = margin == "auto"
    require(not automatic or data is not None, "--margin auto chooses the margin from the training data: give --data")
    require(test is None or data is not None, "--test FILE goes with --data FILE")
    recorded = classifier.config.get("training") or {}
    facts = [
        evidence.number("m", m, count(recorded, "m"), None if known is None else known.task.train.m),
        evidence.number("T", T, count(recorded, "T"), at_least=True),
        Fact("pooling", classifier.pooling, Evidence.RECORDED),
    ]
    value: dict[str, Any] = {fact.name: fact.value for fact in facts}
    g = 1 if automatic else simplest(exactly(margin, "--margin"))
    start, price, said = prior(classifier)
    family = Family(tabled.block(value["T"], start, price))
    require_models(models_on_test)
    question = BlockQuestion(
        checkpoint=File(path, f"{tabled.kind} block with a readout", classifier.sha256),
        setting=Setting(
            Sample(value["m"], value["T"]),
            losses.make("ramp", margin=g, clip=None),
            g,
            exactly(delta, "--delta, a probability", most=1),
            d=tabled.d,
            N=tabled.N,
            V=tabled.V,
        ),
        classifier=classifier,
        family=family,
        facts=(
            *facts,
            *codings.facts(coding),
            Fact("prior centred at", said, Evidence.CHECKED),
            *(Fact("assumed", line, Evidence.ASSUMED) for line in classifier.assumed),
        ),
        models=models_on_test,
        search=search,
        coding=coding,
        base=None if coding is None or known is None else bases.given(search, coding.base, known.task),
        automatic=automatic,
        notes=(f"pac-bayes pays for {family.block.numbers} numbers; a hold-out of fresh rows is usually far smaller",),
    )
    if question.divided:
        question = replace(question, notes=(*question.notes, SCALED))
    if known is None:
        return question
    require_rows(classifier, known.task, value["T"])
    question = replace(
        question,
        task=known.task,
        rows=known.rows,
        facts=(*question.facts, *known.facts),
        notes=(*question.notes, *known.notes),
    )
    return shifted(question, known.task.shift, known.shift)


@dataclass(frozen=True, slots=True, eq=False)
class Tabled:
    """A block in tables: d channels, N states, V tokens, k taps; ``fixed``: of Mamba-2."""

    kind: str
    center: Mapping[str, Range]
    d: int
    N: int
    V: int
    k: int
    fixed: Fixed | None = None

    def block(self, T: int, start: Mapping[str, NDArray[np.float64]], price: Enclosure) -> Block:
        """Raises: DomainError for too many windows of tokens."""
        windows = Windows.of(self.V, self.k, T)
        if self.fixed is None:
            return Block(self.center, start, windows, T, price)
        return Block2(self.center, start, windows, T, price, fixed=self.fixed)


def in_tables(classifier: Classifier) -> Tabled:
    """Raises: DomainError naming the hypothesis that the model breaks."""
    own = one_layer(classifier).mixer
    (d, k), V = (len(own.R_z), own.K.shape[1]), 0 if classifier.embedding is None else len(classifier.embedding)
    if isinstance(own, Mamba2):
        return Tabled("Mamba-2", tables2(classifier), d, len(own.R_B) // own.groups, V, k, fixed(classifier))
    return Tabled("Mamba", tables(classifier), d, own.A_log.shape[1], V, k)


def answered(question: BlockQuestion, progress: Progress) -> Answered:
    """The ladder. Without rows the excess alone; with test rows a hold-out, and a word where one was asked for."""
    task, setting = question.task, question.setting
    train, test = (None if split is None else _answers(question, split) for split in _splits(task))
    if question.automatic and train is not None:
        found = question.family.risk(train.below, setting.sample.m, setting.delta)
        require(found is not None, "--margin auto: no training row has a positive margin; there is no margin to choose")
        if found is not None:
            g = found.posterior.g
            setting = replace(setting, margin=g, loss=losses.make("ramp", margin=g, clip=None))
            question = replace(question, setting=setting)
    scored, tested = (None if each is None else each.tally(setting.loss, setting.margin) for each in (train, test))

    def at(share: Fraction) -> Iterator[Rung]:
        margins = None if train is None else train.below
        yield pac_bayes(question.family, Fraction(setting.margin), setting.sample.m, share, margins)

    programs = ran(question, tested, progress)
    return Answered(question, tuple(at(setting.delta)), 1, at, programs, claiming(programs), scored, tested)


def _splits(task: Task | None) -> tuple[Split | None, Split | None]:
    return (None, None) if task is None else (task.train, task.test)


def _answers(question: BlockQuestion, split: Split) -> Answers:
    """Logits, their radii and the margins they give, of one output: the difference of two."""
    classifier, block = question.classifier, question.family.block
    x = split.x.astype(np.int64)
    made = (
        cells2(block.center, block.windows, block.fixed)
        if isinstance(block, Block2)
        else cells(block.center, block.windows)
    )
    z = scored(made, block.windows, x, lengths(x, classifier.pad), mean=classifier.pooling == "mean")
    return Answers(z.at[:, None], split.y, np.where(split.y == 1, z.at, -z.at), _finite(z))


def _finite(z: Near) -> NDArray[np.float64]:
    return np.where(np.isfinite(z.at) & np.isfinite(z.off), z.off, np.inf)
