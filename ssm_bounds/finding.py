"""How a word of a classifier is found, by family, in a budget of seconds: whatever is found is judged by others.

Source: theory 8.14.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ssm_bounds.bounds.codes.families import Family, coded
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.coding import Coding, beginning
from ssm_bounds.inquiry import Inquiry
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.mamba.base import BIAS, WEIGHT
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.program.run import Pooled, pooled, prepared
from ssm_bounds.models.tasks.task import Split
from ssm_bounds.programs import Progress

Integers: TypeAlias = Mapping[str, Coded | None]


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """``integers``: of every tensor that the ``family`` codes, ``size`` being its rank. ``stopped``: why the search
    ended early. ``before``: what the program pools of the rows, where the word does not move it."""

    family: Family
    integers: Integers
    stopped: str | None
    before: Pooled | None = None
    size: int | None = None


def _head(question: Inquiry, coding: Coding, train: Split, progress: Progress, budget: float) -> list[Searched]:
    """The head alone, on what the program pools of the rows: once."""
    from ssm_bounds.models.searches import head  # torch takes seconds to start

    search, delta, base = question.search, question.setting.delta, coding.base
    untrained: Integers = dict.fromkeys(coded("head", base.parts))
    _, model = folders.model(Word("head", untrained, start=base.start), base)
    before = pooled(prepared(stack(model)), train.x, lengths(train.x, model.pad))
    found = head.search(
        before,
        train.y,
        len(base.tensors[WEIGHT]),
        fixed=Word("head", untrained, start=base.start).about() - math.log(delta),
        budget=budget,
        seed=search.seed,
        progress=lambda stage: progress(
            "head",
            stage.seconds,
            budget,
            f"{stage.errors} errors, {stage.nats:.0f} nats, about {stage.risk:.4f}",
        ),
    )
    own = {WEIGHT: found.weight, BIAS: found.bias}
    return [Searched("head", {name: own[name] for name in untrained}, found.stopped, before)]


def _stages(family: Family) -> Searching:
    """Rounded while they are trained, from the weights of the model that was given."""

    def search(question: Inquiry, coding: Coding, train: Split, progress: Progress, budget: float) -> list[Searched]:
        from ssm_bounds.models.searches import qat  # torch takes seconds to start
        from ssm_bounds.models.searches.classify import Errors

        base, size = coding.base, coding.rank if family == "lora" else None
        design = files.design_of(base.config, len(base.tensors[WEIGHT]))
        found = qat.searched(
            qat.Around(family, base.parts, base.tensors, size, base.start),
            Errors(design, base.tensors, train, question.setting.delta, of_head=family == "head"),
            trained=beginning(question.checkpoint.path, coding),
            begun=coding.begun if coding.begun is not None and coding.begun.family == family else None,
            budget=budget,
            seed=question.search.seed,
            progress=lambda stage: progress(
                family,
                stage.seconds,
                budget,
                f"{stage.name}: {stage.seen:.0f} errors, {stage.nats:.0f} nats, about {stage.bound:.4f}",
            ),
        )
        return [Searched(family, found.word.tensors, found.stopped, size=size)]

    return search


def _auto(question: Inquiry, coding: Coding, train: Split, progress: Progress, budget: float) -> list[Searched]:
    """The head, and where the design has a search for it, all else that pays: of an adapter what it moves, around a
    base its vectors and convolutions, from scratch every tensor. The word of the smaller bound is taken, as every
    family is priced."""
    base, found = coding.base, _head(question, coding, train, progress, budget / 3)
    if len(base.tensors[WEIGHT]) < 2 or (found[0].stopped or "").startswith("the search was interrupted"):
        return found  # the other search has no single output; and who interrupts wants no other one
    return found + _stages(coding.family)(question, coding, train, progress, 2 * budget / 3)


Searching: TypeAlias = Callable[[Inquiry, Coding, Split, Progress, float], list[Searched]]
SEARCHES: Mapping[str, Searching] = {
    "auto": _auto,
    "head": _head,
    "bitfit": _stages("bitfit"),
    "lora": _stages("lora"),
    "full": _stages("full"),
}
"""By ``--family``: how words are found in a budget of seconds."""
