"""The rungs of ``ladder.registry`` at many points, float64. Not certified: no rounding is on the safe side here.

Every rung is a function of a point (a mapping of names to arrays of one length) that returns columns of that length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sympy import Eq, Piecewise

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.logs import Floats, numbers, symbols
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.sweeps import coefficients
from ssm_bounds.bounds.sweeps.classes import Point, measured, printed, selected
from ssm_bounds.bounds.sweeps.coefficients import Class
from ssm_bounds.bounds.sweeps.covers import Entropy

_OCTAVES = 60
_NODES = 192
_WINDOW = (1e-9, 4.0)  # of radii that a single scale is chosen among, in units of c/l
_RADII = 97  # as many as a certificate tries at first


@dataclass(frozen=True, slots=True)
class Values:
    """What a rung comes to. ``sign``: 1, or -1 where the printed formula is negative; ``log``: ``ln |value|``.

    ``eps``: covering radius in units of the output; ``entropy``: ``H`` there; ``price``: nats of section 7, 0 where it
    is not part of the value. NaN where a rung has no such number.
    """

    log: Floats
    sign: Floats
    applies: NDArray[np.bool_]
    price: Floats
    eps: Floats
    entropy: Floats


def _of(
    value: Floats, *, price: Floats | float = 0.0, eps: Floats | float = np.nan, entropy: Floats | float = np.nan
) -> Values:
    def full(x: Floats | float) -> Floats:
        return np.broadcast_to(np.asarray(x, dtype=float), value.shape)

    return Values(np.log(value), np.ones_like(value), np.ones(value.shape, bool), full(price), full(eps), full(entropy))


def margin_lipschitz(k: Floats) -> Floats:
    """1 for one output, sqrt 2 for more (theory 6.3)."""
    return np.where(k == 1, 1.0, math.sqrt(2))


_PUBLISHED = Piecewise((chaining.PUBLISHED_DEVIATION, Eq(sym.C_F, 0)), (chaining.PUBLISHED_GAP, True))


def published(at: Point) -> Values:
    """The printed formula as we read it; it applies where its ratio is at most 1 and s_A <= 0. Source: theory 2."""
    formulas = {"value": _PUBLISHED, "ratio": chaining.PUBLISHED_CONDITION}
    found = coefficients.in_published(printed(at), at["T"], formulas)
    log, sign, log_ratio = np.broadcast_arrays(found["value"].log, found["value"].sign, found["ratio"].log)
    none = np.full(log.shape, np.nan)
    return Values(log, sign, (log_ratio <= 0) & (at["s_A"] <= 0), np.zeros(log.shape), none, none)


def _dudley(at: Point, entropy: Entropy) -> Values:
    """6.1. The total falls in alpha while ``H(alpha/l) > m/9``: alpha by bisection, then midpoints in ``sqrt(eps)``."""
    log_top = np.log(at["c"] / (2 * at["l"]))
    level = at["m"] / 9
    low, high = np.full((2, len(level)), -float(_OCTAVES) * math.log(2))
    high = np.where(entropy(log_top) >= level, low, 0.0)
    vacuous = high < 0
    for _ in range(20):
        middle = (low + high) / 2
        above = entropy(log_top + middle) >= level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    start = np.where(vacuous, 1.0, np.exp(high))  # alpha over c/2
    total = np.zeros(len(level))
    for x in (np.arange(_NODES) + 0.5) / _NODES:
        eps = start + (1 - start) * x**2
        total += np.sqrt(entropy(log_top + np.log(eps))) * 2 * x
    integral = total * (1 - start) * at["c"] / 2 / _NODES
    rademacher = 2 * at["c"] * start + 12 / np.sqrt(at["m"]) * integral
    return _of(numbers(chaining.GAP, symbols(at) | {sym.rademacher: rademacher}))


def repaired(at: Point) -> Values:
    """theory.md 5.5 under 6.1."""
    constants = measured(at)
    return _dudley(at, Entropy.of(constants, coefficients.repaired(constants, at["T"])))


def sharp(at: Point) -> Values:
    """theory.md 5.1 under 6.1."""
    return _dudley(at, _sharp_entropy(measured(at), at["T"]))


def _sharp_entropy(constants: Class, T: Floats) -> Entropy:
    return Entropy.of(constants, coefficients.sharp(constants, T))


def _at(values: Class, where: NDArray[np.intp]) -> Class:
    """The same mapping at some of its points."""
    return {name: value if value.size == 1 else value[where] for name, value in values.items()}


def _cheapest(at: Point, scale: Floats, log_eps: Floats) -> Iterator[tuple[NDArray[np.intp], Entropy, Floats, Floats]]:
    """The points that share a kind of class, with ``H``, its value at ``ln eps`` and the price there: at each point the
    class of least ``H + ln(1/pi)``, the best without l1 radii or the same with them."""
    points, T = len(log_eps), at["T"]
    plain, twins = selected(at, scale)
    entropies = [_sharp_entropy(paid.constants, T) for paid in plain]
    heights = [entropy(log_eps) for entropy in entropies]
    costs = [height + paid.price for height, paid in zip(heights, plain, strict=True)]
    best = np.argmin(costs, axis=0)
    for i, (one, twin) in enumerate(zip(plain, twins, strict=True)):
        where = np.flatnonzero(best == i)
        if not len(where):
            continue
        with_l1 = _sharp_entropy(_at(twin.constants, where), T[where])
        height, price = with_l1(log_eps[where]), np.broadcast_to(twin.price, points)[where]
        better = height + price < costs[i][where]
        for chosen, paid, found in ((~better, one, heights[i][where]), (better, twin, height)):
            if chosen.any():
                these = where[chosen]
                entropy = _sharp_entropy(_at(paid.constants, these), T[these])
                yield these, entropy, found[chosen], np.broadcast_to(paid.price, points)[these]


def margin(at: Point, *, paid: bool) -> Values:
    """The excess at half the margin. theory 5.1, 6.3, 7."""
    unit = 1 / (2 * margin_lipschitz(at["k"]))
    eps = unit * at["margin"]
    entropy, price = np.zeros((2, len(eps)))
    if paid:
        for where, _, height, cost in _cheapest(at, at["margin"], np.log(unit) + np.zeros_like(eps)):
            entropy[where], price[where] = height, cost
    else:
        entropy = _sharp_entropy(measured(at), at["T"])(np.log(eps))
    excess = numbers(chaining.MARGIN_EXCESS, symbols(at) | {sym.H: entropy, sym.price: price})
    return _of(excess, price=price, eps=eps, entropy=entropy)


def scale(at: Point, *, paid: bool) -> Values:
    """One scale, at ``eps`` of the point or the best. theory 5.1, 6.2, 7."""
    if not paid:
        return _scale(at, _sharp_entropy(measured(at), at["T"]), np.ones(()), np.zeros(()))
    columns = np.empty((4, len(at["T"])))
    log_eps = -np.log(2 * margin_lipschitz(at["k"])) + np.zeros_like(at["T"])
    for where, entropy, _, price in _cheapest(at, at["unit"], log_eps):
        here = _at(at, where)
        found = _scale(here, entropy, here["unit"], price)
        columns[:, where] = np.exp(found.log), found.price, found.eps, found.entropy
    value, price, eps, height = columns
    return _of(value, price=price, eps=eps, entropy=height)


def _scale(at: Point, entropy: Entropy, unit: Floats, price: Floats) -> Values:
    """``entropy``: of ``z/unit``. The best radius by a grid that is refined twice about its least value."""
    values = symbols(at) | {sym.price: price}

    def value(eps: Floats) -> tuple[Floats, Floats]:
        height = entropy(np.log(eps / unit))
        return numbers(chaining.SINGLE_SCALE, values | {sym.eps: eps, sym.H: height}), height

    def search(center: Floats, offsets: Floats) -> Floats:
        found = np.stack([value(center * math.exp(offset))[0] for offset in offsets])
        return center * np.exp(offsets[found.argmin(axis=0)])

    if "eps" in at:
        eps = at["eps"]
    else:
        low, high = map(math.log, _WINDOW)
        eps = search(at["c"] / at["l"], np.linspace(low, high, _RADII))
        step = (high - low) / (_RADII - 1)
        for _ in range(2):
            eps = search(eps, np.linspace(-step, step, 9))
            step /= 4
    found, height = value(eps)
    return _of(found, price=price, eps=eps, entropy=height)


RUNGS: dict[str, Callable[..., Values]] = {
    "published": published,
    "repaired": repaired,
    "sharp": sharp,
    "scale": scale,
    "margin": margin,
}
SELECTED = ("scale", "margin")
"""The rungs that section 7 can be part of."""
