"""The posterior of theory 8.2: a Gaussian over all parameters, embedding included, chosen with the data.

Q = N(mean, factor factor^T) may depend on the sample in any way; the prior may not. The search minimises the bound on
the mean risk of Q by reparametrised gradients, with a sigmoid of the margin in place of the 0-1 error. Nothing here is
certified: the certificate is that of the one draw (``ladder.one_draw``), evaluated by ``selective_ssm.program``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

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
class Reached:
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
    best: Reached
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
    """The same function (theory 7, before rounding) with a smaller sum of squares: where a search should start.

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
    progress: Callable[[Reached], None] = lambda reached: None,
) -> Posterior:
    """A posterior for ``train``, started at ``weights``; the prior is N(center, I), center of shape (P,).

    ``bound(error, KL)``: the certified risk at both, increasing in each. The learning rate falls to 0 along a cosine.
    Returns the posterior of the step with the least running bound: the search may lose its way, and Ctrl-C or the
    budget may end it at any time. Raises: PosteriorError.
    """
    settings = settings or Settings()
    started = time.monotonic()
    start = balanced(weights)
    sampler = _Sampler.of(train, settings, torch.vmap(_model(start, gate, convention)), words=weights.V is not None)
    prior, gaussian = torch.from_numpy(center).to(_DTYPE), _Gaussian.around(flatten(start), settings.deviation)
    optimizer = gaussian.optimizer(settings.lr)
    done, number, mistaken = 0.0, 0, 0.0
    best: Posterior | None = None
    stopped: str | None = None
    try:
        while number < settings.steps and stopped is None:
            slope = _slope(None if best is None else best.best, train.m)
            wrong, divergence = _update(gaussian, sampler, prior, slope, optimizer, (1 + math.cos(math.pi * done)) / 2)
            number += 1
            share = max(1 - _MEMORY, 1 / number)
            mistaken += share * (wrong - mistaken)
            done, stopped = _clock(settings, number, time.monotonic() - started)
            reached = Reached(number, done, mistaken, divergence, bound(mistaken, max(divergence, 0.0)))
            if best is None or number <= _SETTLING or reached.bound < best.best.bound:
                best = gaussian.posterior(reached)
            progress(reached)
    except KeyboardInterrupt:
        stopped = f"interrupted after {number} steps"
    if best is None:
        raise PosteriorError("the search was interrupted before its first step")
    return replace(best, stopped=stopped)


@dataclass(frozen=True, slots=True, eq=False)
class _Gaussian:
    """Q as it is optimised: its mean (P,), ln of the diagonal of its factor (P,), and what stands below the diagonal,
    in units of it: (P,P), or (1,1) without effect for a model of more than 1000 parameters."""

    mean: Tensor
    log_scale: Tensor
    mixing: Tensor

    @classmethod
    def around(cls, start: Array, deviation: float) -> Self:
        P = len(start)
        return cls(
            torch.from_numpy(start).to(_DTYPE).requires_grad_(),
            torch.full((P,), math.log(deviation), dtype=_DTYPE).requires_grad_(),
            torch.zeros((P, P) if P <= _FULL else (1, 1), dtype=_DTYPE).requires_grad_(),
        )

    @property
    def tensors(self) -> list[Tensor]:
        return [self.mean, self.log_scale, self.mixing]

    def optimizer(self, lr: float) -> torch.optim.Adam:
        """Each tensor with a learning rate of its own, kept as ``full``."""
        rates = [lr * factor for factor in (1.0, 3.0, 0.3)]
        groups = [{"params": [tensor], "full": rate} for tensor, rate in zip(self.tensors, rates, strict=True)]
        return torch.optim.Adam(groups, lr=lr, betas=(0.9, 0.99))

    def factor(self) -> Tensor:
        scale = self.log_scale.exp()
        if len(scale) > _FULL:
            return scale
        return torch.diag(scale) + scale[:, None] * self.mixing.tril(-1)

    def divergence(self, factor: Tensor, prior: Tensor) -> Tensor:
        """KL from N(prior, I)."""
        squares = (factor**2).sum() + ((self.mean - prior) ** 2).sum()
        return (squares - len(prior)) / 2 - self.log_scale.sum()

    def posterior(self, reached: Reached) -> Posterior:
        with torch.no_grad():
            return Posterior(self.mean.double().numpy().copy(), self.factor().double().numpy(), reached, None)


@dataclass(frozen=True, slots=True, eq=False)
class _Sampler:
    """Draws models and shows each ``rows`` examples of its own. ``logits``: of many models on many examples."""

    x: Tensor
    y: Tensor
    draws: int
    rows: int
    logits: Callable[[Tensor, Tensor], Tensor]
    generator: torch.Generator

    @classmethod
    def of(cls, train: Split, settings: Settings, logits: Callable[[Tensor, Tensor], Tensor], *, words: bool) -> Self:
        x, y = torch.from_numpy(train.x), torch.from_numpy(train.y)
        rows = max(1, min(settings.rows, train.m) // settings.draws)
        generator = torch.Generator().manual_seed(settings.seed)
        return cls(x.long() if words else x.to(_DTYPE), y, settings.draws, rows, logits, generator)

    @property
    def m(self) -> int:
        return len(self.y)

    def margins(self, mean: Tensor, factor: Tensor) -> Tensor:
        """Of models drawn from Q, on random examples. Shape: (draws, rows)."""
        noise = torch.randn(self.draws, len(mean), generator=self.generator, dtype=_DTYPE)
        theta = mean + (noise * factor if factor.ndim == 1 else noise @ factor.mT)
        chosen = torch.randint(self.m, (self.draws, self.rows), generator=self.generator)
        return _margins(self.logits(theta, self.x[chosen]), self.y[chosen])


def _update(
    gaussian: _Gaussian, sampler: _Sampler, prior: Tensor, slope: float, optimizer: torch.optim.Adam, rate: float
) -> tuple[float, float]:
    """One step at ``rate`` times the learning rates; 0-1 error and KL before it."""
    factor = gaussian.factor()
    margin = sampler.margins(gaussian.mean, factor)
    error = torch.sigmoid(-margin).mean()
    divergence = gaussian.divergence(factor, prior)
    loss = slope * error + divergence / sampler.m
    optimizer.zero_grad()
    loss.backward()
    size = torch.nn.utils.clip_grad_norm_(gaussian.tensors, _CLIP_NORM)
    for group in optimizer.param_groups:
        group["lr"] = group["full"] * rate
    if size.isfinite():
        optimizer.step()
    return (~(margin > 0)).double().mean().item(), divergence.item()


def _clock(settings: Settings, number: int, elapsed: float) -> tuple[float, str | None]:
    """The fraction of the search that is done after so many steps and seconds, and why it ends here if it does."""
    done = number / settings.steps
    if settings.budget is None:
        return done, None
    done = min(1.0, max(done, elapsed / settings.budget))
    late = elapsed >= settings.budget and number < settings.steps
    return done, f"the budget of {settings.budget:g} s ended the search after {number} steps" if late else None


def _slope(best: Reached | None, m: int) -> float:
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
