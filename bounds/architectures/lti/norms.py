"""The norms h2, l1 and hinf of a discrete linear time-invariant system, enclosed: never below the true one.

h2 is the root of the sum of squares of all taps, l1 the gain in the largest entry, hinf the gain in l2: the largest
singular value of the transfer function on the unit circle. Of sequences of length at most T finite sums are enough,
whether the system is stable or not. Source: theory 14.2.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from flint import acb_mat, arb, arb_mat

from ssm_bounds.bounds.architectures.lti.systems import System, frobenius, root
from ssm_bounds.bounds.evaluate.balls import MAX_BITS, START_BITS, Enclosure, PrecisionError, bits, float_above
from ssm_bounds.bounds.values import DomainError, require

MOST_TAPS = 1 << 20
_LEFT = 2.0**-40  # of a sum, when what is left of it is left
_TINY = 2.0**-1000
_NARROW = 36  # bits of a norm
_SLOW = f"the taps decay too slowly: {MOST_TAPS} of them do not settle a sum over all times"
_CELLS, _MOST_CELLS = 32, 1 << 13
_CLOSE = 2.0**-23  # of hinf, at which no cell is divided any more


def h2(system: System, T: int | None = None) -> Enclosure:
    """``sqrt(sum_l |h_l|_F^2)`` over l < T, or over all l. Raises: DomainError (no decay is shown, or a slow one)."""

    def squares(tap: arb_mat) -> list[arb]:
        return [frobenius(tap) ** 2]

    def of(sums: list[arb], rest: arb) -> Enclosure:
        return Enclosure(root(sums[0]).lower(), root(sums[0] + rest**2).upper())

    return _summed(system, T, squares, of)


def l1(system: System, T: int | None = None) -> Enclosure:
    """``max_i sum_j sum_l |(h_l)_ij|`` over l < T, or over all l. Raises: DomainError."""
    rows, columns = system.shape

    def moduli(tap: arb_mat) -> list[arb]:
        return [sum((abs(tap[i, j]) for j in range(columns)), arb(0)) for i in range(rows)]

    def of(sums: list[arb], rest: arb) -> Enclosure:
        # a row of a tap has l1 norm at most sqrt(columns) times its Frobenius norm
        lower, upper = sums[0].lower(), sums[0].upper()
        for row in sums[1:]:
            lower, upper = arb.max(lower, row.lower()), arb.max(upper, row.upper())
        return Enclosure(lower.lower(), (upper + arb(columns).sqrt() * rest).upper())

    return _summed(system, T, moduli, of)


def _summed(
    system: System, T: int | None, terms: Callable[[arb_mat], list[arb]], of: Callable[[list[arb], arb], Enclosure]
) -> Enclosure:
    """The norm of sums over taps and of what is at most left, at the first precision at which it comes out narrow."""
    require(T is None or 1 <= T <= MOST_TAPS, f"a norm of the first T taps needs T from 1 to {MOST_TAPS}, got {T}")
    precision = START_BITS
    while precision <= MAX_BITS:
        with bits(precision):
            sums, rest = _sums(system, T, terms)
            if all(each.is_finite() for each in sums):
                found = of(sums, rest)
                if found.upper <= _TINY or found.relative_width() <= 2.0**-_NARROW:
                    return found
        precision *= 2
    raise PrecisionError(f"a norm is not enclosed within {MAX_BITS} bits")


def _sums(system: System, T: int | None, terms: Callable[[arb_mat], list[arb]]) -> tuple[list[arb], arb]:
    sums = [arb(0)] * system.shape[0]
    if T is None:
        whole = frobenius(next(system.taps())) + system.tail(1)
        require(not system.tail(MOST_TAPS) ** 2 > _LEFT * whole**2, _SLOW)
    for seen, tap in enumerate(itertools.islice(system.taps(), MOST_TAPS if T is None else T), 1):
        sums = [each + term for each, term in zip(sums, terms(tap), strict=False)]
        if T is None and seen % 32 == 0:
            rest, least = system.tail(seen), max(each.lower() for each in sums)
            # a sum of squares is compared with the square: then the rest is small beside its root too
            if rest <= _TINY or (rest <= _LEFT * least and rest**2 <= _LEFT * least):
                return sums, rest
    if T is None:
        raise DomainError(_SLOW)
    return sums, arb(0)


def hinf(system: System) -> Enclosure:
    """The largest singular value of ``H(theta)`` over all theta: to about 1e-7, or as close as the largest number of
    cells allows, where modes cancel or a pole is next to the circle.

    Claim: on ``|t| <= r`` the norm of ``H(theta + t)`` is at most ``max(|H + r H'|, |H - r H'|) + r^2 M/2``, with
    ``M = sum_l l^2 |h_l|_F``. Derivation: Taylor's remainder, and a norm along a line is convex, so largest at an end.
    The taps are real, so theta in [0, pi] is enough. Cells are halved where that is not below what is attained.
    Raises: DomainError (no decay is shown, or more than two inputs and more than two outputs).
    """
    require(min(system.shape) <= 2, f"hinf is computed for at most two inputs or two outputs, got {system.shape}")
    with bits(START_BITS):
        curvature = system.curvature()
        best = arb(0)
        cells: list[tuple[float, int, int]] = []  # minus the bound of a cell, rounded outward, its index and depth

        def look(index: int, depth: int) -> None:
            nonlocal best
            width = arb(1) / (_CELLS * 2 ** (depth + 1))
            value, slope = system.transfer((2 * index + 1) * width)
            r = (width * arb.pi()).upper()
            best = arb.max(best, _spectral(value).lower()).lower()
            ends = [_spectral(value + r * slope).upper(), _spectral(value - r * slope).upper()]
            bound = (arb.max(*ends) + r**2 * curvature / 2).upper()
            heapq.heappush(cells, (-float_above(bound), index, depth))

        for index in range(_CELLS):
            look(index, 0)
        for _ in range(_MOST_CELLS):
            bound = arb(-cells[0][0])
            if bound <= (1 + _CLOSE) * best or bound <= _TINY:
                break
            _, index, depth = heapq.heappop(cells)
            look(2 * index, depth + 1)
            look(2 * index + 1, depth + 1)
        return Enclosure(best, arb(-cells[0][0]))


def _spectral(matrix: acb_mat) -> arb:
    """The largest singular value of a matrix with at most two rows or two columns: the larger root of its Gram matrix's
    characteristic polynomial."""
    rows, columns = matrix.nrows(), matrix.ncols()
    if min(rows, columns) == 1:
        return frobenius(matrix)
    pair = [[matrix[i, j] if rows == 2 else matrix[j, i] for j in range(max(rows, columns))] for i in range(2)]
    a, b = (sum((abs(entry) ** 2 for entry in row), arb(0)) for row in pair)
    mixed = sum((x * y.conjugate() for x, y in zip(*pair, strict=True)), matrix[0, 0] * 0)
    return root((a + b + root((a - b) ** 2 + 4 * abs(mixed) ** 2)) / 2)
