"""What a model does on data: its logits, and how many margins are small."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models.selective_ssm import SelectiveSSM
from models.tasks.task import Split

_BATCH = 1024


def logits(model: SelectiveSSM, split: Split, *, batch: int = _BATCH) -> NDArray[np.floating]:
    """Logits of every sequence in the model's dtype. Shapes: split.x (n,T) or (n,T,d) -> (n,k)."""
    device = model.A.device
    with torch.inference_mode():
        return torch.cat([model(rows.to(device)).cpu() for rows in torch.from_numpy(split.x).split(batch)]).numpy()


def fraction_at_most(margin: NDArray[np.floating], g: float) -> float:
    """Fraction of margins not above g, NaN among them: the 0-1 error at g = 0, ``emp_g`` of theory.md 6.3."""
    return float(np.mean(~(margin > g)))
