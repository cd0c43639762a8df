"""Words of classifiers: the cross-entropy is minimised, and the errors of every row are counted (theory 8.14)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import linear

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.occam import certify
from ssm_bounds.bounds.values import Scalar
from ssm_bounds.models.mamba.design import Design, lengths
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.program.evaluate import errors
from ssm_bounds.models.searches.qat import Judged, Weights
from ssm_bounds.models.searches.words import ordered, stack
from ssm_bounds.models.tasks.task import Split
from ssm_bounds.models.training.mamba import mamba_logits
from ssm_bounds.models.training.objective import cross_entropy

_ROWS = 128  # that are only evaluated together
_BATCH = 64


class Errors:
    """An objective: rows of a task, and the model that a word moves. ``of_head``: the word moves nothing else, so that
    what the head sees of the rows is computed once. Raises: DomainError for a base that the program refuses."""

    def __init__(
        self, design: Design, base: Mapping[str, Array], split: Split, delta: Scalar = 0.05, *, of_head: bool = False
    ) -> None:
        tensors = ordered(design, base)
        stack(design, tensors)  # else the program refuses what is found
        self.split, self.delta = split, delta
        self.x, self.y = torch.from_numpy(split.x), torch.from_numpy(split.y)
        self.lengths = torch.from_numpy(lengths(split.x, design.pad))
        self.model = MambaClassifier.from_tensors(design, tensors)
        self.model.requires_grad_(False)
        self.pooled = _pooled(self.model, split) if of_head else None

    @property
    def epoch(self) -> int:
        return math.ceil(self.split.m / _BATCH)

    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(self.split.m, generator=generator).split(_BATCH)

    def loss(self, weights: Weights, rows: Tensor) -> Tensor:
        return cross_entropy(self._logits(weights, rows), self.y[rows])

    def judge(self, weights: Weights, nats: float) -> Judged:
        z = torch.cat([self._logits(weights, rows) for rows in torch.arange(self.split.m).split(_ROWS)])
        wrong = errors(z.double().numpy(), self.split.y)
        risk = certify(Enclosure.point(nats), wrong, self.split.m, self.delta).float_upper()
        return Judged(wrong, risk)

    def weight(self, nats: float) -> float:
        """As the bound of the risk has it where errors are few."""
        return 1 / self.split.m

    def _logits(self, weights: Weights, rows: Tensor) -> Tensor:
        """Of some rows, with these weights of the family."""
        if self.pooled is not None:
            return linear(self.pooled[rows], weights["score.weight"], weights["score.bias"])
        z: Tensor = functional_call(self.model, dict(weights), (self.x[rows], self.lengths[rows]))
        return z


def _pooled(model: MambaClassifier, split: Split) -> Tensor:
    """What the head is given (m,D)."""
    found = list[Tensor]()
    hook = model.score.register_forward_pre_hook(lambda score, inputs: found.append(inputs[0]))
    mamba_logits(model, split)
    hook.remove()
    return torch.cat(found)
