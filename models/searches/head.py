"""A head in few nats: integers of its weights and biases that make the certified bound small (theory 8.14).

Nothing here is certified: whatever is found is priced and counted anew. Same seed, same head, unless time runs out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ssm_bounds.bounds.codes.moves import STEPS
from ssm_bounds.bounds.codes.symbols import WORD_ALPHABET, Integers
from ssm_bounds.bounds.codes.word import Coded
from ssm_bounds.bounds.gaps.inversion import kl_about
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.program.run import Pooled

STEP = 10
"""Of the weights: argmax knows no scale, so that only the ratio to the step of the biases matters."""
_RATIOS = tuple(2.0 ** (k / 2) for k in range(-3, 4))
"""Units of the integers, over the root mean square of the weights of a regression."""
_DECAYS = (1e-4, 1e-2)
_BIASES = (3, 12)
"""About how large the largest integer of a bias is at first."""
_LARGEST = 512
_FINISHED, _SWEEPS = 4, 60
_KICKS, _ROWS = 60, 16_000
"""How many kicks in a row help nothing before the search ends: more where there are few rows, and a kick is cheap."""
_MOVES, _OF_BIASES = (1, -1), (1, -1, 2, -2, 4, -4)


@dataclass(frozen=True, slots=True)
class Stage:
    """How a search stands: seconds so far, errors, nats of the integers, and about the bound."""

    seconds: float
    errors: int
    nats: float
    risk: float


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Weights and biases; None: all zero. ``risk``: about the bound. ``stopped``: why the search ended early."""

    weight: Coded | None
    bias: Coded | None
    risk: float
    stopped: str | None


def search(
    rows: Pooled,
    y: NDArray[np.int64],
    outputs: int,
    *,
    fixed: float,
    budget: float,
    seed: int = 0,
    progress: Callable[[Stage], None] = lambda stage: None,
    halt: Callable[[], None] = lambda: None,
) -> Head:
    """A head of ``outputs`` logits (1: its sign decides, a tie is an error) on what the program pooled, labels y (n,).

    ``fixed``: nats that are paid in any case, those of 1/delta among them. ``budget``: seconds; Ctrl-C ends it too,
    and so does KeyboardInterrupt of ``halt``, which is called now and then.
    """
    begun = time.monotonic()
    rng = np.random.default_rng(seed)
    problem = _Problem(rows, y, outputs, fixed)
    best = _Point(problem, np.zeros((outputs, problem.width + 1), dtype=np.int64), STEP)
    stopped = None

    def better(point: _Point) -> bool:
        nonlocal best
        if point.risk < best.risk:
            best = point
            progress(Stage(time.monotonic() - begun, point.errors, point.nats, point.risk))
            return True
        return False

    def late() -> bool:
        halt()
        return time.monotonic() - begun > budget

    try:
        first = []
        for start in (best, *problem.starts()):
            first.append(start.descended(rng, 2, late))
            better(first[-1])
            if late():
                break
        pool = []
        for start in sorted(first, key=lambda point: point.risk)[:_FINISHED]:
            pool.append(start.descended(rng, _SWEEPS, late))
            better(pool[-1])
        patience = round(_KICKS * min(max(_ROWS / problem.m, 1), 16))
        left = patience
        while left and not late():
            place, left = left % len(pool), left - 1
            other = pool[place].kicked(rng).descended(rng, _SWEEPS, late)
            if other.risk <= pool[place].risk:
                pool[place] = other
            if better(other):
                left = patience
        if late():
            stopped = f"the search ended with its budget of {budget:g} s"
    except KeyboardInterrupt:
        stopped = f"the search was interrupted after {time.monotonic() - begun:.0f} s"
    return best.head(stopped)


class _Problem:
    """Rows that count, by feature (D+1,n), the last feature being 1; rows without logits are errors in any case."""

    def __init__(self, rows: Pooled, y: NDArray[np.int64], outputs: int, fixed: float) -> None:
        self.m, self.width, self.outputs, self.fixed = len(y), len(rows.h), outputs, fixed
        good = rows.ok & np.isfinite(rows.h).all(axis=0)
        self.lost = self.m - int(np.count_nonzero(good))
        scale = np.abs(rows.h[:, good]).max(initial=1e-300)
        self.x = np.vstack([rows.h[:, good] / scale, np.full((1, self.m - self.lost), 1 / scale)])
        self.y = y[good]
        self.zero = outputs == 1
        """A logit of 0 stands beside the one output."""

    def risk(self, errors: int, nats: float) -> float:
        a = errors / self.m
        return 1.0 if errors >= self.m else kl_about(a, 1 - a, (nats + self.fixed) / self.m)

    def starts(self) -> Iterator[_Point]:
        """Regressions, rounded."""
        for decay in _DECAYS:
            W = _regression(self.x, self.y, max(2, self.outputs), decay)
            if self.zero:
                centred = [W[1:] - W[:1]]
            else:
                middle = np.sort(W, axis=0)[len(W) // 2]
                centred = [W - W.mean(axis=0), W - middle]
            for each in centred:
                yield from self._rounded(each)

    def _rounded(self, W: Array) -> Iterator[_Point]:
        """In several units. Biases, in finer and coarser ones, make up for what rounding does to the mean logits."""
        size = math.sqrt(float((W[:, :-1] ** 2).mean())) or 1.0
        mean = self.x.mean(axis=1)
        for ratio in _RATIOS:
            unit = ratio * size
            z = np.clip(np.rint(W / unit), -_LARGEST, _LARGEST)
            bias = (W @ mean - unit * (z[:, :-1] @ mean[:-1])) / mean[-1] / unit
            spread = float(np.abs(bias).max()) or 1.0
            for wanted in _BIASES:
                wider = min(max(round(math.log2(spread / wanted)), -6), 5)
                z[:, -1] = np.clip(np.rint(bias / 2.0**wider), -_LARGEST, _LARGEST)
                yield _Point(self, z.astype(np.int64), STEP - 2 * wider)


@dataclass(eq=False)
class _Point:
    """Integers z (outputs,D+1), the last column for the biases, whose step is ``wide``."""

    problem: _Problem
    z: Integers
    wide: int
    errors: int = field(init=False)
    nats: float = field(init=False)
    risk: float = field(init=False)
    codes: tuple[int | None, int | None] = field(init=False)

    def __post_init__(self) -> None:
        self.settle()

    @property
    def units(self) -> Array:
        """Of each column of z, times the features."""
        found = np.full(self.z.shape[1], float(STEPS[STEP]))
        found[-1] = float(STEPS[self.wide])
        return found

    def settle(self) -> None:
        """The cheapest codes, and what the integers are worth in them."""
        (self.codes, prices) = zip(*map(_cheapest, (self.z[:, :-1].ravel(), self.z[:, -1])), strict=True)
        self.nats = sum(prices)
        self.errors = self.problem.lost + int(np.count_nonzero(~self._right(self._logits())))
        self.risk = self.problem.risk(self.errors, self.nats)

    def head(self, stopped: str | None) -> Head:
        parts = (self.z[:, :-1], STEP, self.codes[0]), (self.z[:, -1], self.wide, self.codes[1])
        weight, bias = (None if code is None else Coded(z.copy(), step, code) for z, step, code in parts)
        return Head(weight, bias, self.risk, stopped)

    def kicked(self, rng: np.random.Generator) -> _Point:
        """A few entries moved at random."""
        z = self.z.copy()
        places = rng.integers(0, z.size, max(2, z.size // 100))
        z.ravel()[places] += rng.choice(np.array([-2, -1, 1, 2]), len(places))
        return _Point(self.problem, z, self.wide)

    def descended(self, rng: np.random.Generator, sweeps: int, late: Callable[[], bool]) -> _Point:
        """After sweeps over all entries, until none helps; the best of them."""
        best, now = self, self
        for _ in range(sweeps):
            if late():
                break
            moved, now = now._sweep(rng, late)
            if not moved:
                break
            if now.risk < best.risk:
                best = now
            elif now.risk > best.risk:
                break
        return best

    def _logits(self) -> Array:
        """(k,n)."""
        found = (self.z * self.units) @ self.problem.x
        return np.vstack([np.zeros(found.shape[1]), found]) if self.problem.zero else found

    def _right(self, Z: Array) -> NDArray[np.bool_]:
        rows, y, others = np.arange(Z.shape[1]), self.problem.y, Z.copy()
        others[y, rows] = -np.inf
        return Z[y, rows] > others.max(axis=0)

    def _sweep(self, rng: np.random.Generator, late: Callable[[], bool]) -> tuple[bool, _Point]:
        """One entry after another, where nats and errors, at what an error is worth here, get fewer together."""
        problem, units, z = self.problem, self.units, self.z.copy()
        worth = _worth(self.errors / problem.m, self.risk)
        prices = [_Prices(z[:, :-1].ravel(), self.codes[0]), _Prices(z[:, -1].copy(), self.codes[1])]
        Z, moved, offset = self._logits(), False, int(problem.zero)
        for row in rng.permutation(len(z)):
            sign, limit = _limits(Z, problem.y, row + offset)
            ahead = sign * Z[row + offset] - limit
            wrong = int(np.count_nonzero(~(ahead > 0)))
            for column in rng.permutation(z.shape[1]):
                if late():
                    break
                price = prices[int(column == problem.width)]
                old = int(z[row, column])
                direction = sign * (problem.x[column] * units[column])
                gains = []
                for new in {old + move for move in (_OF_BIASES if column == problem.width else _MOVES)} | {0} - {old}:
                    paid = price.change(old, new)
                    if paid - worth * wrong >= 0:
                        continue
                    missed = int(np.count_nonzero(~(ahead + (new - old) * direction > 0)))
                    gains.append((paid + worth * (missed - wrong), missed, new))
                if not gains or min(gains)[0] >= -1e-9:
                    continue
                _, wrong, new = min(gains)
                ahead += (new - old) * direction
                price.take(old, new)
                z[row, column], moved = new, True
            Z[row + offset] = (z[row] * units) @ problem.x
        return moved, _Point(problem, z if problem.zero else self._shifted(z), self.wide)

    def _shifted(self, z: Integers) -> Integers:
        """The same number taken from a column of all outputs leaves every answer as it is: where that is cheaper."""
        z, symbols = z.copy(), WORD_ALPHABET[0 if self.codes[0] is None else self.codes[0]]
        for column in range(z.shape[1] - 1):
            z[:, column] = (
                min((symbols.about(_with(z, column, shift)), abs(shift), shift) for shift in (0, -1, 1))[2]
                + z[:, column]
            )
        return z


def _with(z: Integers, column: int, shift: int) -> Integers:
    """The weights with a column shifted, as one vector."""
    found = z[:, :-1].copy()
    found[:, column] += shift
    return found.ravel()


def _limits(Z: Array, y: NDArray[np.int64], row: int) -> tuple[Array, Array]:
    """A row of logits is right where ``sign * Z[row] > limit``, each of them (n,): beyond the others for its own label,
    below the label's for another's; never where another is not below that already."""
    rows, own = np.arange(Z.shape[1]), y == row
    others = Z.copy()
    others[row] = -np.inf
    label = np.where(own, -np.inf, others[y, rows])
    others[y, rows] = -np.inf
    rest = others.max(axis=0)
    return np.where(own, 1.0, -1.0), np.where(own, rest, np.where(label > rest, -label, np.inf))


def _worth(error: float, risk: float) -> float:
    """Nats that one error less is worth: ``kl(error || risk)`` stays what it is along this exchange."""
    a = min(max(error, 1e-4), 1 - 1e-4)
    x = min(max(risk, a + 1e-6), 1 - 1e-9)
    return math.log(x * (1 - a) / (a * (1 - x)))


def _cheapest(z: Integers) -> tuple[int | None, float]:
    """The code of a tensor, and its nats with those of step and code; None where all is zero, which is free."""
    if not z.any():
        return None, 0.0
    largest = int(np.abs(z).max())
    known = [(code, each) for code, each in enumerate(WORD_ALPHABET) if _near(getattr(each, "radius", None), largest)]
    nats, code = min((symbols.about(z), code) for code, symbols in known)
    return code, nats + math.log(len(STEPS)) + math.log(len(WORD_ALPHABET))


def _near(radius: int | None, largest: int) -> bool:
    """An alphabet that holds the largest integer, and is not far too wide to be the cheapest."""
    return radius is None or largest <= radius < 8 * largest


class _Prices:
    """What a change of one entry of a tensor costs in its code: codes know no order, so that a change is what was and
    what is."""

    def __init__(self, z: Integers, code: int | None) -> None:
        self.z, self.symbols = z, WORD_ALPHABET[0 if code is None else code]
        self._known: dict[tuple[int, int], float] = {}
        self._now = self.symbols.about(z)

    def change(self, old: int, new: int) -> float:
        if (old, new) not in self._known:
            self._known[old, new] = self.symbols.about(self._changed(old, new)) - self._now
        return self._known[old, new]

    def take(self, old: int, new: int) -> None:
        self.z = self._changed(old, new)
        self._known, self._now = {}, self.symbols.about(self.z)

    def _changed(self, old: int, new: int) -> Integers:
        found = self.z.copy()
        found[int(np.argmax(found == old))] = new
        return found


def _regression(x: Array, y: NDArray[np.int64], k: int, decay: float) -> Array:
    """Softmax regression (k,D+1) on x (D+1,n), with a ridge on standardised features."""
    spread = np.sqrt((x**2).mean(axis=1, keepdims=True))
    spread[spread == 0] = 1.0
    features, labels = torch.from_numpy((x / spread).T.copy()), torch.from_numpy(y)
    if not len(y):
        return np.zeros((k, len(x)))
    W = torch.zeros((k, len(x)), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([W], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(features @ W.T, labels) + decay * (W[:, :-1] ** 2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = W.detach().numpy() / spread.T
    return np.where(np.isfinite(found), found, 0.0)
