"""A classifier of Mamba blocks, as many as there are, by its program: a word on the training rows, a hold-out.

No bound by norms takes part: of one block over a small vocabulary there is one (``ssm_bounds.one_block``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ssm_bounds import evidence, words
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.gaps.losses import margins
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import DomainError, Sample, Scalar, require
from ssm_bounds.data import Data, looked_at
from ssm_bounds.evidence import Evidence, Fact, exactly, simplest
from ssm_bounds.inquiry import DELTA, STANDING, Inquiry, Search, shifted
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.mamba.weights import Mamba1
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.program.evaluate import errors
from ssm_bounds.models.selective_ssm.tally import Tally
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.one_block import File, Setting, count, require_stated
from ssm_bounds.programs import Progress, held_out

RUNS = (
    f"for every rung: the model that is used runs as the program {words.PROGRAM}; its config (pooling, padding, eps, "
    "limits of steps) was fixed before the data"
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StackQuestion(Inquiry):
    """What is asked of a classifier of Mamba blocks. ``setting``: its V is 0 for real inputs. ``coding``: what a word
    is made of."""

    checkpoint: File
    setting: Setting
    classifier: Classifier
    coding: words.Coding | None

    @property
    def standing(self) -> tuple[str, ...]:
        return (*STANDING, RUNS)

    @property
    def subject(self) -> str:
        return "the model" if self.coding is None or self.coding.saved is None else "the word"

    def conditions(self, hypothesis: Hypothesis) -> tuple[str, ...]:
        if hypothesis is Hypothesis.GATE:
            return tuple(f"{line} (its config does not say it)" for line in self.classifier.assumed)
        return Inquiry.conditions(self, hypothesis)


def ask(
    path: str | os.PathLike[str],
    *,
    why: str = "",
    m: int | None = None,
    T: int | None = None,
    delta: Scalar | str = DELTA,
    margin: Scalar | str = 1,
    data: str | os.PathLike[str] | Task | Data | None = None,
    test: str | os.PathLike[str] | None = None,
    models_on_test: int = 1,
    search: Search | None = None,
    **stated: Any,
) -> StackQuestion:
    """What is asked of the classifier in a folder, or of a word. ``why``: no bound by norms is about it. Raises:
    ValueError (what does not apply to it, a contradiction, something missing, a file that cannot be read), OSError."""
    path, search = Path(path), search or Search()
    require_stated(path, search, stated)
    require(margin != "auto", f"{path}: no bound of it has a margin; leave --margin auto out")
    require(test is None or data is not None, "--test FILE goes with --data FILE")
    classifier = files.read(path)
    coding = words.Coding.of(path, classifier, search)
    known = looked_at(data, test)
    nothing = why or f"{path}: nothing end to end is certified of it without rows"
    hint = "give --data FILE, with test rows for a hold-out, or with --occam to certify a word"
    if known is None:
        raise DomainError(f"{nothing}; {hint}")
    require(coding is not None or known.task.test is not None, f"{nothing}; {hint}")
    stack(classifier if coding is None or coding.saved is None else coding.saved.classifier)  # is there such a program?
    recorded = classifier.config.get("training") or {}
    recorded = recorded if coding is None or coding.saved is None else {}
    facts = (
        evidence.number("m", m, count(recorded, "m"), known.task.train.m),
        evidence.number("T", T, count(recorded, "T") or known.task.train.T, at_least=True),
        Fact("pooling", classifier.pooling, Evidence.RECORDED),
        Fact("layers", len(classifier.layers), Evidence.CHECKED),
    )
    value: dict[str, Any] = {fact.name: fact.value for fact in facts}
    g = simplest(exactly(margin, "--margin"))
    whole = type(models_on_test) is int and models_on_test >= 1
    require(whole, f"--models-on-test: a number >= 1, got {models_on_test}")
    question = StackQuestion(
        checkpoint=File(path, "word" if coding and coding.saved else "Mamba blocks with a head", classifier.sha256),
        setting=_setting(
            classifier, Sample(value["m"], value["T"]), g, exactly(delta, "--delta, a probability", most=1)
        ),
        classifier=classifier if coding is None or coding.saved is None else coding.saved.classifier,
        coding=coding,
        facts=(*facts, *words.facts(coding), *known.facts),
        task=known.task,
        rows=known.rows,
        models=models_on_test,
        search=search,
        notes=known.notes,
        base=None if coding is None else words.given(search, coding.base, known.task),
    )
    for name, split in (("training", known.task.train), ("test", known.task.test)):
        if split is not None:
            require_inputs(classifier, split, value["T"], f"{known.task.source}: the {name} rows")
    return shifted(question, known.task.shift, known.shift)


def _setting(classifier: Classifier, sample: Sample, g: Scalar, delta: Fraction) -> Setting:
    w = classifier.layers[0].mixer
    N = w.A_log.shape[1] if isinstance(w, Mamba1) else len(w.R_B) // w.groups
    V = 0 if classifier.embedding is None else len(classifier.embedding)
    loss = losses.make("ramp", margin=g, clip=None)
    return Setting(sample, loss, g, delta, d=len(w.R_x), N=N, V=V, k=max(len(classifier.score), 2))


def answered(question: StackQuestion, progress: Progress) -> Answered:
    """The word and the hold-out; the tallies are those of the model that was given."""
    task, setting = question.task, question.setting
    if task is None:
        raise DomainError("a classifier by its program is certified on rows: give --data FILE")
    train, test = (
        None if split is None else tally(question.classifier, split, setting) for split in (task.train, task.test)
    )
    programs = [] if question.coding is None else [words.program(question, question.coding, progress)]
    if test is not None:
        programs.append(held_out(question, test))

    def at(share: Fraction) -> Iterator[Rung]:
        return iter(())

    return Answered(question, (), 0, at, tuple(programs), len(programs), train, test)


def tally(classifier: Classifier, split: Split, setting: Setting) -> Tally:
    """What the program answers on every row; one without finite logits is an error, and loses the most."""
    z = words.run(classifier, split)
    with np.errstate(invalid="ignore"):
        margin, finite = margins(z, split.y), np.isfinite(z).all(axis=1)
        values = np.where(finite, setting.loss.values(np.where(finite[:, None], z, 0.0), split.y), 1.0)
    below = int(np.count_nonzero(~(margin > float(setting.margin))))
    wrong = errors(z, split.y)
    return Tally(split.m, float(values.mean()), wrong, wrong, below, 0, 0.0)


def require_inputs(classifier: Classifier, split: Split, T: int, where: str) -> None:
    """Raises: DomainError for rows that are not the model's, and labels that it cannot answer with."""
    k = max(len(classifier.score), 2)
    if classifier.embedding is not None:
        V = len(classifier.embedding)
        require(split.x.ndim == 2, f"{where}: expected tokens (n, T), found shape {split.x.shape}")
        require(int(split.x.max()) < V, f"{where}: tokens must lie in 0..{V - 1}, found {split.x.max()}")
    elif classifier.input_weight is not None:
        c = classifier.input_weight.shape[1]
        fits = split.x.ndim == 3 and split.x.shape[2] == c
        require(fits, f"{where}: expected real inputs (n, T, {c}), found shape {split.x.shape}")
    require(int(split.y.max()) < k, f"{where}: labels must lie in 0..{k - 1}, found {split.y.max()}")
    require(split.T <= T, f"{where} have length {split.T}, above T = {T}")
    try:
        lengths(split.x, classifier.pad)
    except DomainError as error:
        raise DomainError(f"{where}: {error}") from error
