"""Quantisation-aware search for a word: weights that are trained while they are rounded, at the price of the rounding.

How a word is found is free: the certificate holds for all words at once (theory 8.12), and ``words.counted`` counts
the errors of the one that is left. Here ``kappa CE + rate/m`` is minimised, the rate that of a discretised Laplace law
at the numbers plus uniform noise, the loss that of the rounded weights, with straight-through gradients (theory 8.14).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import linear

from ssm_bounds.bounds.codes.decode import decode
from ssm_bounds.bounds.codes.families import Family, coded
from ssm_bounds.bounds.codes.layout import Shape
from ssm_bounds.bounds.codes.moves import STEPS
from ssm_bounds.bounds.codes.symbols import WORD_ALPHABET, Integers
from ssm_bounds.bounds.codes.word import Coded, Seeded, Start, Word
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.occam import certify
from ssm_bounds.bounds.values import Scalar, require
from ssm_bounds.models.mamba.design import Design, lengths
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.program.evaluate import errors
from ssm_bounds.models.searches.words import ordered, parts, stack
from ssm_bounds.models.tasks.task import Split
from ssm_bounds.models.training.mamba import mamba_logits
from ssm_bounds.models.training.objective import cross_entropy

FIRST_STEP = 1.5
"""The step that a tensor begins with, in units of the root mean square of its move."""
_STEPS = torch.tensor([float(step) for step in STEPS])
_LARGEST = 2.0**20
_LEAST_MOVE = 2.0**-6
_LEAST_SCALE = 0.05  # of a Laplace law, in steps
_ROWS = 128  # that are only evaluated together
_FACTORS = (0.7, 1.0, 0.5)  # of the best stage's kappa: what is tried next, after each failure
_BATCH, _LR, _LR_OF_STEPS = 64, 4e-3, 2e-2
_EPOCHS, _UPDATES = 20, 1_000  # of a stage, at least


@dataclass(frozen=True, slots=True)
class Stage:
    """What the search reports after a stage, of its best word so far. Nothing here is certified: ``errors`` are those
    of float32, ``nats`` and ``risk`` in float64. Units: seconds."""

    name: str
    seconds: float
    budget: float
    errors: int
    nats: float
    risk: float


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """A word, and what the search knows of it. ``stopped``: what ended it before the bound ceased to fall."""

    word: Word
    stage: Stage
    stopped: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """The tensors of a family while they are trained: ``centre + s z``, z the rounding of ``move/s``.

    All in a row: n numbers of t tensors. Shapes: centre, move, owner (n,), the last the tensor of each; j, scale (t,):
    s is the step of j's rounding, and scale ln of that of the Laplace law which prices z, in steps. ``from_zero``:
    which are centred at zero, the others at the base.
    """

    shapes: Mapping[str, Shape]
    from_zero: tuple[bool, ...]
    centre: Tensor
    owner: Tensor
    move: Tensor
    j: Tensor
    scale: Tensor

    @classmethod
    def around(
        cls, base: Mapping[str, Array], weights: Mapping[str, Array], shapes: Mapping[str, Shape], may_leave: bool
    ) -> Latents:
        """Around the base, or around zero where that is nearer and ``may_leave`` allows it."""
        centres, moves, zeros, j, scales = [], [], [], [], []
        for name in shapes:
            zero = may_leave and bool(np.abs(weights[name]).mean() < np.abs(weights[name] - base[name]).mean())
            centre = np.zeros_like(base[name]) if zero else base[name]
            move = weights[name] - centre
            step = FIRST_STEP * max(float(np.sqrt(np.square(move).mean())), _LEAST_MOVE)
            zeros.append(zero)
            centres.append(centre.ravel())
            moves.append(move.ravel())
            j.append(min(max(-2 * math.log2(step), 0.0), len(STEPS) - 1.0))
            scales.append(math.log(max(float(np.abs(move).mean()) / step, _LEAST_SCALE)))
        sizes = torch.tensor([move.size for move in moves])
        return cls(
            shapes,
            tuple(zeros),
            torch.tensor(np.concatenate(centres), dtype=torch.float32),
            torch.arange(len(sizes)).repeat_interleave(sizes),
            torch.tensor(np.concatenate(moves), dtype=torch.float32, requires_grad=True),
            torch.tensor(j, requires_grad=True),
            torch.tensor(scales, requires_grad=True),
        )

    def copy(self) -> Latents:
        """The same numbers, to be trained apart."""
        move, j, scale = (each.detach().clone().requires_grad_() for each in (self.move, self.j, self.scale))
        return replace(self, move=move, j=j, scale=scale)

    def index(self) -> Tensor:
        """j of each step as it is (t,)."""
        return self.j.detach().round().clamp(0, len(STEPS) - 1).long()

    def step(self) -> Tensor:
        """s_j (t,), with the gradient of ``2^{-j/2}``."""
        free = torch.exp2(-self.j / 2)
        return free + (_STEPS[self.index()] - free).detach()

    def weights(self) -> dict[str, Tensor]:
        """The weights that the word will have, with the gradients of the numbers before rounding."""
        step = self.step()[self.owner]
        z = self.move / step
        return self._split(self.centre + step * (z + (_rounded(z) - z).detach()))

    def rate(self, generator: torch.Generator) -> Tensor:
        """About the nats of z: those of a discretised Laplace law at ``move/s`` plus noise in [-1/2, 1/2]."""
        noise = torch.rand(len(self.move), generator=generator) - 0.5
        scale = self.scale.exp().clamp_min(_LEAST_SCALE)[self.owner]
        return laplace_nats(self.move / self.step()[self.owner] + noise, scale).sum()

    def tensors(self) -> dict[str, Coded | None]:
        """The integers of each tensor in the code that is shortest for them; None where it stays at its base."""
        with torch.no_grad():
            split = self._split(_rounded(self.move / self.step()[self.owner]))
        found: dict[str, Coded | None] = {}
        for (name, part), j, zero in zip(split.items(), self.index().tolist(), self.from_zero, strict=True):
            z = part.numpy().astype(np.int64)
            if zero or z.any():
                code = _shortest(z.ravel())
                found[name] = Coded(z, j, code, "zero" if zero else "base")
            else:
                found[name] = None
        return found

    def _split(self, values: Tensor) -> dict[str, Tensor]:
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        pieces = zip(self.shapes.items(), values.split(sizes), strict=True)
        return {name: piece.view(shape) for (name, shape), piece in pieces}


def _rounded(z: Tensor) -> Tensor:
    """To integers that any training that did not diverge has."""
    return z.round().clamp(-_LARGEST, _LARGEST)


def _shortest(z: Integers) -> int:
    """The code of ``WORD_ALPHABET`` that is shortest for z."""
    prices = [code.about(z) for code in WORD_ALPHABET]
    return prices.index(min(prices))


def laplace_nats(z: Tensor, scale: Tensor) -> Tensor:
    """``-ln (F(z + 1/2) - F(z - 1/2))``, F the distribution function of the Laplace law of this scale.

    >>> z = torch.arange(-60.0, 61.0)
    >>> round(float(torch.exp(-laplace_nats(z, torch.tensor(2.0))).sum()), 6)
    1.0
    """
    size = z.abs()
    beyond = (size - 0.5) / scale - torch.log(-torch.expm1(-1 / scale) / 2)
    near = size.clamp_max(0.5)
    inside = -torch.log(-(torch.expm1((near - 0.5) / scale) + torch.expm1(-(near + 0.5) / scale)) / 2)
    return torch.where(size >= 0.5, beyond, inside)


def searched(
    design: Design,
    base: Mapping[str, Array],
    split: Split,
    *,
    family: Literal["head", "bitfit", "full"],
    start: Start | Seeded | None = None,
    trained: Mapping[str, Array] | None = None,
    bases: int = 1,
    kappa: float = 1.0,
    budget: float = 300.0,
    seed: int = 0,
    delta: Scalar = 0.05,
    updates: int | None = None,
    progress: Callable[[Stage], None] = lambda stage: None,
) -> Searched:
    """The best word of a family around ``base`` (float64, by the names of ``mamba.start``, in any order).

    ``start``: from scratch, the base being the start of its seed; tensors may then be centred at zero too. ``trained``:
    weights to begin with, else the family is trained in floats first. ``updates``: steps of Adam in a stage, by default
    20 epochs and at least a thousand. ``kappa``: of the first stage. Each stage goes on from the best one, at a smaller
    kappa than its, else at its own, while the bound falls. Ctrl-C and the budget (seconds) keep the best so far. The
    same arguments give the same word on one machine and number of threads where the budget is not what ends it.
    Raises: DomainError.
    """
    require(family in ("head", "bitfit", "full"), f"family: expected head, bitfit or full, got {family!r}")
    updates = max(_UPDATES, _EPOCHS * math.ceil(split.m / _BATCH)) if updates is None else updates
    require(kappa > 0 and budget > 0 and updates >= 1, "kappa, budget and updates have to be above 0")
    search = _Search(design, base, split, family, start, bases, float(delta), budget, seed)
    best, stopped = search.candidate("base", None), None
    latents, good, failures = None, kappa, 0
    try:
        kept = Latents.around(search.base, trained or search.trained(updates), search.shapes(), start is not None)
        for number in count(1):
            latents = kept.copy()
            search.train(latents, kappa, updates)
            found = search.candidate(f"stage {number}", latents)
            if found.stage.risk < best.stage.risk:
                best, kept, good, failures = found, latents, kappa, 0
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
            best = min(best, search.candidate(stopped, latents), key=lambda found: found.stage.risk)
    return replace(best, stopped=stopped)


class _Search:
    """What all stages of one search share."""

    def __init__(
        self,
        design: Design,
        base: Mapping[str, Array],
        split: Split,
        family: Family,
        start: Start | Seeded | None,
        bases: int,
        delta: float,
        budget: float,
        seed: int,
    ) -> None:
        self.base = ordered(design, base)
        stack(design, self.base)  # else the program refuses what is found
        self.design, self.split, self.parts = design, split, parts(design)
        self.family, self.start, self.bases, self.delta, self.budget = family, start, bases, delta, budget
        self.began = time.monotonic()
        self.generator = torch.Generator().manual_seed(seed)
        self.x, self.y = torch.from_numpy(split.x), torch.from_numpy(split.y)
        self.lengths = torch.from_numpy(lengths(split.x, design.pad))
        self.model = MambaClassifier.from_tensors(design, self.base)
        self.model.requires_grad_(False)
        self.pooled = self._pooled() if family == "head" else None

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def late(self) -> bool:
        return self.seconds() >= self.budget

    def shapes(self) -> dict[str, Shape]:
        return coded(self.family, self.parts)

    def candidate(self, name: str, latents: Latents | None) -> Searched:
        """The word of these latents, all zeros without, as float32 counts it."""
        tensors = dict.fromkeys(self.shapes()) if latents is None else latents.tensors()
        word = Word(self.family, tensors, start=self.start, bases=self.bases)
        decoded = decode(word, self.parts, self.base)
        weights = {name: torch.tensor(decoded[name], dtype=torch.float32) for name in tensors}
        with torch.no_grad():
            z = torch.cat([self._logits(weights, rows) for rows in torch.arange(self.split.m).split(_ROWS)])
        wrong = errors(z.double().numpy(), self.split.y)
        nats = word.about()
        risk = certify(Enclosure.point(nats), wrong, self.split.m, self.delta).float_upper()
        return Searched(word, Stage(name, self.seconds(), self.budget, wrong, nats, risk), None)

    def trained(self, updates: int) -> dict[str, Array]:
        """The base with the tensors of the family trained in floats."""
        found = {name: torch.tensor(self.base[name], dtype=torch.float32) for name in self.shapes()}
        free = [value.requires_grad_() for value in found.values()]
        optimizer = torch.optim.Adam(free, lr=_LR)
        self._descend(optimizer, updates, lambda rows: self._loss(found, rows), self.budget / 3)
        return dict(self.base) | {name: value.detach().numpy().astype(np.float64) for name, value in found.items()}

    def train(self, latents: Latents, kappa: float, updates: int) -> None:
        groups = [
            {"params": [latents.move], "lr": _LR},
            {"params": [latents.j, latents.scale], "lr": _LR_OF_STEPS},
        ]

        def objective(rows: Tensor) -> Tensor:
            return kappa * self._loss(latents.weights(), rows) + latents.rate(self.generator) / self.split.m

        self._descend(torch.optim.Adam(groups), updates, objective, self.budget)

    def _loss(self, weights: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        return cross_entropy(self._logits(weights, rows), self.y[rows])

    def _logits(self, weights: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """Of some rows, with these weights of the family."""
        if self.pooled is not None:
            return linear(self.pooled[rows], weights["score.weight"], weights["score.bias"])
        z: Tensor = functional_call(self.model, dict(weights), (self.x[rows], self.lengths[rows]))
        return z

    def _pooled(self) -> Tensor:
        """What the head is given (m,D), which the family head never moves."""
        found = list[Tensor]()
        hook = self.model.score.register_forward_pre_hook(lambda score, inputs: found.append(inputs[0]))
        mamba_logits(self.model, self.split)
        hook.remove()
        return torch.cat(found)

    def _descend(
        self, optimizer: torch.optim.Adam, updates: int, objective: Callable[[Tensor], Tensor], until: float
    ) -> None:
        """Adam along a cosine to 0, which it reaches with the last update, or at ``until`` seconds of the search."""
        first, began = [group["lr"] for group in optimizer.param_groups], self.seconds()
        for update, rows in zip(range(updates), self._batches(), strict=False):
            done = max(update / updates, (self.seconds() - began) / max(until - began, 1e-9))
            if done >= 1:
                break
            for group, lr in zip(optimizer.param_groups, first, strict=True):
                group["lr"] = lr * (1 + math.cos(math.pi * done)) / 2
            loss = objective(rows)
            optimizer.zero_grad()
            loss.backward()
            gradients = [value.grad for group in optimizer.param_groups for value in group["params"]]
            if not all(gradient.isfinite().all() for gradient in (loss, *gradients)):
                break
            optimizer.step()

    def _batches(self) -> Iterator[Tensor]:
        """Rows in random order, again and again."""
        while True:
            yield from torch.randperm(self.split.m, generator=self.generator).split(_BATCH)
