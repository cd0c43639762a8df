"""A training as a person at a terminal sees it."""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ssm_bounds.experiments.run import Record, RunConfig, fit, write_model
from ssm_bounds.models.tasks.task import Task
from ssm_bounds.models.training.train import Epoch, TrainError, TrainResult


def train_and_show(
    config: RunConfig, out: Path, *, console: Console, task: Task | None = None, resume: bool = False, every: int = 0
) -> tuple[TrainResult, Record]:
    """:func:`ssm_bounds.experiments.run.fit` behind a progress bar; the model goes to ``out``, also after Ctrl-C.

    Raises: TrainError where there is nothing to save, ValueError for bad data or settings, OSError, CheckpointError.
    """
    if not out.parent.is_dir():
        raise TrainError(f"{out}: there is no directory {out.parent}; create it first")
    columns = (
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  s_A {task.fields[s_A]:+.4f}"),
        TimeRemainingColumn(),
    )
    settings = config.settings
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=settings.epochs, loss=math.nan, s_A=settings.s_A)

        def show(epoch: Epoch) -> None:
            bars.update(bar, completed=epoch.number, loss=epoch.loss, s_A=epoch.s_A)

        result, record = fit(config, out, task=task, resume=resume, every=every, progress=show)
    if not result.history:
        raise TrainError(f"{result.stopped}: no epoch was completed, no model was saved")
    write_model(out, result, record)
    if record.reason:
        again = "; --resume goes on from here" if record.status == "interrupted" else ""
        console.print(f"{record.status}: {record.reason}: this is the model after epoch {record.epochs}{again}")
    if record.shift:
        console.print(
            f"note: {record.shift}: the training data have another distribution than the test data, "
            "so no bound computed from the one speaks about the other",
            soft_wrap=True,
        )
    test = "" if record.test is None else f", test error {record.test.error:.2%}"
    console.print(
        f"train error {record.train.error:.2%}{test}, margins <= 1 {record.train.low_margins:.2%}, "
        f"s_A {result.model.s_A:+.4f}, certified gap {record.certified['certified_gap']:.4f} (ramp loss)",
        soft_wrap=True,
    )
    console.print(f"saved {out}, log in {out.with_suffix('.csv').name} and .jsonl", soft_wrap=True)
    return result, record
