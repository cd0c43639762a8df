"""A linear controlled differential equation along piecewise linear paths, in exact and in ball arithmetic.

``dZ = sum_i A_i Z dX^i``, Z_0 given; on a segment X is a straight line, so that ``Z_T = e^{M_k} ... e^{M_1} Z_0`` with
``M_j = sum_i A_i (X^i_j - X^i_{j-1})``, later factors on the left. Only increments enter. Every input is an exact
number: an integer, a fraction, or the dyadic number that a float is.

Shapes: n states, r coordinates of the path, A (r,n,n), Z_0 (n,), a path (points,r).
Source: theory 15.1, 15.3 (Muca Cirone et al., arXiv 2402.19047, is the model; the remainder is ours).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from flint import arb, arb_mat, fmpq, fmpq_mat

from ssm_bounds.bounds.evaluate.balls import MAX_BITS, START_BITS, Enclosure, PrecisionError, bits
from ssm_bounds.bounds.values import Scalar, require, require_finite
from ssm_bounds.models.norms.spectral import spectral

Vector: TypeAlias = Sequence[Scalar]
Matrix: TypeAlias = Sequence[Vector]
Path: TypeAlias = Sequence[Vector]
_RELATIVE = Fraction(1, 2**60)  # how wide a state may be, of the largest of its entries


class Truncated(NamedTuple):
    """The series up to a level, exactly, and an upper bound of how far in l2 the state is from it."""

    value: tuple[Fraction, ...]
    remainder: arb


@dataclass(frozen=True, slots=True, eq=False)
class LinearCDE:
    """``dZ = sum_i A_i Z dX^i``. Raises: DomainError for shapes that do not fit, and entries that are not finite."""

    A: tuple[fmpq_mat, ...]
    Z_0: fmpq_mat

    @classmethod
    def of(cls, A: Sequence[Matrix], Z_0: Vector) -> Self:
        """From exact numbers."""
        n = len(Z_0)
        require(n >= 1 and len(A) >= 1, f"LinearCDE: expected a state and a coordinate, got {n} and {len(A)}")
        for i, matrix in enumerate(A):
            fits = len(matrix) == n and all(len(row) == n for row in matrix)
            require(fits, f"LinearCDE: A[{i}] has to be ({n}, {n}), as Z_0 has {n} entries")
        matrices = (fmpq_mat(n, n, _rationals(f"A[{i}]", itertools.chain(*matrix))) for i, matrix in enumerate(A))
        return cls(tuple(matrices), fmpq_mat(n, 1, _rationals("Z_0", Z_0)))

    @classmethod
    def forced(cls, A: Sequence[Matrix], B: Matrix, Z_0: Vector) -> Self:
        """``dZ = sum_i A_i Z d omega^i + B d xi`` as an equation without forcing: its state is (Z, 1), its path
        (omega, xi). Shapes: B (n,s), a path (points, r + s). Source: theory 15.3."""
        n = len(Z_0)
        forcing = len(B) == n and len({len(row) for row in B}) == 1
        require(forcing, f"LinearCDE: B has to be ({n}, s), as Z_0 has {n} entries")
        last = [0] * (n + 1)
        driven: list[Matrix] = [[*([*row, 0] for row in matrix), last] for matrix in A]
        pushed: list[Matrix] = [[*([*[0] * n, row[j]] for row in B), last] for j in range(len(B[0]))]
        return cls.of([*driven, *pushed], [*Z_0, 1])

    def segments(self, path: Path) -> list[fmpq_mat]:
        """``M_j`` of each segment."""
        points = [_rationals(f"point {j} of the path", point) for j, point in enumerate(path)]
        wanted = len(self.A)
        require(bool(points), "a path needs a point")
        require(all(len(point) == wanted for point in points), f"every point of the path needs {wanted} coordinates")
        return [self._moved([b - a for a, b in zip(*pair, strict=True)]) for pair in itertools.pairwise(points)]

    def _moved(self, increment: list[fmpq]) -> fmpq_mat:
        return sum((A * step for A, step in zip(self.A, increment, strict=True)), 0 * self.A[0])

    def flow(self, path: Path) -> tuple[Enclosure, ...]:
        """The state at the end, each entry enclosed to 2^-60 of the largest.

        Raises: PrecisionError where exponentials are so large that no precision does it; DomainError.
        """
        steps, precision = self.segments(path), START_BITS
        while precision <= MAX_BITS:
            with bits(precision):
                state = arb_mat(self.Z_0)
                for step in steps:
                    state = arb_mat(step).exp() * state
                balls = state.entries()
                largest = max((abs(ball).upper() for ball in balls), default=arb(0))
                allowed = largest * arb(fmpq(_RELATIVE.numerator, _RELATIVE.denominator))
                if all(ball.is_finite() and 2 * ball.rad() <= allowed for ball in balls):
                    return tuple(map(Enclosure.of, balls))
            precision *= 2
        raise PrecisionError(f"the state of a linear CDE is not enclosed within {MAX_BITS} bits; shorten the path")

    def levels(self, path: Path, level: int) -> list[fmpq_mat]:
        """The parts of degree 0 to ``level`` in the path: ``sum_{|I|=k} A_I Z_0 S^I`` for each k, exactly.

        Segment by segment: the part of degree k of ``e^M v`` is ``sum_i M^i/i! v_{k-i}``.
        """
        require(level >= 0, f"level: expected a whole number >= 0, got {level}")
        parts = [self.Z_0, *(0 * self.Z_0 for _ in range(level))]
        for step in self.segments(path):
            moved = [*parts]
            for k in range(1, level + 1):
                for i in range(1, k + 1):
                    parts[k - i] = step * parts[k - i] * fmpq(1, i)
                    moved[k] = moved[k] + parts[k - i]
            parts = moved
        return parts

    def series(self, path: Path, level: int) -> fmpq_mat:
        """``sum_{|I|<=level} A_I Z_0 S^I``, exactly."""
        return sum(self.levels(path, level), 0 * self.Z_0)

    def truncated(self, path: Path, level: int) -> Truncated:
        """``sum_{|I|<=level} A_I Z_0 S^I``, and an upper bound of its l2 distance to the state.

        Claim: at most ``|Z_0| sum_{k>level} l^k/k!``, l the sum of the spectral norms of ``M_j``. Derivation: degree k
        of ``prod_j e^{M_j}`` is a sum of ``prod_j M_j^{k_j}/k_j!`` over k_1 + k_2 + ... = k, of norm at most
        ``l^k/k!``. Attained by scalars of one sign. Source: theory 15.1.
        """
        value = self.series(path, level)
        with bits(START_BITS):
            size = arb(sum((z * z for z in self.Z_0.entries()), fmpq(0))).sqrt()
            remainder = size * _tail(self.variation(path), level)
            return Truncated(tuple(map(fraction, value.entries())), remainder.upper())

    def variation(self, path: Path) -> arb:
        """``l = sum_j |M_j|_2``, from above."""
        with bits(START_BITS):
            return sum(map(_norm, self.segments(path)), arb(0)).upper()


def _norm(matrix: fmpq_mat) -> arb:
    """The proven norm of the nearest float64 matrix, plus the Frobenius norm of what that leaves out."""
    exact = [fraction(entry) for entry in matrix.entries()]
    require(all(abs(entry) < 2**1000 for entry in exact), "an increment times A exceeds 2^1000; rescale the path")
    nearest = [float(entry) for entry in exact]
    lost = sum(((Fraction(near) - entry) ** 2 for near, entry in zip(nearest, exact, strict=True)), Fraction(0))
    found = spectral(np.array(nearest).reshape(matrix.nrows(), matrix.ncols()))
    return arb(found) + arb(fmpq(lost.numerator, lost.denominator)).sqrt()


def _tail(l: arb, level: int) -> arb:  # noqa: E741, the letter of theory 15.1
    """``sum_{k>level} l^k/k!``: ``l^{level+1}/(level+1)!`` times Kummer's function, so that nothing cancels."""
    first = level + 1
    return l**first / arb(first + 1).gamma() * l.hypgeom_1f1(1, first + 1)


def _rationals(name: str, values: Sequence[Scalar] | itertools.chain) -> list[fmpq]:
    found = []
    for value in values:
        require_finite("LinearCDE", name, value)
        exact = Fraction(value)
        found.append(fmpq(exact.numerator, exact.denominator))
    return found


def fraction(value: fmpq) -> Fraction:
    """The same number."""
    return Fraction(int(value.p), int(value.q))
