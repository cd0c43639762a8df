"""A bar over the budget of a search, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def searching() -> Iterator[Callable[[str, float, float, str], None]]:
    """What a search reports to: what runs, seconds so far, the budget, how it stands. Shows nothing off a terminal."""
    if not sys.stderr.isatty():
        yield lambda what, seconds, budget, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.fields[what]}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def show(what: str, seconds: float, budget: float, text: str) -> None:
            if what not in bars:
                bars[what] = progress.add_task("", total=budget, what=what)
            progress.update(bars[what], completed=seconds, description=text)

        yield show
