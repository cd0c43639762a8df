"""Quantisation-aware search for a word: weights that are trained while they are rounded, at the price of the rounding.

How a word is found is free: the certificate holds for all words at once (theory 8.12), and the exact program judges the
one that is left. Here ``kappa loss + weight nats`` is minimised, the nats those of a discretised Laplace law at the
numbers plus uniform noise, the loss that of the rounded weights, with straight-through gradients (theory 8.14).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ssm_bounds.bounds.codes.decode import centres, decode
from ssm_bounds.bounds.codes.families import SUBSPACE, Family, Part, coded
from ssm_bounds.bounds.codes.layout import Shape
from ssm_bounds.bounds.codes.word import Seeded, Start, Word
from ssm_bounds.bounds.values import require
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.searches.latents import FIRST_STEP, Latents
from ssm_bounds.models.searches.plane import Plane

_FACTORS = (0.7, 1.0, 0.5)  # of the best stage's kappa: what is tried next, after each failure
_LR, _LR_OF_STEPS = 4e-3, 2e-2
_LARGEST_GRADIENT = 1.0
_EPOCHS, _UPDATES = 20, 1_000  # of a stage, at least


@dataclass(frozen=True, slots=True)
class Stage:
    """What the search reports after a stage, of its best word so far. Nothing here is certified: ``seen`` is what
    float32 gives on the training data (errors, or mean bits), ``nats`` and ``bound`` are in float64. Units: seconds."""

    name: str
    seconds: float
    budget: float
    seen: float
    nats: float
    bound: float


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """A word, and what the search knows of it. ``stopped``: what ended it before the bound ceased to fall."""

    word: Word
    stage: Stage
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A word as float32 sees it: ``seen`` as in :class:`Stage`."""

    seen: float
    bound: float


Weights = Mapping[str, Tensor]
"""Of the tensors that a word moves, by their names in the model; all others stay as they are."""


class Objective(Protocol):
    """What is minimised, on which data. ``epoch``: batches that see every row once."""

    @property
    def epoch(self) -> int: ...
    def batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Rows in random order, again and again."""
        ...

    def loss(self, weights: Weights, rows: Tensor) -> Tensor:
        """Mean over these rows, differentiable."""
        ...

    def judge(self, weights: Weights, nats: float) -> Judged:
        """On every row, for a word of this price."""
        ...

    def weight(self, nats: float) -> float:
        """Of a nat against the loss, for words of about this price, as the last that was judged has it."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What a word may move: the tensors of a model (float64) with their parts, and how. ``start``: from scratch, the
    tensors being the start of its seed; they may then be centred at zero too. ``size``: rank or dimension."""

    family: Family
    parts: Mapping[str, Part]
    base: Mapping[str, Array]
    size: int | None = None
    start: Start | Seeded | None = None
    bases: int = 1
    plane: Plane | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.family == "subspace" and self.size is not None:
            held = coded(self.family, self.parts, self.size)
            still = {name: value for name, value in self.base.items() if name not in held}
            object.__setattr__(self, "plane", Plane.of(still, self.parts, self.size, _seed(self.start)))

    def word(self, latents: Latents | None) -> Word:
        """Of these latents, or all zeros."""
        tensors = dict.fromkeys(coded(self.family, self.parts, self.size)) if latents is None else latents.tensors()
        return Word(self.family, tensors, self.size, self.start, bases=self.bases)

    def moves(self, name: str) -> bool:
        """Whether a word may move this tensor of the model."""
        held = coded(self.family, self.parts, self.size)
        return self.plane is not None or name in held or f"{name}.A" in held

    def moved(self, values: Weights) -> dict[str, Tensor]:
        """The weights of the model that these values of the word's tensors make, as ``decode`` makes them."""
        found = dict[str, Tensor]() if self.plane is None else self.plane.moved(values[SUBSPACE])
        for name in self.base:
            if name in values:
                found[name] = values[name]
            elif f"{name}.A" in values:
                start = torch.tensor(self.base[name], dtype=torch.float32)
                found[name] = start + values[f"{name}.B"] @ values[f"{name}.A"]
        return found


def searched(
    around: Around,
    objective: Objective,
    *,
    trained: Mapping[str, Array] | None = None,
    begun: Word | None = None,
    kappa: float = 1.0,
    step: float = FIRST_STEP,
    budget: float = 300.0,
    seed: int = 0,
    updates: int | None = None,
    progress: Callable[[Stage], None] = lambda stage: None,
    halt: Callable[[], None] = lambda: None,
) -> Searched:
    """The best word found.

    ``trained``: weights to begin with, by the names of the model, else the family is trained in floats first;
    ``begun``: a word of the same family to go on from, which the one that is found is no worse than.
    ``updates``: steps of Adam in a stage, by default 20 epochs and at least a thousand. ``kappa``: of the first stage;
    ``step``: the first of a tensor, over the root mean square of its move. ``halt``: called before each update, it may
    raise KeyboardInterrupt.
    Each stage goes on from the best one, at a smaller kappa than its, else at its own, while the bound falls. Ctrl-C
    and the budget (seconds) keep the best so far. The same arguments give the same word on one machine and number of
    threads where the budget is not what ends it. Raises: DomainError.
    """
    updates = max(_UPDATES, _EPOCHS * objective.epoch) if updates is None else updates
    require(kappa > 0 and budget > 0 and updates >= 1, "kappa, budget and updates have to be above 0")
    search = _Search(around, objective, budget, seed, step, halt)
    best, stopped = search.candidate("base", around.word(None)), None
    if begun is not None:
        best = min(best, search.candidate("the word", begun), key=lambda found: found.stage.bound)
    latents, good, failures = None, kappa, 0
    try:
        kept = search.first(trained, updates) if begun is None else search.at(begun)
        nats = float(len(kept.move)) if begun is None else best.stage.nats  # at first a nat for each number
        for number in count(1):
            latents = kept.copy()
            search.train(latents, kappa, objective.weight(nats), updates)
            found = search.candidate(f"stage {number}", around.word(latents))
            if found.stage.bound < best.stage.bound:
                best, kept, good, failures, nats = found, latents, kappa, 0, found.stage.nats
            else:
                failures += 1
            progress(best.stage)
            if search.late():
                stopped = f"the budget of {budget:g} seconds ended the search"
            if stopped or failures == len(_FACTORS):
                break
            kappa = good * _FACTORS[failures]
    except KeyboardInterrupt:
        stopped = "interrupted"
        if latents is not None:
            best = min(best, search.candidate(stopped, around.word(latents)), key=lambda found: found.stage.bound)
    return replace(best, stopped=stopped)


class _Search:
    """What all stages of one search share."""

    def __init__(
        self,
        around: Around,
        objective: Objective,
        budget: float,
        seed: int,
        step: float = FIRST_STEP,
        halt: Callable[[], None] = lambda: None,
    ) -> None:
        self.around, self.objective, self.budget, self.step, self.halt = around, objective, budget, step, halt
        self.began = time.monotonic()
        self.generator = torch.Generator().manual_seed(seed)

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def late(self) -> bool:
        return self.seconds() >= self.budget

    def candidate(self, name: str, word: Word) -> Searched:
        """The word as float32 sees it."""
        around = self.around
        decoded = decode(word, around.parts, around.base)
        moved = (name for name in around.base if around.moves(name))
        weights = {name: torch.tensor(decoded[name], dtype=torch.float32) for name in moved}
        nats = word.about()
        with torch.no_grad():
            found = self.objective.judge(weights, nats)
        return Searched(word, Stage(name, self.seconds(), self.budget, found.seen, nats, found.bound), None)

    def at(self, word: Word) -> Latents:
        """At a word of this family."""
        return Latents.at(self.centres(), word.tensors, self.shapes())

    def shapes(self) -> dict[str, Shape]:
        return coded(self.around.family, self.around.parts, self.around.size)

    def centres(self) -> dict[str, Array]:
        around = self.around
        return centres(around.family, around.parts, around.base, around.size, _seed(around.start))

    def first(self, trained: Mapping[str, Array] | None, updates: int) -> Latents:
        """Around the weights that were given, where the word moves tensors as they are and these have moved, else
        around trained floats."""
        around, shapes, starts = self.around, self.shapes(), self.centres()
        found = trained if trained is not None and all(name in trained for name in shapes) else None
        if found is None or all(np.array_equal(found[name], starts[name]) for name in shapes):
            found = self.trained(starts, updates)
        return Latents.around(starts, found, shapes, around.start is not None, self.step)

    def trained(self, starts: Mapping[str, Array], updates: int) -> dict[str, Array]:
        """The tensors of the word trained in floats, from where integers of zero leave them."""
        found = {name: torch.tensor(value, dtype=torch.float32) for name, value in starts.items()}
        free = [value.requires_grad_() for value in found.values()]

        def objective(rows: Tensor) -> Tensor:
            return self.objective.loss(self.around.moved(found), rows)

        self._descend(torch.optim.Adam(free, lr=_LR), updates, objective, self.budget / 3)
        return {name: value.detach().numpy().astype(np.float64) for name, value in found.items()}

    def train(self, latents: Latents, kappa: float, weight: float, updates: int) -> None:
        groups = [
            {"params": [latents.move], "lr": _LR},
            {"params": [latents.j, latents.scale], "lr": _LR_OF_STEPS},
        ]

        def objective(rows: Tensor) -> Tensor:
            loss = self.objective.loss(self.around.moved(latents.weights()), rows)
            return kappa * loss + weight * latents.rate(self.generator)

        self._descend(torch.optim.Adam(groups), updates, objective, self.budget, latents.keep_steps)

    def _descend(
        self,
        optimizer: torch.optim.Adam,
        updates: int,
        objective: Callable[[Tensor], Tensor],
        until: float,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """Adam along a cosine to 0, which it reaches with the last update, or at ``until`` seconds of the search."""
        first, began = [group["lr"] for group in optimizer.param_groups], self.seconds()
        for update, rows in zip(range(updates), self.objective.batches(self.generator), strict=False):
            self.halt()
            done = max(update / updates, (self.seconds() - began) / max(until - began, 1e-9))
            if done >= 1:
                break
            for group, lr in zip(optimizer.param_groups, first, strict=True):
                group["lr"] = lr * (1 + math.cos(math.pi * done)) / 2
            loss = objective(rows)
            optimizer.zero_grad()
            loss.backward()
            free = [value for group in optimizer.param_groups for value in group["params"]]
            if torch.nn.utils.clip_grad_norm_(free, _LARGEST_GRADIENT).isfinite() and loss.isfinite():
                optimizer.step()  # else coarse weights have overflowed on these rows, and others go on
                after()


def _seed(start: Start | Seeded | None) -> int:
    return 0 if start is None else start.seed
