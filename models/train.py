"""Training with Adam, and what the command ``ssm-bounds train`` runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional

from bounds.constants import Gate
from bounds.losses import margins
from models import checkpoint
from models.checkpoint import Convention
from models.evaluate import fraction_at_most, logits
from models.selective_ssm import SelectiveSSM
from models.tasks.majority import majority
from models.tasks.task import Task

_CLIP_NORM = 5.0


class TrainError(ValueError):
    """Settings that cannot be trained with, or a run that left nothing to save."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train: mean cross-entropy plus ``weight_decay/2`` times the sum of squared parameters, by Adam.

    The learning rate falls from ``lr`` to 0 along a cosine. A is projected on ``a_jn <= s_A`` after every step, and
    starts from there: free entries often grow, and then the constants grow like ``exp(s_A M T)``. The weight decay is
    what keeps the product of norms, which a certificate pays for, near its least value for margins above 1.
    Units: d channels, N states per channel, epochs, rows per batch. Raises: TrainError.
    """

    d: int = 4
    N: int = 4
    gate: Gate = "softplus"
    convention: Convention = "code"
    s_A: float = 0.0
    epochs: int = 20
    batch: int = 256
    lr: float = 0.02
    weight_decay: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("d", "N", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise TrainError(f"{name}: expected an integer >= 1, got {getattr(self, name)}")
        if not 0 < self.lr < math.inf:
            raise TrainError(f"lr: expected a learning rate > 0, got {self.lr}")
        if not 0 <= self.weight_decay < math.inf:
            raise TrainError(f"weight_decay: expected a number >= 0, got {self.weight_decay}")
        if not math.isfinite(self.s_A):
            raise TrainError(f"s_A: expected a finite number, got {self.s_A}")


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training set: mean loss and accuracy of the batches as they came, s_A at its end."""

    number: int
    loss: float
    train_accuracy: float
    s_A: float


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """The model after the last epoch of ``history``. ``stopped``: why there were not more epochs; None if all ran."""

    model: SelectiveSSM
    history: tuple[Epoch, ...]
    stopped: str | None


def train(task: Task, settings: Settings, *, progress: Callable[[Epoch], None] = lambda epoch: None) -> TrainResult:
    """Train a new model on ``task.train``; the same seed gives the same model on the same machine.

    Never raises for a loss that is not finite, nor for Ctrl-C: ``stopped`` says so, and the model is the one after the
    last complete epoch. ``progress`` is called after each.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    model = SelectiveSSM(
        d=settings.d,
        N=settings.N,
        k=task.k,
        V=task.V,
        gate=settings.gate,
        convention=settings.convention,
        s_A=settings.s_A,
        generator=generator,
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    steps = settings.epochs * math.ceil(task.train.m / settings.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def step(x: Tensor, y: Tensor) -> tuple[float, int]:
        """One update; loss and number of correct answers before it."""
        z = model(x)
        loss = _cross_entropy(z, y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP_NORM)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.A.clamp_(max=settings.s_A)
        answer = z[:, 0] > 0 if task.k == 1 else z.argmax(dim=1)
        return loss.item(), int((answer == y).sum())

    x, y = torch.from_numpy(task.train.x), torch.from_numpy(task.train.y)
    good, history, stopped = deepcopy(model.state_dict()), list[Epoch](), None
    try:
        for number in range(1, settings.epochs + 1):
            total, correct = 0.0, 0
            for rows in torch.randperm(len(y), generator=generator).split(settings.batch):
                loss, right = step(x[rows], y[rows])
                total, correct = total + loss * len(rows), correct + right
            if not (math.isfinite(total) and all(value.isfinite().all() for value in model.parameters())):
                stopped = f"the loss was not finite in epoch {number}; try a smaller learning rate than {settings.lr:g}"
                break
            good = deepcopy(model.state_dict())
            history.append(Epoch(number, total / len(y), correct / len(y), model.s_A))
            progress(history[-1])
    except KeyboardInterrupt:
        stopped = f"interrupted in epoch {len(history) + 1}"
    model.load_state_dict(good)
    return TrainResult(model, tuple(history), stopped)


def _cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    if z.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(z[:, 0], y.to(z.dtype))
    return functional.cross_entropy(z, y)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model does on its task: 0-1 errors, and the fraction of training margins <= 1 (theory.md 6.3)."""

    train_error: float
    test_error: float | None
    low_margins: float


def score(model: SelectiveSSM, task: Task) -> Scores:
    """Scores of ``model`` on the splits of ``task``; no test error without a test split."""
    train = margins(logits(model, task.train), task.train.y)
    test = None if task.test is None else margins(logits(model, task.test), task.test.y)
    return Scores(
        fraction_at_most(train, 0), None if test is None else fraction_at_most(test, 0), fraction_at_most(train, 1)
    )


def train_majority(
    out: Path, settings: Settings, *, m: int, T: int, paper_noise: float = 0.0, console: Console
) -> tuple[TrainResult, Scores]:
    """Train on majority and write a native checkpoint with its metadata to ``out``, also after Ctrl-C.

    Shows a progress bar and the outcome on ``console``. Raises: TrainError where there is nothing to save,
    ValueError for a bad m, T or paper_noise, CheckpointError where ``out`` cannot be written.
    """
    if not out.parent.is_dir():
        raise TrainError(f"{out}: there is no directory {out.parent}; create it first")
    task = majority(m, T, seed=settings.seed, paper_noise=paper_noise)
    result = _watched(task, settings, console)
    if not result.history:
        raise TrainError(f"{result.stopped}: no epoch was completed, nothing was saved")
    scores = score(result.model, task)
    record = {name: getattr(settings, name) for name in ("seed", "lr", "weight_decay", "batch")}
    record |= {"epochs": len(result.history), "paper_noise": paper_noise}
    record |= {"train_error": scores.train_error, "test_error": scores.test_error}
    metadata = checkpoint.Metadata(
        task=task.name,
        m=m,
        T=T,
        gate=settings.gate,
        convention=settings.convention,
        embedding="trained",
        extra={name: str(value) for name, value in record.items()},
    )
    checkpoint.write(out, result.model.weights(), metadata)
    if result.stopped:
        console.print(f"{result.stopped}: this is the model after epoch {len(result.history)}")
    for note in task.notes:
        console.print(f"note: {note}")
    console.print(
        f"train error {scores.train_error:.2%}, test error {scores.test_error:.2%}, "
        f"margins <= 1 {scores.low_margins:.2%}, s_A {result.model.s_A:+.4f}"
    )
    console.print(f"saved {out}", soft_wrap=True)
    return result, scores


def _watched(task: Task, settings: Settings, console: Console) -> TrainResult:
    """:func:`train` behind a progress bar that shows the loss and s_A."""
    columns = (
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  s_A {task.fields[s_A]:+.4f}"),
        TimeRemainingColumn(),
    )
    # these tensors are too small to share: a second thread gains 10 %, and spins for minutes on a busy machine
    torch.set_num_threads(1)
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=settings.epochs, loss=math.nan, s_A=settings.s_A)

        def show(epoch: Epoch) -> None:
            bars.update(bar, completed=epoch.number, loss=epoch.loss, s_A=epoch.s_A)

        return train(task, settings, progress=show)
