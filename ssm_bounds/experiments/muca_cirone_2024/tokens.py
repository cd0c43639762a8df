"""Training on quadruples of token sequences: a context, noise, two tokens in either order, an end token.

The labels of all four: the context, the order, or context xor order, which by theory 15.5 (a) no model of one layer
has right on a whole quadruple, whatever its training: its mean logistic loss there is at least ln 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.selective_ssm.two_layers import TwoLayers
from ssm_bounds.models.training.objective import cross_entropy

Target = Literal["context", "order", "product"]
_NOISE, _KINDS = 6, 4  # tokens of noise, and of how many kinds
V = 2 + 2 + _KINDS + 1
_d, _N, _LR = 8, 4, 1e-2
_FRESH = 128
_APART = 1 << 32  # of the seeds of the data and of the weights


@dataclass(frozen=True, slots=True, eq=False)
class Quadruples:
    """Shapes: tokens (4 n,10), context and order (4 n,) in {0, 1}; the four of a quadruple stand together."""

    tokens: Tensor
    context: Tensor
    order: Tensor

    def labels(self, target: Target) -> Tensor:
        return {"context": self.context, "order": self.order, "product": self.context ^ self.order}[target]


def drawn(count: int, generator: torch.Generator) -> Quadruples:
    """``count`` quadruples, each with noise of its own."""
    noise = torch.randint(4, 4 + _KINDS, (count, _NOISE), generator=generator).repeat_interleave(4, 0)
    context = torch.tensor([0, 0, 1, 1]).repeat(count)
    order = torch.tensor([0, 1, 0, 1]).repeat(count)
    end = torch.full((4 * count, 1), V - 1)
    tokens = [context[:, None], noise, 2 + order[:, None], 3 - order[:, None], end]
    return Quadruples(torch.cat(tokens, 1), context, order)


@dataclass(frozen=True, slots=True)
class Trained:
    """``excess``: the least over all steps of all starts of the mean loss on all quadruples, over ln 2. ``solved``: the
    most quadruples that were right at one of them. ``accuracy``: the best of the last steps. ``perfect``: the first
    step at which all rows were right, NaN for none; there training ends. ``starts``: how many there were."""

    excess: float
    solved: int
    accuracy: float
    perfect: float
    starts: int


def train(target: Target, *, layers: Literal[1, 2], quadruples: int, steps: int, seed: int, starts: int) -> Trained:
    """Adam in float64 from up to ``starts`` random weights, as some of them hardly move: until all rows are right.

    One layer sees all rows in each step; two layers see 128 fresh quadruples, with gradients clipped to norm 1. A score
    of exactly 0 says label 0.
    """
    data = torch.Generator().manual_seed(seed + _APART)
    known = drawn(quadruples, data)
    found = list[Trained]()
    for start in range(starts):
        weights, kind = torch.Generator().manual_seed(starts * seed + start), SelectiveSSM if layers == 1 else TwoLayers
        model = kind(d=_d, N=_N, V=V, generator=weights, dtype=torch.float64)
        found.append(_trained(model, target, known, steps, fresh=data if layers == 2 else None))
        if not math.isnan(found[-1].perfect):
            break
    return Trained(
        min(each.excess for each in found),
        max(each.solved for each in found),
        max(each.accuracy for each in found),
        found[-1].perfect,
        len(found),
    )


def _trained(
    model: nn.Module, target: Target, known: Quadruples, steps: int, *, fresh: torch.Generator | None
) -> Trained:
    """One start. ``fresh``: where other quadruples come from, None for those that are known."""
    optimiser = torch.optim.Adam(model.parameters(), lr=_LR)
    excess, solved, accuracy, labels = math.inf, 0, math.nan, known.labels(target)
    for step in range(steps + 1):
        with torch.set_grad_enabled(fresh is None):
            scores = model(known.tokens)
            loss = cross_entropy(scores, labels)
        right = (scores[:, 0] > 0) == (labels == 1)
        excess = min(excess, loss.item() - math.log(2))
        solved = max(solved, int(right.reshape(-1, 4).all(1).sum()))
        accuracy = right.double().mean().item()
        if accuracy == 1:
            return Trained(excess, solved, accuracy, float(step), 1)
        if fresh is not None:
            others = drawn(_FRESH, fresh)
            loss = cross_entropy(model(others.tokens), others.labels(target))
        optimiser.zero_grad()
        loss.backward()
        if fresh is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return Trained(excess, solved, accuracy, math.nan, 1)
