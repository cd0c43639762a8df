"""Training a language model of Mamba blocks: as a classifier is trained, at every symbol of every document."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ssm_bounds.bounds.values import require
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.tasks.documents import Documents
from ssm_bounds.models.training.mamba import MambaEpoch, MambaResult, MambaSettings, decides, fitted


class Texts:
    """Documents as tensors; a batch is of documents of like length, so that little is computed behind their ends."""

    def __init__(self, documents: Documents, device: str | torch.device = "cpu") -> None:
        self.x = torch.from_numpy(documents.x).to(device)
        self.y = torch.from_numpy(documents.y).to(device)
        self.lengths = torch.from_numpy(documents.lengths)
        self.order = torch.argsort(self.lengths, stable=True)

    def batches(self, size: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Each document once: neighbours by length, the batches in random order."""
        parts = self.order.split(size)
        return [parts[i] for i in torch.randperm(len(parts), generator=generator).tolist()]

    def given(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the model is given (b,t), what came (b,t), and where that counts (b,t)."""
        lengths = self.lengths[batch]
        longest = int(lengths.max())
        valid = torch.arange(longest) < lengths[:, None]
        return self.x[batch, :longest], self.y[batch, :longest].long(), valid.to(self.x.device)

    def scored(self, model: MambaClassifier, batch: Tensor) -> tuple[Tensor, int, int]:
        x, y, valid = self.given(batch)
        z, came = model(x)[valid], y[valid]
        return functional.cross_entropy(z, came), int((z.argmax(dim=1) == came).sum()), len(came)


def train_language(
    documents: Documents,
    design: Design,
    settings: MambaSettings,
    *,
    device: str = "cpu",
    progress: Callable[[MambaEpoch], None] = lambda epoch: None,
    state: Path | None = None,
) -> MambaResult:
    """As ``training.mamba.train_mamba``: the mean over the symbols of a batch, in nats, is minimised.

    Raises: DomainError for documents of other symbols; StateError; OSError.
    """
    require_fit(documents, design)
    found = hashlib.sha256(documents.y.tobytes() + documents.lengths.tobytes()).hexdigest()
    return fitted(Texts(documents, device), decides(design, settings, found), design, settings, device, progress, state)


def require_fit(documents: Documents, design: Design) -> None:
    """Raise DomainError unless the design foretells these symbols."""
    require(
        design.pooling == "none" and design.V == documents.V,
        f"the text has {documents.V} symbols, the model foretells {design.V if design.pooling == 'none' else 'none'}",
    )


def mean_bits(model: MambaClassifier, documents: Documents, size: int = 256) -> float:
    """Of every symbol, in float32: no certificate."""
    texts, total = Texts(documents), 0.0
    with torch.inference_mode():
        for batch in texts.order.split(size):
            loss, _, count = texts.scored(model, batch)
            total += loss.item() * count
    return total / documents.n / math.log(2)
