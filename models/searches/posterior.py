"""The posterior of theory.md 8.2: a Gaussian over all parameters, embedding included, chosen with the data.

Q = N(mean, factor factor^T) may depend on the sample in any way; the prior may not. The search minimises the bound on
the mean risk of Q by reparametrised gradients, with a sigmoid of the margin in place of the 0-1 error. Nothing here is
certified: the certificate is that of the one draw (``ladder.one_draw``) evaluated by ``selective_ssm.program``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.selective_ssm.scan import last_output
from ssm_bounds.models.selective_ssm.weights import SHAPES, Array, Weights
from ssm_bounds.models.tasks.task import Split

_FULL = 1000  # parameters up to which the factor is a triangle
_CLIP_NORM = 1.0
_DTYPE = torch.float32  # twice as fast, and any mean and factor will do
_MEMORY = 0.98  # of the running means
_SETTLING = 100  # steps before a running mean says anything


class PosteriorError(ValueError):
    """A model from which no posterior can be started, or settings that cannot be searched with."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to search. One step takes ``draws`` models and shows each its own ``rows/draws`` examples.

    ``seed``: of the search alone; the seed of the draw is another. ``budget``: seconds after which the search ends at
    the latest (None: no limit; only then do equal seeds give equal posteriors on one machine). Raises: PosteriorError.
    """

    steps: int = 3000
    draws: int = 16
    rows: int = 256
    lr: float = 0.01
    deviation: float = 0.03
    seed: int = 0
    budget: float | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "draws"):
            if getattr(self, name) < 1:
                raise PosteriorError(f"{name}: expected an integer >= 1, got {getattr(self, name)}")
        if self.rows < self.draws:
            raise PosteriorError(f"rows: expected at least one for each of {self.draws} draws, got {self.rows}")
        for name in ("lr", "deviation"):
            if not 0 < getattr(self, name) < math.inf:
                raise PosteriorError(f"{name}: expected a number > 0, got {getattr(self, name)}")
        if self.budget is not None and not self.budget > 0:
            raise PosteriorError(f"budget: expected seconds > 0, got {self.budget}")


@dataclass(frozen=True, slots=True)
class Step:
    """Where the search stands: ``error`` the running mean 0-1 error of draws, ``divergence`` KL(Q || P) in nats,
    ``bound`` the bound on the mean risk of Q at the two (an estimate), ``done`` the fraction of the search."""

    number: int
    done: float
    error: float
    divergence: float
    bound: float


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Q = N(mean, factor factor^T). ``stopped``: why the search ended early; None if all steps ran.

    Shapes: P parameters in the order of :func:`flatten`; mean (P,); factor (P,P) lower triangular, or its diagonal (P,)
    for a model of more than 1000 parameters.
    """

    mean: Array
    factor: Array
    best: Step
    stopped: str | None


def sizes(weights: Weights) -> dict[str, int]:
    """Block name to number of entries, in the order of :func:`flatten`."""
    blocks = {name: getattr(weights, name) for name in SHAPES}
    return {name: np.size(block) for name, block in blocks.items() if block is not None}


def flatten(weights: Weights) -> Array:
    """All parameters, block after block, row by row. Shape: (P,)."""
    return np.concatenate([np.ravel(getattr(weights, name)) for name in sizes(weights)])


def unflatten(parameters: Array, like: Weights) -> Weights:
    """The weights with these parameters, in the shapes of ``like``: the inverse of :func:`flatten`."""
    ends = np.cumsum(list(sizes(like).values()))[:-1]
    parts = dict(zip(sizes(like), np.split(np.asarray(parameters, dtype=np.float64), ends), strict=True))
    blocks = {name: part.reshape(np.shape(getattr(like, name))) for name, part in parts.items()}
    return Weights(p=float(blocks.pop("p")), **blocks)


def balanced(weights: Weights) -> Weights:
    """The same function (theory.md 7, before rounding) with a smaller sum of squares: where a search should start.

    ``row_n(W_B) -> b_n row_n(W_B)``, ``row_n(W_C) -> row_n(W_C)/b_n``; ``(W, W_B, W_C) -> (aW, bW_B, cW_C)``, abc = 1;
    ``(E, q, W_B, W_C, W) -> (E/t, tq, tW_B, tW_C, tW)``. A model with a zero block stays as it is.
    """
    norm = np.linalg.norm
    b, c = norm(weights.W_B, axis=1, keepdims=True), norm(weights.W_C, axis=1, keepdims=True)
    if not (b.all() and c.all() and weights.W.any()):
        return weights
    W_B, W_C = weights.W_B * np.sqrt(c / b), weights.W_C * np.sqrt(b / c)
    norms = [float(norm(block)) for block in (weights.W, W_B, W_C)]
    common = math.prod(norms) ** (1 / 3)
    W, W_B, W_C = (block * (common / size) for block, size in zip((weights.W, W_B, W_C), norms, strict=True))
    E, q = weights.embedding, weights.q
    if E is not None and E.any():
        t = math.sqrt(float(norm(E)) / math.sqrt(sum(float((block**2).sum()) for block in (q, W_B, W_C, W))))
        E, q, W_B, W_C, W = E / t, q * t, W_B * t, W_C * t, W * t
    return replace(weights, W_B=W_B, W_C=W_C, W=W, embedding=E, q=q)


def search(
    weights: Weights,
    train: Split,
    *,
    center: Array,
    bound: Callable[[float, float], float],
    gate: Gate,
    convention: Convention = "code",
    settings: Settings | None = None,
    progress: Callable[[Step], None] = lambda step: None,
) -> Posterior:
    """A posterior for ``train``, started at ``weights``; the prior is N(center, I), center of shape (P,).

    ``bound(error, KL)``: the certified risk at both, increasing in each. The learning rate falls to 0 along a cosine.
    Returns the posterior of the step with the least running bound: the search may lose its way, and Ctrl-C or the
    budget may end it at any time. Raises: PosteriorError.
    """
    settings = settings or Settings()
    started = time.monotonic()
    generator = torch.Generator().manual_seed(settings.seed)
    x, y = torch.from_numpy(train.x), torch.from_numpy(train.y)
    x = x.long() if weights.V is not None else x.to(_DTYPE)
    prior = torch.from_numpy(center).to(_DTYPE)
    start = balanced(weights)
    mean = torch.from_numpy(flatten(start)).to(_DTYPE).requires_grad_()
    P = len(mean)
    log_scale = torch.full((P,), math.log(settings.deviation), dtype=_DTYPE).requires_grad_()
    mixing = torch.zeros((P, P) if P <= _FULL else (1, 1), dtype=_DTYPE).requires_grad_()
    optimizer = torch.optim.Adam(
        [{"params": [mean]}, {"params": [log_scale]}, {"params": [mixing]}], lr=settings.lr, betas=(0.9, 0.99)
    )
    rates = [settings.lr * factor for factor in (1.0, 3.0, 0.3)]

    def factor() -> Tensor:
        scale = log_scale.exp()
        if P > _FULL:
            return scale
        return torch.diag(scale) + scale[:, None] * mixing.tril(-1)

    def current(reached: Step) -> tuple[Array, Array, Step]:
        with torch.no_grad():
            return mean.double().numpy().copy(), factor().double().numpy(), reached

    logits = torch.vmap(_model(start, gate, convention))
    rows = max(1, min(settings.rows, train.m) // settings.draws)
    stopped: str | None = None
    done, number, mistaken = 0.0, 0, 0.0
    best: tuple[Array, Array, Step] | None = None

    def step(rate: float) -> tuple[float, float]:
        """One update; 0-1 error and KL before it."""
        L = factor()
        noise = torch.randn(settings.draws, P, generator=generator, dtype=_DTYPE)
        theta = mean + (noise * L if L.ndim == 1 else noise @ L.mT)
        chosen = torch.randint(train.m, (settings.draws, rows), generator=generator)
        margin = _margins(logits(theta, x[chosen]), y[chosen])
        error = torch.sigmoid(-margin).mean()
        divergence = ((L**2).sum() + ((mean - prior) ** 2).sum() - P) / 2 - log_scale.sum()
        loss = _slope(best and best[2], train.m) * error + divergence / train.m
        optimizer.zero_grad()
        loss.backward()
        size = torch.nn.utils.clip_grad_norm_([mean, log_scale, mixing], _CLIP_NORM)
        for group, base in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = base * rate
        if size.isfinite():
            optimizer.step()
        return (~(margin > 0)).double().mean().item(), divergence.item()

    try:
        while number < settings.steps and stopped is None:
            wrong, divergence = step((1 + math.cos(math.pi * done)) / 2)
            number += 1
            share = max(1 - _MEMORY, 1 / number)
            mistaken += share * (wrong - mistaken)
            elapsed = time.monotonic() - started
            done = number / settings.steps
            if settings.budget is not None:
                done = min(1.0, max(done, elapsed / settings.budget))
                if elapsed >= settings.budget and number < settings.steps:
                    stopped = f"the budget of {settings.budget:g} s ended the search after {number} steps"
            reached = Step(number, done, mistaken, divergence, bound(mistaken, max(divergence, 0.0)))
            if best is None or number <= _SETTLING or reached.bound < best[2].bound:
                best = current(reached)
            progress(reached)
    except KeyboardInterrupt:
        stopped = f"interrupted after {number} steps"
    if best is None:
        raise PosteriorError("the search was interrupted before its first step")
    return Posterior(*best, stopped)


def _slope(best: Step | None, m: int) -> float:
    """What a unit of error is worth in nats per example, ``-d kl(a || x)/da``, at the best step so far.

    Not at the current one: there a search that errs more would come to care less.
    """
    if best is None:
        return 1.0
    a = min(max(best.error, 1 / m), 0.5)
    x = min(max(best.bound, 1.01 * a), 1 - 1e-6)
    return math.log(x / a) + math.log((1 - a) / (1 - x))


def _model(like: Weights, gate: Gate, convention: Convention) -> Callable[[Tensor, Tensor], Tensor]:
    """Logits of one parameter vector (P,) on its examples (b,t) or (b,t,d) -> (b,k)."""
    parts = sizes(like)
    shapes = {name: np.shape(getattr(like, name)) for name in parts} | {"p": (1,)}

    def logits(theta: Tensor, x: Tensor) -> Tensor:
        pieces = zip(parts, theta.split(list(parts.values())), strict=True)
        block = {name: piece.view(shapes[name]) for name, piece in pieces}
        u = functional.embedding(x, block["embedding"]) if "embedding" in block else x
        core = (block[name] for name in ("A", "W_B", "W_C", "q", "p"))
        return last_output(u, *core, gate=gate, convention=convention) @ block["W"].mT

    return logits


def _margins(z: Tensor, y: Tensor) -> Tensor:
    """``gaps.losses.margins`` with gradients. Shapes: z (...,k), y (...) -> (...)."""
    if z.shape[-1] == 1:
        return torch.where(y == 1, z[..., 0], -z[..., 0])
    right = functional.one_hot(y.long(), z.shape[-1]).bool()
    return z.gather(-1, y.long()[..., None])[..., 0] - z.masked_fill(right, -math.inf).amax(-1)
