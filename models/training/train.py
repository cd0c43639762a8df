"""Training with Adam: repeatable, resumable, and a loss that is not finite is a result."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.tasks.task import Task
from ssm_bounds.models.training.caps import Caps, project
from ssm_bounds.models.training.monitor import BoundMonitor
from ssm_bounds.models.training.objective import cross_entropy, instability, output_spread
from ssm_bounds.models.training.state import Trainer, fingerprint

Schedule: TypeAlias = Literal["cosine", "plateau"]
Status: TypeAlias = Literal["completed", "diverged", "interrupted"]

_CLIP_NORM = 5.0
_STABLE = Caps(s_A=0.0)


class TrainError(ValueError):
    """Settings or data that cannot be trained with, or a run that left nothing to save."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train. Minimised by Adam, with gradients clipped to norm 5: the mean cross-entropy,
    plus ``weight_decay/2`` times the sum of squared parameters, ``spread`` times ``objective.output_spread``,
    and ``stability`` times ``objective.instability``.

    A starts with abscissa ``s_A`` (see ``SelectiveSSM``). After every step the model is projected on ``caps``; by
    default on s_A <= 0, since free entries often grow, and then the constants grow like ``exp(s_A M T)``. The weight
    decay is what keeps the product of norms, which a certificate pays for, near its least value for margins above 1.
    ``schedule``: the learning rate falls from ``lr`` to 0 along a cosine, or by a factor 0.9 whenever the loss has not
    fallen by 1 % for 5 epochs (the authors' ``ReduceLROnPlateau``).
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
    schedule: Schedule = "cosine"
    spread: float = 0.0
    stability: float = 0.0
    caps: Caps = _STABLE

    def __post_init__(self) -> None:
        for name in ("d", "N", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise TrainError(f"{name}: expected an integer >= 1, got {getattr(self, name)}")
        if not 0 < self.lr < math.inf:
            raise TrainError(f"lr: expected a learning rate > 0, got {self.lr}")
        for name in ("weight_decay", "spread", "stability"):
            if not 0 <= getattr(self, name) < math.inf:
                raise TrainError(f"{name}: expected a number >= 0, got {getattr(self, name)}")
        if not math.isfinite(self.s_A):
            raise TrainError(f"s_A: expected a finite number, got {self.s_A}")
        if self.caps.s_A is not None and self.s_A > self.caps.s_A:
            raise TrainError(f"s_A: starts at {self.s_A:g}, above its cap {self.caps.s_A:g}")
        if self.schedule not in get_args(Schedule):
            raise TrainError(f"schedule: expected one of {', '.join(get_args(Schedule))}, got {self.schedule!r}")


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training set: mean objective and accuracy of the batches as they came, learning rate they were
    taken with last, s_A at the end."""

    number: int
    loss: float
    train_accuracy: float
    lr: float
    s_A: float


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """The model after the last epoch of ``history``. ``stopped``: why there were not more epochs; None if all ran.

    ``status`` "diverged": the loss, or after a step a parameter, was not finite in epoch ``len(history) + 1``. A
    gradient whose norm alone overflows float32 is clipped to 0 (as in the authors' code), and training goes on.
    """

    model: SelectiveSSM
    history: tuple[Epoch, ...]
    status: Status
    stopped: str | None


def initial_model(task: Task, settings: Settings, generator: torch.Generator | None = None) -> SelectiveSSM:
    """The model that a training starts from. ``generator``: that of ``settings.seed``, to be used further."""
    model = SelectiveSSM(
        d=settings.d,
        N=settings.N,
        k=task.k,
        V=task.V,
        gate=settings.gate,
        convention=settings.convention,
        s_A=settings.s_A,
        generator=generator or torch.Generator().manual_seed(settings.seed),
    )
    project(model, settings.caps)
    return model


def train(
    task: Task,
    settings: Settings,
    *,
    progress: Callable[[Epoch], None] = lambda epoch: None,
    monitor: BoundMonitor | None = None,
    state: Path | None = None,
) -> TrainResult:
    """Train a new model on ``task.train``; the same seed gives the same model on the same machine.

    Never raises for a loss that is not finite, nor for Ctrl-C: ``status`` says so, and the model is the one after the
    last complete epoch. ``progress`` is called after each. ``monitor`` logs the start (epoch 0) and each epoch, and
    certifies the last. ``state``: a file that holds the whole state after each epoch; if it exists, training goes on
    from there, and ends bit for bit where it would have ended (same machine, same number of threads).
    Raises: StateError for a state of another training, OSError.
    """
    trainer = _trainer(task, settings)
    model, about = trainer.model, _about(task, settings)
    x, y = torch.from_numpy(task.train.x), torch.from_numpy(task.train.y)
    history = list[Epoch]()
    if state is not None and state.exists():
        history = [Epoch(*epoch) for epoch in trainer.load(state, about=about)]
    elif monitor is not None:
        monitor(model.weights(), 0, loss=None, train_accuracy=None, lr=None)
    good = deepcopy(model.state_dict())
    status: Status = "completed"
    stopped = None
    try:
        while len(history) < settings.epochs:
            epoch = _epoch(trainer, x, y, settings, len(history) + 1)
            if epoch is None:
                status, stopped = "diverged", _divergence(settings, len(history) + 1)
                break
            if monitor is not None:
                reported = {"loss": epoch.loss, "train_accuracy": epoch.train_accuracy, "lr": epoch.lr}
                monitor(model.weights(), epoch.number, certify=epoch.number == settings.epochs, **reported)
            # what is logged may be ahead of the state, and is then replaced; never behind it
            if state is not None:
                trainer.save(state, about=about, history=[list(astuple(each)) for each in (*history, epoch)])
            good = deepcopy(model.state_dict())
            history.append(epoch)
            progress(epoch)
    except KeyboardInterrupt:
        status, stopped = "interrupted", f"interrupted in epoch {len(history) + 1}"
    model.load_state_dict(good)
    return TrainResult(model, tuple(history), status, stopped)


def _trainer(task: Task, settings: Settings) -> Trainer[SelectiveSSM]:
    generator = torch.Generator().manual_seed(settings.seed)
    model = initial_model(task, settings, generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    if settings.schedule == "plateau":
        plateau = ReduceLROnPlateau(optimizer, factor=0.9, patience=5, threshold=0.01)
        return Trainer(model, optimizer, plateau, generator)
    steps = settings.epochs * math.ceil(task.train.m / settings.batch)
    return Trainer(model, optimizer, CosineAnnealingLR(optimizer, steps), generator)


def _epoch(trainer: Trainer[SelectiveSSM], x: Tensor, y: Tensor, settings: Settings, number: int) -> Epoch | None:
    """One pass over the training set in random order; None where it diverged."""
    total, correct, lr = 0.0, 0, trainer.lr
    for rows in torch.randperm(len(y), generator=trainer.generator).split(settings.batch):
        lr = trainer.lr
        loss, right = _step(trainer, x[rows], y[rows], settings)
        total, correct = total + loss * len(rows), correct + right
        if not math.isfinite(loss):
            break
    if not (math.isfinite(total) and all(value.isfinite().all() for value in trainer.model.parameters())):
        return None
    if isinstance(trainer.schedule, ReduceLROnPlateau):
        trainer.schedule.step(total / len(y))
    return Epoch(number, total / len(y), correct / len(y), lr, trainer.model.s_A)


def _step(trainer: Trainer[SelectiveSSM], x: Tensor, y: Tensor, settings: Settings) -> tuple[float, int]:
    """One update; objective and number of correct answers before it."""
    model = trainer.model
    z = model(x)
    loss = cross_entropy(z, y)
    if settings.spread:
        loss = loss + settings.spread * output_spread(z)
    if settings.stability:
        loss = loss + settings.stability * instability(model.A)
    trainer.optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP_NORM)
    trainer.optimizer.step()
    if isinstance(trainer.schedule, CosineAnnealingLR):
        trainer.schedule.step()
    project(model, settings.caps)
    answer = z[:, 0] > 0 if z.shape[1] == 1 else z.argmax(dim=1)
    return loss.item(), int((answer == y).sum())


def _divergence(settings: Settings, number: int) -> str:
    return (
        f"the loss or its gradient was not finite in epoch {number}; "
        f"try a smaller learning rate than {settings.lr:g}, or a smaller s_A than {settings.s_A:g}"
    )


def _about(task: Task, settings: Settings) -> dict[str, Any]:
    """What decides a training: a state of another one is refused."""
    data = {"k": task.k, "V": task.V, "train sha256": fingerprint(task.train)}
    return {"settings": asdict(settings), "task": data}
