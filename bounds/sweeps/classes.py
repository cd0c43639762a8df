"""Classes at every point of a sweep: the measured one, and those of theory 7 with their price. Float64.

Not certified: a constant within a relative 1e-12 above a point of the grid is taken to lie on it. A point is a mapping
from the names of ``MeasuredConstants`` (and T, M, V where they constrain) to arrays; see ``sweeps.axes``.
Source: theory 7; the exact form is ``selection.cells``, and both read ``selective_ssm.family.CHOSEN``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.family import UNIT, chosen, normalised
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.evaluate.logs import Floats, logarithms, numbers, symbols
from ssm_bounds.bounds.selection.cells import LARGEST_INDEX, STEPS, grid, inverse_weight
from ssm_bounds.bounds.sweeps.coefficients import Class
from ssm_bounds.bounds.values import DomainError

Point = Mapping[str, Floats]

_SIZES = ("d", "N", "k", "V", "T")


@dataclass(frozen=True, slots=True)
class Paid:
    """A class at every point and its price ``ln(1/pi)`` in nats: inf where there is no such class."""

    constants: Class
    price: Floats


def measured(at: Point) -> Class:
    """The class before section 7: the measured constants themselves, p in [p - |p|, p]."""
    found = {name: value for name, value in at.items() if name != "p"}
    if "p" in at:
        found |= {"p_lo": at["p"] - np.abs(at["p"]), "p_hi": at["p"]}
    return found


def printed(at: Point) -> Class:
    """The class of the published chain: the one p, no embedding in the class, no cap on the gates."""
    found = {name: value for name, value in at.items() if name not in ("p", "M", "V")}
    return found | ({"p_lo": at["p"], "p_hi": at["p"]} if "p" in at else {})


def _index_price(j: Floats) -> Floats:
    """What the cell of an index costs, in nats."""
    found: Floats = np.log(inverse_weight(j))
    return found


def _above(name: str, log2: Floats) -> Floats:
    """The least j with ``value <= 2^{j/8}``, of ``log2`` of the value; 0 for the constant 0."""
    exact = STEPS * log2
    j = np.ceil(exact - 1e-12 * np.maximum(1.0, np.abs(exact)))
    if (j > LARGEST_INDEX).any():
        raise DomainError(f"{name}: a constant above 2^1000 is outside the grid of theory 7")
    return np.where(log2 == -np.inf, 0.0, np.maximum(j, -LARGEST_INDEX))


def _point(j: Floats) -> Floats:
    return np.exp2(j / STEPS)


def _log2(x: Floats) -> Floats:
    """``log2``, exact at powers of two; -inf at 0."""
    with np.errstate(divide="ignore"):
        return np.log2(x)


@dataclass(frozen=True, slots=True)
class _Abscissa:
    """Cells of s_A: values, weights ``ln``, and where there is no such cell."""

    value: Floats
    price: Floats


def _abscissae(s_A: Floats) -> tuple[_Abscissa, _Abscissa]:
    """The cell of the sign of s_A, or {0} where no other contains it; and {0}, for s_A <= 0 alone."""
    log2 = _log2(np.where(s_A == 0, 1.0, np.abs(s_A)))
    exact, up = STEPS * log2, _above("s_A", log2)
    # the decay rate is rounded down
    down = np.floor(exact + 1e-12 * np.maximum(1.0, np.abs(exact)))
    zero = (s_A == 0) | ((s_A < 0) & (down < -LARGEST_INDEX))
    j = np.where(s_A < 0, down, up)
    own = _Abscissa(
        np.where(zero, 0.0, np.sign(s_A) * _point(np.where(zero, 0.0, j))),
        np.where(zero, 0.0, _index_price(j)) + math.log(4),
    )
    none = _Abscissa(np.zeros_like(own.value), np.where(s_A <= 0, math.log(4), np.inf))
    return own, none


def _number_of_parts(s_A: Floats, cap: Floats, T: Floats) -> Floats:
    """``K = max(1, ceil(s_A M T/4))`` at points of the grid, which are doubles rounded up: there, a product of powers
    of two may lie just above an integer, and only exact arithmetic tells."""
    product = s_A * cap * T / 4
    K = np.maximum(1.0, np.ceil(product))
    # beyond, one part more or less changes 2 ln K by less than 1e-7
    near = (product > 0.5) & (product < 2**25) & (np.abs(product - np.round(product)) <= 1e-12 * product)
    if near.any():
        K, s_A, cap, T = (np.array(np.broadcast_to(x, near.shape)) for x in (K, s_A, cap, T))
        for place in map(tuple, np.argwhere(near)):
            points = (grid(round(STEPS * math.log2(value))) for value in (s_A[place], cap[place]))
            K[place] = max(1, math.ceil(math.prod(map(Fraction, points), start=Fraction(int(T[place]), 4))))
    return K


def _refined(s_A: _Abscissa, cap: Floats, true_s_A: Floats, true_cap: Floats, T: Floats) -> tuple[Floats, ...]:
    """Values of the cells of s_A > 0 and M split into ``K = max(1, ceil(s_A M T/4))`` parts, and ``2 ln K``."""
    K = np.where(true_s_A > 0, _number_of_parts(s_A.value, cap, T), 1.0)

    def part(name: str, coarse: Floats, value: Floats) -> Floats:
        log2 = _log2(np.where(K > 1, value, 1.0))
        low = _above(name, log2) - 1
        steps = K * (STEPS * log2 - low)
        high = np.clip(np.ceil(steps - 4e-16 * np.abs(K * low)), 1.0, K)
        return np.where(K > 1, np.exp2((low + high / K) / STEPS), coarse)

    return part("s_A", s_A.value, true_s_A), part("M", cap, true_cap), 2 * np.log(K)


def selected(at: Point, scale: Floats) -> tuple[list[Paid], list[Paid]]:
    """The family of section 7 for ``z/scale``, as far as it contains the model: without the l1 radii, and with them.

    The classes are normalised (B_B = B_C = 1, and B_u = 1 with the embedding in the class); both lists run over the
    same caps on M and cells of s_A. Raises: DomainError (a constant above 2^1000).
    """
    embedded, gated = "V" in at, "B_q" in at
    rows = chosen(gate=gated)
    values = symbols(at) | {UNIT: at["B_u"] if embedded else np.ones(()), sym.margin: scale}
    logs = logarithms({row.cell: row.of for row in rows if row.kind == "positive"}, values)
    cells = {name: _above(name, value / math.log(2)) for name, value in logs.items()}
    shared = {name: at[name] for name in _SIZES if name in at} | {"B_u": at["B_u"]}
    shared |= {name: np.ones(()) for name in normalised(embedding_in_class=embedded)}
    # of two options, times two more with a gate
    price, more, l1 = np.asarray(math.log(4 if gated else 2)), np.zeros(()), {}
    for row in rows:
        if row.kind == "bias":
            floor = np.floor(numbers(row.of, values))
            shared |= {f"{row.bounds}_lo": floor, f"{row.bounds}_hi": floor + 1}
            price = price + _index_price(floor)
        elif row.kind == "positive" and row.l1:
            l1[row.bounds] = _point(cells[row.cell])
            more = more + _index_price(cells[row.cell])
        elif row.kind == "positive":
            shared[row.bounds] = _point(cells[row.cell])
            price = price + _index_price(cells[row.cell])
    plain = [Paid(shared | own, price + paid) for own, paid in _decays_and_caps(at, {row.kind: row.of for row in rows})]
    return plain, [Paid({**paid.constants, **l1}, paid.price + more) for paid in plain]


def _decays_and_caps(at: Point, of: Mapping[str, sympy.Expr]) -> Iterator[tuple[dict[str, Floats], Floats]]:
    """The cells of s_A, alone and with one of M, each with its price."""
    abscissa = numbers(of["abscissa"], symbols(at))
    both = _abscissae(abscissa)
    for cell in both:
        yield {"s_A": cell.value}, cell.price
    if "cap" not in of:
        return
    top = at["M"] if "M" in at else numbers(softplus(of["cap"]), symbols(at))
    j = _above("M", _log2(top))
    for cell in both:
        s_A, cap, refined = _refined(cell, _point(j), abscissa, top, at["T"])
        yield {"s_A": s_A, "M": cap}, cell.price + _index_price(j) + refined
