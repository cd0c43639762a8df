"""Many runs on any ``concurrent.futures.Executor``: what fails is tried once more by itself, then reported."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class PoolError(ValueError):
    """Workers that cannot be had."""


@dataclass(frozen=True, slots=True)
class Count:
    """Runs done, running and failed, of all."""

    total: int
    done: int
    running: int
    failed: int


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Job, Result]):
    """Results in the order of the jobs; for each job that failed twice, why. ``interrupted``: by Ctrl-C."""

    results: tuple[Result, ...]
    failed: tuple[tuple[Job, str], ...]
    interrupted: bool


class Inline(Executor):
    """Runs in this process, one at a time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Processes(ProcessPoolExecutor):
    """Local processes that start afresh (no fork: torch has threads), leave Ctrl-C to their parent, and die with it."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        super().__init__(workers, mp_context=context, initializer=_ignore_interrupts)

    def abandon(self) -> None:
        """End the workers now. A run keeps its state after each epoch, so this costs at most one."""
        mine = list((self._processes or {}).values())  # its own alone: another pool may be open
        self.shutdown(wait=False, cancel_futures=True)
        for process in mine:
            process.kill()
        for process in mine:
            process.join(5)


@dataclass(frozen=True, slots=True)
class Pool:
    """How to open an executor, and how many runs to hand it at once (None: all, where it survives a lost worker)."""

    open: Callable[[], Executor]
    window: int | None = None


def local(workers: int) -> Pool:
    """Raises: PoolError."""
    if workers < 1:
        raise PoolError(f"workers: expected an integer >= 1, got {workers}")
    return Pool(Inline, 1) if workers == 1 else Pool(lambda: Processes(workers), workers)


def dask(address: str) -> Pool:
    """The workers of a dask.distributed scheduler. They need this package, and the folder of the results at its path.

    Raises: PoolError.
    """
    _Scheduler(address).shutdown()  # an address where nobody answers is told before anything is run
    return Pool(lambda: _Scheduler(address))


class _Scheduler(Executor):
    """A connection that ends with the executor: left open, it would try to reconnect until the program ends."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise PoolError("a Dask scheduler needs dask.distributed: pip install 'ssm-bounds[dask]'") from error
        try:
            self._client = Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise PoolError(f"{address}: no Dask scheduler answers there ({error})") from error
        self._executor = self._client.get_executor(pure=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait=wait)  # without waiting, it cancels what is left
        self._client.close()


Progress: TypeAlias = Callable[[Count], None]


@dataclass(frozen=True, slots=True)
class _Attempts(Generic[Job, Result]):
    """What is done so far, by the numbers of the jobs: ``results``, and of those that failed the ``reasons``."""

    work: Callable[[Job], Result | None]
    jobs: Sequence[Job]
    pool: Pool
    progress: Progress
    results: dict[int, Result] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)

    def report(self, running: int) -> None:
        self.progress(Count(len(self.jobs), len(self.results), running, len(self.failed)))

    def attempt(self, numbers: Iterable[int], window: int | None) -> list[int]:
        """The numbers of the jobs that did not succeed. A lost worker ends an executor: the next one takes what waits.

        Raises: KeyboardInterrupt.
        """
        waiting, again = list(numbers), list[int]()
        while waiting:
            executor = self.pool.open()
            try:
                broken = self._until_lost(executor, waiting, again, window)
            except KeyboardInterrupt:
                if isinstance(executor, Processes):
                    executor.abandon()
                executor.shutdown(wait=False, cancel_futures=True)
                raise
            executor.shutdown(wait=not broken)
        return again

    def _until_lost(self, executor: Executor, waiting: list[int], again: list[int], window: int | None) -> bool:
        """Work off what waits, until a worker is lost: whether one was. What did not succeed goes to ``again``."""
        running: dict[Future[Result | None], int] = {}
        broken = False
        while (waiting and not broken) or running:
            while waiting and not broken and len(running) < (window or len(self.jobs)):
                number = waiting.pop(0)
                self.report(len(running) + 1)
                try:
                    running[executor.submit(self.work, self.jobs[number])] = number
                except BrokenProcessPool:
                    waiting.insert(0, number)
                    broken = True
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                number = running.pop(future)
                error = future.exception()
                if error is None:
                    self._keep(number, future.result())
                else:
                    broken |= isinstance(error, BrokenProcessPool)
                    self.reasons[number] = f"{type(error).__name__}: {error}"
                    again.append(number)
            self.report(len(running))
        return broken

    def _keep(self, number: int, result: Result | None) -> None:
        if result is None:
            raise KeyboardInterrupt
        self.results[number] = result


def run_all(
    work: Callable[[Job], Result | None], jobs: Sequence[Job], pool: Pool, progress: Progress = lambda count: None
) -> Outcome[Job, Result]:
    """``work(job)`` for every job; None says that it was interrupted. Never raises for a job that does, nor for Ctrl-C.

    A job that raises, or was running when a worker was killed, is tried once more, and then alone, so that one that
    kills its worker takes no other with it.
    """
    attempts = _Attempts(work, jobs, pool, progress)
    interrupted = False
    try:
        attempts.failed.extend(attempts.attempt(attempts.attempt(range(len(jobs)), pool.window), 1))
        attempts.report(0)
    except KeyboardInterrupt:
        interrupted = True
    return Outcome(
        tuple(attempts.results[number] for number in sorted(attempts.results)),
        tuple((jobs[number], attempts.reasons[number]) for number in sorted(attempts.failed)),
        interrupted,
    )
