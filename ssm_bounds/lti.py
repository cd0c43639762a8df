"""A file with one linear S4D layer and its readout, what a person states, the data: what is asked, and its ladder.

Four bounds by norms of the layer (theory 14). No program is run: rows are counted, and held against what is stated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ssm_bounds import evidence
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.architectures.lti.constants import Measured
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import shortest
from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.ladder.lti import LtiSetting, lti_geometric, lti_h2, lti_l1
from ssm_bounds.bounds.ladder.lti_cover import lti_cover
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import DomainError, Draws, Sample, Scalar, require
from ssm_bounds.data import Data, looked_at, require_bounded, require_fitting
from ssm_bounds.evidence import Evidence, Fact, exactly, simplest
from ssm_bounds.inquiry import (
    DELTA,
    STANDING,
    Inquiry,
    Search,
    require_models,
    require_no_other,
    require_no_search,
    require_of_a_file,
)
from ssm_bounds.models.files import s4d
from ssm_bounds.models.s4d.measure import measure
from ssm_bounds.models.tasks.task import Split, Task

OF_ONE_OUTPUT = (lti_h2, lti_l1, lti_geometric)
"""In the order of a report; a cover follows, of any number of outputs."""
SINGLE = "lti-h2, lti-l1 and lti-geometric are about one output"
UNUSED = "the test rows are not used: no program of a linear S4D model is run"
MODEL = (
    "for every rung: the model is z = W y, y the output of the layer after the last token, a zero-order hold with its "
    "skip and without an activation (theory 14.1), and the program that is used computes it in real arithmetic"
)


AS_ASSUMED = "no activation follows the layer, and W reads its output after the last token"
"""What tensors do not show: a condition of every claim."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LtiQuestion(Inquiry):
    """What is asked of one linear S4D layer with its readout."""

    checkpoint: s4d.File
    setting: LtiSetting

    @property
    def standing(self) -> tuple[str, ...]:
        return (*STANDING, MODEL)

    @property
    def subject(self) -> str:
        return "the linear S4D model"

    @property
    def claims_risks(self) -> bool:
        return False

    @property
    def bounds(self) -> tuple[Callable[[LtiSetting, Fraction], Rung], ...]:
        """Those that support the model, known from its outputs alone."""
        return (*OF_ONE_OUTPUT, lti_cover) if self.checkpoint.weights.k == 1 else (lti_cover,)

    def conditions(self, hypothesis: Hypothesis) -> tuple[str, ...]:
        if hypothesis is Hypothesis.INPUTS:
            return (f"inputs have l2 norm at most {shortest(float(self.setting.measured.B_u))} by design", AS_ASSUMED)
        return Inquiry.conditions(self, hypothesis)


def ask(
    path: str | os.PathLike[str],
    *,
    m: int | None = None,
    T: int | None = None,
    delta: Scalar | str = DELTA,
    loss: str = "ramp",
    margin: Scalar | str = 1,
    clip: Scalar | str | None = None,
    input_bound: Scalar | str | None = None,
    data: str | os.PathLike[str] | Task | Data | None = None,
    test: str | os.PathLike[str] | None = None,
    models_on_test: int = 1,
    search: Search | None = None,
    draws: Draws = "iid",
    **stated: Any,
) -> LtiQuestion:
    """What is asked of the layer in ``path``; every argument is an option of the command. Raises: ValueError (what does
    not apply to it, a contradiction, something missing, a file that cannot be read), OSError."""
    path, search = Path(path), search or Search()
    require_no_other(path, "a linear S4D model", stated)
    require_no_search(path, "a linear S4D model", search, "occam", "one_draw", "certify_loss")
    require_of_a_file(path, search)
    require(draws == "iid", f"{path}: bounds by norms are of i.i.d. rows, not of {draws} ones")
    require(margin != "auto", f"{path}: no bound of a linear S4D model chooses a margin; give --margin G")
    require(test is None, f"{path}: no program of a linear S4D model is run on test rows; leave --test out")
    if input_bound is None:
        raise DomainError("real-valued inputs need a bound on |u_t| stated before the data: give --input-bound B")
    file = s4d.read(path)
    known = looked_at(data, None)
    task = None if known is None else replace(known.task, test=None)
    facts = [
        evidence.number("m", m, None, None if task is None else task.train.m),
        evidence.number("T", T, None) if T is not None or task is None else Fact("T", task.train.T, Evidence.CHECKED),
        Fact("layer", "zero-order hold, no activation", Evidence.ASSUMED),
        Fact("output", "W y after the last token", Evidence.ASSUMED),
    ]
    value: dict[str, Any] = {fact.name: fact.value for fact in facts}
    bound = Enclosure.point(exactly(input_bound, "--input-bound")).float_upper()
    g = simplest(exactly(margin, "--margin"))
    sample = Sample(value["m"], value["T"])
    setting = LtiSetting(
        measure(file.weights, T=sample.T, input_bound=bound),
        sample,
        losses.make(loss, margin=g, clip=None if clip is None else simplest(exactly(clip, "--clip"))),
        g,
        exactly(delta, "--delta, a probability", most=1),
    )
    require_models(models_on_test)
    facts += measured_facts(setting.measured)
    notes = () if file.weights.k == 1 else (f"{SINGLE}; this model has {file.weights.k}",)
    question = LtiQuestion(
        checkpoint=file,
        setting=setting,
        facts=tuple(facts),
        models=models_on_test,
        search=search,
        notes=notes,
    )
    if known is None or task is None:
        return question
    _require_rows(file, task.train, sample.T, bound, f"{task.source}: the training rows")
    seen, unused = Data(task), () if known.task.test is None else (UNUSED,)
    return replace(
        question, task=task, rows=seen.rows, facts=(*facts, *seen.facts), notes=(*notes, *seen.notes, *unused)
    )


def answered(question: LtiQuestion) -> Answered:
    """The ladder: gaps of the loss, whether rows were given or not."""

    def at(share: Fraction) -> Iterator[Rung]:
        return (bound(question.setting, share) for bound in question.bounds)

    return Answered(question, tuple(at(question.setting.delta)), len(question.bounds), at)


def measured_facts(measured: Measured) -> list[Fact]:
    """The constants that the classes have to contain, each at least the model's."""
    found = {name: float(getattr(measured, name)) for name in ("B_u", "B_w", "C_1", "D", "b", "s")}
    if measured.taps is not None:
        found |= {"h2": measured.taps.h2, "l1": measured.taps.l1}
    return [Fact(name, value, Evidence.CHECKED) for name, value in found.items()]


def _require_rows(file: s4d.File, split: Split, T: int, bound: float, where: str) -> None:
    """Raises: DomainError for rows that are not the model's, or that contradict what is stated."""
    require_fitting(split, where, V=None, width=file.weights.d, k=file.weights.k)
    require(split.T <= T, f"{where} have length {split.T}, above T = {T}")
    require_bounded(split, where, bound)
