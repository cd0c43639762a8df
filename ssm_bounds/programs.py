"""The rungs about a program as it runs: Occam (theory.md 8.1, 8.5), one draw (8.2), hold-out (8.4).

Each gives a rung at the delta of the question, and its value at any other, for the comparison with the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ssm_bounds.bounds.codes.gaussian import prior_center
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.maurer import expected_risk
from ssm_bounds.bounds.ladder.holdout import holdout, limit
from ssm_bounds.bounds.ladder.occam import Coded, occam
from ssm_bounds.bounds.ladder.occam_loss import CodedLoss, certify_mean, occam_loss
from ssm_bounds.bounds.ladder.one_draw import Draw, Drawn, one_draw
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import require
from ssm_bounds.inquiry import Inquiry
from ssm_bounds.models.files.checkpoint import Metadata, encoded, save
from ssm_bounds.models.program.label_losses import above
from ssm_bounds.models.searches import rounded
from ssm_bounds.models.selective_ssm import programs as runs
from ssm_bounds.models.selective_ssm.tally import Tally
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.task import Task
from ssm_bounds.question import Question

Progress = Callable[[str, float, float, str], None]
"""Called with what runs, seconds so far, the budget, and how it stands."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A rung about one program. ``subject``: the program in a sentence; ``each_model``: the event is one of this model
    alone, so that several models share delta (else it is one of all models that the same prior codes, as run by this
    program: the better of two programs, chosen after the data, is one of two events, each at delta/2). ``over``: what
    the probability is over besides the rows.
    """

    rung: Rung
    at: Callable[[Fraction], Enclosure]
    subject: str
    each_model: bool = False
    over: tuple[str, ...] = ()


def silent(what: str, seconds: float, budget: float, text: str) -> None:
    """No progress."""


def programs(question: Question, test: Tally | None, progress: Progress = silent) -> Iterator[Program]:
    """Those that were asked for, and those that the file has a record of. Raises: ValueError, OSError."""
    search, recorded, task = question.search, question.checkpoint.metadata, question.task
    if task is not None:
        if search.occam:
            yield from _occam(question, task, progress)
        elif recorded.occam is not None:
            yield from _recorded_occam(question, task, recorded.occam)
        if search.one_draw:
            yield _one_draw(question, task, progress)
        elif recorded.one_draw is not None:
            yield _recorded_draw(question, task, recorded.one_draw)
    if test is not None:
        yield held_out(question, test)


def number(question: Question) -> int:
    """How many of them claim a risk: known from the options and the file, before anything is computed."""
    search, recorded, task = question.search, question.checkpoint.metadata, question.task
    if task is None:
        return 0
    asked = (search.occam or recorded.occam is not None, search.one_draw or recorded.one_draw is not None)
    return sum((*asked, task.test is not None))


def _occam(question: Question, task: Task, progress: Progress) -> Iterator[Program]:
    from ssm_bounds.models.searches import quantise  # torch takes seconds to start

    search, delta = question.search, question.setting.delta
    gate = question.setting.measured.gate
    found = quantise.search(
        question.checkpoint.weights,
        task.train,
        gate=gate,
        convention=question.convention,
        delta=delta,
        budget=search.budget,
        seed=search.seed,
        progress=lambda stage: progress(
            "rounding",
            stage.seconds,
            search.budget,
            f"{stage.name}: {stage.errors} errors, {stage.nats:.0f} nats, about {stage.risk:.4f}",
        ),
    )
    certified = rounded.certified(found.weights, found.code, task.train, convention=question.convention, delta=delta)
    data = _file(question, task, found.weights, occam=rounded.record(found, delta))
    if search.save is not None:
        save(search.save, data)
    agreement = f"it answers as the given model, run by {runs.EARLIER}, on {found.agreement} of {found.m} training rows"
    remarks = (agreement, *([found.stopped] if found.stopped else []))
    return _coded(question, certified, hashlib.sha256(data).hexdigest(), remarks, searched=True)


def _recorded_occam(question: Question, task: Task, record: Any) -> Iterator[Program]:
    weights, setting = question.checkpoint.weights, question.setting
    code, program = rounded.recorded(weights, record, setting.measured.gate), runs.recorded(record)
    certified = rounded.certified(
        weights, code, task.train, convention=question.convention, delta=setting.delta, program=program
    )
    remarks = ["the code is that of the file"]
    if rounded.recorded_errors(record) not in (None, certified.errors):
        remarks.append(f"the file records {record['errors']} errors, this program counts {certified.errors}")
    return _coded(question, certified, question.checkpoint.sha256, tuple(remarks), (Hypothesis.PROGRAM,))


def _coded(
    question: Question,
    certified: rounded.Certified,
    sha256: str,
    remarks: tuple[str, ...],
    rests_on: tuple[Hypothesis, ...] = (),
    *,
    searched: bool = False,
) -> Iterator[Program]:
    """Its risk and, where that is asked for, its mean loss."""
    delta, loss, subject = question.setting.delta, question.setting.loss, f"the rounded model (sha256 {sha256[:8]}...)"
    nats, code, ledger = certified.nats, str(certified.code), certified.ledger
    program = str(certified.program)
    argument = Coded(certified.errors, certified.m, nats, code, ledger, delta, program, remarks)
    yield Program(
        occam(argument, rests_on, searched=searched), lambda share: replace(argument, delta=share).risk, subject
    )
    if question.search.certify_loss:
        losses = above(loss, certified.answers.z, certified.answers.y)
        mean = certify_mean(nats, losses, loss.range, delta)
        rung = occam_loss(CodedLoss(loss.words, mean, nats, code, ledger, delta, program), rests_on, searched=searched)
        yield Program(rung, lambda share: certify_mean(nats, losses, loss.range, share).value, subject)


def _one_draw(question: Question, task: Task, progress: Progress) -> Program:
    from ssm_bounds.models.searches import posterior

    search, delta, weights = question.search, question.setting.delta, question.checkpoint.weights
    center = prior_center(posterior.sizes(weights))
    found = posterior.search(
        weights,
        task.train,
        center=center,
        bound=lambda error, divergence: expected_risk(error, divergence, task.train.m, delta),
        gate=question.setting.measured.gate,
        convention=question.convention,
        settings=posterior.Settings(budget=search.budget),
        progress=lambda step: progress(
            "posterior",
            step.done * search.budget,
            search.budget,
            f"step {step.number}: error {step.error:.3f}, KL {step.divergence:.0f}, about {step.bound:.4f}",
        ),
    )
    draw = Draw.once(center=center, mean=found.mean, factor=found.factor, seed=search.seed)
    drawn = posterior.unflatten(draw.parameters, weights)
    program = runs.EXACT
    data = _file(question, task, drawn, one_draw=draw.record() | {"program": program.record()})
    if search.save is not None:
        save(search.save, data)
    sha256 = hashlib.sha256(data).hexdigest()
    remarks = (found.stopped,) if found.stopped else ()
    return _drawn(question, task, draw, drawn, program, sha256, remarks, searched=True)


def _recorded_draw(question: Question, task: Task, record: Any) -> Program:
    from ssm_bounds.models.searches import posterior

    weights = question.checkpoint.weights
    draw = Draw.replay(record, center=prior_center(posterior.sizes(weights)))
    parameters = draw.parameters
    require(
        parameters.shape == posterior.flatten(weights).shape
        and bool(np.array_equal(parameters, posterior.flatten(weights))),
        "the weights are not those that the file's record of the draw gives: certify the original model again",
    )
    sha256, remarks = question.checkpoint.sha256, ("the draw is that of the file",)
    return _drawn(question, task, draw, weights, runs.recorded(record), sha256, remarks, (Hypothesis.PROGRAM,))


def _drawn(
    question: Question,
    task: Task,
    draw: Draw,
    weights: Weights,
    program: runs.Program,
    sha256: str,
    remarks: tuple[str, ...],
    rests_on: tuple[Hypothesis, ...] = (),
    *,
    searched: bool = False,
) -> Program:
    train = task.train
    errors = program.run(weights, train, question.setting.measured.gate, question.convention).errors
    argument = Drawn(draw, errors, train.m, str(program), remarks)
    return Program(
        one_draw(argument, question.setting.delta, rests_on, searched=searched),
        lambda share: draw.risk(errors, train.m, share),
        f"the drawn model (sha256 {sha256[:8]}...)",
        each_model=True,
        over=("the draw",),
    )


def held_out(question: Inquiry, test: Tally) -> Program:
    """Of the model that was given, by its test rows."""
    delta, draws = question.setting.delta, question.sampling.draws
    rung = holdout(test.counted, test.n, delta / question.models, draws, test.program)
    return Program(
        rung,
        lambda share: limit(test.counted, test.n, share, draws),
        question.named,
        each_model=True,
    )


def _file(question: Question, task: Task, weights: Weights, **record: Any) -> bytes:
    """The bytes of a checkpoint of these weights, with what a later certificate of them needs."""
    old = question.checkpoint.metadata
    return encoded(
        weights,
        Metadata(
            task=old.task,
            m=task.train.m,
            T=question.setting.sample.T,
            gate=question.setting.measured.gate,
            convention=question.convention,
            embedding=None if weights.V is None else "trained",
            extra=old.extra,
            **record,
        ),
    )
