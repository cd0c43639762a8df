"""Training a classifier of Mamba blocks from a seeded start: Adam, the cross-entropy, a cosine to 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from ssm_bounds.bounds.values import require
from ssm_bounds.models.mamba.design import Design, lengths
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.mamba.start import start
from ssm_bounds.models.selective_ssm.evaluate import Scores, scores
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.models.training.objective import cross_entropy
from ssm_bounds.models.training.state import Trainer, fingerprint
from ssm_bounds.models.training.train import Status

_ROWS = 1000  # of a batch that is only evaluated


@dataclass(frozen=True, slots=True)
class MambaSettings:
    """``seed``: of the start (``mamba.start``), and of the order of rows. Units: epochs, rows per batch. Raises:
    DomainError."""

    epochs: int = 12
    batch: int = 200
    lr: float = 5e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            require(getattr(self, name) >= 1, f"{name}: expected a whole number >= 1, got {getattr(self, name)}")
        require(0 < self.lr < math.inf, f"lr: expected a learning rate > 0, got {self.lr}")
        require(0 <= self.seed < 2**63, f"seed: expected a whole number from 0 to 2^63 - 1, got {self.seed}")


@dataclass(frozen=True, slots=True)
class MambaEpoch:
    """Mean loss and accuracy of the batches as they came, and the learning rate they were taken with last."""

    number: int
    loss: float
    train_accuracy: float
    lr: float


@dataclass(frozen=True, slots=True, eq=False)
class MambaResult:
    """The model after the last epoch of ``history``. ``status``, ``stopped``: as in ``training.train.TrainResult``."""

    model: MambaClassifier
    history: tuple[MambaEpoch, ...]
    status: Status
    stopped: str | None


def train_mamba(
    task: Task,
    design: Design,
    settings: MambaSettings,
    *,
    device: str = "cpu",
    progress: Callable[[MambaEpoch], None] = lambda epoch: None,
    state: Path | None = None,
) -> MambaResult:
    """Train every weight in float32; on one machine the same settings give the same model.

    Never raises for a loss that is not finite, nor for Ctrl-C; ``state`` as in ``training.train.train``.
    Raises: DomainError for a task that is not the design's, or rows padded otherwise; StateError; OSError.
    """
    require_fit(task, design)
    about = decides(design, settings, fingerprint(task.train))
    return fitted(_Rows(task.train, design, device), about, design, settings, device, progress, state)


class Rows(Protocol):
    """What is learnt from. A batch is of indices."""

    def batches(self, size: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Of one epoch, in random order; as many in each."""
        ...

    def scored(self, model: MambaClassifier, batch: Tensor) -> tuple[Tensor, int, int]:
        """Mean loss, how many answers are right, and how many there are."""
        ...


def fitted(
    rows: Rows,
    about: Mapping[str, Any],
    design: Design,
    settings: MambaSettings,
    device: str,
    progress: Callable[[MambaEpoch], None],
    state: Path | None,
) -> MambaResult:
    """As :func:`train_mamba`, whatever the rows are; ``about``: what decides the training."""
    trainer = _trainer(rows, design, settings, device)
    history = list[MambaEpoch]()
    if state is not None and state.exists():
        history = [MambaEpoch(*epoch) for epoch in trainer.load(state, about=about)]
    good = deepcopy(trainer.model.state_dict())
    status: Status = "completed"
    stopped = None
    try:
        while len(history) < settings.epochs:
            epoch = _epoch(trainer, rows, settings, len(history) + 1)
            if epoch is None:
                status, stopped = "diverged", f"the loss or a weight was not finite in epoch {len(history) + 1}"
                break
            if state is not None:
                trainer.save(state, about=about, history=[list(astuple(each)) for each in (*history, epoch)])
            good = deepcopy(trainer.model.state_dict())
            history.append(epoch)
            progress(epoch)
    except KeyboardInterrupt:
        status, stopped = "interrupted", f"interrupted in epoch {len(history) + 1}"
    trainer.model.load_state_dict(good)
    return MambaResult(trainer.model, tuple(history), status, stopped)


def score_mamba(model: MambaClassifier, split: Split) -> Scores:
    """Scores of the program, in the model's dtype and on its device."""
    return scores(mamba_logits(model, split), split.y)


def mamba_logits(model: MambaClassifier, split: Split) -> NDArray[np.floating]:
    """Logits of every row (n,outputs)."""
    rows = _Rows(split, model.design, model.score.weight.device)
    with torch.inference_mode():
        batches = torch.arange(split.m).split(_ROWS)
        return torch.cat([model(rows.x[batch], rows.lengths[batch]).cpu() for batch in batches]).numpy()


class _Rows:
    """A split on a device, with the valid length of each row: :class:`Rows` of a task."""

    def __init__(self, split: Split, design: Design, device: str | torch.device) -> None:
        self.x = torch.from_numpy(split.x).to(device)
        self.y = torch.from_numpy(split.y).to(device)
        self.lengths = torch.from_numpy(lengths(split.x, design.pad)).to(device)

    def batches(self, size: int, generator: torch.Generator) -> Sequence[Tensor]:
        return torch.randperm(len(self.y), generator=generator).split(size)

    def scored(self, model: MambaClassifier, batch: Tensor) -> tuple[Tensor, int, int]:
        z, y = model(self.x[batch], self.lengths[batch]), self.y[batch]
        answer = z[:, 0] > 0 if z.shape[1] == 1 else z.argmax(dim=1)
        return cross_entropy(z, y), int((answer == y).sum()), len(batch)


def require_fit(task: Task, design: Design) -> None:
    """Raise DomainError unless the design takes the task's rows and gives its outputs."""
    require(task.k == design.outputs, f"the task needs {task.k} outputs, the design has {design.outputs}")
    if task.V is None:
        c = task.train.x.shape[2]
        require(c == design.c, f"the inputs have {c} channels, the design takes {design.c}")
    else:
        V = design.V or 0
        require(task.V <= V, f"the task has tokens 0 to {task.V - 1}, the design {V} of them")
    for split in (task.train, task.test):
        if split is not None:
            lengths(split.x, design.pad)


def _trainer(rows: Rows, design: Design, settings: MambaSettings, device: str) -> Trainer[MambaClassifier]:
    model = MambaClassifier.from_tensors(design, start(design, settings.seed), device=device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.lr, fused=True)
    steps = settings.epochs * len(rows.batches(settings.batch, torch.Generator()))
    generator = torch.Generator().manual_seed(settings.seed)
    return Trainer(model, optimizer, CosineAnnealingLR(optimizer, steps), generator)


def _epoch(trainer: Trainer[MambaClassifier], rows: Rows, settings: MambaSettings, number: int) -> MambaEpoch | None:
    """One pass over the training set in random order; None where it diverged."""
    total, correct, count, lr = 0.0, 0, 0, trainer.lr
    for batch in rows.batches(settings.batch, trainer.generator):
        lr = trainer.lr
        loss, right, answers = _step(trainer, rows, batch)
        total, correct, count = total + loss * answers, correct + right, count + answers
        if not math.isfinite(loss):
            return None
    if not all(value.isfinite().all() for value in trainer.model.parameters()):
        return None
    return MambaEpoch(number, total / count, correct / count, lr)


def _step(trainer: Trainer[MambaClassifier], rows: Rows, batch: Tensor) -> tuple[float, int, int]:
    """One update; loss, number of correct answers and of answers before it."""
    loss, right, answers = rows.scored(trainer.model, batch)
    trainer.optimizer.zero_grad()
    loss.backward()
    trainer.optimizer.step()
    trainer.schedule.step()
    return loss.item(), right, answers


def decides(design: Design, settings: MambaSettings, sha256: str) -> dict[str, Any]:
    """What decides a training: a state of another one is refused."""
    return {"settings": asdict(settings), "design": asdict(design), "train sha256": sha256}
