"""Processes of a command: ``--jobs``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager


@contextmanager
def workers(jobs: int, threads: int | None = None) -> Iterator[Executor]:
    """So many processes, each of so many ``threads``, or else with its share of the cores, unless OMP_NUM_THREADS says
    otherwise. Ctrl-C ends them at once."""
    from ssm_bounds.experiments.pool import Processes

    shared = max(1, (os.cpu_count() or 1) // jobs) if threads is None else threads
    os.environ.setdefault("OMP_NUM_THREADS", str(shared))  # read where they start
    executor = Processes(jobs)
    try:
        yield executor
    except BaseException:
        executor.abandon()
        raise
    executor.shutdown()
