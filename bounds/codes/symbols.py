"""Codes of integers: the exact prior mass of a vector, and its nats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, Protocol

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.balls import exact

Integers = NDArray[np.int64]
RATIOS = tuple(Fraction(n, d) for n, d in ((1, 32), (1, 8), (1, 4), (1, 2), (5, 8), (3, 4), (7, 8), (15, 16)))
RATIOS += (Fraction(31, 32), Fraction(63, 64))
"""The r of ``P(z) = (1-r)/(1+r) r^|z|``."""
RADII = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""The K of the alphabet ``-K..K`` of ``Counts``."""
Kind = Literal["geometric", "counts", "sparse"]


class Symbols(Protocol):
    """A code of integer vectors: masses sum to at most 1 over all vectors of one length, and no order of z matters."""

    even: ClassVar[bool]
    """Whether the mass is a function of ``|z|`` alone."""

    def mass(self, z: Integers) -> Fraction:
        """Exact prior mass of the vector z (n,)."""
        ...

    def nats(self, z: Integers) -> arb:
        """``-ln mass`` as a ball at the current precision; infinite where the mass is 0."""
        ...

    def about(self, z: Integers) -> float:
        """``nats`` in float64, for searching."""
        ...


@dataclass(frozen=True, slots=True)
class Geometric:
    """Integers by ``P(z) = (1-r)/(1+r) r^|z|``, independent."""

    ratio: Fraction
    even: ClassVar[bool] = True

    def mass(self, z: Integers) -> Fraction:
        """Exact prior mass of the vector z (n,)."""
        return ((1 - self.ratio) / (1 + self.ratio)) ** z.size * self.ratio ** _total(z)

    def nats(self, z: Integers) -> arb:
        """``-ln mass`` as a ball at the current precision."""
        r = exact(self.ratio)
        return -z.size * ((1 - r) / (1 + r)).log() - _total(z) * r.log()

    def about(self, z: Integers) -> float:
        """``nats`` in float64, for searching."""
        r = float(self.ratio)
        return -z.size * math.log((1 - r) / (1 + r)) - float(_total(z)) * math.log(r)


def _counts(z: Integers, radius: int) -> list[int] | None:
    """How often each of ``-radius..radius`` occurs; None where something else does."""
    if z.size and (int(z.min()) < -radius or int(z.max()) > radius):
        return None
    counts: list[int] = np.bincount(z + radius, minlength=2 * radius + 1).tolist()
    return counts


@dataclass(frozen=True, slots=True)
class Counts:
    """Entropy code with counts: first how often each of ``-K..K`` occurs, then which arrangement it is, both uniform.

    ``mass = (2K)! prod c_a! / (n + 2K)!``; zero where some ``|z| > K``.
    """

    radius: int
    even: ClassVar[bool] = False

    def mass(self, z: Integers) -> Fraction:
        """Exact prior mass of the vector z (n,)."""
        counts, cells = _counts(z, self.radius), 2 * self.radius
        if counts is None:
            return Fraction(0)
        return Fraction(math.factorial(cells) * math.prod(map(math.factorial, counts)), math.factorial(z.size + cells))

    def nats(self, z: Integers) -> arb:
        """``-ln mass`` as a ball at the current precision; infinite outside the alphabet."""
        counts, cells = _counts(z, self.radius), 2 * self.radius
        if counts is None:
            return arb("inf")
        seen = sum((log_factorial(c) for c in counts), arb(0))
        return log_factorial(z.size + cells) - log_factorial(cells) - seen

    def about(self, z: Integers) -> float:
        """``nats`` in float64, for searching."""
        counts, cells = _counts(z, self.radius), 2 * self.radius
        if counts is None:
            return math.inf
        return math.lgamma(z.size + cells + 1) - math.lgamma(cells + 1) - sum(math.lgamma(c + 1) for c in counts)


@dataclass(frozen=True, slots=True)
class KT:
    """Adaptive code of Krichevsky and Trofimov over ``-K..K``: after n symbols, n_a of them a, the next is a with
    probability ``(n_a + 1/2)/(n + c)``, c = K + 1/2.

    ``-ln mass = ln G(n+c) - ln G(c) - sum (ln G(n_a + 1/2) - ln G(1/2))``, G the gamma function; zero mass where some
    ``|z| > K``. Shorter than ``Counts`` where few symbols occur. Source: theory 8.12.
    """

    radius: int
    even: ClassVar[bool] = False

    def mass(self, z: Integers) -> Fraction:
        """Exact prior mass of the vector z (n,): ``prod (2 n_a - 1)!!/prod_{i < n} (2 c + 2 i)``."""
        counts = _counts(z, self.radius)
        if counts is None:
            return Fraction(0)
        above = math.prod(_odd_factorial(n) for n in counts)
        return Fraction(above, math.prod(2 * self.radius + 1 + 2 * i for i in range(z.size)))

    def nats(self, z: Integers) -> arb:
        """``-ln mass`` as a ball at the current precision; infinite outside the alphabet."""
        counts, half = _counts(z, self.radius), arb(0.5)
        if counts is None:
            return arb("inf")
        seen = sum(((half + n).lgamma() - half.lgamma() for n in counts if n), arb(0))
        return (half + self.radius + z.size).lgamma() - (half + self.radius).lgamma() - seen

    def about(self, z: Integers) -> float:
        """``nats`` in float64, for searching."""
        counts, c = _counts(z, self.radius), self.radius + 0.5
        if counts is None:
            return math.inf
        seen = sum(math.lgamma(n + 0.5) - math.lgamma(0.5) for n in counts)
        return math.lgamma(z.size + c) - math.lgamma(c) - seen


def _odd_factorial(n: int) -> int:
    """``(2n-1)!!``."""
    return math.factorial(2 * n) // (2**n * math.factorial(n))


@dataclass(frozen=True, slots=True)
class Sparse:
    """Which entries are not zero (their number s, then the subset, both uniform), signs, and magnitudes.

    Magnitudes are geometric, ``(1-r) r^(|z|-1)``, under the uniform mixture of all r in [0, 1]:
    ``s! (S-s)!/(S+1)!`` with ``S = sum |z|``. No parameter to choose.
    """

    even: ClassVar[bool] = True

    def mass(self, z: Integers) -> Fraction:
        """Exact prior mass of the vector z (n,)."""
        s, total = int(np.count_nonzero(z)), _total(z)
        places = (z.size + 1) * math.comb(z.size, s)
        return Fraction(1, places * 2**s * (total + 1) * math.comb(total, s))

    def nats(self, z: Integers) -> arb:
        """``-ln mass`` as a ball at the current precision."""
        n, s, total = z.size, int(np.count_nonzero(z)), _total(z)
        places = arb(n + 1).log() + log_comb(n, s)
        return places + s * arb(2).log() + arb(total + 1).log() + log_comb(total, s)

    def about(self, z: Integers) -> float:
        """``nats`` in float64, for searching."""
        n, s, total = z.size, int(np.count_nonzero(z)), _total(z)
        lg = math.lgamma
        places = math.log(n + 1) + lg(n + 1) - lg(s + 1) - lg(n - s + 1)
        return places + s * math.log(2) + lg(total + 2) - lg(s + 1) - lg(total - s + 1)


ALPHABETS: Mapping[Kind, tuple[Symbols, ...]] = {
    "geometric": tuple(map(Geometric, RATIOS)),
    "counts": tuple(map(Counts, RADII)),
    "sparse": (Sparse(),),
}
"""The symbol codes that a group of weights chooses from, uniformly."""
WORD_ALPHABET: tuple[Symbols, ...] = (
    Sparse(),
    *(Counts(2**k) for k in range(10)),
    *(KT(2**k) for k in range(10)),
)
"""Those that a tensor of a word chooses from, uniformly (theory 8.12)."""


def _total(z: Integers) -> int:
    """``sum |z|``, exact where 64 bits would wrap around: a file may hold integers that make it short."""
    size = np.abs(z)
    return (int((size >> 32).sum()) << 32) + int((size & 0xFFFFFFFF).sum())


def log_factorial(n: int) -> arb:
    return arb(n + 1).lgamma()


def log_comb(n: int, k: int) -> arb:
    return log_factorial(n) - log_factorial(k) - log_factorial(n - k)
