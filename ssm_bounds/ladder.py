"""The ladder of one model of the paper: its bounds by norms and by posteriors, and its programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from ssm_bounds import programs
from ssm_bounds.answered import Answered
from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.ladder import margin_choice
from ssm_bounds.bounds.ladder.pac_bayes import Family, fit
from ssm_bounds.bounds.ladder.registry import BOUNDS, PAID, Asked, Bound, refused
from ssm_bounds.bounds.ladder.rung import Rung, Setting
from ssm_bounds.models.program.label_losses import above
from ssm_bounds.models.selective_ssm import tally
from ssm_bounds.models.selective_ssm.tally import Answers, Tally
from ssm_bounds.programs import Progress
from ssm_bounds.question import Question


def answered(question: Question, progress: Progress) -> Answered:
    """Raises: ValueError, OSError."""
    train, test = _evaluated(question)
    question = _with_margin(question, train)
    if train is not None and bool((train.z == train.z[0]).all()):
        same = "the outputs are the same on every training row: has the training collapsed?"
        question = replace(question, notes=(*question.notes, same))
    setting = question.setting
    scored, tested = _scored(question, train, test)
    asked = _asked(question, train, scored)
    bounds = tuple(_bounds(BOUNDS, asked, setting.delta))
    ran = tuple(programs.programs(question, tested, progress))
    compared = PAID if scored is None else [bound for bound in PAID if bound.kind == "excess"]

    def at(share: Fraction) -> Iterator[Rung]:
        return _bounds(compared, asked, share)

    return Answered(question, bounds, len(compared), at, ran, programs.number(question), scored, tested)


def of_norms(question: Question) -> tuple[Setting, tuple[Rung, ...]]:
    """The setting, with the margin that was chosen, and the bounds that no program takes part in, each by itself at
    delta."""
    train, _ = _evaluated(question)
    question = _with_margin(question, train)
    setting = question.setting
    return setting, tuple(map(question.resolved, _bounds(PAID, _asked(question, None, None), setting.delta)))


def _evaluated(question: Question) -> tuple[Answers | None, Answers | None]:
    """What the program with a radius answers on the training rows and on the test rows."""
    task = question.task
    if task is None:
        return None, None
    gate, convention = question.setting.measured.gate, question.convention
    train, test = (
        None if split is None else tally.answers(question.checkpoint.weights, split, gate=gate, convention=convention)
        for split in (task.train, task.test)
    )
    return train, test


def _scored(question: Question, *answers: Answers | None) -> Iterator[Tally | None]:
    """The counts of training and test rows. What the program of a rounded or drawn model answers is asked of that one:
    a rounding radius says nothing of another."""
    setting, task, own = question.setting, question.task, question.own
    for found, split in zip(answers, (None, None) if task is None else (task.train, task.test), strict=True):
        if found is None or split is None:
            yield None
            continue
        tally = found.tally(setting.loss, setting.margin)
        if own is not None:
            tally = replace(tally, program=str(own), rounds=own.rounds)
        if own is not None and own.rounds:
            ran = own.run(question.checkpoint.weights, split, setting.measured.gate, question.convention)
            mean = math.fsum(above(setting.loss, ran.z, ran.y).tolist()) / split.m
            tally = replace(tally, loss=mean, program_errors=ran.errors)
        yield tally


def _with_margin(question: Question, train: Answers | None) -> Question:
    """The margin of --margin auto: chosen with the training rows, free because its cell is paid for any."""
    if not question.automatic or train is None:
        return question
    setting = question.setting
    g = margin_choice.choose_margin(setting, train.below, _fitted(question))
    loss = losses.make(setting.loss.name, margin=g, clip=setting.loss.range)
    return replace(question, setting=replace(setting, margin=g, loss=loss))


def _fitted(question: Question) -> Family:
    """What the rung of theory.md 8.3 needs of the weights, at the margin of the setting."""
    setting = question.setting
    return fit(
        question.checkpoint.weights,
        gate=setting.measured.gate,
        T=setting.sample.T,
        g=setting.margin,
        embedding_in_class=setting.in_class,
        input_bound=question.input_bound,
    )


def _asked(question: Question, rows: Answers | None, train: Tally | None) -> Asked:
    """What the bounds get to work with: the weights, and the training margins where they are there."""
    return Asked(
        question.setting,
        _fitted(question),
        None if rows is None else rows.below,
        None if train is None else train.margin_errors,
    )


def _bounds(bounds: Sequence[Bound], asked: Asked, delta: Fraction) -> Iterator[Rung]:
    """Each at ``delta``; one that does not support what is asked is refused with the reason."""
    for bound in bounds:
        missing = bound.supports(asked)
        yield bound(asked, delta) if missing is None else refused(bound, missing)
