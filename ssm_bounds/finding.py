"""How a word of a classifier is found, by family, in a budget of seconds: whatever is found is judged by others.

Source: theory 8.14.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ssm_bounds.bounds.codes.families import Family, coded
from ssm_bounds.bounds.codes.word import Word
from ssm_bounds.coding import STILL, Coding, beginning
from ssm_bounds.inquiry import Inquiry, Search
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.mamba.base import BIAS, WEIGHT, Base
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.program.run import Pooled, pooled, prepared
from ssm_bounds.models.tasks.task import Split
from ssm_bounds.programs import Progress
from ssm_bounds.trials import Found, Trial, searched, several

if TYPE_CHECKING:
    from ssm_bounds.models.searches.qat import Objective


def found(question: Inquiry, coding: Coding, train: Split, progress: Progress) -> list[Found]:
    """The best word of each trial, as far as they went. Raises: DomainError; KeyboardInterrupt where there is none."""
    trials = _trials(question.search, coding)
    base = replace(coding.base, own=None)  # no search looks at its answers
    before = _before(base, train) if any(trial.family == "head" for trial in trials) else None
    trained = beginning(question.checkpoint.path, coding)
    work = OfRows(base, question.setting.delta, trained, coding.begun, train, before)
    return searched(work, trials, question.search.executor, progress)


def _trials(search: Search, coding: Coding) -> list[Trial]:
    """*auto*: the head, and where the design has a search for it, all else that pays: of an adapter what it moves,
    around a base its vectors and convolutions, from scratch every tensor. The word of the smaller bound is taken, as
    every family is priced."""

    def of(family: Family, budget: float) -> list[Trial]:
        return several(family, coding.size(family), budget, search.seed, search.trials)

    if search.family != "auto":
        return of(search.family, search.budget)
    heads = of("head", search.budget / 3)
    if len(coding.base.tensors[WEIGHT]) < 2:
        return heads  # the other search has no single output
    return heads + of(coding.family, 2 * search.budget / 3)


def _before(base: Base, train: Split) -> Pooled:
    """What the head sees of the rows, where nothing else is moved: once for all trials."""
    _, model = folders.model(_still(base), base)
    return pooled(prepared(stack(model)), train.x, lengths(train.x, model.pad))


def _still(base: Base) -> Word:
    return Word("head", dict.fromkeys(coded("head", base.parts)), start=base.start)


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """What a search in stages moves and begins with, in this process or another. ``trained``: weights to begin with;
    ``begun``: a word to go on from."""

    base: Base
    delta: Fraction
    trained: Mapping[str, Array] | None
    begun: Word | None

    def stages(
        self, trial: Trial, objective: Objective, seen: str, progress: Progress, halt: Callable[[], None]
    ) -> Found:
        """Rounded while it is trained, from the weights of the model that was given. ``seen``: a format of what the
        objective counts."""
        from ssm_bounds.models.searches import qat  # torch takes seconds to start

        base = self.base
        begun = self.begun if self.begun is not None and self.begun.family == trial.family else None
        return Found.of(
            qat.searched(
                qat.Around(trial.family, base.parts, base.tensors, trial.size, base.start),
                objective,
                trained=self.trained,
                begun=begun,
                kappa=trial.kappa,
                step=trial.step,
                budget=trial.budget,
                seed=trial.seed,
                progress=lambda stage: progress(
                    trial.family,
                    stage.seconds,
                    trial.budget,
                    f"{stage.name}: {seen.format(stage.seen)}, {stage.nats:.0f} nats, about {stage.bound:.4f}",
                ),
                halt=halt,
            ),
            began=None if self.trained is not None or begun is not None else STILL,
        )


@dataclass(frozen=True, slots=True, eq=False)
class OfRows(Staged):
    """The search of one trial on these rows. ``before``: what the head sees of them, if a trial is of the head."""

    train: Split
    before: Pooled | None

    def __call__(self, trial: Trial, progress: Progress, halt: Callable[[], None]) -> Found:
        if self.before is not None and trial.family == "head":
            return self._head(self.before, trial, progress, halt)
        from ssm_bounds.models.searches.classify import Errors

        base = self.base
        design = files.design_of(base.config, len(base.tensors[WEIGHT]))
        errors = Errors(design, base.tensors, self.train, self.delta)
        return self.stages(trial, errors, "{:.0f} errors", progress, halt)

    def _head(self, before: Pooled, trial: Trial, progress: Progress, halt: Callable[[], None]) -> Found:
        """The head alone, on what the program pools of the rows."""
        from ssm_bounds.models.searches import head

        untrained = _still(self.base)
        left = head.search(
            before,
            self.train.y,
            len(self.base.tensors[WEIGHT]),
            fixed=untrained.about() - math.log(self.delta),
            budget=trial.budget,
            seed=trial.seed,
            progress=lambda stage: progress(
                trial.family,
                stage.seconds,
                trial.budget,
                f"{stage.errors} errors, {stage.nats:.0f} nats, about {stage.risk:.4f}",
            ),
            halt=halt,
        )
        own = {WEIGHT: left.weight, BIAS: left.bias}
        integers = {name: own[name] for name in untrained.tensors}
        return Found("head", integers, left.risk, left.stopped, before=before)
