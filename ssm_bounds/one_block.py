"""A classifier with one trained Mamba or Mamba-2 block, what a person states, the data: what is asked, what answers.

Its one bound by norms is margin PAC-Bayes, in tables over a small vocabulary (theory M5) or over the ball of the
block's norm: of real inputs, or of the last block on a backbone that was fixed before the data (theory M6.4). A
hold-out stands beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_bounds import bases, evidence, words
from ssm_bounds import coding as codings
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.ladder.last_block import LastBlock
from ssm_bounds.bounds.ladder.one_block import pac_bayes
from ssm_bounds.bounds.ladder.rung import Rung
from ssm_bounds.bounds.ladder.telescope import Family
from ssm_bounds.bounds.values import DomainError, Draws, Sample, Scalar, require
from ssm_bounds.coding import Coding
from ssm_bounds.data import Data, looked_at
from ssm_bounds.evidence import Evidence, Fact, exactly, simplest
from ssm_bounds.folders import File, OfFolder, Setting, claiming, count, ran, require_rows, require_stated
from ssm_bounds.inquiry import DELTA, STANDING, Given, Search, require_models, shifted
from ssm_bounds.models.files import frozen
from ssm_bounds.models.files.adapter import is_adapter
from ssm_bounds.models.mamba.base import Base
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.near import Near
from ssm_bounds.models.mamba.weights import Mamba2
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.selective_ssm.tally import Answers
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.programs import Progress
from ssm_bounds.reading import REAL, InBall, Reading, Tabled
from ssm_bounds.sampling import Sampling

SMALLER = "bounds with the data in hand, a hold-out of fresh rows or --occam, are usually far smaller"
SCALED = (
    "a final norm, or one after the gate, divides logits by a positive number, which moves no error: margins, their "
    "radius and the mean loss are those before it (theory M5.2)"
)
SAME = (
    "--base is the model itself, weights and config: the prior is centred at what is bounded, and the condition is "
    "that all of it was fixed before the rows"
)
OTHERS = (
    f"for every rung but occam, occam-chained and occam-paired, which are about the program {words.PROGRAM}, the "
    f"hold-out too: {REAL}"
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BlockQuestion(OfFolder):
    """What is asked of a classifier with one trained Mamba or Mamba-2 block."""

    family: Family
    reading: Reading

    @property
    def standing(self) -> tuple[str, ...]:
        own = f"for every rung, the hold-out too: {self.reading.assumed}"
        return (*STANDING, own if self.coding is None else OTHERS)

    @property
    def margins(self) -> str:
        block = self.family.block
        by = [
            *(["before its norms"] if self.divided else []),
            *([f"divided by {block.last.divided}"] if isinstance(block, LastBlock) else []),
        ]
        return " ".join(["training margins", " and ".join(by)]).strip()

    @property
    def divided(self) -> bool:
        """Whether a norm divides what is read out, so that margins are known up to a positive factor (theory M5.2)."""
        own = self.classifier.layers[-1].mixer
        gated = isinstance(own, Mamba2) and own.norm is not None
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
    """What is asked of the classifier that was read in a folder; with a base of its last block.

    Raises: ValueError (what does not apply to it, a contradiction, something missing, a file that cannot be read),
    OSError.
    """
    search = search or Search()
    require_stated(path, search, stated)
    around = search.base if not search.occam else None
    base = None if around is None else based(path, classifier, around)
    try:
        reading = read(classifier, base)
    except DomainError as error:
        if base is not None:
            raise DomainError(f"{path}: nothing is certified of its last block: {error}") from error
        raise NotOneBlockError(str(error)) from error
    known = looked_at(data, test, groups)
    if not Sampling.of(draws, None if known is None else known.task).independent:
        raise NotOneBlockError(f"{path}: its bound by norms is for independent rows of one law")
    require(
        base is None or data is not None, "--base FOLDER goes with the training data of the last block: give --data"
    )
    coding = None if base is not None else Coding.of(path, classifier, search)
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
    require_models(models_on_test)
    if known is not None:
        require_rows(classifier, known.task, value["T"])
    try:
        start, price, said = reading.prior()
    except DomainError as error:
        if base is None:
            raise
        raise DomainError(f"{around}: nothing is certified around the last block of this base: {error}") from error
    family = Family(reading.block(value["T"], start, price, None if known is None else known.task.train.x))
    question = BlockQuestion(
        checkpoint=File(path, reading.kind, classifier.sha256),
        setting=_setting(classifier, Sample(value["m"], value["T"]), g, delta),
        classifier=classifier,
        family=family,
        reading=reading,
        facts=(
            *facts,
            *codings.facts(coding),
            Fact("prior centred at", said, Evidence.CHECKED),
            *(Fact("assumed", line, Evidence.ASSUMED) for line in classifier.assumed),
        ),
        models=models_on_test,
        search=search,
        coding=coding,
        base=_given(search, coding, base, None if known is None else known.task),
        automatic=automatic,
        notes=(f"{reading.rung} pays for {family.block.numbers} numbers; {SMALLER}",),
    )
    remarks = (
        *([SCALED] if question.divided else []),
        *([reading.scale] if reading.scale else []),
        *([SAME] if base is not None and base.sha256 == classifier.sha256 else []),
    )
    question = replace(question, notes=(*question.notes, *remarks))
    if known is None:
        return question
    question = replace(
        question,
        task=known.task,
        rows=known.rows,
        facts=(*question.facts, *known.facts),
        notes=(*question.notes, *known.notes),
    )
    return shifted(question, known.task.shift, known.shift)


def read(classifier: Classifier, base: Classifier | None = None) -> Reading:
    """Raises: DomainError naming the hypothesis that the model breaks."""
    if base is not None or classifier.embedding is None:
        return InBall.of(classifier, base)
    return Tabled.of(classifier)


def based(path: Path, classifier: Classifier, base: Path) -> Classifier:
    """The model of which all but the last block and the head is kept. Raises: DomainError, CheckpointError."""
    require(not is_adapter(path), "--base goes with --occam, or a word, where the folder is an adapter")
    require(classifier.pooling != "none", f"{path}: --base without --occam is about classifiers (theory M6.4)")
    return frozen.base_of(path, classifier, base)


def _given(search: Search, coding: Coding | None, base: Classifier | None, task: Task | None) -> Given | None:
    if task is None:
        return None
    if base is not None:
        return bases.given(search, Base({}, base.config, sha256=base.sha256, own=base), task)
    return None if coding is None else bases.given(search, coding.base, task)


def _setting(classifier: Classifier, sample: Sample, g: Scalar, delta: Scalar | str) -> Setting:
    own = classifier.layers[-1].mixer
    N = len(own.R_B) // own.groups if isinstance(own, Mamba2) else own.A_log.shape[1]
    V = 0 if classifier.embedding is None else len(classifier.embedding)
    loss, share = losses.make("ramp", margin=g, clip=None), exactly(delta, "--delta, a probability", most=1)
    return Setting(sample, loss, g, share, d=len(own.R_x), N=N, V=V)


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
        m, own = setting.sample.m, question.reading
        yield pac_bayes(
            question.family, Fraction(setting.margin), m, share, margins, name=own.rung, rests_on=own.rests_on
        )

    programs = ran(question, tested, progress)
    return Answered(question, tuple(at(setting.delta)), 1, at, programs, claiming(programs), scored, tested)


def _splits(task: Task | None) -> tuple[Split | None, Split | None]:
    return (None, None) if task is None else (task.train, task.test)


def _answers(question: BlockQuestion, split: Split) -> Answers:
    """Logits, their radii and the margins they give, of one output: the difference of two."""
    z = question.reading.scored(question.family.block, split.x)
    return Answers(z.at[:, None], split.y, np.where(split.y == 1, z.at, -z.at), _finite(z))


def _finite(z: Near) -> NDArray[np.float64]:
    return np.where(np.isfinite(z.at) & np.isfinite(z.off), z.off, np.inf)
