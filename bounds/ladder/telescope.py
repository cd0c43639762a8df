"""Margin PAC-Bayes with a uniform posterior on a box, one scalar moved after the other (theory M5.3, M5.4).

**Claim.** Let theta be parameters, Q uniform on the box ``theta_i +- h_i``, and z, for every input, twice continuously
differentiable there with ``|dz/dtheta_i| <= s_i``, ``|d^2 z/dtheta_i^2| <= s2_i``. Put ``S^2 = sum_i s_i^2 h_i^2`` and
``E = sum_i s2_i h_i^2/2``. For a fixed input and ``t > E``, theta' drawn from Q has ``z' - z > t`` with probability
at most ``f(t) = exp(-(3/2)(t - E)^2/S^2)``, and so has ``z - z' > t``. Let the margin ``y z`` of theta on training row
i be at least mu_i. With probability 1 - delta, for all theta, h and g at once, ``tau = f(g/2)`` below 1,
``risk(theta) <= kl_inv((1/m) sum_i f(mu_i - g/2), (KL(Q || P) + ln(1/pi) + ln(xi(m)/delta))/m)/(1 - tau)``,
f taken as 1 up to E.

**Derivation.** Move one scalar at a time: ``z' - z = sum_i D_i(xi_i)``, given the earlier ones a function of xi_i,
which is uniform on [-h_i, h_i]. Its odd part is at most ``s_i |xi_i|`` and symmetric, so ``E exp(l odd) = E cosh(l odd)
<= sinh(l s_i h_i)/(l s_i h_i) <= exp(l^2 s_i^2 h_i^2/6)``; its even part is at most ``s2_i h_i^2/2``. The first factors
multiply, and Chernoff at ``l = 3 (t - E)/S^2`` gives f. Where the margin is <= 0 (a wrong answer, or a tie) it is
<= g/2 for theta' but with probability tau, so ``E_Q L_{g/2} >= (1 - tau) risk``; where it is mu_i, it is <= g/2 for
theta' with probability at most ``f(mu_i - g/2)``. The rest is 8.3. As ``f(mu - g/2) <= 1{mu <= g} + tau``, this is
never more than the form with emp_g + tau.

For an input whose last token is v the other rows of the tables of tokens (``telescope.OF_TOKENS``) move nothing: S^2 is
the largest over v. If z is read at all tokens and averaged before any norm, row v acts with its share f_v of them, and
``sum_v f_v^2 S_v^2 <= max_v S_v^2``; E counts no token table, as z is linear in them.

**P and its price.** N(theta_0, lambda_b^2) in each block b, ``lambda_b = 2^{j/2}``, j in Z of weight ``2/(3 (|j|+1)
(|j|+2))``, which sums to 1: ln(1/pi) is paid, pi their product. P is over Om/g and rho/g, in which all is measured
here, and the loss is that of margins of z/g up to 1/2: one event carries every g.
``KL = sum_i ln(lambda_b sqrt(2 pi)/(2 h_i)) + ((theta_i - theta_0i)^2 + h_i^2/3)/(2 lambda_b^2)``.

**Not claimed.** Anything about the program in floating point; vocabularies, sizes or a parametrisation chosen after a
look at the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import ClassVar, Self, TypeAlias

import numpy as np
from flint import arb

from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.architectures.mamba.telescope import OF_TOKENS, Slopes, box, slopes
from ssm_bounds.bounds.architectures.mamba.windows import Windows
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact, float_above
from ssm_bounds.bounds.evaluate.elementary import Floats, exp, log2_of, log_of, total
from ssm_bounds.bounds.evaluate.outward import above, below, sum_above
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.gaps.maurer import level
from ssm_bounds.bounds.ladder.margin_rows import Rows
from ssm_bounds.bounds.ladder.pac_bayes import LEAST_MARGIN, variance_index
from ssm_bounds.bounds.selection.cells import grid, index_weight
from ssm_bounds.bounds.values import Scalar, require

Widths: TypeAlias = Mapping[str, Floats]

TAILS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4)
"""tau for which a Q is fitted; any Q may be used, so these are free."""
_ROUNDS = 24
_FINE = 2.0**-10  # of logarithms
_FURTHEST_MARGIN = 1100  # |j| of a margin 2^{j/4}


class Boxed:
    """Trained parameters around which a posterior is put. ``center``: of each block of parameters, in real arithmetic;
    ``start``: theta_0 of each, fixed before the data, what it costs to have chosen it, and all else, in ``price``."""

    __slots__ = ()
    center: Mapping[str, Range]
    start: Mapping[str, Floats]
    price: Enclosure

    READ_OUT: ClassVar[tuple[str, ...]]
    """In which the output is linear: they have centre 0, and a margin divides them."""

    @property
    def numbers(self) -> int:
        """How many trained numbers are paid for."""
        return sum(low.size for low, _ in self.center.values())

    @property
    def where(self) -> str:
        """Over what they are bounded, in words."""
        raise NotImplementedError

    @property
    def counted(self) -> Mapping[str, float]:
        """What else a record says of them."""
        return {}

    def over(self, g: Fraction) -> Self:
        """In units of a margin g: what reads out is divided by it."""
        with bits(START_BITS):
            each = {name: _over(values, g) if name in self.READ_OUT else values for name, values in self.center.items()}
        return replace(self, center=each)  # type: ignore[type-var]

    def posteriors(self, g: Fraction) -> tuple[Posterior, ...]:
        """Those that are looked at for a margin g."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Block(Boxed):
    """One trained block in tables (``architectures.mamba.telescope.BLOCKS``)."""

    center: Mapping[str, Range]
    start: Mapping[str, Floats]
    windows: Windows
    T: int
    price: Enclosure

    READ_OUT: ClassVar[tuple[str, ...]] = OF_TOKENS

    @property
    def where(self) -> str:
        return f"in tables over {len(self.windows.tokens)} windows of tokens"

    @property
    def counted(self) -> Mapping[str, int]:
        return {"windows": len(self.windows.tokens)}

    def posteriors(self, g: Fraction) -> tuple[Posterior, ...]:
        """One for each of ``TAILS`` that has widths."""
        own, found, width = self.over(g), list[Posterior](), None
        for tail in TAILS:
            width = fitted(own, tail, width)
            if width is None:
                break
            found.append(certified(own, width, g))
        return tuple(found)


def _over(values: Range, g: Fraction) -> Range:
    ratio = exact(g)
    low, high = (np.array([arb(x) / ratio for x in end.ravel().tolist()], dtype=object) for end in values)
    down = np.array([-float_above(-x.lower()) for x in low], dtype=np.float64)
    up = np.array([float_above(x.upper()) for x in high], dtype=np.float64)
    return down.reshape(values[0].shape), up.reshape(values[0].shape)


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Q with everything that the certificate needs of it, in units of g; m and delta come later. ``by_block``: KL in
    nats; ``scales``: j of each block's prior; ``square``, ``even``: S^2 and E. An S of 0: nothing moves by more than E
    (the sup form)."""

    g: Fraction
    square: Enclosure
    even: Enclosure
    by_block: Mapping[str, Enclosure]
    scales: Mapping[str, int]
    price: Enclosure

    @property
    def divergence(self) -> Enclosure:
        with bits(START_BITS):
            return Enclosure.of(sum((nats.ball() for nats in self.by_block.values()), arb(0)))

    @property
    def spread(self) -> Enclosure:
        """S."""
        with bits(START_BITS):
            return Enclosure.of(self.square.ball().sqrt())

    @property
    def never_above(self) -> bool:
        """Whether nothing moves by more than E."""
        return bool(self.square.upper == 0)

    @property
    def tail(self) -> Enclosure:
        """tau."""
        return Enclosure.of(self._tail(arb(1) / 2))

    def _tail(self, move: arb) -> arb:
        """f of a move in units of g, its upper end; increasing in S^2 and E."""
        with bits(START_BITS):
            beyond = (move - self.even.upper).lower()
            if not beyond > 0 or not self.square.upper.is_finite():
                return arb(1)
            if self.never_above:
                return arb(0)
            return arb.min((-3 * beyond**2 / (2 * self.square.upper)).exp().upper(), arb(1))

    def mean_tail(self, rows: Rows) -> Fraction:
        """``(1/m) sum_i f(mu_i - g/2)``, rounded up to a float64; ``rows``: the margins in units of g."""
        with bits(START_BITS):
            found = arb(rows.low)
            for margin, count in zip(rows.margins, rows.counts, strict=True):
                found += count * self._tail(arb(margin) - arb(1) / 2)
            return min(Fraction(float_above((found / rows.m).upper())), Fraction(1))

    def level(self, m: int, delta: Scalar) -> Enclosure:
        with bits(START_BITS):
            return level(Enclosure.of(self.divergence.ball() + self.price.ball()), m, delta)

    def risk(self, mean: Fraction, m: int, delta: Scalar) -> Enclosure:
        """Bound of the risk where ``E_Q emp_{g/2} <= mean``, at most 1."""
        tau, inverse = self.tail.upper, kl_inv(mean, self.level(m, delta))
        with bits(START_BITS):
            if not tau < 1:
                return Enclosure.point(1)
            return Enclosure.of(arb.min(inverse.ball() / (1 - tau), arb(1)))

    def excess(self, m: int, delta: Scalar) -> Enclosure:
        """What the risk is at most above emp_g, at most 1 (Pinsker)."""
        tau, found = self.tail.upper, self.level(m, delta)
        with bits(START_BITS):
            if not tau < 1:
                return Enclosure.point(1)
            return Enclosure.of(arb.min(((found.ball() / 2).sqrt() + 2 * tau) / (1 - tau), arb(1)))


def scale_weight(j: int) -> Fraction:
    """``2/(3 (|j|+1)(|j|+2))``: sums to 1 over the integers.

    >>> 0.9999 < float(sum(scale_weight(j) for j in range(-99999, 100000))) < 1
    True
    """
    return index_weight(j) * Fraction(4, 3)


def move(found: Slopes, width: Widths) -> tuple[float, float]:
    """S^2 and E of widths h, from above."""
    fixed, rows, even = [], [], []
    for name, h in width.items():
        squares = above(np.square(found.first[name] * h), 3)
        if name in OF_TOKENS:
            rows.append(sum_above(squares.reshape(len(squares), -1), axis=1))
        else:
            fixed.append(sum_above(squares))
        even.append(sum_above(above(found.second[name] * np.square(h), 3)))
    of_token = above(sum(rows), len(rows)).max() if rows else 0.0
    return float(above(sum(fixed) + of_token, len(fixed) + 1)), float(above(sum(even) / 2, len(even)))


@np.errstate(all="ignore")
def certified(block: Block, width: Widths, g: Fraction) -> Posterior:
    """Everything of the posterior with these widths around ``block``, which is in units of g already."""
    return priced(block, width, g, *move(slopes(box(block.center, width), block.windows, block.T), width))


def priced(block: Boxed, width: Widths, g: Fraction, square: float, even: float) -> Posterior:
    """What a posterior with these widths pays, its S^2 and E known. ``block``: in units of g already."""
    if not math.isfinite(square + even):  # no number either
        square = even = math.inf
    by_block, scales, weight = {}, {}, Fraction(1)
    with bits(START_BITS):
        for name, h in width.items():
            low, high = block.center[name]
            far = np.maximum(np.abs(below(low - block.start[name])), np.abs(above(high - block.start[name])))
            squares, n = float(sum_above(above(np.square(far)))), h.size
            moved = sum((arb(x) ** 2 for x in h.ravel().tolist()), arb(0)) / 3
            j, _ = variance_index(squares, n, float(moved.mid()))
            logs = sum((arb(x).log() for x in h.ravel().tolist()), arb(0))
            start = (j * arb(2).log() + (2 * arb.pi()).log()) / 2 - arb(2).log()
            by_block[name] = Enclosure.of(n * start - logs + (arb(squares) + moved) / (2 * arb(2) ** j))
            scales[name], weight = j, weight * scale_weight(j)
        price = Enclosure.of(block.price.ball() - exact(weight).log())
    return Posterior(g, Enclosure.point(square), Enclosure.point(even), by_block, scales, price)


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """The Q of one block, by g and by the tail that they were fitted for; m and delta come later."""

    block: Boxed
    _found: dict[Fraction, tuple[Posterior, ...]] = field(default_factory=dict)

    def at(self, g: Fraction) -> tuple[Posterior, ...]:
        """Those of the block. Raises: DomainError for g outside the range of float64."""
        require(LEAST_MARGIN < g < 1 / LEAST_MARGIN, f"the margin must be > 0 (and in the range of float64), got {g!r}")
        if g not in self._found:
            self._found[g] = self.block.posteriors(g)
        return self._found[g]

    def excess(self, g: Fraction, m: int, delta: Scalar) -> tuple[Enclosure, Posterior | None]:
        """The least excess over the fraction of margins <= g, at most 1, and its Q; None where there is none."""
        pairs = [(q.excess(m, delta), q) for q in self.at(g)]
        return min(pairs, key=lambda pair: pair[0].float_upper(), default=(Enclosure.point(1), None))

    def risk(self, margins: Floats, m: int, delta: Scalar) -> WithMargins | None:
        """The least risk of all g = 2^{j/4} around the first local minimum; one event carries every g and Q.

        ``margins`` (m,): proven lower bounds of the training margins, -infinity where nothing is. None where no margin
        is positive, or no Q has widths.
        """
        positive = np.sort(margins[margins > 0])
        if not len(positive):
            return None
        found: dict[int, WithMargins | None] = {}

        def at(j: int) -> float:
            if j not in found:
                found[j] = self._with(Fraction(grid(2 * j)), margins, m, delta)
            best = found[j]
            return math.inf if best is None else best.risk.float_upper()

        j = round(4 * log2_of(float(positive[len(positive) // 50])))
        j = min(max(j, -_FURTHEST_MARGIN), _FURTHEST_MARGIN)
        while abs(j) < _FURTHEST_MARGIN:
            side = min((j - 1, j + 1), key=at)
            if not at(side) < at(j):
                break
            j = side
        at(j)
        return found[j]

    def _with(self, g: Fraction, margins: Floats, m: int, delta: Scalar) -> WithMargins | None:
        with np.errstate(all="ignore"):
            rows = Rows.of(np.asarray(below(margins / float(g))), Fraction(1))
        found = []
        for q in self.at(g):
            mean = q.mean_tail(rows)
            found.append(WithMargins(q.risk(mean, m, delta), mean, q))
        return min(found, key=lambda bound: bound.risk.float_upper(), default=None)


@dataclass(frozen=True, slots=True, eq=False)
class WithMargins:
    """The certified ``risk`` of one Q; ``mean``: what ``E_Q emp_{g/2}`` is at most."""

    risk: Enclosure
    mean: Fraction
    posterior: Posterior


@np.errstate(all="ignore")
def fitted(block: Block, tail: float, start: Widths | None = None) -> Widths | None:
    """Widths of about least KL at which a move of half the margin has probability ``tail``; None where there are none.

    At the optimum ``1/h_i^2 = 1/(3 lambda_b^2) + nu (s_i^2 c/S + s2_i)``, c from the tail: iterated, as s is of the
    box. ``block``: in units of its margin. A search, the same on every machine; nothing certified rests on it.
    """
    c = math.sqrt(2 * -log_of(tail) / 3)
    V = len(block.center["rho"][0])

    def following(width: Widths, prior: Mapping[str, float]) -> Widths | None:
        found = slopes(box(block.center, width), block.windows, block.T)
        if not all(np.isfinite(each).all() for each in (*found.first.values(), *found.second.values())):
            return None
        shares = {name: 1 / V if name in OF_TOKENS else 1.0 for name in width}
        odd = math.sqrt(move(found, width)[0])
        costs = {
            name: np.square(found.first[name]) * (shares[name] * c / max(odd, 1e-300)) + found.second[name]
            for name in width
        }

        def at(nu: float) -> Widths:
            return {name: 1 / np.sqrt(1 / (3 * prior[name]) + nu * costs[name]) for name in prior}

        def moved(nu: float) -> float:
            square, even = move(found, at(nu))
            return c * math.sqrt(square) + even

        return at(least(moved, -42.0, 84.0))

    if start is None:
        return iterated(block, 1e-4, _ROUNDS, following)
    return iterated(block, start, _ROUNDS // 3, following)


def iterated(
    block: Boxed,
    start: float | Widths,
    rounds: int,
    following: Callable[[Widths, Mapping[str, float]], Widths | None],
) -> Widths | None:
    """Widths that are near what ``following`` makes of them and of the prior's variances: from half of the first that
    it gives, by geometric means. None where it gives none, or the centre is beyond float64."""
    squares = {
        name: float(total(np.square((low + high) / 2 - block.start[name])))
        for name, (low, high) in block.center.items()
    }
    if not all(map(math.isfinite, squares.values())):
        return None
    width = (
        start if isinstance(start, Mapping) else {n: np.full(low.shape, start) for n, (low, _) in block.center.items()}
    )
    for i in range(rounds):
        moved = {name: float(total(np.square(h))) / 3 for name, h in width.items()}
        prior = {name: 2.0 ** variance_index(squares[name], h.size, moved[name])[0] for name, h in width.items()}
        found = following(width, prior)
        if found is None:
            return None
        width = {name: np.sqrt(h * found[name]) if i else found[name] * 0.5 for name, h in width.items()}
    return width


def least(moved: Callable[[float], float], low: float, high: float) -> float:
    """About the least factor in [e^low, e^high] at which a move, which falls with it, is below half the margin;
    e^high where none is."""
    while high - low > _FINE:
        middle = (low + high) / 2
        low, high = (low, middle) if moved(float(exp(middle))) < 0.5 else (middle, high)
    return float(exp(high))
