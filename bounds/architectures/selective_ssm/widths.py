"""The search for the widths of posteriors (theory 8.3): float64, and free, as any widths may be certified.

Several searches go in step. Each is a generator that yields what it asks for; what several ask for at the same time is
computed in one batch, and comes out to the last bit as for one alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.selective_ssm.spread import (
    Center,
    Moved,
    Slopes,
    drift,
    moved,
    slopes,
    spread_of,
    whole,
)
from ssm_bounds.bounds.evaluate.elementary import exp, exp_of, expm1, log, softplus_of, total

Array = NDArray[np.float64]
Widths: TypeAlias = Mapping[str, Array]
"""sigma by block and group."""
Found = TypeVar("Found")
Search: TypeAlias = Generator[tuple[Callable[[Array], Any], Array], Any, Found]
"""Yields a function of rows (n,P) and some of its rows, is sent their values, and returns what it found."""

_SERIES = np.array([[1 / (math.factorial(i) * (k + 1 + i)) for k in range(3)] for i in range(14)])
_STEP = 0.001  # of a width, for a difference quotient
# ln of factors of all widths to look at first: of those that a search starts from, and after a step
_FAR, _NEAR = (-0.12, -0.08, 0.0, 2.0), (-0.06, -0.02, 0.0)
_LOOKS = 12  # at both sides of where the factor should be, before bisection alone searches for it


def moments(a: Array, M: float | Array, T: int) -> Array:
    """About R_1, R_2 and R_3 (3,d,N) of theory 4.5 for the search; the certificate encloses the formulas.

    Several at once: a (n,d,N) and M (n,1,1) give (3,n,d,N).
    """
    L = T * M
    X = a * L
    small = np.abs(X) < 1
    few = np.count_nonzero(small)
    found = np.empty((3, *X.shape))
    if few < X.size:
        y = np.where(small, 1.0, X) if few else X
        e, square, twice = exp(y), y * y, 2 * y
        np.divide(e - 1, y, out=found[0])
        np.divide(e * (y - 1) + 1, square, out=found[1])
        np.divide(e * (square - twice + 2) - 2, square * y, out=found[2])
    if few:
        x, series = np.where(small, X, 0.0), np.zeros(found.shape)
        for coefficients in _SERIES[::-1].reshape(-1, 3, *[1] * X.ndim):
            series = series * x + coefficients
        found = np.where(small, series, found)
    loss = np.maximum(-a * M, 1e-12)
    phi = loss / -expm1(-loss)
    for sums, power in zip(found, (L, L * L, L * L * L), strict=True):
        sums *= phi * power
    found[1] = np.minimum(found[1], np.where(a < 0, M * M * T * (T - 1) / 2, np.inf))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The left side of a :class:`Constraint` at n widths (n,1,1); sqrt(V) like it, the variances of W_B (n,1,N), W_C
    and W (n,d,1) by group, rho by entry of A (n,d,N)."""

    left: Array
    deviation: Array
    later: tuple[Array, Array, Array]
    remainder: Array


@dataclass(frozen=True, eq=False)
class Constraint:
    """The left side of ``rho + quantile sqrt(V) <= half``, for the ``counts`` n_b of entries of each group.

    ``A`` (d,N), ``T``: what the sums over time depend on besides the gates; ``reach``: r of the events by block.
    Widths are rows (n,P) of P groups, block after block in the order of ``counts``.
    """

    center: Center
    A: Array
    T: int
    counts: Mapping[str, int]
    quantile: float
    reach: Mapping[str, float]

    @functools.cached_property
    def _shapes(self) -> dict[str, tuple[int, int]]:
        """As they meet (d,N)."""
        d, N = self.A.shape
        by_block = {"A": (d, N), "W_B": (1, N), "W_C": (1, N), "W": (d, 1)}
        return {name: by_block.get(name, (1, 1)) for name in self.counts}

    @functools.cached_property
    def places(self) -> dict[str, slice]:
        """Of each block in a row."""
        ends = np.cumsum([d * N for d, N in self._shapes.values()]).tolist()
        return {name: slice(start, end) for name, start, end in zip(self.counts, [0, *ends], ends, strict=False)}

    def row(self, value: Mapping[str, Any]) -> Array:
        """What is given by block, alike in its groups or not, as a row (P,)."""
        sizes = {name: math.prod(shape) for name, shape in self._shapes.items()}
        return np.concatenate(
            [np.broadcast_to(np.ravel(value[name]), n) for name, n in sizes.items()], dtype=np.float64
        )

    def by_block(self, row: Array) -> dict[str, Array]:
        """sigma of A (d,N), W_B, W_C (N,), W (d,), q, p, embedding (): 0 for what does not move."""
        d, N = self.A.shape
        shapes = {"A": (d, N), "W_B": (N,), "W_C": (N,), "W": (d,)}
        found = {name: row[place].reshape(shapes.get(name, ())) for name, place in self.places.items()}
        return dict.fromkeys(("q", "p", "embedding"), np.zeros(())) | found

    @functools.cached_property
    def _reaches(self) -> Array:
        return self.row({"W": 0.0} | dict(self.reach))

    @functools.cached_property
    def numbers(self) -> Array:
        """n_b as a row."""
        return self.row(self.counts)

    @functools.cached_property
    def questions(self) -> tuple[Callable[[Array], Any], ...]:
        """What a search may ask of rows of widths, the dearest last."""
        return self.left, self.cost, self.elasticities

    @functools.cached_property
    def near(self) -> Array:
        """About R_1, R_2, R_3 before any move."""
        return moments(self.A, self.gate(0.0), self.T)

    @functools.cached_property
    def at_theta(self) -> Slopes:
        return slopes(self.center, self.near)

    @functools.cached_property
    def still(self) -> Moved | None:
        """What no width changes, where the embedding does not move."""
        return None if "embedding" in self.counts else moved(self.center, np.zeros(()))

    def gate(self, moved: float) -> float:
        """About the largest gate after a move of its logit."""
        logit = self.center.at.logit
        return 1.0 if logit is None else softplus_of(float(logit) + moved)

    def parts(self, rows: Array) -> dict[str, Any]:
        """By block, as they meet (n,d,N)."""
        found = {name: rows[:, self.places[name]].reshape(-1, *shape) for name, shape in self._shapes.items()}
        return dict.fromkeys(("q", "p", "embedding"), 0.0) | found

    def farthest(self, rows: Array) -> tuple[dict[str, Any], Array]:
        """The most that each group moves on the events, and the largest gate then (n,1,1)."""
        sup, h = self.center.at, self.parts(rows * self._reaches)
        drifts = np.zeros((len(rows), 1, 1)) + drift(sup.input_l2, sup.q_l2, h)
        return h, np.array([self.gate(move) for move in drifts.ravel().tolist()])[:, None, None]

    def read(self, rows: Array, h: Mapping[str, Any], far: Array) -> Reading:
        """``h``: of :meth:`farthest`; ``far`` (3,n,d,N): about R_1, R_2, R_3 there."""
        after = moved(self.center, h["embedding"]) if self.still is None else self.still
        first, later, remainder = spread_of(self.center, self.parts(rows), h, self.near, self.at_theta, after, far)
        by_B, by_C, by_w = map(whole, later)
        deviation = np.sqrt(first + (by_B + by_C + by_w) + 1e-300)
        return Reading(whole(remainder) + self.quantile * deviation, deviation, later, remainder)

    def left(self, rows: Array) -> list[float]:
        h, M = self.farthest(rows)
        found: list[float] = self.read(rows, h, moments(self.A + h["A"], M, self.T)).left.ravel().tolist()
        return found

    def cost(self, rows: Array) -> list[float]:
        """``-sum n_b ln sigma_b``."""
        logs = log(rows)
        sums = (n * total(logs[:, self.places[name]], axis=1) for name, n in self.counts.items())
        found: list[float] = (-sum(sums)).tolist()
        return found

    def elasticities(self, rows: Array) -> Array:
        """Of the left side in each width: by the chain rule for V, numerically for rho and the first blocks."""
        alone = sorted(self.counts.keys() - {"A", "W_B", "W_C", "W"})
        grown = np.ones((2 + len(alone), 1, rows.shape[1]))
        for factor, name in zip(grown[1:], ("A", *alone), strict=True):
            factor[:, self.places[name]] = 1 + _STEP
        n, probes = len(rows), (rows * grown).reshape(-1, rows.shape[1])
        h, M = self.farthest(probes)
        # the sums over time in one batch: of each probe, and of the first ones with their decays alone moved further
        decays = np.concatenate([self.A + h["A"], self.A + (1 + _STEP) * h["A"][:n]])
        far = moments(decays, np.concatenate([M, M[:n]]), self.T)
        read = self.read(probes, h, far[:, : len(probes)])
        left = read.left.reshape(-1, n, 1, 1)
        moves = {name: h[name][:n] for name in ("W_B", "W_C")}
        later = tuple(value[:n] for value in read.later)
        variance = _variances(self, self.parts(rows)["A"], moves, later, far[0, :n], far[0, len(probes) :])
        found = {name: self.quantile * value / read.deviation[:n] for name, value in variance.items()}
        found["A"] = found["A"] + (read.remainder[n : 2 * n] - read.remainder[:n]) / _STEP
        for name, other in zip(alone, left[2:], strict=True):
            found[name] = (other - left[0]) / _STEP
        flat = np.concatenate([found[name].reshape(n, -1) for name in self.counts], axis=1)
        return np.maximum(flat, 1e-12 * left[0, :, 0])


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Widths wanted: the constraint's right side, ``most`` of each sigma_b by block, and from where to search."""

    half: float
    most: Mapping[str, float]
    start: Widths


def fit_widths(constraint: Constraint, goals: Sequence[Goal], rounds: int) -> list[dict[str, Array]]:
    """For each goal widths that nearly minimise ``-sum n_b ln sigma_b`` under the constraint.

    In ln sigma the problem is convex; where it is solved, n_b is proportional to the elasticity of the left side in
    sigma_b.
    """
    searches = [_search(constraint, goal, rounds) for goal in goals]
    return [constraint.by_block(row) for row in _in_step(constraint, searches)]


def _in_step(constraint: Constraint, searches: Sequence[Search[Found]]) -> list[Found]:
    """What each finds, their questions answered together."""
    found: dict[int, Found] = {}
    asked = {i: next(search) for i, search in enumerate(searches)}
    while asked:
        # the dearest question last, so that all that come to it ask it together
        question = min((question for question, _ in asked.values()), key=constraint.questions.index)
        those = [i for i in asked if asked[i][0] == question]
        answers = question(np.concatenate([asked[i][1] for i in those]))
        end = 0
        for i in those:
            start, end = end, end + len(asked[i][1])
            try:
                asked[i] = searches[i].send(answers[start:end])
            except StopIteration as last:
                found[i] = last.value
                del asked[i]
    return [found[i] for i in range(len(searches))]


def _search(constraint: Constraint, goal: Goal, rounds: int) -> Search[Array]:
    half, most = goal.half, constraint.row(goal.most)

    def one(question: Callable[[Array], Any], width: Array) -> Search[Any]:
        return (yield question, width[None])[0]

    width = yield from _scaled(constraint, half, most, constraint.row(goal.start), _FAR)
    best, stride = (yield from one(constraint.cost, width)), 0.5
    step = _direction(constraint, width < most, (yield from one(constraint.elasticities, width)))
    for _ in range(rounds):
        longer = np.minimum(width * exp(stride * step), most)
        trial = yield from _scaled(constraint, half, most, longer, _NEAR)
        if (found := (yield from one(constraint.cost, trial))) < best:
            gained, width, best, stride = best - found, trial, found, min(0.5, 1.5 * stride)
            if gained < 0.1:
                break
            step = _direction(constraint, width < most, (yield from one(constraint.elasticities, width)))
        else:
            stride /= 2
    return width


def _scaled(constraint: Constraint, half: float, most: Array, width: Array, places: tuple[float, ...]) -> Search[Array]:
    """The widths times one factor e^t, as large as the constraint admits; ``places``: t to look at first."""
    left: dict[float, float] = {}

    def at(*places: float) -> Array:
        return np.minimum(width * np.array([[_factor(t)] for t in places]), most)

    def look(*places: float) -> Search[None]:
        if fresh := [t for t in places if t not in left]:
            left.update(zip(fresh, (yield constraint.left, at(*fresh)), strict=True))

    def free() -> Search[bool]:
        return all(value <= half for value in left.values()) and (yield constraint.left, most[None])[0] <= half

    def admits(t: float) -> Search[bool]:
        yield from look(t)
        return left[t] <= half

    yield from look(*places)
    for _ in range(_LOOKS):
        low, high = _ends(_root(left, half))
        yield from look(low, high)
        if left[low] <= half < left[high]:
            return at(low)[0]
        if (yield from free()):
            return most
    if (yield from free()):
        return most

    low, _ = yield from _largest(admits)
    return at(low)[0]


_factor = functools.lru_cache(maxsize=1024)(exp_of)  # the places of different searches are often the same


def _root(left: Mapping[float, float], half: float) -> float:
    """About the t at which the left side is ``half``, interpolated from the nearest places."""
    yes = max((t for t, value in left.items() if value <= half), default=-math.inf)
    no = min((t for t, value in left.items() if not value <= half), default=math.inf)
    known = {math.log(value / half): t for t, value in left.items() if 0 < value < math.inf}
    near = sorted(known, key=abs)[:4]
    root = sum(known[y] * math.prod(z / (z - y) for z in near if z != y) for y in near)
    if yes < root < no:
        return root
    return (max(yes, min(left) - 1) + min(no, max(left) + 1)) / 2


def _ends(root: float) -> tuple[float, float]:
    """Where :func:`_largest` ends if what it searches for is at ``root``."""

    def admits(t: float) -> Search[bool]:
        return t <= root
        yield

    try:
        next(_largest(admits))
    except StopIteration as end:
        ends: tuple[float, float] = end.value
    return ends


def _largest(admits: Callable[[float], Search[bool]]) -> Search[tuple[float, float]]:
    """About the largest t that is admitted, where all smaller ones are, and one that is not: by steps from 0 that
    double, then halved."""
    low, high, step = 0.0, 0.0, 0.1
    if (yield from admits(0.0)):
        while (yield from admits(high := high + step)) and high < 60:
            low, step = high, 2 * step
    else:
        while not (yield from admits(low := low - step)):
            if low <= -400:
                return low, high
            high, step = low, 2 * step
    while high - low > 2e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if (yield from admits(middle)) else (low, middle)
    return low, high


def _direction(constraint: Constraint, free: NDArray[np.bool_], elasticity: Array) -> Array:
    """Of ln sigma (P,), towards n_b proportional to the elasticity; half of it would do for a quadratic left side."""
    places, counts = constraint.places, constraint.counts
    entries = sum(n * np.count_nonzero(free[places[name]]) for name, n in counts.items()) or 1
    whole = sum(float(total(elasticity[place][free[place]])) for place in places.values()) or 1.0
    return np.minimum(np.maximum(log(constraint.numbers / entries * whole / elasticity), -4), 4)


def _variances(
    constraint: Constraint, A: Array, h: Widths, later: tuple[Array, ...], F_1: Array, further: Array
) -> dict[str, Array]:
    """``(1/2) dV/d ln sigma_b`` of the blocks that are moved last, and of A.

    ``A``: its widths; ``F_1``, ``further`` (n,d,N): R_1 at the moved decays, and where these move further by ``_STEP``
    of their move.
    """
    sup, (by_B, by_C, by_w) = constraint.center.at, later
    omega, input_l2 = sup.omega[:, None], sup.channel_input_l2[:, None]
    rate = (further / F_1 - 1) / _STEP
    more_B, more_C = h["W_B"] * input_l2, h["W_C"] * sup.input_l2
    image_B, image_C = sup.channel_image_B + more_B + 1e-300, sup.image_C + more_C + 1e-300
    for_B = by_B * _shares(omega * F_1 * input_l2, -2)
    for_C = by_C * _shares(omega * F_1 * image_B, -2)
    for_w = by_w * _shares(image_C * F_1 * image_B, -1)
    own = np.square(omega * sup.image_C * sup.channel_image_B * constraint.near[1] * A)
    return {
        "A": own + rate * (for_B + for_C + for_w),
        "W_B": by_B + _over_channels((for_C + for_w) * more_B / image_B),
        "W_C": by_C + _over_channels(for_w * more_C / image_C),
        "W": by_w,
    }


def _over_channels(values: Array) -> Array:
    found: Array = total(values, axis=-2)[..., None, :]
    return found


def _shares(parts: Array, axis: int) -> Array:
    """Of each part in the sum along an axis."""
    return parts / (np.expand_dims(total(parts, axis), axis) + 1e-300)
