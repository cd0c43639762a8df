"""A file with one linear S4D layer and its readout, what a person states, the data: what is asked, and its ladder.

Four bounds by norms of the layer (theory 14), and with rows one by tau (theory 16). No program is run: rows are counted
and squared, and held against what is stated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ssm_bounds import evidence
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.architectures.lti.constants import Measured, Standardised
from ssm_bounds.bounds.architectures.lti.tau import Units
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import shortest
from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.ladder.lti import LtiSetting, lti_geometric, lti_h2, lti_l1
from ssm_bounds.bounds.ladder.lti_cover import lti_cover
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.ladder.tau_class import tau_class
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
from ssm_bounds.models.s4d.measure import measure, standardised
from ssm_bounds.models.tasks.moments import read_units
from ssm_bounds.models.tasks.task import Split, Task

OF_ONE_OUTPUT = (lti_h2, lti_l1, lti_geometric)
"""In the order of a report; a cover follows, of any number of outputs."""
SINGLE = "lti-h2, lti-l1, lti-geometric and tau-class are about one output"
UNUSED = "the test rows are not used: no program of a linear S4D model is run"
MODEL = (
    "for every rung: the model is z = W y, y the output of the layer after the last token, a zero-order hold with its "
    "skip and without an activation (theory 14.1), and the program that is used computes it in real arithmetic"
)


AS_ASSUMED = "no activation follows the layer, and W reads its output after the last token"
"""What tensors do not show: a condition of every claim."""


@dataclass(frozen=True, slots=True)
class Moments:
    """The file of mu0 and sigma0. ``own``: they are the mean and the deviation of the training rows themselves."""

    path: Path
    sha256: str
    own: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LtiQuestion(Inquiry):
    """What is asked of one linear S4D layer with its readout. ``units``: None stands for 0 and 1."""

    checkpoint: s4d.File
    setting: LtiSetting
    units: Moments | None = None

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
        if self.checkpoint.weights.k > 1:
            return (lti_cover,)
        of_rows = () if self.setting.standardised is None else (tau_class,)
        return (*OF_ONE_OUTPUT, lti_cover, *of_rows)

    def conditions(self, hypothesis: Hypothesis) -> tuple[str, ...]:
        match hypothesis:
            case Hypothesis.INPUTS:
                return (f"inputs have l2 norm at most {shortest(float(self.setting.measured.B_u))} by design",)
            case Hypothesis.LAYER:
                return (AS_ASSUMED,)
            case Hypothesis.UNITS if self.units is not None:
                known = f"{self.units.path} (sha256 {self.units.sha256[:8]}...)"
                return (f"the mean and the deviation in {known} were fixed before the sample",)
        return Inquiry.conditions(self, hypothesis)

    def refusal(self, hypothesis: Hypothesis) -> str | None:
        if hypothesis is Hypothesis.UNITS and self.units is not None and self.units.own:
            return f"the mean and the deviation in {self.units.path} are those of the training rows"
        return Inquiry.refusal(self, hypothesis)


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
    input_moments: str | os.PathLike[str] | None = None,
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
    units_of = None if input_moments is None else Path(input_moments)
    require(units_of is None or data is not None, f"{path}: --input-moments is of tau-class, and goes with --data FILE")
    file = s4d.read(path)
    require(units_of is None or file.weights.k == 1, f"{path}: --input-moments is of tau-class, of one output")
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
    units, moments = (Units(), None) if units_of is None else _moments(units_of, task.train)
    if (found := _standardised(file, setting, task.train, units, units_of)) is not None:
        facts += _facts({name: getattr(found, name) for name in ("psi_1", "psi_2", "q_x")})
        if moments is not None:
            facts.append(Fact("input moments sha256", moments.sha256, Evidence.CHECKED))
        question = replace(question, setting=replace(setting, standardised=found), units=moments)
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
    return _facts(found)


def _facts(found: Mapping[str, Scalar | None]) -> list[Fact]:
    return [Fact(name, float(value), Evidence.CHECKED) for name, value in found.items() if value is not None]


def _moments(path: Path, train: Split) -> tuple[Units, Moments]:
    """Raises: ValueError naming the file, OSError."""
    units, sha256 = read_units(path)
    return units, Moments(path, sha256, _are_own(units, train))


def _are_own(units: Units, train: Split) -> bool:
    """Whether mean and deviation are those of these rows, in float32 too, wherever the rows differ.

    0 and 1 everywhere are what is taken without a file, whatever the rows. Those of other rows are off by about
    deviation/sqrt m, far above what passes here.
    """
    if units.mean is None or units.deviation is None or (units.centred and bool((units.deviation == 1).all())):
        return False
    x = train.x.astype(np.float64)
    if units.mean.shape[0] < x.shape[1] or units.mean.shape[1:] != x.shape[2:] or len(x) < 2:
        return False
    mu, sigma = (each[-x.shape[1] :] for each in (units.mean, units.deviation))
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = x.mean(0), x.std(0)
        near = 1e-6 * (np.abs(mean) + spread)
        unbiased = spread * np.sqrt(len(x) / (len(x) - 1))
        same = (np.abs(mu - mean) <= near) & (np.minimum(abs(sigma - spread), abs(sigma - unbiased)) <= near)
    differ = spread > 0
    return bool(differ.any() and same[differ].all())


def _standardised(
    file: s4d.File, setting: LtiSetting, train: Split, units: Units, path: Path | None
) -> Standardised | None:
    """What tau-class uses of a model with one output and of its rows. Raises: ValueError naming the file of units."""
    if setting.measured.taps is None:
        return None
    try:
        return standardised(file.weights, units, setting.measured.taps, train.x)
    except DomainError as error:
        raise error if path is None else DomainError(f"{path}: {error}") from error


def _require_rows(file: s4d.File, split: Split, T: int, bound: float, where: str) -> None:
    """Raises: DomainError for rows that are not the model's, or that contradict what is stated."""
    require_fitting(split, where, V=None, width=file.weights.d, k=file.weights.k)
    require(split.T <= T, f"{where} have length {split.T}, above T = {T}")
    require_bounded(split, where, bound)
