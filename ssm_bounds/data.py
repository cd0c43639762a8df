"""Training and test rows, and what they show."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssm_bounds.bounds.evaluate.decimals import shortest
from ssm_bounds.bounds.values import require
from ssm_bounds.evidence import Evidence, Fact
from ssm_bounds.models.selective_ssm.measure import max_row_l2
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.rows import Hashed, RowFacts, counted, hashed_facts, padding_question
from ssm_bounds.models.tasks.shift import shift
from ssm_bounds.models.tasks.task import Split, Task


@dataclass(frozen=True, eq=False)
class Data:
    """A task and what its rows say, each of which is looked at once, whatever the number of models. ``column``: what
    names the groups of its rows, in a file. ``may_repeat``: somebody says that equal rows are independent draws; it
    stays a condition where a claim rests on it, as no program can check it."""

    task: Task
    column: str | None = None
    may_repeat: bool = False

    @functools.cached_property
    def _hashed(self) -> tuple[Hashed, Hashed | None]:
        task = self.task
        return Hashed.of(task.train), None if task.test is None else Hashed.of(task.test)

    @functools.cached_property
    def shift(self) -> str | None:
        """What the distinct rows show of two distributions; None where there is nothing to see."""
        train, test = self._hashed
        return None if test is None else shift(train.distinct(), test.distinct())

    @functools.cached_property
    def rows(self) -> RowFacts:
        # a stated shift does not excuse repeats: only one that the distinct rows show does
        return hashed_facts(*self._hashed, shifted=self.shift is not None)

    @functools.cached_property
    def padding(self) -> str | None:
        """A question about rows that nobody says were padded."""
        return None if self.task.padded else padding_question(self.task.train)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What was counted."""
        rows = self.rows
        counts: dict[str, int] = {"distinct training rows": rows.distinct_train}
        if rows.conflicting_train:
            counts["distinct training rows with several labels"] = rows.conflicting_train
        if rows.shared is not None:
            counts |= {"test rows": rows.n_test, "distinct test rows": rows.distinct_test}
            counts |= {"distinct rows in both sets": rows.shared.observed, "equal pairs of test rows": rows.equal_pairs}
            counts["distinct rows in both sets with different labels"] = rows.conflicting
        facts = [Fact(name, value, Evidence.CHECKED) for name, value in counts.items()]
        if self.may_repeat:
            facts.append(Fact("equal training rows", "independent draws", Evidence.STATED))
        if self.task.label_map:
            mapped = ", ".join(f"{theirs} is {ours}" for theirs, ours in self.task.label_map)
            facts.append(Fact("labels", mapped, Evidence.CHECKED))
        return tuple(facts)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that belong beside a claim from these rows."""
        return (counted(self.rows),) if self.padding is None else (counted(self.rows), self.padding)


def looked_at(
    data: str | os.PathLike[str] | Task | Data | None,
    test: str | os.PathLike[str] | None,
    groups: str | None = None,
) -> Data | None:
    """The data as they were given: files, a task, or what was looked at before. Raises: as :func:`read_data`."""
    read = data is None or isinstance(data, Data | Task)
    require(groups is None or not read, "--groups NAME goes with --data FILE: it names an array or a column of it")
    if data is None or isinstance(data, Data):
        return data
    return Data(data) if isinstance(data, Task) else Data(read_data(data, test, groups=groups), groups)


def read_data(
    data: str | os.PathLike[str], test: str | os.PathLike[str] | None = None, *, groups: str | None = None
) -> Task:
    """The data of several questions, read once. ``groups``: the array or the column that holds the group of each
    training row. Raises: ValueError naming the file, OSError."""
    return read_task(Path(data), None if test is None else Path(test), groups=groups)


def require_fitting(split: Split, where: str, *, V: int | None, width: int | None, k: int) -> None:
    """Rows are inputs and labels of a model: tokens below V, or without one real inputs of this width; ``k`` outputs.

    Raises: DomainError naming ``where`` they are.
    """
    if V is None:
        fits = split.x.ndim == 3 and split.x.shape[2] == width
        require(fits, f"{where}: expected real inputs (n, T, {width}), found shape {split.x.shape}")
    else:
        require(split.x.ndim == 2, f"{where}: expected tokens (n, T), found shape {split.x.shape}")
        largest = int(split.x.max())
        require(largest < V, f"{where}: tokens must lie in 0..{V - 1}, found {largest}")
    label, most = int(split.y.max()), max(k, 2) - 1
    require(label <= most, f"{where}: labels must lie in 0..{most} for {k} outputs, found {label}")


def require_bounded(split: Split, where: str, bound: float) -> None:
    """Every real input has l2 norm at most the stated bound. Raises: DomainError naming ``where`` they are."""
    norm = max_row_l2(split.x.reshape(-1, split.x.shape[-1]).astype(np.float64))
    require(norm <= bound, f"{where} reach norm {shortest(norm)}, above --input-bound {shortest(bound)}")
