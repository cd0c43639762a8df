"""What is known of a base that a word moves: the rows that it was trained on, its own answers, its own outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.inquiry import Given, Search
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.files import word as folders
from ssm_bounds.models.mamba.base import Base
from ssm_bounds.models.program.classifier import answers
from ssm_bounds.models.program.evaluate import digest
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.rows import Hashed, hashed_facts
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.sampling import IID, Sampling


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
        z = answers(base.own, own)
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
