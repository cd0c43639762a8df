"""Results of a pool do not depend on the executor, and a lost worker or a failed run loses nothing."""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from ssm_bounds.experiments.pool import Inline, Pool, PoolError, dask, local, run_all
from tests.jobs import log_and, square


def attempts(folder, kind):
    return len(list(folder.glob(f"{kind}.*")))


@pytest.mark.parametrize(
    "pool", [local(1), Pool(lambda: ThreadPoolExecutor(3), 2), Pool(lambda: ThreadPoolExecutor(3))]
)
def test_any_executor_gives_the_results_in_order(pool):
    counts = []
    outcome = run_all(square, range(7), pool, counts.append)
    assert outcome.results == tuple(number**2 for number in range(7))
    assert (outcome.failed, outcome.interrupted) == ((), False)
    assert (counts[-1].total, counts[-1].done, counts[-1].running, counts[-1].failed) == (7, 7, 0, 0)
    assert all(count.done + count.running <= 7 for count in counts) and max(count.running for count in counts) >= 1


def test_a_failed_run_is_tried_once_more_then_reported(tmp_path):
    kinds = ["a", "raise", "raise-once", "b"]
    outcome = run_all(partial(log_and, folder=tmp_path), kinds, local(1))
    assert outcome.results == ("a", "raise-once", "b")
    assert outcome.failed == (("raise", "ValueError: attempt 2"),)
    assert [attempts(tmp_path, kind) for kind in kinds] == [1, 2, 2, 1]


def test_a_killed_worker_takes_no_other_run_with_it(tmp_path):
    kinds = ["a", "kill", "b", "kill-once", "c"]
    outcome = run_all(partial(log_and, folder=tmp_path), kinds, local(2))
    assert outcome.results == ("a", "b", "kill-once", "c") and not outcome.interrupted
    ((job, why),) = outcome.failed
    assert job == "kill" and why.startswith("BrokenProcessPool")
    assert attempts(tmp_path, "kill") in (1, 2)  # once if the other one broke the pool before it began


def ends(process, seconds):
    """Whether it ends in time. ``is_alive`` errs for a moment where the pool's own thread reaps it."""
    until = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < until:
        process.join(0.01)
    return not process.is_alive()


def test_an_interrupt_ends_the_workers_and_keeps_what_is_done(tmp_path):
    before = set(multiprocessing.active_children())

    def interrupt(count):
        if count.done == 1:
            raise KeyboardInterrupt

    outcome = run_all(partial(log_and, folder=tmp_path), ["sleep", "a", "b"], local(2), interrupt)
    assert outcome.interrupted and outcome.results == ("a",)
    for process in set(multiprocessing.active_children()) - before:
        assert ends(process, 60)


def test_a_run_that_says_interrupted_stops_the_rest():
    done = []

    def work(number):
        done.append(number)
        return None if number == 2 else number

    outcome = run_all(work, range(5), Pool(Inline, 1))
    assert (outcome.results, outcome.interrupted, done) == ((0, 1), True, [0, 1, 2])


def test_workers_that_cannot_be_had(monkeypatch):
    with pytest.raises(PoolError, match="workers: expected an integer >= 1, got 0"):
        local(0)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PoolError, match=r"pip install 'ssm-bounds\[dask\]'"):
        dask("tcp://127.0.0.1:1")


def test_a_dask_scheduler_gives_the_same_results():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        assert run_all(square, range(4), dask(cluster.scheduler_address)).results == (0, 1, 4, 9)
