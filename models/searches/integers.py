"""Integers in a code, changed one or two at a time against the bound itself. Float64: no claim.

A margin that rounding may have made is an error here too, by a guess at its radius: else the search would collect
models on which ties happen to fall right, and the certificate, which counts by the proven radius, would not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.selective_ssm.layout import gate_of
from ssm_bounds.bounds.codes import fit
from ssm_bounds.bounds.codes.layout import Layout, row_count
from ssm_bounds.bounds.codes.scheme import SCHEMES, Scheme
from ssm_bounds.bounds.codes.tensors import Code
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.searches.rounded import assembled
from ssm_bounds.models.selective_ssm import earlier
from ssm_bounds.models.selective_ssm.radius import likely
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.task import Split

Place = tuple[str, int]  # a tensor, and the number of an entry in the order of storage
LARGEST = 1 << 20  # of an integer, far inside what float32 holds


def _risk(errors: int, m: int, nats: float, delta: float) -> float:
    """``kl_inv`` in float64, to compare with: never reported as certified."""
    q, level = errors / m, (nats - math.log(delta)) / m
    if q >= 1 or not math.isfinite(level):
        return 1.0 + min(nats, 1e9) * 1e-9  # even here shorter is better
    low, high = q, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        gap = (q * math.log(q / middle) if q else 0.0) + (1 - q) * math.log((1 - q) / (1 - middle))
        low, high = (middle, high) if gap <= level else (low, middle)
    return high


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Integers in one code, with the run of the program that they make."""

    code: Code
    integers: dict[str, NDArray[np.int64]]
    run: earlier.Run
    errors: int
    nats: float
    risk: float


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What every stage needs. ``data`` may be a part of the training data; ``m`` is the size of the whole.

    ``live`` holds the best point of the stage that runs now, for whoever interrupts it.
    """

    data: Split
    m: int
    layout: Layout
    convention: Convention
    delta: float
    deadline: float
    live: list[Point] = field(default_factory=list)

    def late(self) -> bool:
        return time.monotonic() > self.deadline

    def values(self, code: Code, integers: Mapping[str, NDArray[np.int64]]) -> Weights:
        return assembled(code.values(integers))

    def point(self, code: Code, integers: dict[str, NDArray[np.int64]], near: earlier.Run | None = None) -> Point:
        """Evaluate integers; ``near`` is the run of other integers of the same sizes."""
        weights = self.values(code, integers)
        run = (
            near.changed(weights)
            if near
            else earlier.run(weights, self.data, gate=gate_of(self.layout), convention=self.convention)
        )
        errors, nats = earlier.errors(run.z, self.data.y, likely(run)), code.about(integers)
        return Point(
            code, integers, run, errors, nats, _risk(round(errors * self.m / self.data.m), self.m, nats, self.delta)
        )

    def recoded(self, point: Point, schemes: tuple[Scheme, ...] = SCHEMES) -> Point:
        """The representative of these weights in their shortest code: what a certificate may speak about."""
        whole = fit.arranged(self.layout, point.code.decoded(point.integers))
        code = fit.shortest(self.layout, whole, schemes)
        return self.point(*code.representative(code.integers(whole)))

    def weights(self, point: Point) -> Weights:
        """Of full shape."""
        return assembled(point.code.decoded(point.integers))


def _moved(point: Point, changes: Mapping[Place, int]) -> dict[str, NDArray[np.int64]]:
    integers = dict(point.integers)
    for name in {name for name, _ in changes}:
        integers[name] = np.array(integers[name])
    for (name, entry), value in changes.items():
        integers[name].flat[entry] = max(-LARGEST, min(LARGEST, value))
    return integers


def _places(point: Point) -> list[Place]:
    return [(name, entry) for name, z in point.integers.items() for entry in range(z.size)]


def descend(search: Search, point: Point, rng: np.random.Generator) -> Point:
    """Coordinate descent on the bound: towards zero and to both neighbours, in random order, until nothing helps."""
    places = _places(point)
    unchanged, order = 0, list[int]()
    while unchanged < len(places):
        if not order:
            order = rng.permutation(len(places)).tolist()
        place = places[order.pop()]
        name, entry = place
        z = int(point.integers[name].flat[entry])
        unchanged += 1
        for value in dict.fromkeys((0, int(z / 2), z - 1, z + 1, -z)):
            if value == z:
                continue
            if search.late():
                return point
            candidate = search.point(point.code, _moved(point, {place: value}), point.run)
            if candidate.risk < point.risk:
                point, unchanged = candidate, 0
                search.live[:] = [point]
                break
    return point


def anneal(search: Search, point: Point, rng: np.random.Generator, proposals: int, heat: float) -> Point:
    """Simulated annealing of the integers on the bound, from temperature ``heat`` to 0.0005 (units of risk)."""
    places, best = _places(point), point
    for i in range(proposals):
        if search.late():
            break
        candidate = search.point(point.code, _moved(point, _proposal(point, places, rng)), point.run)
        worse = candidate.risk - point.risk
        temperature = heat * (5e-4 / heat) ** (i / proposals)
        if worse <= 0 or rng.random() < math.exp(-worse / temperature):
            point = candidate
            if point.risk < best.risk:
                best = point
                search.live[:] = [best]
    return best


def _proposal(point: Point, places: list[Place], rng: np.random.Generator) -> dict[Place, int]:
    def at(place: Place) -> int:
        return int(point.integers[place[0]].flat[place[1]])

    one, two = (places[i] for i in rng.integers(len(places), size=2))
    z, kind = at(one), int(rng.integers(8))
    if kind == 0:
        return {one: 0}
    if kind in (1, 2):
        return {one: z + (1 if kind == 1 else -1)}
    if kind == 3:
        return {one: -z}
    if kind == 4:
        return {one: 2 * z if rng.random() < 0.5 else int(z / 2)}
    if kind == 5:
        return {one: at(two), two: z}
    if kind == 6:  # a whole row or column
        name, entry = one
        rows = row_count(point.integers[name].shape)
        columns = point.integers[name].size // rows
        if rng.random() < 0.5:
            first = entry - entry % columns
            return {(name, i): 0 for i in range(first, first + columns)}
        return {(name, i): 0 for i in range(entry % columns, rows * columns, columns)}
    return {two: at(two) + int(rng.integers(-1, 2)), one: int(rng.integers(-4, 5))}
