"""A classifier of Mamba blocks, as many as there are, by its program: a word on the training rows, a hold-out.

No bound by norms takes part: of one block over a small vocabulary there is one (``ssm_bounds.one_block``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ssm_bounds import bases, evidence, words
from ssm_bounds import coding as codings
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.gaps.losses import margins
from ssm_bounds.bounds.values import DomainError, Draws, Sample, Scalar, require
from ssm_bounds.coding import Coding
from ssm_bounds.data import Data, looked_at
from ssm_bounds.evidence import Evidence, Fact, exactly, simplest
from ssm_bounds.folders import File, OfFolder, Setting, claiming, count, ran, require_rows, require_stated
from ssm_bounds.inquiry import DELTA, FIXED, Search, require_models, shifted
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.weights import Mamba1
from ssm_bounds.models.program.classifier import answers, stack
from ssm_bounds.models.program.evaluate import errors
from ssm_bounds.models.selective_ssm.tally import Tally
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.programs import Progress
from ssm_bounds.sampling import OF_WORDS, Sampling

RUNS = (
    f"for every rung: the model that is used runs as the program {words.PROGRAM}; its config (pooling, padding, eps, "
    "limits of steps, names of outputs) was fixed before the data"
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StackQuestion(OfFolder):
    """What is asked of a classifier of Mamba blocks."""

    @property
    def standing(self) -> tuple[str, ...]:
        return (self.sampling.standing, FIXED, RUNS)

    @property
    def subject(self) -> str:
        return "the model" if self.coding is None or self.coding.saved is None else "the word"


def ask(
    path: Path,
    classifier: Classifier,
    *,
    why: str = "",
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
) -> StackQuestion:
    """What is asked of the classifier that was read in a folder, or of a word. ``why``: no bound by norms is about it.
    Raises: ValueError (what does not apply to it, a contradiction, something missing, a file that cannot be read),
    OSError."""
    search = search or Search()
    require_stated(path, search, stated)
    require(margin != "auto", f"{path}: no bound of it has a margin; leave --margin auto out")
    require(test is None or data is not None, "--test FILE goes with --data FILE")
    coding = Coding.of(path, classifier, search)
    known = looked_at(data, test, groups)
    sampling = Sampling.of(draws, None if known is None else known.task)
    require(coding is not None or sampling.independent, f"{path}: {OF_WORDS}; give --occam")
    nothing = f"{path}: nothing end to end is certified of it{f': {why}' if why else ' without rows'}"
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
    require_models(models_on_test)
    question = StackQuestion(
        checkpoint=File(path, "word" if coding and coding.saved else "Mamba blocks with a head", classifier.sha256),
        setting=_setting(
            classifier, Sample(value["m"], value["T"]), g, exactly(delta, "--delta, a probability", most=1)
        ),
        classifier=classifier if coding is None or coding.saved is None else coding.saved.classifier,
        coding=coding,
        facts=(*facts, *codings.facts(coding), *known.facts, *sampling.facts),
        task=known.task,
        rows=known.rows,
        models=models_on_test,
        search=search,
        notes=(*known.notes, *([f"no bound by norms is about this model: {why}"] if why else [])),
        sampling=sampling,
        base=None if coding is None else bases.given(search, coding.base, known.task, sampling, known.column),
    )
    require_rows(classifier, known.task, value["T"])
    # the chance that a sign of a shift is false is that of i.i.d. rows
    return shifted(question, known.task.shift, known.shift if sampling.independent else None)


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
    programs = ran(question, test, progress)
    return Answered(question, programs=programs, promised=claiming(programs), train=train, test=test)


def tally(classifier: Classifier, split: Split, setting: Setting) -> Tally:
    """What the program answers on every row; one without finite logits is an error, and loses the most."""
    z = answers(classifier, split)
    with np.errstate(invalid="ignore"):
        margin, finite = margins(z, split.y), np.isfinite(z).all(axis=1)
        values = np.where(finite, setting.loss.values(np.where(finite[:, None], z, 0.0), split.y), 1.0)
    below = int(np.count_nonzero(~(margin > float(setting.margin))))
    wrong = errors(z, split.y)
    return Tally(split.m, float(values.mean()), wrong, wrong, below, 0, 0.0)
