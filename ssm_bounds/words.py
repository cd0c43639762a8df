"""The rung *occam* of a classifier of Mamba blocks: a word, found or read, and the model that it decodes to.

Source: theory 8.1, 8.12 to 8.15. What a search finds is priced, decoded, run and counted as what a file says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ssm_bounds.bases import matched, numbered
from ssm_bounds.bounds.codes.word import Word
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps.wealth.groups import means
from ssm_bounds.bounds.ladder.rung import Hypothesis
from ssm_bounds.bounds.ladder.word import OfWord, occam
from ssm_bounds.bounds.ladder.word_chained import ChainedErrors, occam_chained
from ssm_bounds.bounds.ladder.word_groups import OfGroups, occam_groups
from ssm_bounds.bounds.ladder.word_paired import Paired, occam_paired
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.coding import Coding
from ssm_bounds.finding import found as searched
from ssm_bounds.inquiry import Inquiry
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.mamba.base import Base
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.program.classifier import answers, stack
from ssm_bounds.models.program.evaluate import beaten, digest, errors, right
from ssm_bounds.models.program.primitives import Flags
from ssm_bounds.models.program.run import NAME, VERSION, headed, prepared
from ssm_bounds.models.program.selftest import require_exact
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.programs import Program as Rung
from ssm_bounds.programs import Progress
from ssm_bounds.trials import Found

PROGRAM = f"{NAME}, version {VERSION}"


def programs(question: Inquiry, coding: Coding, progress: Progress) -> tuple[Rung, ...]:
    """The rung of the word, read or searched for; and around a base with a head for as many outputs what the word does
    better or worse. Raises: DomainError, CheckpointError, OSError."""
    task = question.task
    if task is None:
        raise DomainError("a word is certified on its training rows: give --data FILE")
    if coding.saved is not None:
        return _read(question, coding.saved, task)
    return _searched(question, coding, task, progress)


def _read(question: Inquiry, saved: folders.Saved, task: Task) -> tuple[Rung, ...]:
    z = answers(saved.classifier, task.train)
    counted, hashed = errors(z, task.train.y), digest(z)
    remarks = []
    recorded = saved.record.get("errors"), saved.record.get("m")
    if recorded != (counted, task.train.m):
        told = " on ".join(str(each)[:20] for each in recorded)
        remarks.append(f"the file records {told} errors and rows, this program counts {counted} on {task.train.m}")
    remarks += unlike(saved, question.setting.delta, hashed, "other rows")
    return _rungs(question, task, saved.word, saved.base, z, saved.classifier.sha256, tuple(remarks))


def unlike(saved: folders.Saved, delta: Fraction, logits: str, otherwise: str) -> list[str]:
    """Where a file records something else of its word: another delta than is asked for, and other logits."""
    found, said = list[str](), saved.record.get("delta")
    if said != str(delta):
        found.append(f"the file records delta = {str(said)[:20]}")
    if saved.record.get("logits") != logits:
        found.append(f"its logits are not those that the file records: {otherwise}, or another config")
    return found


def _searched(question: Inquiry, coding: Coding, task: Task, progress: Progress) -> tuple[Rung, ...]:
    search, train, base = question.search, task.train, coding.base
    require_exact()
    likely = dict[str, Found]()  # of each family the one that its search thinks best: the program takes its time
    for each in sorted(searched(question, coding, train, progress), key=lambda each: each.about):
        likely.setdefault(each.family, each)
    candidates = [_answer(each, base, train) for each in likely.values()]
    if coding.begun is not None:
        word = coding.begun
        candidates.append(_answer(Found(word.family, word.tensors, math.inf, size=word.size), base, train))
    best = min(candidates, key=lambda each: _argument(question, task, each.word, base, each.z).risk.float_upper())
    word, model, z, found = best.word, best.model, best.z, best.found
    if search.save is not None:
        folders.write(search.save, word, base, _record(question, word, z, errors(z, train.y)))
    return _rungs(question, task, word, base, z, model.sha256, found.remarks, searched=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """A word that was found, the model that it decodes to, and what the program answers on the training rows."""

    found: Found
    word: Word
    model: Classifier
    z: np.ndarray


def _answer(found: Found, base: Base, train: Split) -> _Answer:
    word = Word(found.family, found.integers, found.size, base.start)
    _, model = folders.model(word, base)
    z = answers(model, train) if found.before is None else headed(prepared(stack(model)).head, found.before)
    return _Answer(found, word, model, z)


def _record(question: Inquiry, word: Word, z: np.ndarray, counted: int) -> dict[str, Any]:
    return {
        "m": len(z),
        "errors": counted,
        **recorded(word, question.setting.delta, digest(z)),
    }


def recorded(word: Word, delta: Fraction, logits: str | None) -> dict[str, Any]:
    """What the file of a word says of it, whatever it was counted on."""
    return {
        "delta": str(delta),
        "nats": decimal_string(word.nats().upper, 9),
        "logits": logits,
        "ledger": [[name, size, decimal_string(nats.upper, 9)] for name, size, nats in word.ledger()],
    }


def _rungs(
    question: Inquiry,
    task: Task,
    word: Word,
    base: Base,
    z: np.ndarray,
    sha256: str,
    remarks: tuple[str, ...],
    *,
    searched: bool = False,
) -> tuple[Rung, ...]:
    argument = _argument(question, task, word, base, z, remarks)
    rests_on = () if base.sha256 is None else (Hypothesis.BASE,)

    rung = (
        occam(argument, rests_on, searched=searched)
        if isinstance(argument, OfWord)
        else occam_groups(argument, rests_on, searched=searched)
    )
    subject = f"the word (sha256 {sha256[:8]}...)"
    own = Rung(rung, lambda share: argument.at(share).risk, subject)
    theirs = _theirs(task, base, z.shape[1])
    if theirs is None:
        return (own,)
    pair = _paired(task, argument if isinstance(argument, OfWord) else argument.rows, z, theirs)
    by_number = base.own is not None and numbered(base.own.labels) and numbered(base.labels)
    chain = _chained(task, pair, theirs, by_number)
    beside = occam_paired(pair, (*rests_on, *((Hypothesis.OUTPUTS,) if by_number else ())), searched=searched)
    return (
        own,
        # whatever the outputs of the base mean, its errors are those of one fixed classifier
        Rung(occam_chained(chain, rests_on, searched=searched), lambda share: chain.at(share).risk, subject),
        Rung(beside, lambda share: pair.at(share).found.value, subject),
    )


def _argument(
    question: Inquiry, task: Task, word: Word, base: Base, z: np.ndarray, remarks: tuple[str, ...] = ()
) -> OfWord | OfGroups:
    """What the answers on the training rows, or on their groups, bound."""
    m, delta, draws = question.setting.sample.m, question.setting.delta, question.sampling.draws
    wrong = ~right(z, task.train.y)
    rows = OfWord(word, int(wrong.sum()), m, delta, base.words, PROGRAM, remarks, draws)
    return rows if task.groups is None else OfGroups.of(rows, means(wrong.astype(np.int64), task.groups))


def _theirs(task: Task, base: Base, outputs: int) -> Flags | None:
    """On which rows the base with its own head errs, a tie being none, where it has outputs of the same names."""
    order = None if base.own is None else matched(base.own.labels, base.labels)
    if base.own is None or order is None or len(order) != outputs:
        return None
    return beaten(answers(base.own, task.train)[:, order], task.train.y)


def _chained(task: Task, pair: Paired, theirs: Flags, by_number: bool) -> ChainedErrors:
    """The word's errors by way of those of the base."""
    losses = None if task.groups is None else means(theirs.astype(np.int64), task.groups)
    return ChainedErrors.of(pair, int(theirs.sum()), losses, by_number=by_number)


def _paired(task: Task, rows: OfWord, z: np.ndarray, theirs: Flags) -> Paired:
    """The word's answers beside those of the base."""
    wrong = ~right(z, task.train.y)
    differences = wrong.astype(np.int64) - theirs
    losses = differences.astype(np.float64) if task.groups is None else means(differences, task.groups)
    return Paired.of(rows, losses, worse=int((wrong & ~theirs).sum()), better=int((theirs & ~wrong).sum()))
