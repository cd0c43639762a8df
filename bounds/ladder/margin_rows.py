"""Margin PAC-Bayes with the training margins at hand (theory 8.3): the empirical side row by row, and g free.

**Claim.** In the notation of ``ladder.pac_bayes``, let the margin of theta on training row i be at least mu_i,
in real arithmetic. With probability 1 - delta, for all g, theta and Q at once,
``risk(theta) <= kl_inv((1/m) sum_i f(mu_i), (KL(Q || P) + ln(1/pi) + ln(xi(m)/delta))/m)/(1 - tau)``, where
``f(mu) = min(1, (k-1) erfc((mu - g/2 - rho)/sqrt(2V)) + P(not G))`` for ``mu > g/2 + rho`` and 1 elsewhere, k - 1 taken
as 1 for one output, and ``tau = erfc((g/2 - rho)/sqrt(2V)) + P(not G)``.

**Derivation.** Steps (i) and (ii) there are unchanged: P is over W/g and the loss is that of margins of z/g up to 1/2,
so (i) is one event for all g and Q, and the risk side moves by g/2. Step (iii) becomes: where the margin of theta' on
row i is <= g/2, some wrong output is within g/2 of the right one or above it, and for theta it was mu_i or more below.
So one of the k - 1 differences moves down by ``t = mu_i - g/2`` or more. For one difference and ``t > rho`` that has
probability at most ``erfc((t - rho)/sqrt(2V))`` on G: the claim of ``selective_ssm.spread`` for every smaller t, which
is continuous in t; V and rho there depend on Q and on no input or direction. Hence ``Q(margin_i(theta') <= g/2) <=
f(mu_i)``, and the mean over the rows is ``E_Q emp_{g/2} <= (1/m) sum_i f(mu_i)`` (Fubini). f decreases, so each mu_i
may be rounded down, to a grid. kl_inv increases in its first argument.

As ``f(mu) <= 1{mu <= g} + tau_g``, no Q loses by it. Rows far above g pay nothing of a tail, so that the best Q has a
larger tail than without the margins, that is, larger widths, and the best g a smaller share of rows below g/2.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact, float_above
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.gaps.maurer import level
from ssm_bounds.bounds.ladder.pac_bayes import (
    LEFT,
    TAILS,
    Family,
    MarginPacBayes,
    Posterior,
    quantile,
    up_to_the_best,
    with_drafts,
)
from ssm_bounds.bounds.selection.cells import grid
from ssm_bounds.bounds.values import Scalar, require

Array = NDArray[np.float64]

_EVENTS = 0.003  # share of the tail that pays for the events: every row pays them, and few rows the rest
_BINS = 256  # into which [g/2, g) is divided, and [g, 3g/2)
_PLACES = 1 + np.arange(2 * _BINS + 1) / _BINS
_LN_2 = 0.6931471805599453
_CLOSE = 1e-6  # what rough estimates of a risk may be off by: far more than they are
_NEAR = 2  # neighbours to either side that are made together: a search seldom goes further
_FURTHEST = 1199  # |j| of a margin 2^{j/4}


@dataclass(frozen=True, slots=True)
class Rows:
    """Training margins rounded down to ``half (1 + i/256)``, i = 0, ..., 512: ``counts`` of them at ``places`` i, and
    ``low`` below the first, of which nothing is known. ``half``: g/2, or a float64 close to it.

    >>> rows = Rows.of(np.array([-1.0, 0.2, 0.5, 0.7501, 80.0]), Fraction(1))
    >>> rows.low, rows.margins, rows.counts
    (2, [0.5, 0.75, 1.5], (1, 1, 1))
    """

    half: float
    low: int
    places: tuple[int, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, margins: Array, g: Fraction) -> Self:
        """Shapes: margins (m,), none NaN."""
        half = float(g) / 2
        places = np.searchsorted(half * _PLACES, margins, side="right")
        low, *counts = np.bincount(places, minlength=len(_PLACES) + 1).tolist()
        held = tuple(i for i, count in enumerate(counts) if count)
        return cls(half, low, held, tuple(counts[i] for i in held))

    @property
    def margins(self) -> list[float]:
        return [self.half * (1 + i / _BINS) for i in self.places]

    @property
    def m(self) -> int:
        return self.low + sum(self.counts)


def mean_tail(q: Posterior, g: Fraction, rows: Rows) -> Fraction:
    """``(1/m) sum_i f(mu_i)``, rounded up to a float64: what ``E_Q emp_{g/2}`` is at most."""
    with bits(START_BITS):
        start, scale = (exact(g) / 2 + q.remainder.upper).upper(), (2 * q.variance.upper).sqrt().upper()
        differences, total = max(q.outputs - 1, 1), arb(rows.low)
        for margin, count in zip(rows.margins, rows.counts, strict=True):
            move = arb(margin) - start
            f = differences * (move / scale).erfc() + q.events.upper if move > 0 else arb(1)
            total += count * arb.min(f, arb(1))
        return min(Fraction(float_above((total / rows.m).upper())), Fraction(1))


@dataclass(frozen=True, slots=True, eq=False)
class WithMargins:
    """The certified ``risk``, at most 1. ``posterior``, ``g``: the Q and the margin that give it (None where all is
    infinite); ``mean``: what ``E_Q emp_{g/2}`` is at most."""

    risk: Enclosure
    mean: Fraction
    posterior: Posterior | None
    g: Fraction
    m: int
    delta: Scalar

    @property
    def trace(self) -> tuple[str, ...]:
        """The argument in lines."""
        *lines, last = MarginPacBayes(self.risk, self.risk, self.posterior, self.m, self.delta).trace
        if self.posterior is None:
            return (last,)
        level = self.posterior.level(self.m, self.delta).float_upper()
        return (
            f"g = {float(self.g):.6g}, free as P is over W/g",
            *lines,
            f"training margins <= g/2 of theta' from Q, each row by the tail of a move from its own margin: "
            f"{float(self.mean):.3e} in the mean",
            f"kl(that mean || risk (1 - tau)) <= (KL + ln(1/pi) + ln(xi(m)/delta))/m = {level:.5f}",
        )


def with_margins(family: Family, m: int, delta: Scalar, margins: Array) -> WithMargins:
    """The risk with the margins of the m training rows at hand, g and Q chosen with them.

    One event carries all g and Q, so the smallest of three holds: of the Q that ``family.at`` takes, by rows and by
    count, and of the best Q found at a g of 2^{j/4}. Never more than ``family.at(m, delta, margin_errors).risk``.
    ``margins``: float64 that the margins of theta in real arithmetic are proven to be at least (-inf where nothing is).
    Shapes: margins (m,). Raises: DomainError.
    """
    margins = np.asarray(margins, dtype=np.float64)
    require(
        margins.shape == (m,) and bool((margins < math.inf).all()),
        f"margin PAC-Bayes: expected the margins of {m} rows, each a number below infinity",
    )
    errors = m - int((margins > float_above(exact(family.g))).sum())
    by_count = family.at(m, delta, errors).posterior
    if by_count is None:
        return WithMargins(Enclosure.point(1), Fraction(1), None, family.g, m, delta)
    choices = [(family.g, by_count, by_count.by_count(errors, m)), (family.g, by_count, Fraction(1))]
    if (best := _best(family, m, delta, margins)) is not None:
        choices.append((best[0].g, best[0].posterior(best[1]), Fraction(1)))
    found = []
    for g, q, most in choices:
        mean = min(mean_tail(q, g, Rows.of(margins, g)), most)
        found.append(WithMargins(q.risk_after(mean, m, delta), mean, q, g, m, delta))
    return min(found, key=lambda bound: bound.risk.float_upper())


def _best(family: Family, m: int, delta: Scalar, margins: Array) -> tuple[Family, list[float]] | None:
    """The family of about least risk among those at g = 2^{j/4}, and its estimates; None where there is none.

    First as if every width grew like g, then refitted, from a g to the better neighbour until neither is better.
    """
    positive = np.sort(margins[margins > 0])
    if not len(positive):
        return None
    least, median = (_index(float(positive[i])) for i in (0, len(positive) // 2))
    low, high = (min(max(j, -_FURTHEST), _FURTHEST) for j in (max(least - 4, median - 64), median + 4))

    def estimates(of: Family, j: int, saved: float) -> list[float]:
        """The risk of the drafts, each of them ``saved`` nats cheaper."""
        means = _rough_means(Rows.of(margins, Fraction(_margin(j))), len(of.blocks["W"]))

        def inverse(mean: Fraction, cost: float) -> float:
            return kl_inv(mean, level(Enclosure.point(max(cost - saved, 0.0)), m, delta)).float_upper()

        return up_to_the_best(
            of.drafts,
            lambda i, draft: inverse(means[i], draft.cost) / (1 - draft.tail),
            lambda cost: inverse(means[-1], cost),
        )

    with bits(START_BITS):
        own = float(exact(family.g).log().mid())
    entries = sum(block.size for block in family.blocks.values())
    saved = {j: entries * (j * _LN_2 / 4 - own) for j in range(low, high + 1)}
    about = _about(family, m, delta, margins, saved)
    rough = {j: min(estimates(family, j, saved[j])) for j in saved if about[j] <= min(about.values()) + _CLOSE}
    found: dict[int, list[float]] = {}

    def at(j: int) -> float:
        if j not in found:
            found[j] = estimates(_moved(family, j), j, 0.0)
        return min(found[j], default=math.inf)

    j = min(rough, key=rough.__getitem__)
    while abs(j) < _FURTHEST:
        side = min((j - 1, j + 1), key=at)
        if not at(side) < at(j):
            break
        j = side
    return (_moved(family, j), found[j]) if at(j) < math.inf else None


def _about(family: Family, m: int, delta: Scalar, margins: Array, saved: dict[int, float]) -> dict[int, float]:
    """Roughly the least risk of the drafts at each g = 2^{j/4}, each draft ``saved`` nats cheaper: within ``_CLOSE``.

    It says which few are worth an enclosure; for all at once, with the platform's logarithms.
    """
    below = np.searchsorted(np.sort(margins), [_margin(j) / 2 * _PLACES for j in saved])  # of each place, how many rows
    counts = np.diff(below, axis=1, append=m)
    means = np.minimum((below[:, 0] + _rough_tails(max(len(family.blocks["W"]) - 1, 1)) @ counts.T) / m, 1.0)
    cheaper, fixed = np.array(list(saved.values())), level(Enclosure.point(0), m, delta).float_upper()
    found = np.full(len(saved), np.inf)
    for draft, a in zip(family.drafts, means, strict=False):
        costs = np.maximum(np.array([[draft.cost], [draft.cost - LEFT]]) - cheaper, 0.0)
        risk, floor = _kl_inv_about(np.stack([a, means[-1]]), costs / m + fixed)
        found = np.minimum(found, risk / (1 - draft.tail))
        if (floor >= np.minimum(found, found.min() + 2 * _CLOSE) + _CLOSE).all():
            break  # as in up_to_the_best
    return dict(zip(saved, found.tolist(), strict=True))


def _kl_inv_about(a: Array, b: Array) -> Array:
    """``inversion.kl_about`` of arrays, which may hold a = 1."""
    with np.errstate(all="ignore"):
        rest, most = 1 - a, 1 - 2.0**-53
        near = np.minimum(np.minimum(a + np.sqrt(b / 2), -np.expm1(-(b + _LN_2) / rest)), most)
        for _ in range(6):
            kl = np.where(a > 0, a * np.log(a / near), 0.0) + rest * np.log(rest / (1 - near))
            near = np.minimum(near - (1 - near) * np.expm1((kl - b) * near / (near - a)), most)
        return np.where(a < 1, np.maximum(near, a), 1.0)


def _moved(family: Family, j: int) -> Family:
    """The family at g = 2^{j/4}, its events cheaper: a function of the model and j, its own g of no account."""
    known = _all_moved(family)
    if j not in known:
        near = [i for i in range(j - _NEAR, j + _NEAR + 1) if i not in known]
        moved = [replace(family, g=Fraction(_margin(i)), drafts=()) for i in near]
        known.update(zip(near, with_drafts(moved, events=_EVENTS), strict=True))
    return known[j]


@functools.lru_cache(maxsize=8)
def _all_moved(family: Family) -> dict[int, Family]:
    """By j, those made so far. The cache keeps the last 8 alive, with their drafts and the families they come from,
    whose blocks they share."""
    return {}


def _margin(j: int) -> float:
    """2^{j/4}, rounded up to a float64: every second point of the grid of theory 7."""
    return grid(2 * j)


def _index(value: float) -> int:
    """About the j with 2^{j/4} = value > 0: a place to look around."""
    mantissa, exponent = math.frexp(value)
    return 4 * exponent - sum(mantissa < point for point in (0.92, 0.77, 0.65, 0.55))


@functools.lru_cache(maxsize=64)
def _rough_tails(differences: int) -> Array:
    """About f at the points of :class:`Rows` for each of ``TAILS``, at any g, the remainder left out."""
    with bits(START_BITS):
        found = []
        for tail in TAILS:
            unit = exact(quantile(tail)) / (arb(2).sqrt() * _BINS)
            found.append(
                [float((differences * (unit * i).erfc()).mid()) + _EVENTS * tail for i in range(2 * _BINS + 1)]
            )
        return np.minimum(np.array(found), 1.0)


def _rough_means(rows: Rows, outputs: int) -> list[Fraction]:
    """About :func:`mean_tail` for each of ``TAILS``, whatever Q: its move is g/2 with that probability."""
    parts = _rough_tails(max(outputs - 1, 1))[:, list(rows.places)] * np.array(rows.counts)
    return [Fraction(min(1.0, math.fsum([rows.low, *row]) / rows.m)) for row in parts.tolist()]
