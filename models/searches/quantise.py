"""Rounding of a trained model for an Occam certificate: the search for weights that are short to code and still right.

How they are found is free: the certificate (``codes.tensors``) holds for all codable weights at once. Source: theory.md
8.1. The search narrows the model to few channels and states, fine-tunes it with rounded weights (straight-through
gradients, the bound as the objective), and then changes integers one or two at a time against the bound itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ssm_bounds.bounds.architectures.selective_ssm.layout import gate_of
from ssm_bounds.bounds.codes import fit
from ssm_bounds.bounds.codes.layout import Layout, taken
from ssm_bounds.bounds.codes.scheme import PLAIN, STEPS, Scheme
from ssm_bounds.bounds.codes.tensors import Code
from ssm_bounds.bounds.values import Gate, Scalar
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.searches.integers import LARGEST, Point, Search, anneal, descend
from ssm_bounds.models.searches.rounded import Blocks, Rounded, balanced, blocks, layout_of
from ssm_bounds.models.selective_ssm import earlier
from ssm_bounds.models.selective_ssm.programs import EXACT
from ssm_bounds.models.selective_ssm.scan import last_output
from ssm_bounds.models.selective_ssm.weights import Array, Weights
from ssm_bounds.models.tasks.task import Split

NARROW = Scheme("narrow", "model", "model", "sparse")
_SAMPLE = 200_000  # tokens that one annealing step may look at


@dataclass(frozen=True, slots=True)
class Stage:
    """What the search reports: the stage that just ended a step, seconds so far, and the best so far."""

    name: str
    seconds: float
    risk: float
    errors: int
    nats: float


def narrowed(
    weights: Weights, layout: Layout, channels: int, states: int, data: Split, convention: Convention
) -> Blocks:
    """The parts of a model with the channels and states that move the logits most, in that order.

    Channels of real-valued inputs keep their places: nothing permutes them.
    """
    run = earlier.run(weights, data, gate=gate_of(layout), convention=convention)
    flow = np.nan_to_num(run.x.reshape(len(run.x), weights.d, weights.N) * run.C[:, None])
    reach = np.linalg.norm(weights.W, axis=0)
    first = np.argsort(-(np.abs(flow.sum(2)).mean(0) * reach), kind="stable")[:channels]
    if weights.V is None:
        first = np.arange(channels)
    second = np.argsort(-(np.abs(flow).mean(0) * reach[:, None]).sum(0), kind="stable")[:states]
    return taken(layout, blocks(weights, layout), {"channels": first.tolist(), "states": second.tolist()})


def tune(
    search: Search, parts: Blocks, step: float, *, updates: int, seed: int, batch: int = 128, lr: float = 0.02
) -> Blocks:
    """Fine-tune with rounded weights: straight-through gradients of the bound, loss and length made differentiable.

    The objective is ``(sqrt(q + c/2) + sqrt(c/2))^2``, which bounds the inverse of kl; q is the cross-entropy in units
    of ln 2, at least the error, c = (2 sum ln(1 + |z|) + ln 1/delta)/m with the integers z. Adam; the same seed gives
    the same weights.
    """
    generator = torch.Generator().manual_seed(seed)
    free = {name: torch.tensor(part / step, dtype=torch.float64, requires_grad=True) for name, part in parts.items()}
    optimizer = torch.optim.Adam(free.values(), lr=lr / step)
    x, y = torch.from_numpy(search.data.x), torch.from_numpy(search.data.y)
    kept = {name: part.copy() for name, part in parts.items()}
    for update in range(updates):
        if search.late():
            break
        for group in optimizer.param_groups:
            group["lr"] = lr / step * (1 - update / updates)
        rows = torch.randint(len(y), (min(batch, len(y)),), generator=generator)
        z = {name: value + (value.round() - value).detach() for name, value in free.items()}
        u = functional.embedding(x[rows].long(), z["embedding"] * step) if "embedding" in z else x[rows].double()
        zero = torch.zeros(len(z["A"]), dtype=torch.float64)
        out = (
            last_output(
                u,
                z["A"] * step,
                z["W_B"] * step,
                z["W_C"] * step,
                z["q"] * step if "q" in z else zero,
                z["p"].reshape(1) * step if "p" in z else zero[:1],
                gate=gate_of(search.layout),
                convention=search.convention,
            )
            @ (z["W"] * step).mT
        )
        wrong = (
            functional.softplus(torch.where(y[rows] == 1, -out[:, 0], out[:, 0])).mean()
            if out.shape[1] == 1
            else functional.cross_entropy(out, y[rows])
        ) / math.log(2)
        length = sum((2 * torch.log1p(value.abs()).sum() for value in z.values()), torch.zeros(()))
        half = (length - math.log(search.delta)) / (2 * search.m)
        objective = (torch.sqrt(wrong + half) + torch.sqrt(half)) ** 2
        optimizer.zero_grad()
        objective.backward()
        gradients = [value.grad for value in free.values() if value.grad is not None]
        if not (objective.isfinite() and all(bool(g.isfinite().all()) for g in gradients)):
            break
        torch.nn.utils.clip_grad_norm_(free.values(), 1.0)
        optimizer.step()
        kept = {name: value.detach().round().numpy() * step for name, value in free.items()}
    return kept


def _sizes(weights: Weights) -> list[tuple[int, int]]:
    """Channels and states to try, the smallest first; real-valued inputs keep their channels."""
    if weights.V is None:
        return [(weights.d, n) for n in (1, 2) if n <= weights.N]
    return [(c, n) for c, n in ((1, 1), (2, 1), (3, 1), (2, 2), (4, 1)) if c <= weights.d and n <= weights.N]


def search(
    weights: Weights,
    data: Split,
    *,
    gate: Gate = "softplus",
    convention: Convention = "code",
    delta: Scalar = Fraction(1, 20),
    budget: float = 150.0,
    seed: int = 0,
    rounds: int = 3,
    proposals: int = 500,
    updates: int = 60,
    progress: Callable[[Stage], None] = lambda stage: None,
) -> Rounded:
    """Round the model so that its certified risk is small. Ctrl-C and the budget (seconds) keep the best so far.

    The same arguments give the same answer where the budget is not what ends it. Raises: DomainError, ValueError.
    """
    start = time.monotonic()
    rng = np.random.default_rng(seed)
    layout = layout_of(weights, gate)
    task = Search(data, data.m, layout, convention, float(delta), start + budget)
    rows = max(1, min(data.m, _SAMPLE // data.T))
    part = replace(task, data=Split(data.x[:rows], data.y[:rows]))
    given = earlier.run(weights, data, gate=gate, convention=convention)
    best = task.recoded(_coarse(task, balanced(weights, gate)))
    stopped = None

    def note(name: str) -> None:
        progress(Stage(name, time.monotonic() - start, best.risk, best.errors, best.nats))

    def offer(name: str, candidate: Point) -> None:
        nonlocal best
        candidate = task.recoded(candidate)
        if candidate.risk < best.risk:
            best = candidate
        note(name)

    note("rounded")
    try:
        found: list[Point] = []
        for number in range(rounds):
            for size in _sizes(weights):
                found.append(anneal(part, _start(part, weights, size, rng, number, updates), rng, proposals, 0.02))
                offer(f"{size[0]} channels, {size[1]} states", found[-1])
                if task.late():
                    break
        found = sorted(found, key=lambda point: point.risk)[:3]
        for heat, times in ((5e-3, 3), (2e-3, 6)):
            found = [anneal(part, point, rng, times * proposals, heat) for point in found]
            for point in found:
                offer(f"annealed at {heat:g}", point)
            found = sorted(found, key=lambda point: point.risk)[:1]
        if best.code.scheme.width == "narrow":
            offer("annealed in its code", anneal(part, part.point(best.code, best.integers), rng, 4 * proposals, 1e-3))
        offer("descent", descend(task, best, rng))
        if task.late():
            stopped = f"the budget of {budget:g} seconds ended the search"
    except KeyboardInterrupt:
        stopped = "interrupted"
        best = min([best, *map(task.recoded, task.live)], key=lambda point: point.risk)
    final = task.weights(best)
    after = EXACT.run(final, data, gate, convention)
    agreement = int(np.count_nonzero(_answer(after.z) == _answer(given.z)))
    return Rounded(final, best.code, after.errors, earlier.errors(given.z, data.y), agreement, data.m, seed, stopped)


def _answer(z: Array) -> NDArray[np.int64]:
    return (z[:, 0] > 0).astype(np.int64) if z.shape[1] == 1 else z.argmax(axis=1)


def _start(
    task: Search, weights: Weights, size: tuple[int, int], rng: np.random.Generator, number: int, updates: int
) -> Point:
    """Where annealing starts: the trained model narrowed and fine-tuned in round 0, then small random integers."""
    code = Code(task.layout, NARROW, size, (1 if number == 0 else 0,), (0,))
    if number:
        small = code.coded()
        drawn = {name: rng.integers(-2, 3, size=math.prod(shape)).reshape(shape) for name, shape in small.items()}
        return task.point(code, drawn)
    scale = float(STEPS[code.steps[0]])
    cut = narrowed(balanced(weights, gate_of(task.layout)), task.layout, *size, task.data, task.convention)
    tuned = tune(task, cut, scale, updates=updates, seed=int(rng.integers(1 << 31)))
    return task.point(code, {name: np.rint(part / scale).astype(np.int64) for name, part in tuned.items()})


def _coarse(task: Search, weights: Weights) -> Point:
    """The best plain rounding with one step throughout."""
    whole = blocks(weights, task.layout)

    def rounded(k: int) -> Point:
        scale = float(STEPS[k])
        parts = {name: np.rint(np.clip(part / scale, -LARGEST, LARGEST)) * scale for name, part in whole.items()}
        code = fit.shortest(task.layout, parts, (PLAIN,))
        return task.point(code, code.integers(parts))

    return min((rounded(k) for k in range(len(STEPS))), key=lambda point: point.risk)
