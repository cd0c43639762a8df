"""Discrete linear time-invariant systems ``z_t = sum_l h_l u_{t-l}``, by their taps h_l and what is left of them.

Sums over all l need a proof of decay, which both kinds bring: a channel that all of its poles are inside the unit
circle, a system in matrices a power of A of small norm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from flint import acb, acb_mat, arb, arb_mat

from ssm_bounds.bounds.values import DomainError, require

_SQUARINGS = 40  # of A until a power is small: up to A^(2^40)


class System(Protocol):
    """Taps h_l of shape (outputs, inputs). The balls of what it returns are those of the current precision."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def taps(self) -> Iterator[arb_mat]:
        """h_0, h_1, ..."""
        ...

    def tail(self, lag: int) -> arb:
        """At least ``sum_{l >= lag} |h_l|_F``, for a lag >= 1. Raises: DomainError where no decay is shown."""
        ...

    def curvature(self) -> arb:
        """At least ``sum_l l^2 |h_l|_F``. Raises: DomainError."""
        ...

    def transfer(self, x: arb) -> tuple[acb_mat, acb_mat]:
        """``H = sum_l h_l e^{-i l theta}`` at theta = pi x, and its derivative in theta."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """``h_l = Re sum_n g_n lambda_n^l``, and h_0 plus the skip: a channel of S4D (theory 14.1).

    ``poles`` and ``residues`` (N,), real ones included; ``skip``: D. Raises: DomainError.
    """

    poles: Sequence[complex | acb]
    residues: Sequence[complex | acb]
    skip: float | arb = 0.0

    def __post_init__(self) -> None:
        require(len(self.poles) == len(self.residues), "a channel has one residue for each pole")

    @property
    def shape(self) -> tuple[int, int]:
        return (1, 1)

    def taps(self) -> Iterator[arb_mat]:
        poles, terms = [acb(z) for z in self.poles], [acb(g) for g in self.residues]
        skip = arb(self.skip)
        while True:
            yield arb_mat([[sum((term.real for term in terms), skip)]])
            terms = [term * z for term, z in zip(terms, poles, strict=True)]
            skip = arb(0)

    def tail(self, lag: int) -> arb:
        return sum((size * x**lag / (1 - x) for size, x in self._moduli()), arb(0)).upper()

    def curvature(self) -> arb:
        return sum((size * x * (1 + x) / (1 - x) ** 3 for size, x in self._moduli()), arb(0)).upper()

    def _moduli(self) -> list[tuple[arb, arb]]:
        found = [(abs(acb(g)), abs(acb(z))) for g, z in zip(self.residues, self.poles, strict=True)]
        require(all(x < 1 for _, x in found), "a pole is not shown to be inside the unit circle: no sum over all times")
        return found

    def transfer(self, x: arb) -> tuple[acb_mat, acb_mat]:
        z = (-acb(x)).exp_pi_i()
        value, slope = acb(self.skip), acb(0)
        for g, pole in zip(map(acb, self.residues), map(acb, self.poles), strict=True):
            for half, at in ((g / 2, pole), (g.conjugate() / 2, pole.conjugate())):  # of the real part
                value += half / (1 - z * at)
                slope += half * at * z / (1 - z * at) ** 2
        return acb_mat([[value]]), acb_mat([[acb(0, -1) * slope]])


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """``x_{t+1} = A x_t + B u_t, z_t = C x_t + D u_t``: h_0 = D, ``h_l = C A^{l-1} B``, exact real matrices."""

    A: arb_mat
    B: arb_mat
    C: arb_mat
    D: arb_mat

    @property
    def shape(self) -> tuple[int, int]:
        return (self.D.nrows(), self.D.ncols())

    def taps(self) -> Iterator[arb_mat]:
        yield self.D
        state = self.B
        while True:
            yield self.C * state
            state = self.A * state

    def tail(self, lag: int) -> arb:
        r, q, powers = self._decay()
        return (self._ends() * powers * q ** ((lag - 1) // r) / (1 - q)).upper()

    def curvature(self) -> arb:
        """The taps from ``1 + r m`` to ``r (m + 1)`` have norms of sum at most ``|C||B| sum_{i<r} |A^i| q^m``."""
        r, q, powers = self._decay()
        return (self._ends() * powers * r**2 * (1 + q) / (1 - q) ** 3).upper()

    def _ends(self) -> arb:
        return frobenius(self.C) * frobenius(self.B)

    def _decay(self) -> tuple[int, arb, arb]:
        """r, ``q >= |A^r|_F`` at most 1/2, and at least ``sum_{i<r} |A^i|_2``. Raises: DomainError."""
        power, r, powers = self.A, 1, arb(1)
        for _ in range(_SQUARINGS):
            q = frobenius(power).upper()
            if q <= 0.5:
                return r, q, powers
            power, r, powers = power * power, 2 * r, (powers * (1 + q)).upper()
        raise DomainError(f"no power of A up to 2^{_SQUARINGS} is shown to be small: no sum over all times")

    def transfer(self, x: arb) -> tuple[acb_mat, acb_mat]:
        n, z = self.A.nrows(), (-acb(x)).exp_pi_i()
        inner = acb_mat([[acb(i == j) - z * self.A[i, j] for j in range(n)] for i in range(n)])
        once = inner.solve(acb_mat(self.B))
        C = acb_mat(self.C)
        return acb_mat(self.D) + z * (C * once), acb(0, -1) * z * (C * inner.solve(once))


def frobenius(matrix: arb_mat | acb_mat) -> arb:
    """The root of the sum of squared moduli."""
    return root(sum((abs(entry) ** 2 for entry in matrix.entries()), arb(0)))


def root(square: arb) -> arb:
    """The square root of a number that is at least 0, whose ball may reach below."""
    return arb(0).union(square.upper().sqrt()) if square.lower() < 0 else square.sqrt()
