"""A search that takes no time, for other processes: light to import, since each of them starts afresh."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ssm_bounds.programs import Progress
from ssm_bounds.trials import Found, Trial


@dataclass(frozen=True)
class Drawing:
    """Finds ``kappa step`` as its bound; the trial of seed ``slow`` never ends by itself."""

    slow: int | None = None

    def __call__(self, trial: Trial, progress: Progress, halt: Callable[[], None]) -> Found:
        progress("drawing", 0.5, trial.budget, f"about {trial.seed}")
        try:
            while trial.seed == self.slow:
                halt()
                time.sleep(0.01)
        except KeyboardInterrupt:
            return Found(trial.family, {}, -1.0, "interrupted", trial.size)
        return Found(trial.family, {}, trial.kappa * trial.step, None, trial.size)


def failing(trial: Trial, progress: Progress, halt: Callable[[], None]) -> Found:
    raise ValueError(f"trial {trial.seed}")
