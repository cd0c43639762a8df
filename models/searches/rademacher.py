"""The empirical Rademacher complexity of the ball class on given inputs, estimated from below.

For each sign vector, Frank-Wolfe ascent block by block over the parameters maximises ``(1/m) sum_i sigma_i z(u_i)``.
Ascent need not find the maximum, so each value found is a lower bound of it: float64 proposes a member of the class,
its norms are checked exactly, and its value is the lower end of a replay in ball arithmetic. What is left to chance is
the average over sign vectors: all of them (no error), or a seeded sample (an error bar).
Source: theory 9.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import flint
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.table import BALL_RADII, L1_RADII
from ssm_bounds.bounds.values import DomainError, Gate, require
from ssm_bounds.models.selective_ssm.measure import max_row_l2, measure
from ssm_bounds.models.selective_ssm.scan import last_output
from ssm_bounds.models.selective_ssm.weights import Array, Weights

Signs = NDArray[np.int8]
_INSIDE = 1 - 2.0**-40  # norms of a member, so that rounding does not carry it out of the class
_STEPS = tuple(2.0**-i for i in range(8))
_SWEEPS = 20
_SETTLED = 1e-4  # a sweep that raises no value by more, relative, is the last
_LARGEST_BATCH = 1 << 22
_EXHAUSTIVE = 12

Blocks = dict[str, Tensor]
_INTERVALS = ("A", "p")
_BALLS = {"W_B": "B_B", "W_C": "B_C", "q": "B_q", "W": "B_w"}
_BLOCKS = ("A", "W_B", "W_C", "q", "p")  # W is the best one for the others
# the objective is convex in W_B and in W_C: there the full step never loses and is the best on its line
_ROUNDS = ((("W_B",), (1.0,)), (("W_C",), (1.0,)), (("A", "q", "p"), _STEPS))
_CANDIDATES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """An estimate from below. ``values`` (n,): what ``members[i]``, or W = 0, certainly attains on ``signs[i]``.

    ``signs`` (n, m).
    ``exhaustive``: the sign vectors are all those with sigma_1 = 1, which is all of them up to the symmetry W -> -W;
    otherwise they are independent and uniform.
    """

    values: Array
    signs: Signs
    members: tuple[Weights, ...]
    exhaustive: bool

    @property
    def mean(self) -> float:
        """Average of the values, rounded down. Exhaustive: certainly at most the Rademacher complexity."""
        return _below(sum(map(Fraction, self.values.tolist()), Fraction(0)) / len(self.values))

    @property
    def standard_error(self) -> float:
        """Of the mean, over sign vectors; 0 if exhaustive, infinity for a single vector. Not certified."""
        n = len(self.values)
        if self.exhaustive:
            return 0.0
        return float(self.values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf

    def confidence(self, largest: float, delta: float) -> float:
        """t, rounded up, such that ``mean - t <= Rad`` with probability at least 1 - delta over the sign vectors.

        ``largest``: an upper bound of |z| over the class (Z of theory 5.1). The maxima lie in [0, Z] (Hoeffding),
        and one of the n m signs moves their average by at most 2Z/(nm) (McDiarmid): t is Z sqrt(ln(1/delta)/n) times
        the smaller of sqrt(1/2) and sqrt(2/m). 0 if exhaustive. Raises: DomainError.
        """
        require(0 <= largest < math.inf, f"confidence: an upper bound of |z| is finite and >= 0, got {largest!r}")
        require(0 < delta < 1, f"confidence: delta lies between 0 and 1, got {delta!r}")
        if self.exhaustive:
            return 0.0
        n, m = self.signs.shape
        share = min(Fraction(1, 2), Fraction(2, m)) / n
        t = largest * (flint.arb(1 / flint.arb(delta)).log() * share.numerator / share.denominator).sqrt()
        return -_below(-_rational(t.upper()))

    def at_least(self, largest: float, delta: float) -> float:
        """A lower bound of the Rademacher complexity: certain if exhaustive, else with probability 1 - delta."""
        return _below(Fraction(self.mean) - Fraction(self.confidence(largest, delta)))


def estimate(
    constants: ClassConstants, u: Array, *, vectors: int | None = None, restarts: int = 4, seed: int = 0
) -> Estimate:
    """Estimate the complexity of the class on the sequences u (m, T, d), ``|u_t| <= B_u``, in units of the output.

    ``vectors``: how many random sign vectors; None takes all of them, for m <= 12. The best of ``restarts`` ascents
    counts for each. Raises: DomainError for inputs outside the ball, for a class that is not the ball class of one
    output (theory 9.1: no embedding, cap or l1 radius), and for radii that float64 does not hold.
    """
    _check_class(constants)
    u = _check_inputs(constants, u)
    require(restarts >= 1, f"estimate: restarts >= 1, got {restarts}")
    generator = torch.Generator().manual_seed(seed)
    signs = _all_signs(len(u)) if vectors is None else _random_signs(vectors, len(u), generator)
    tokens = torch.from_numpy(u)
    chunk = max(1, _LARGEST_BATCH // (restarts * u.size * constants.N))
    members = [
        member
        for start in range(0, len(signs), chunk)
        for member in _ascend(constants, tokens, signs[start : start + chunk], restarts, generator)
    ]
    for member in members:
        check_member(member, constants)
    values = [attained(member, constants.gate, row, u) for member, row in zip(members, signs, strict=True)]
    return Estimate(np.array(values), signs, tuple(members), exhaustive=vectors is None)


def attained(member: Weights, gate: Gate, signs: Signs, u: Array) -> float:
    """A lower bound of ``(1/m) sum_i sigma_i z(u_i)`` in ball arithmetic, or 0, which W = 0 attains. u (m, T, d)."""
    outputs = (int(sign) * _output(member, gate, tokens) for sign, tokens in zip(signs, u.tolist(), strict=True))
    return max(0.0, _below(_rational((sum(outputs, flint.arb(0)) / len(signs)).lower())))


def check_member(member: Weights, constants: ClassConstants) -> None:
    """Raise DomainError unless the weights certainly lie in the class: norms rounded up, ranges compared exactly."""
    # the radius of the inputs is no norm of the weights: any positive number serves
    found = measure(member, gate=constants.gate, input_bound=1.0)
    limits = {
        "B_B": (found.B_B, constants.B_B),
        "B_C": (found.B_C, constants.B_C),
        "B_q": (found.B_q, constants.B_q),
        "B_w": (found.B_w, constants.B_w),
        "s_A": (found.s_A, constants.s_A),
        "B_A": (-float(member.A.min()), constants.B_A),
    }
    if constants.gate != "none":
        limits |= {"p_hi": (member.p, constants.p_hi), "-p_lo": (-member.p, -constants.p_lo)}
    for name, (value, limit) in limits.items():
        require(value <= limit, f"not a member of the class: {value!r} exceeds {name} = {limit!r}")


def _output(member: Weights, gate: Gate, tokens: list[list[float]]) -> flint.arb:
    """z by the recurrence of theory 1, enclosed."""
    A, W_B, W_C, W = (array.tolist() for array in (member.A, member.W_B, member.W_C, member.W))
    q = member.q.tolist()
    x = [[flint.arb(0)] * member.N for _ in A]
    for u in tokens:
        step = flint.arb(1) if gate == "none" else (_dot(q, u) + member.p).exp().log1p()
        b = [_dot(row, u) for row in W_B]
        x = [
            [(step * a).exp() * old + step * u_j * b_n for a, old, b_n in zip(a_j, x_j, b, strict=True)]
            for a_j, x_j, u_j in zip(A, x, u, strict=True)
        ]
    c = [_dot(row, tokens[-1]) for row in W_C]
    return sum(
        (w_j * x_jn * c_n for w_j, x_j in zip(W[0], x, strict=True) for x_jn, c_n in zip(x_j, c, strict=True)),
        flint.arb(0),
    )


def _dot(x: list[float], y: list[float]) -> flint.arb:
    return sum((flint.arb(a) * b for a, b in zip(x, y, strict=True)), flint.arb(0))


def _rational(value: flint.arb) -> Fraction:
    """An exact ball as a fraction."""
    mantissa, exponent = value.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _below(value: Fraction) -> float:
    """The largest float64 that is at most ``value``."""
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)


def _check_class(constants: ClassConstants) -> None:
    require(constants.k == 1, f"theory.md 9 is stated for one output, got k = {constants.k}")
    for name in ("V", "M", *L1_RADII):
        value = getattr(constants, name)
        require(value is None, f"the ascent is over the ball class of theory 9.1, without {name}: got {value!r}")
    for name in BALL_RADII:
        value = getattr(constants, name)
        require(
            Fraction(float(value)) == value, f"{name}: members have float64 weights, so round {value!r} to one first"
        )


def _check_inputs(constants: ClassConstants, u: Array) -> Array:
    u = np.ascontiguousarray(u, dtype=np.float64)
    require(
        u.ndim == 3 and u.shape[2] == constants.d and u.size > 0,
        f"inputs: expected shape (m, T, d) with d = {constants.d}, found {u.shape}",
    )
    if not np.isfinite(u).all():
        raise DomainError("inputs: expected finite values")
    longest = max_row_l2(u.reshape(-1, constants.d))
    require(longest <= constants.B_u, f"inputs: a token of norm {longest!r} exceeds B_u = {constants.B_u!r}")
    return u


def _all_signs(m: int) -> Signs:
    """All sign vectors with sigma_1 = 1, (2^(m-1), m)."""
    require(
        m <= _EXHAUSTIVE, f"all 2^m sign vectors are averaged for m <= {_EXHAUSTIVE}, got m = {m}: say how many vectors"
    )
    rest = 1 - 2 * ((np.arange(2 ** (m - 1))[:, None] >> np.arange(m - 1)) & 1)
    return np.hstack([np.ones((len(rest), 1)), rest]).astype(np.int8)


def _random_signs(vectors: int, m: int, generator: torch.Generator) -> Signs:
    require(vectors >= 1, f"estimate: at least one sign vector, got {vectors}")
    found: Signs = (2 * torch.randint(2, (vectors, m), generator=generator) - 1).numpy().astype(np.int8)
    return found


def _ascend(
    constants: ClassConstants, u: Tensor, signs: Signs, restarts: int, generator: torch.Generator
) -> Iterator[Weights]:
    """For each sign vector the best member found. The batch axis b runs over vectors, then restarts."""
    weights = torch.from_numpy(signs).to(u.dtype).repeat_interleave(restarts, 0) / len(u)
    outputs = torch.vmap(functools.partial(_outputs, u, constants.gate))

    def correlation(x: Blocks) -> Tensor:
        """``(1/m) sum_i sigma_i y(u_i)`` (b,d), of which the best W gives B_w times the norm."""
        return torch.einsum("bm,bmd->bd", weights, outputs(*(x[name] for name in _BLOCKS)))

    def objective(x: Blocks) -> Tensor:
        return correlation(x).norm(dim=1)

    at, best = _start(constants, objective, len(weights), generator)
    for _ in range(_SWEEPS):
        before = best
        for names, steps in _ROUNDS:
            at, best = _frank_wolfe(constants, objective, at, best, names, steps)
        if bool((best - before <= _SETTLED * best).all()):
            break
    at["W"] = _vertex(constants, "W", correlation(at))
    winners = best.view(-1, restarts).argmax(1) + restarts * torch.arange(len(signs))
    for i in winners.tolist():
        yield _member(constants, {name: value[i] for name, value in at.items()})


def _outputs(u: Tensor, gate: Gate, A: Tensor, W_B: Tensor, W_C: Tensor, q: Tensor, p: Tensor) -> Tensor:
    return last_output(u, A, W_B, W_C, q, p, gate=gate)


def _frank_wolfe(
    constants: ClassConstants,
    objective: Callable[[Blocks], Tensor],
    at: Blocks,
    best: Tensor,
    names: tuple[str, ...],
    steps: tuple[float, ...],
) -> tuple[Blocks, Tensor]:
    """Move blocks towards the point of the class where the linear part is largest, by the best of the steps, if any
    helps. The class is convex block by block, so every step stays inside."""
    leaves = {name: at[name].detach().requires_grad_() for name in names}
    gradients = torch.autograd.grad(objective(at | leaves).sum(), list(leaves.values()), materialize_grads=True)
    with torch.no_grad():
        vertices = {name: _vertex(constants, name, g) for name, g in zip(names, gradients, strict=True)}
        moved = at
        for step in steps:
            trial = at | {name: at[name].lerp(vertices[name], step) for name in names}
            value = objective(trial)
            moved = _where(value > best, trial, moved)
            best = torch.maximum(value, best)
    return moved, best


def _vertex(constants: ClassConstants, name: str, gradient: Tensor) -> Tensor:
    """Where a linear function is largest over a block: an end of an interval, a point of a sphere, a polar factor."""
    if name in _INTERVALS:
        low, high = _interval(constants, name)
        return torch.where(gradient > 0, gradient.new_tensor(high), gradient.new_tensor(low))
    radius = float(getattr(constants, _BALLS[name]))
    if gradient.ndim == 2:
        return radius * functional.normalize(gradient, dim=1, eps=torch.finfo(gradient.dtype).tiny)
    left, _, right = torch.linalg.svd(gradient, full_matrices=False)
    return radius * left @ right


def _start(
    constants: ClassConstants, objective: Callable[[Blocks], Tensor], size: int, generator: torch.Generator
) -> tuple[Blocks, Tensor]:
    """The best of several random members (balls at random vertices, intervals uniformly) and its objective.

    The choice among them matters: with one channel, the sign of the output divides the class into basins.
    """
    d, N = constants.d, constants.N
    shapes = {"A": (d, N), "W_B": (N, d), "W_C": (N, d), "q": (d,), "p": (1,)}

    def random(name: str) -> Tensor:
        if name not in _INTERVALS:
            return _vertex(constants, name, torch.randn(size, *shapes[name], generator=generator, dtype=torch.float64))
        low, high = _interval(constants, name)
        return low + (high - low) * torch.rand(size, *shapes[name], generator=generator, dtype=torch.float64)

    at: Blocks = {name: random(name) for name in _BLOCKS}
    best = objective(at)
    for _ in range(_CANDIDATES - 1):
        trial = {name: random(name) for name in _BLOCKS}
        value = objective(trial)
        at = _where(value > best, trial, at)
        best = torch.maximum(value, best)
    return at, best


def _where(mask: Tensor, x: Blocks, y: Blocks) -> Blocks:
    """Block by block x where the mask (b,) is true, else y."""
    return {name: torch.where(mask.view(-1, *(1,) * (y[name].ndim - 1)), x[name], y[name]) for name in y}


def _interval(constants: ClassConstants, name: str) -> tuple[float, float]:
    if name == "A":
        return -float(constants.B_A), float(constants.s_A)
    return float(constants.p_lo), float(constants.p_hi)


def _member(constants: ClassConstants, blocks: Blocks) -> Weights:
    """One element of the batch, moved inside by more than its rounding."""
    inside = {name: _INSIDE * value for name, value in blocks.items() if name in _BALLS}
    inside |= {name: blocks[name].clamp(*_interval(constants, name)) for name in _INTERVALS}
    at = {name: value.numpy() for name, value in inside.items()}
    return Weights(at["A"], at["W_B"], at["W_C"], at["q"], float(at["p"].item()), at["W"][None])
