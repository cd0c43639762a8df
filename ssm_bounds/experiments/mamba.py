"""A classifier of Mamba blocks, from its data to its folder, as a person at a terminal sees it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ssm_bounds.models.files.classifier import DATA, STATE, require_own, write
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.mamba.start import start
from ssm_bounds.models.tasks.arrays import write_arrays
from ssm_bounds.models.tasks.task import Task
from ssm_bounds.models.training.mamba import (
    MambaEpoch,
    MambaResult,
    MambaSettings,
    require_fit,
    score_mamba,
    train_mamba,
)


def train_into(
    folder: Path,
    task: Task,
    design: Design,
    settings: MambaSettings,
    *,
    options: Mapping[str, Any],
    console: Console,
    device: str = "cpu",
    resume: bool = False,
) -> MambaResult:
    """Train, with a progress bar; model, config and data go to ``folder``, also after Ctrl-C. A folder of others is
    left alone. ``options``: what the task was made of, for the config.

    The start is written first, so that the folder is marked as ours; the state stays until the training has ended.
    On one thread, as ``experiments.run.fit``, and leaves torch at that. Raises: ValueError, OSError.
    """
    require_fit(task, design)
    state = opened(folder, resume=resume)
    said = {"task": task.name, "options": dict(options), "m": task.train.m, "T": task.train.T, "shift": task.shift}

    def save(model: MambaClassifier, status: str, epochs: int, **found: float) -> None:
        training = said | ran(settings, status, epochs) | found
        write(folder, design, model.tensors(), labels=_labels(task), seed=settings.seed, training=training)

    if not state.exists():
        save(MambaClassifier.from_tensors(design, start(design, settings.seed)), "started", 0)

    def train(progress: Callable[[MambaEpoch], None]) -> MambaResult:
        return train_mamba(task, design, settings, device=device, progress=progress, state=state)

    result = with_bar(settings, console, train)
    errors = {"train_error": score_mamba(result.model, task.train).error}
    if task.test is not None:
        errors["test_error"] = score_mamba(result.model, task.test).error
    write_arrays(folder / DATA, task)
    save(result.model, result.status, len(result.history), **errors)
    if result.status != "interrupted":
        state.unlink(missing_ok=True)
    say_stopped(console, result)
    _say(console, folder, task, errors)
    return result


def opened(folder: Path, *, resume: bool) -> Path:
    """Where the state of a training stands in its folder, on one thread; without ``resume`` an older one is gone.

    Raises: CheckpointError for a folder of others; OSError.
    """
    torch.set_num_threads(1)
    require_own(folder)
    folder.mkdir(exist_ok=True)
    state = folder / STATE
    if not resume:
        state.unlink(missing_ok=True)
    return state


def ran(settings: MambaSettings, status: str, epochs: int) -> dict[str, Any]:
    """How a training was made and how far it came, for the config."""
    how = {name: value for name, value in asdict(settings).items() if name not in ("seed", "epochs")}
    return how | {"epochs": settings.epochs, "epochs_run": epochs, "status": status}


def with_bar(
    settings: MambaSettings, console: Console, train: Callable[[Callable[[MambaEpoch], None]], MambaResult]
) -> MambaResult:
    """Train, with a progress bar of epochs."""
    columns = (
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  train error {task.fields[error]:.2%}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=settings.epochs, loss=math.nan, error=math.nan)

        def show(epoch: MambaEpoch) -> None:
            bars.update(bar, completed=epoch.number, loss=epoch.loss, error=1 - epoch.train_accuracy)

        return train(show)


def _labels(task: Task) -> tuple[str, ...]:
    """What the data call each label."""
    if task.label_map:
        return tuple(label for label, _ in sorted(task.label_map, key=lambda pair: pair[1]))
    return tuple(map(str, range(max(task.k, 2))))


def say_stopped(console: Console, result: MambaResult) -> None:
    """Why it ended early, if it did."""
    if result.stopped:
        again = "; --resume goes on from here" if result.status == "interrupted" else "; try a smaller --lr"
        where = f"the model after epoch {len(result.history)}" if result.history else "the start, not trained"
        console.print(f"{result.status}: {result.stopped}: this is {where}{again}", soft_wrap=True)


def _say(console: Console, folder: Path, task: Task, errors: Mapping[str, float]) -> None:
    if task.shift:
        console.print(
            f"note: {task.shift}: the training data have another distribution than the test data, "
            "so no bound computed from the one speaks about the other",
            soft_wrap=True,
        )
    found = ", ".join(f"{name.replace('_', ' ')} {value:.2%}" for name, value in errors.items())
    console.print(f"{found}; saved {folder} (config.json, model.safetensors, {DATA})", soft_wrap=True)
