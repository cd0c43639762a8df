"""What a model does on data: its logits, its losses, and how many margins are small."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp, margins
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.tasks.task import Split

_BATCH = 1024


def logits(model: SelectiveSSM, split: Split, *, batch: int = _BATCH) -> NDArray[np.floating]:
    """Logits of every sequence in the model's dtype. Shapes: split.x (n,T) or (n,T,d) -> (n,k)."""
    device = model.A.device
    with torch.inference_mode():
        return torch.cat([model(rows.to(device)).cpu() for rows in torch.from_numpy(split.x).split(batch)]).numpy()


def fraction_at_most(margin: NDArray[np.floating], g: float) -> float:
    """Fraction of margins not above g, NaN among them: the 0-1 error at g = 0, ``emp_g`` of theory 6.3."""
    return float(np.mean(~(margin > g)))


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model scores on n rows: mean cross-entropy (nats) and ramp loss with margin 1, 0-1 error, and the
    fraction of margins <= 1 (theory 6.3, 6.4). NaN where the program's outputs are not finite."""

    n: int
    cross_entropy: float
    ramp: float
    error: float
    low_margins: float


def score(model: SelectiveSSM, split: Split) -> Scores:
    """Scores of the program, in the model's dtype (a certificate evaluates it in float64)."""
    return scores(logits(model, split), split.y)


def scores(z: NDArray[np.floating], y: NDArray[np.int64]) -> Scores:
    """Of logits (n,k) on labels (n,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        entropy, ramp = (loss.values(z, y).mean() for loss in (ClippedCrossEntropy(math.inf), Ramp(1)))
        margin = margins(z, y)
        return Scores(len(y), float(entropy), float(ramp), fraction_at_most(margin, 0), fraction_at_most(margin, 1))
