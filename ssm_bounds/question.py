"""A file, what a person states, and the data: what is asked of them.

Of a model of the paper; ``ssm_bounds.one_block`` asks of a classifier with one Mamba or Mamba-2 block.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, get_args

from ssm_bounds import evidence
from ssm_bounds.bounds.architectures.selective_ssm.constants import MeasuredConstants
from ssm_bounds.bounds.evaluate.decimals import shortest
from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.ladder.rung import Embedding, Hypothesis, Setting
from ssm_bounds.bounds.values import DomainError, Draws, Gate, Sample, Scalar, require
from ssm_bounds.data import Data, looked_at, require_bounded, require_fitting
from ssm_bounds.evidence import Evidence, Fact, exactly, simplest
from ssm_bounds.inquiry import DELTA, STANDING, Inquiry, Search, require_models, require_of_a_file, shifted
from ssm_bounds.models.files.checkpoint import Checkpoint, Convention, read
from ssm_bounds.models.files.container import printable
from ssm_bounds.models.selective_ssm.measure import measure
from ssm_bounds.models.selective_ssm.programs import EXACT, Program, recorded
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.sampling import OF_WORDS, Sampling

Inputs = Literal["ball", "vocabulary"]
PROGRAMS = (
    "for the rungs that do not run the program (all but occam, occam-loss, one-draw and holdout): it computes the "
    "real-arithmetic model"
)
APART = (
    "the rungs that do not run the program (all but occam, occam-loss, one-draw and holdout) are about the "
    "real-arithmetic model of these weights: the program {} rounds, and computes another function"
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Question(Inquiry):
    """What is asked of one model of the paper."""

    checkpoint: Checkpoint
    setting: Setting
    convention: Convention
    input_bound: float | None

    @property
    def own(self) -> Program | None:
        """What the file's model is counted by, where it is a rounded or drawn one."""
        return next((recorded(record) for _, record in _records(self.checkpoint)), None)

    @property
    def rounds(self) -> bool:
        return self.own is not None and self.own.rounds

    @property
    def standing(self) -> tuple[str, ...]:
        computed = () if self.task is None else self._computed(self.task)
        return (*STANDING, *(() if self.rounds else (PROGRAMS,)), *computed)

    def _computed(self, task: Task) -> Iterator[str]:
        """What computes a model that is coded or drawn: one that is looked for, and that of the file."""
        search, records = self.search, _records(self.checkpoint)
        coded = ["occam", *(["occam-loss"] if search.certify_loss else [])]
        named = {"rounded": (coded, search.occam), "drawn": (["one-draw"], search.one_draw)}
        for model, (rungs, asked) in named.items():
            if asked:
                yield _runs(rungs, f"the {model} model", EXACT)
        rungs = [name for model, _ in records if not named[model][1] for name in named[model][0]]
        rungs += [] if task.test is None else ["holdout"]
        if self.own is not None and rungs:
            whose = " of the file" if any(asked for _, asked in named.values()) else ""
            unsaid = "" if "program" in records[0][1] else ": its file names no program, so that this one counts it"
            yield _runs(rungs, f"the {records[0][0]} model{whose}", self.own) + unsaid

    @property
    def subject(self) -> str:
        if self.evidence("gate") is Evidence.ASSUMED:
            return f"the model with {self.setting.measured.gate} gates"
        return "the model"

    def conditions(self, hypothesis: Hypothesis) -> tuple[str, ...]:
        setting = self.setting
        match hypothesis:
            case Hypothesis.EMBEDDING if setting.embedding == "fixed":
                return ("the embedding was fixed before the sample",)
            case Hypothesis.INPUTS if setting.embedding == "none":
                return (f"inputs have l2 norm at most {shortest(float(setting.measured.B_u))} by design",)
            case Hypothesis.GATE if self.evidence("gate") is Evidence.ASSUMED:
                return (f"the gate is {setting.measured.gate} (nobody says so: --gate softplus or none)",)
            case Hypothesis.MEASURED:
                chosen = ", and the margin chosen with the data" if self.automatic else ""
                measured = f"they were measured on the trained model{chosen}"
                return (f"its constants had been fixed before the data ({measured})",)
            case Hypothesis.PROGRAM:
                names = [name for name in ("gate", "convention") if self.evidence(name) is not Evidence.RECORDED]
                values = {fact.name: fact.value for fact in self.facts}
                return tuple(f"its {name} is {values[name]} (its file does not record it)" for name in names)
            case Hypothesis.PRINTED:
                return ("the printed steps hold for this class (in general some are false: see the ledger)",)
        return Inquiry.conditions(self, hypothesis)

    def refusal(self, hypothesis: Hypothesis) -> str | None:
        if hypothesis is Hypothesis.EMBEDDING and self.evidence("embedding") is Evidence.CONTRADICTED:
            return "the file records that the embedding was trained, so it was not fixed before the sample"
        if hypothesis is Hypothesis.PRINTED and self.setting.in_class:
            return "does not apply: the printed route takes the inputs as given, and this embedding was trained"
        return Inquiry.refusal(self, hypothesis)


def ask(
    path: str | os.PathLike[str] | Checkpoint,
    *,
    m: int | None = None,
    T: int | None = None,
    delta: Scalar | str = DELTA,
    loss: str = "ramp",
    margin: Scalar | str = 1,
    clip: Scalar | str | None = None,
    inputs: Inputs = "ball",
    embedding: Literal["fixed", "trained"] | None = None,
    gate: Gate | None = None,
    convention: Convention | None = None,
    input_bound: Scalar | str | None = None,
    data: str | os.PathLike[str] | Task | Data | None = None,
    test: str | os.PathLike[str] | None = None,
    models_on_test: int = 1,
    draws: Draws = "iid",
    groups: str | None = None,
    search: Search | None = None,
) -> Question:
    """What is asked of the model in ``path``, or of one that was read; every argument is an option of the command.

    ``m`` comes from the training data or the file, and ``T``, gate, convention and embedding from the file, where they
    are not stated. Raises: ValueError (a contradiction, something missing, a file that cannot be read), OSError.
    """
    checkpoint = path if isinstance(path, Checkpoint) else read(path)
    known, weights = checkpoint.metadata, checkpoint.weights
    automatic = margin == "auto"
    for option, stated, values in (
        ("gate", gate, get_args(Gate)),
        ("convention", convention, get_args(Convention)),
        ("inputs", inputs, get_args(Inputs)),
    ):
        require(stated in (None, *values), f"--{option}: one of {', '.join(values)}, got {stated!r}")
    require(not automatic or data is not None, "--margin auto chooses the margin from the training data: give --data")
    require(test is None or data is not None, "--test FILE goes with --data FILE")
    search = search or Search()
    require_of_a_file(checkpoint.path, search)
    require(search.save is None or not search.save.is_dir(), f"--save {search.save}: is a folder; name a file")
    if search.certify_loss:
        _require_coded(checkpoint, search, loss, automatic=automatic, with_data=data is not None)
    known_data = looked_at(data, test, groups)
    sampling = Sampling.of(draws, None if known_data is None else known_data.task)
    require(sampling.independent, f"{OF_WORDS}, that of a folder of Mamba blocks; leave it out")
    facts = [
        evidence.number("m", m, known.m, None if known_data is None else known_data.task.train.m),
        evidence.number("T", T, known.T, at_least=True),
        evidence.choice("gate", gate, known.gate, "softplus"),
        evidence.choice("convention", convention, known.convention, "code"),
        evidence.embedding(checkpoint, embedding),
        *_programs(checkpoint),
    ]
    value: dict[str, Any] = {fact.name: fact.value for fact in facts}
    bound = evidence.input_bound(checkpoint, input_bound, inputs)
    measured = measure(weights, gate=value["gate"], input_bound=bound, vocabulary=inputs == "vocabulary")
    level = exactly(delta, "--delta, a probability", most=1)
    g = 1 if automatic else simplest(exactly(margin, "--margin"))
    setting = Setting(
        measured,
        Sample(value["m"], value["T"]),
        losses.make(loss, margin=g, clip=None if clip is None else simplest(exactly(clip, "--clip"))),
        g,
        level,
        inputs == "vocabulary",
        value["embedding"],
    )
    require_models(models_on_test)
    question = Question(
        checkpoint=checkpoint,
        setting=setting,
        convention=value["convention"],
        input_bound=bound,
        facts=tuple(facts),
        models=models_on_test,
        search=search,
        automatic=automatic,
        notes=_delta_note(checkpoint, level),
    )
    if question.rounds:
        question = replace(question, notes=(*question.notes, APART.format(question.own)))
    return _with_shift(question, None) if known_data is None else _with_data(question, known_data)


def _programs(checkpoint: Checkpoint) -> Iterator[Fact]:
    """What the file says computes its model, where it is a rounded or drawn one. Raises: DomainError, naming it."""
    records = _records(checkpoint)
    try:
        found = [recorded(record) for _, record in records]
    except DomainError as problem:
        raise DomainError(f"{checkpoint.path}: {problem}") from None
    if found:
        same = all(program == found[0] for program in found)
        require(same, f"{checkpoint.path}: names {' and '.join(map(str, found))}, and one program computes a model")
        said = Evidence.RECORDED if "program" in records[0][1] else Evidence.ASSUMED
        yield Fact("program of the file's model", str(found[0]), said)


def _records(checkpoint: Checkpoint) -> list[tuple[str, Mapping[str, Any]]]:
    """What kinds of model the file says that its own is, each with its record."""
    known = checkpoint.metadata
    kinds = (("rounded", known.occam), ("drawn", known.one_draw))
    return [(kind, record) for kind, record in kinds if record is not None]


def _runs(rungs: Sequence[str], model: str, program: Program) -> str:
    names = f"{', '.join(rungs[:-1])} and {rungs[-1]}" if len(rungs) > 1 else rungs[0]
    return f"for {names}: {model} runs as the program {program}, which was fixed before the data"


def _require_coded(checkpoint: Checkpoint, search: Search, loss: str, *, automatic: bool, with_data: bool) -> None:
    """What a mean loss is certified of: a model in a code, on rows, by a loss that was there before them."""
    require(with_data, "--certify-loss needs the training data: give --data FILE")
    require(
        search.occam or checkpoint.metadata.occam is not None,
        "--certify-loss certifies a rounded model in a code, and the file records none: give --occam",
    )
    require(
        not (automatic and loss == "ramp"),
        "--certify-loss needs a loss that is fixed before the data, and --margin auto chooses the ramp with them: "
        "give --margin G, or --loss clipped-ce",
    )


def _with_data(question: Question, data: Data) -> Question:
    """What the data say, and contradict. Raises: DomainError naming the file."""
    task = data.task
    _require_fitting(question, task)
    question = _with_shift(replace(question, task=task), data.shift)
    return replace(question, rows=data.rows, facts=(*question.facts, *data.facts), notes=(*question.notes, *data.notes))


def _require_fitting(question: Question, task: Task) -> None:
    """The rows are inputs and labels of this model, no longer than T, no larger than the stated bound."""
    weights = question.checkpoint.weights
    for where, split in _splits(task):
        require_fitting(split, where, V=weights.V, width=weights.d, k=weights.k)
        _require_no_longer(question, split, where, question.setting.sample.T)
        if question.input_bound is not None:
            require_bounded(split, where, question.input_bound)


def _splits(task: Task) -> Iterator[tuple[str, Split]]:
    for name, split in (("training", task.train), ("test", task.test)):
        if split is not None:
            yield f"{task.source}: the {name} rows", split


def _require_no_longer(question: Question, split: Split, where: str, T: int) -> None:
    longest = split.T - (question.convention == "paper")
    require(longest <= T, f"{where} have length {longest}, above T = {T}")


def require_length(question: Question, T: int) -> None:
    """T contradicts neither the file nor the rows, whatever T was asked about. Raises: DomainError."""
    evidence.number("T", T, question.checkpoint.metadata.T, at_least=True)
    for where, split in () if question.task is None else _splits(question.task):
        _require_no_longer(question, split, where, T)


def _with_shift(question: Question, sign: str | None) -> Question:
    """How the training rows are known to differ in distribution from the test rows; ``sign``: what the rows show."""
    extra, task = question.checkpoint.metadata.extra, question.task
    told = extra.get("shift") or ("ones were flipped" if _positive(extra.get("paper_noise")) else None)
    found = None if told is None else f"the file says: {printable(told[:200])!r}"
    return shifted(question, found if found is not None or task is None else task.shift, sign)


def _positive(text: str | None) -> bool:
    """A recorded number above 0."""
    try:
        return text is not None and 0 < float(text) < math.inf
    except ValueError:
        return False


def _delta_note(checkpoint: Checkpoint, delta: Fraction) -> tuple[str, ...]:
    """A rounded model records the delta at which it was certified; the one asked for holds."""
    record = checkpoint.metadata.occam
    if record is None:
        return ()
    stated = record.get("delta")
    if stated is None:
        return ()
    with suppress(DomainError):
        if exactly(stated, "delta", most=1) == delta:
            return ()
    shown = printable(str(stated)[:40])
    return (f"the file was certified at delta = {shown!r}; this certificate is at delta = {delta}",)


def monitored(
    measured: MeasuredConstants, sample: Sample, *, loss: losses.Loss, margin: Scalar, delta: Fraction
) -> Setting:
    """The setting of a model that is being trained: an embedding is in the class, so that the bounds hold for every
    epoch of the training at once."""
    embedding: Embedding = "none" if measured.V is None else "trained"
    return Setting(measured, sample, loss, margin, delta, embedding=embedding)
