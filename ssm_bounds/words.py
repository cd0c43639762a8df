"""The rung *occam* of a classifier of Mamba blocks: a word, found or read, and the model that it decodes to.

Source: theory 8.1, 8.12 to 8.15. What a search finds is priced, decoded, run and counted as what a file says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ssm_bounds.bounds.codes.decode import centres
from ssm_bounds.bounds.codes.families import Family, coded
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps.wealth.groups import means
from ssm_bounds.bounds.ladder.rung import Hypothesis
from ssm_bounds.bounds.ladder.word import OfWord, occam
from ssm_bounds.bounds.ladder.word_groups import OfGroups, occam_groups
from ssm_bounds.bounds.ladder.word_paired import Paired, occam_paired
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.evidence import Evidence, Fact
from ssm_bounds.inquiry import Given, Inquiry, Search
from ssm_bounds.models.files import adapter as adapters
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.files.adapter import Adapter
from ssm_bounds.models.mamba.base import BIAS, WEIGHT, Base
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.program.classifier import stack
from ssm_bounds.models.program.evaluate import beaten, digest, errors, right
from ssm_bounds.models.program.run import NAME, VERSION, Pooled, headed, pooled, prepared
from ssm_bounds.models.program.selftest import require_exact
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.rows import Hashed, hashed_facts
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.programs import Program as Rung
from ssm_bounds.programs import Progress
from ssm_bounds.sampling import IID, Sampling

PROGRAM = f"{NAME}, version {VERSION}"
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


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """What there is to make a word of, or the word itself. ``folder``: of the base. ``adapter``: where a word of the
    family lora begins; ``begun``: a word to go on from."""

    base: Base
    saved: folders.Saved | None = None
    folder: Path | None = None
    adapter: Adapter | None = None
    begun: Word | None = None

    @classmethod
    def of(cls, path: Any, found: Classifier, search: Search) -> Coding | None:
        """Of a folder of a word, or where a word was asked for; else None. Raises: CheckpointError, DomainError."""
        require(search.base is None or search.occam or folders.is_word(path), "--base goes with --occam, or a word")
        require(search.base_data is None or search.base is not None, "--base-data FILE goes with --base FOLDER")
        if folders.is_word(path):
            require(not search.occam, f"{path}: is a word already, which is certified as it is; leave --occam out")
            saved = folders.read(path, search.base)
            return cls(saved.base, saved, search.base)
        if not search.occam:
            return None
        known = ", ".join(SEARCHES)
        require(search.family in SEARCHES, f"--family {search.family!r}: one of {known}")
        if search.save is not None:
            folders.require_own(search.save)
        adapter = adapters.read(path, search.base) if adapters.is_adapter(path) else None
        begun = _begun(search) if search.resume else None
        return cls(folders.moved_by(search.base, found), folder=search.base, adapter=adapter, begun=begun)

    @property
    def rank(self) -> int:
        """Of a word of the family lora."""
        if self.begun is not None and self.begun.size is not None:
            return self.begun.size
        return 1 if self.adapter is None else self.adapter.rank

    @property
    def family(self) -> Family:
        """What a word codes beyond the head where nobody says."""
        if self.begun is not None:
            return self.begun.family
        if self.adapter is not None:
            return "lora"
        return "bitfit" if self.base.start is None else "full"


def _begun(search: Search) -> Word:
    """The word in the folder that a search writes. Raises: DomainError, CheckpointError."""
    if search.save is None or not folders.is_word(search.save):
        raise DomainError("--resume goes on from the word in --save FOLDER, and there is none")
    word = folders.read(search.save, search.base).word
    fits = search.family in ("auto", word.family)
    require(fits, f"{search.save}: is a word of family {word.family}, not of {search.family}")
    return word


def facts(coding: Coding | None) -> tuple[Fact, ...]:
    """What a word moves."""
    if coding is None:
        return ()
    config = coding.base.config
    said = {key: config[key] for key in ("pooling", "num_hidden_layers", "layer_norm_epsilon") if key in config}
    return (
        Fact("the word moves", coding.base.words, Evidence.CHECKED),
        *(Fact(f"{key} of the word", value, Evidence.RECORDED) for key, value in said.items()),
    )


def run(model: Classifier, data: Split) -> np.ndarray:
    """Logits (n,k) of the program on every row. Raises: DomainError."""
    require_exact()
    program = prepared(stack(model))
    return headed(program.head, pooled(program, data.x, lengths(data.x, model.pad)))


def programs(question: Inquiry, coding: Coding, progress: Progress) -> tuple[Rung, ...]:
    """The rung of the word, read or searched for; and around a base with a head for as many outputs what the word does
    better or worse. Raises: DomainError, CheckpointError, OSError."""
    task = question.task
    if task is None:
        raise DomainError("a word is certified on its training rows: give --data FILE")
    if coding.saved is not None:
        return _read(question, coding.saved, task)
    return _searched(question, coding, task, progress)


def given(search: Search, base: Base, task: Task, sampling: Sampling = IID, column: str | None = None) -> Given | None:
    """What is known of a base that was given, from the rows that its folder, or the person, says it was trained on, and
    from what the folder of a word records of its logits. ``column``: what names the groups of rows, in a table.

    Raises: DomainError, TaskError, CheckpointError, OSError.
    """
    if base.sha256 is None:
        return None
    collection = sampling.draws == "without-replacement"
    seen, held = _seen(search, task, column)
    asked = {"training rows": task.train} | ({} if task.test is None else {"test rows": task.test})
    found = [_known(search, base, seen, own, rows, held, sampling) for rows, own in asked.items()]
    train, test = (*found, Compared())[:2]
    return Given(base.sha256, train.met, train.refusal, test.met, test.refusal, collection)


def _seen(search: Search, task: Task, column: str | None) -> tuple[Split | None, str]:
    """The rows that a base was trained on, if anything holds them, and what does."""
    file, held = None if search.base is None else search.base / files.DATA, "its folder"
    if search.base_data is not None:
        recorded = file is not None and file.is_file()
        require(not recorded, f"{file}: is there and says what the base was trained on; leave --base-data out")
        file, held = search.base_data, "--base-data"
    elif file is None or not file.is_file():
        return None, held
    seen, own = read_task(file, column=column).train, task.train
    shapes = f"rows of shape {seen.x.shape[1:]} are compared with none of {own.x.shape[1:]}"
    fits = search.base_data is None or seen.x.shape[1:] == own.x.shape[1:]
    require(fits, f"{file}: {shapes}; pad both to one length")
    return seen, held


@dataclass(frozen=True, slots=True)
class Compared:
    """What the rows of a base say of others: how many it was trained on, in words, or that it was trained on these."""

    met: str = ""
    refusal: str | None = None


def _known(
    search: Search, base: Base, seen: Split | None, own: Split, rows: str, held: str, sampling: Sampling
) -> Compared:
    """Of these rows: by the logits that the file of the base records, and by the rows that it was trained on."""
    if _answered(search, base, own):
        return Compared(refusal=f"the base is a word that was found on these {rows}: its folder records its logits")
    return Compared() if seen is None else compared(seen, own, rows, held, sampling)


def _answered(search: Search, base: Base, own: Split) -> bool:
    """Whether the base is a word whose file records these logits: of rows that differ, so that few others give them."""
    if search.base is None or base.own is None or not folders.is_word(search.base):
        return False
    try:
        z = run(base.own, own)
    except DomainError:
        return False  # rows that it does not read are not those that it was found on
    return bool((z != z[0]).any()) and folders.recorded(search.base).get("logits") == digest(z)


def compared(seen: Split, own: Split, rows: str, held: str, sampling: Sampling = IID) -> Compared:
    """A base that was trained on ``seen``, and the ``own`` rows: the same, more of them than chance allows, or some.

    Of a finite collection a base may have read all, if ``own`` were drawn from it afterwards: there only the very same
    rows, in whatever order, say otherwise (theory 8.12). ``rows``: what they are, ``held``: who says so.
    """
    if seen.x.shape[1:] != own.x.shape[1:]:
        return Compared()
    theirs, ours = Hashed.of(seen), Hashed.of(own)
    if sorted(theirs.rows) == sorted(ours.rows):
        return Compared(refusal=f"the base was trained on these {rows}: {held} holds them")
    known = set(theirs.rows)
    shared = sum(row in known for row in ours.rows)
    found = None if sampling.draws == "without-replacement" else hashed_facts(theirs, ours, shifted=True).shared
    if found is not None and found.excess:
        return Compared(
            refusal=f"the base was trained on these {rows}: {held} holds {shared} of the {own.m}, more than random "
            "re-splits of both sets share",
        )
    alone = "" if sampling.groups is None else ", compared row by row: other rows of their groups are not looked for"
    return Compared(f" ({shared} of the {own.m} {rows} are among those that {held} holds{alone})")


def _read(question: Inquiry, saved: folders.Saved, task: Task) -> tuple[Rung, ...]:
    z = run(saved.classifier, task.train)
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
    answers = [
        _answer(found, base, train)
        for found in SEARCHES[search.family](question, coding, train, progress, search.budget)
    ]
    if coding.begun is not None:
        word = coding.begun
        answers.append(_answer(Searched(word.family, word.tensors, None, size=word.size), base, train))
    best = min(answers, key=lambda each: _argument(question, task, each.word, base, each.z).risk.float_upper())
    word, model, z, found = best.word, best.model, best.z, best.found
    if search.save is not None:
        folders.write(search.save, word, base, _record(question, word, z, errors(z, train.y)))
    remarks = () if found.stopped is None else (found.stopped,)
    return _rungs(question, task, word, base, z, model.sha256, remarks, searched=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """A word that was found, the model that it decodes to, and what the program answers on the training rows."""

    found: Searched
    word: Word
    model: Classifier
    z: np.ndarray


def _answer(found: Searched, base: Base, train: Split) -> _Answer:
    word = Word(found.family, found.integers, found.size, base.start)
    _, model = folders.model(word, base)
    z = run(model, train) if found.before is None else headed(prepared(stack(model)).head, found.before)
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
    pair = _paired(task, base, argument if isinstance(argument, OfWord) else argument.rows, z)
    if pair is None:
        return (own,)
    by_number = base.own is not None and numbered(base.own.labels) and numbered(base.labels)
    beside = occam_paired(pair, (*rests_on, *((Hypothesis.OUTPUTS,) if by_number else ())), searched=searched)
    return own, Rung(beside, lambda share: pair.at(share).found.value, subject)


def _argument(
    question: Inquiry, task: Task, word: Word, base: Base, z: np.ndarray, remarks: tuple[str, ...] = ()
) -> OfWord | OfGroups:
    """What the answers on the training rows, or on their groups, bound."""
    m, delta, draws = question.setting.sample.m, question.setting.delta, question.sampling.draws
    wrong = ~right(z, task.train.y)
    rows = OfWord(word, int(wrong.sum()), m, delta, base.words, PROGRAM, remarks, draws)
    return rows if task.groups is None else OfGroups.of(rows, means(wrong.astype(np.int64), task.groups))


def _paired(task: Task, base: Base, rows: OfWord, z: np.ndarray) -> Paired | None:
    """The word's answers beside those of the base with its own head, where that has outputs of the same names."""
    train = task.train
    order = None if base.own is None else matched(base.own.labels, base.labels)
    if base.own is None or order is None or len(order) != z.shape[1]:
        return None
    wrong, theirs = ~right(z, train.y), beaten(run(base.own, train)[:, order], train.y)
    differences = wrong.astype(np.int64) - theirs
    losses = differences.astype(np.float64) if task.groups is None else means(differences, task.groups)
    return Paired.of(rows, losses, worse=int((wrong & ~theirs).sum()), better=int((theirs & ~wrong).sum()))


def matched(theirs: Sequence[str], ours: Sequence[str]) -> list[int] | None:
    """Which of the outputs called ``theirs`` is called as each of ``ours``; by number where names say no more, and None
    where the names are not the same.

    >>> matched("abc", "cab"), matched(["LABEL_0", "LABEL_1"], "01"), matched("ab", "01"), matched("aa", "aa")
    ([2, 0, 1], [0, 1], None, None)
    """
    if numbered(theirs) and numbered(ours) and len(theirs) == len(ours):
        return list(range(len(ours)))
    found = {name: i for i, name in enumerate(theirs)}
    same = len(found) == len(theirs) == len(ours) and found.keys() == set(ours)
    return [found[name] for name in ours] if same else None


def numbered(labels: Sequence[str]) -> bool:
    """Whether each output is called by its number, as where nobody named it."""
    return all(name in (str(i), f"LABEL_{i}") for i, name in enumerate(labels))


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


def beginning(path: Path, coding: Coding) -> Mapping[str, np.ndarray] | None:
    """Weights to begin with: those of the adapter, or of the folder where they are of the shapes of the base."""
    base = coding.base.tensors
    if coding.adapter is not None:
        starts = centres("lora", coding.base.parts, base, coding.adapter.rank)
        return starts | dict(coding.adapter.start)
    tensors = files.tensors(path)
    shapes = {name: value.shape for name, value in base.items()}
    return tensors if {name: value.shape for name, value in tensors.items()} == shapes else None


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
