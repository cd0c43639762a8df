"""Several searches for one word, here or on any ``concurrent.futures.Executor``: what they find is judged by others.

How a word is found is free, the number of trials too: the certificate holds for all words at once (theory 8.12, 8.14).
No kappa, first step or seed of a search is in any word; family and size are, and are paid.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ssm_bounds.bounds.codes.families import Family
from ssm_bounds.bounds.codes.word import Coded
from ssm_bounds.experiments.pool import Processes
from ssm_bounds.models.program.run import Pooled
from ssm_bounds.programs import Progress

if TYPE_CHECKING:
    from ssm_bounds.models.searches.qat import Searched

Integers: TypeAlias = Mapping[str, Coded | None]

SETTINGS = ((1.0, 1.5), (0.6, 1.5), (1.0, 2.0), (0.6, 2.0), (1.0, 1.2), (0.6, 1.2))
"""Kappa and first step of one trial after another. Source: theory 8.14."""
_EVERY, _PATIENCE = 1.0, 30.0
"""Seconds: how often is asked how trials stand, and how long an interrupted one may take to hand over its word."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One search: what its word codes, ``size`` being rank or dimension; ``budget`` in seconds."""

    family: Family
    size: int | None
    budget: float
    seed: int
    kappa: float = SETTINGS[0][0]
    step: float = SETTINGS[0][1]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """``integers``: of every tensor that the ``family`` codes, ``size`` being its rank or dimension. ``about``: the
    bound as the search sees it, in float64. ``stopped``: why it ended early; ``began``: where, if that is not where it
    was told to. ``before``: what the program pools of the rows, where the word does not move it."""

    family: Family
    integers: Integers
    about: float
    stopped: str | None = None
    size: int | None = None
    before: Pooled | None = None
    began: str | None = None

    @classmethod
    def of(cls, found: Searched, began: str | None) -> Found:
        """What a search in stages left."""
        word = found.word
        return cls(word.family, word.tensors, found.stage.bound, found.stopped, word.size, began=began)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of the search."""
        return tuple(each for each in (self.began, self.stopped) if each is not None)

    @property
    def interrupted(self) -> bool:
        return "interrupted" in (self.stopped or "")


class Work(Protocol):
    """A search, picklable where an executor needs it. ``halt``: to be called often, it may raise KeyboardInterrupt,
    which keeps the best word."""

    def __call__(self, trial: Trial, progress: Progress, halt: Callable[[], None]) -> Found: ...


def several(family: Family, size: int | None, budget: float, seed: int, number: int) -> list[Trial]:
    """``number`` trials of one family, the first as where there is one alone."""
    chosen = [SETTINGS[i % len(SETTINGS)] for i in range(number)]
    return [Trial(family, size, budget, seed + i, *each) for i, each in enumerate(chosen)]


def searched(work: Work, trials: Sequence[Trial], executor: Executor | None, progress: Progress) -> list[Found]:
    """What each trial found, in their order: the same on any executor and for any number of workers, where neither
    budgets end a trial nor threads of BLAS differ. Ctrl-C keeps what was found by then.

    Raises: what a trial raises; KeyboardInterrupt where nothing had been found.
    """
    if executor is not None:
        return _together(executor, work, trials, progress)
    found = list[Found]()
    for number, trial in enumerate(trials):
        found.append(work(trial, _named(progress, trial, number, trials), lambda: None))
        if found[-1].interrupted:
            break  # who interrupts wants no other one
    return found


def _together(executor: Executor, work: Work, trials: Sequence[Trial], progress: Progress) -> list[Found]:
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place, futures = Path(folder), list[Future[Found]]()
        interrupted = False
        try:
            for i, trial in enumerate(trials):  # each is known at once, to whoever interrupts
                futures.append(executor.submit(_attempt, work, trial, i, folder))
            pending = set(futures)
            while pending:
                _, pending = wait(pending, _EVERY, FIRST_COMPLETED)
                _tell(place, trials, progress)
        except KeyboardInterrupt:
            interrupted = True
            (place / _STOP).touch()
            for future in futures:
                future.cancel()
            wait([future for future in futures if not future.cancelled()], _PATIENCE)
            if isinstance(executor, Processes):
                executor.abandon()
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        ended = [future for future in futures if future.done() and not future.cancelled()]
        if not interrupted:
            return [future.result() for future in ended]
        found = [future.result() for future in ended if future.exception() is None]
    if not found:
        raise KeyboardInterrupt
    said = f"interrupted, with {len(found)} of {len(trials)} searches"
    return [replace(each, stopped=said) for each in found]


_STOP = "stop"


def _attempt(work: Work, trial: Trial, number: int, folder: str) -> Found:
    """One trial, wherever this runs: ``folder`` is where it says how it stands and sees that it should stop, if that is
    on the same machine."""
    place = Path(folder)

    def progress(what: str, seconds: float, budget: float, text: str) -> None:
        with suppress(OSError):
            (place / f"{number}.json").write_text(json.dumps([what, seconds, budget, text]))

    def halt() -> None:
        if (place / _STOP).exists():
            raise KeyboardInterrupt

    return work(trial, progress, halt)


def _tell(place: Path, trials: Sequence[Trial], progress: Progress) -> None:
    for number, trial in enumerate(trials):
        with suppress(OSError, ValueError):  # nothing yet, or half of it
            _named(progress, trial, number, trials)(*json.loads((place / f"{number}.json").read_text()))


def _named(progress: Progress, trial: Trial, number: int, trials: Sequence[Trial]) -> Progress:
    """A bar for each trial, of its family and its number where there are several."""
    same = [i for i, each in enumerate(trials) if each.family == trial.family]
    name = trial.family if len(same) == 1 else f"{trial.family} {same.index(number) + 1}"
    return lambda what, seconds, budget, text: progress(name, seconds, budget, text)
