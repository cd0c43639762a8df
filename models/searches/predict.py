"""Words of language models: mean bits are minimised, each nat of the word weighed as the bound does (theory 8.14).

The bound of 8.6 is about ``mean l + sqrt(2 V L/n)``, V the mean of ``(l - h)^2``: a nat more costs
``sqrt(V/(2 L n))`` bits. That of 8.5 for documents lies above; the same weight is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from ssm_bounds.bounds.values import Scalar
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.searches.qat import Judged, Weights
from ssm_bounds.models.searches.words import ordered
from ssm_bounds.models.tasks.documents import Documents
from ssm_bounds.models.training.language import Texts

_BATCH = 48
_JUDGED = 4096  # documents on which a word is judged: evenly spread over their order by length
_ALPHA = 2.0**-8


class Bits:
    """An objective: documents, and the language model that a word moves. Raises: DomainError."""

    def __init__(self, design: Design, base: Mapping[str, Array], documents: Documents, delta: Scalar = 0.05) -> None:
        self.texts, self.n, self.level = Texts(documents), documents.n, math.log(64 * 8 / float(delta))
        self.V, self.spread = documents.V, 1.0
        self.model = MambaClassifier.from_tensors(design, ordered(design, base))
        self.model.requires_grad_(False)
        step = max(1, documents.m // _JUDGED)
        self.judged = self.texts.order[torch.arange(step // 2, documents.m, step)]

    @property
    def epoch(self) -> int:
        return math.ceil(len(self.texts.order) / _BATCH)

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        while True:
            yield from self.texts.batches(_BATCH, generator)

    def loss(self, weights: Weights, rows: Tensor) -> Tensor:
        losses, _ = self._bits(weights, rows)
        return losses.mean()

    def judge(self, weights: Weights, nats: float) -> Judged:
        """On some documents, spread over all lengths: what follows looks at all."""
        pairs = [self._bits(weights, rows) for rows in self.judged.split(_BATCH)]
        loss, mean = (torch.cat(each).double().numpy() for each in zip(*pairs, strict=True))
        self.spread = float(np.square(loss - mean).mean())
        bound = float(loss.mean()) + math.sqrt(2 * self.spread * (nats + self.level) / self.n)
        return Judged(float(loss.mean()), bound)

    def weight(self, nats: float) -> float:
        return math.sqrt(self.spread / (2 * (nats + self.level) * self.n))

    def _bits(self, weights: Weights, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The smoothed loss of each symbol and its expectation under the model, in bits."""
        x, y, valid = self.texts.given(rows)
        z = functional_call(self.model, dict(weights), (x,))[valid]
        p = torch.softmax(z, dim=1)
        losses = -torch.log2((1 - _ALPHA) * p + _ALPHA / self.V)
        return losses.gather(1, y[valid][:, None])[:, 0], (p * losses).sum(1).detach()
