"""Paying for constants chosen after the data: grids and weights fixed before it (theory.md 7).

Positive constants lie on the grid ``2^{j/8}``, j in Z, each point rounded up to a double (the grid is fixed all the
same); s_A on its signed version and 0; p in [j, j+1]. With probability 1 - delta all cells hold at once, a cell at
``delta pi``, pi the product of its weights: ``ln(1/pi)`` is the price.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import sympy

from bounds import notation as sym
from bounds.constants import ClassConstants, DomainError, MeasuredConstants, Sample, Scalar, field_names
from bounds.elementary import log2_of
from bounds.enclose import Enclosure, enclose, float_above
from bounds.sums import softplus

Item = Literal["A", "rows", "columns"]
MOST_GROUPS = 4
_STEPS = 8
_LARGEST_INDEX = 8 * 1000


@dataclass(frozen=True, slots=True)
class Cell:
    """One constant's cell: its name, the bound it puts on the constant, where it lies on the grid, its weight."""

    name: str
    value: Scalar
    position: str
    weight: Fraction


@dataclass(frozen=True, slots=True)
class Split:
    """A labelled split of a block's items into groups (theory.md 5.2), one of a family fixed before the data.

    ``labels``: the group of every item; the entries of A channel by channel. ``ordered``: the items were sorted by
    their decay beforehand, which is a symmetry for the states, so that the sizes of the groups say everything.

    >>> Split("A", (0, 1, 1, 1), 2, ordered=False).weight  # of 4 groupings, 5 pairs of sizes, 4 sets of one item
    Fraction(1, 80)
    """

    name: Item
    labels: tuple[int, ...]
    groups: int
    ordered: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.labels.count(group) for group in range(self.groups))

    @property
    def weight(self) -> Fraction:
        """``1/(MOST_GROUPS binom(n+G-1, G-1))``, and 1 over the number of labellings of these sizes."""
        n = len(self.labels)
        ways = MOST_GROUPS * math.comb(n + self.groups - 1, self.groups - 1)
        if not self.ordered:
            ways *= math.factorial(n) // math.prod(map(math.factorial, self.sizes))
        return Fraction(1, ways)


@dataclass(frozen=True, slots=True)
class SelectedClass:
    """A class of the family fixed before the data, with the cells and splits that single it out.

    ``B_product`` bounds ``B_w B_B B_C/g`` after the rescaling of theory.md 7 (with the embedding in the class also
    ``B_u^3``: see :func:`selected_classes`), ``v_product`` likewise ``v_w v_B v_C/g``.
    ``weight``: pi, the product of the weights of cells, splits and options.
    """

    constants: ClassConstants
    cells: tuple[Cell, ...]
    options: int
    splits: tuple[Split, ...] = ()

    @property
    def weight(self) -> Fraction:
        paid = [cell.weight for cell in self.cells] + [split.weight for split in self.splits]
        return math.prod(paid, start=Fraction(1, self.options))

    @property
    def price(self) -> Enclosure:
        """``ln(1/pi)`` in nats."""
        return _log_inverse(self.weight)

    def cell(self, name: str) -> Cell | None:
        return next((cell for cell in self.cells if cell.name == name), None)


@functools.lru_cache(maxsize=256)
def _log_inverse(weight: Fraction) -> Enclosure:
    return enclose(sympy.log(sym.r), {sym.r: 1 / weight}) if weight < 1 else Enclosure.point(0)


def index_weight(j: int) -> Fraction:
    """``1/(2(|j|+1)(|j|+2))``: sums to 3/4 over the integers.

    >>> float(sum(index_weight(j) for j in range(-9999, 10000))) < 0.75
    True
    """
    return Fraction(1, 2 * (abs(j) + 1) * (abs(j) + 2))


@functools.lru_cache(maxsize=4096)
def grid(numerator: int, denominator: int = 1) -> float:
    """``2^{numerator/(8 denominator)}`` rounded up to a double."""
    exponent = sympy.Rational(numerator, _STEPS * denominator)
    return float_above(enclose(sympy.Pow(2, exponent), {}).upper)


def index_above(value: Fraction) -> int:
    """The least j with ``value <= grid(j)``."""
    if value <= 0:
        return 0
    j = math.ceil(_STEPS * log2_of(value))
    if j < -_LARGEST_INDEX:
        return -_LARGEST_INDEX  # the smallest point of the grid contains what is smaller still
    if j > _LARGEST_INDEX:
        raise DomainError(f"a constant of about 2^{j // _STEPS} is outside the grid of theory.md 7 (up to 2^1000)")
    while value > Fraction(grid(j)):
        j += 1
    while value <= Fraction(grid(j - 1)):
        j -= 1
    return j


def positive_cell(name: str, value: Scalar) -> Cell:
    """The least cell that contains a constant >= 0 (which must be rounded up already); j = 0 for the constant 0.

    >>> cell = positive_cell("B_q", 1.5)
    >>> cell.position, cell.weight
    ('2^(5/8)', Fraction(1, 84))
    """
    j = index_above(Fraction(value))
    return Cell(name, grid(j), f"2^({j}/8)", index_weight(j))


def abscissa_cells(s_A: Scalar) -> tuple[Cell, ...]:
    """Cells that contain the spectral abscissa, best guess first; weights 1/4 (3/4 grid), 1/4 for {0}."""
    value = Fraction(s_A)
    zero = Cell("s_A", 0.0, "0", Fraction(1, 4))
    if value == 0:
        return (zero,)
    j = index_above(abs(value))
    if value > 0:
        return (Cell("s_A", grid(j), f"2^({j}/8)", index_weight(j) / 4),)
    if abs(value) < Fraction(grid(j)):
        j -= 1  # the decay rate is rounded down
    if j < -_LARGEST_INDEX:
        return (zero,)
    return (Cell("s_A", -grid(j), f"-2^({j}/8)", index_weight(j) / 4), zero)


def bias_cell(p: Scalar) -> Cell:
    """[j, j+1] with j = floor p; ``value`` is p_hi = j + 1."""
    j = math.floor(Fraction(p))
    return Cell("p", j + 1, f"[{j}, {j + 1}]", index_weight(j))


def _refined(s_A: Cell, cap: Cell, T: int, measured_s_A: Fraction, measured_M: Fraction) -> tuple[Cell, Cell]:
    """Both coarse cells split geometrically into K = max(1, ceil(s_A M T/4)) parts (theory.md 7, for s_A > 0)."""
    K = max(1, math.ceil(Fraction(s_A.value) * Fraction(cap.value) * T / 4))
    return _part(s_A, measured_s_A, K), _part(cap, measured_M, K)


def _part(cell: Cell, value: Fraction, K: int) -> Cell:
    if K == 1:
        return cell
    top = index_above(value)
    low, high = 0, K  # grid((top-1) + low/K) < value <= grid((top-1) + high/K)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if value <= Fraction(grid((top - 1) * K + middle, K)) else (middle, high)
    numerator = (top - 1) * K + high
    return replace(cell, value=grid(numerator, K), position=f"2^({numerator}/{8 * K})", weight=cell.weight / K)


def _product(*factors: Scalar) -> Fraction:
    return math.prod((Fraction(factor) for factor in factors), start=Fraction(1))


def selected_classes(
    measured: MeasuredConstants,
    sample: Sample,
    *,
    margin: Scalar,
    embedding_in_class: bool,
    vocabulary: bool,
    groups: bool = False,
) -> Iterator[SelectedClass]:
    """Classes of the pre-data family that contain the model, for the function ``z/margin``.

    Options fixed in advance, ln(their number) paid: the gates capped jointly or not; the l1 radii constrained (and
    Maurey's covers used) or not. Rescaling ``(W, W_B, W_C) -> (a W, b W_B, W_C/(ab))`` makes B_B = B_C = 1; with the
    embedding E in the class also ``(E, q, W_B, W_C, W) -> (E/t, t q, t W_B, t W_C, t W)`` leaves z unchanged, so
    B_u = 1 there, and ``B_w B_B B_C B_u^3/g`` and ``B_q B_u`` are the only cells of these constants.

    ``groups``: another family, for :mod:`bounds.groups` to split, without the option of l1 radii; for vocabulary inputs
    it bounds the constants of theory.md 5.3 and no spectral norm: after the same rescaling v_B = v_C = 1, and
    ``v_w v_B v_C/g`` is the only cell of the three.
    """
    scale = Fraction(measured.B_u) if embedding_in_class else Fraction(1)
    softplus_gate = measured.gate == "softplus"
    B_q, M_q = _product(measured.B_q, scale), _product(measured.M_q, scale)
    outer = _product(measured.B_B, measured.B_C, scale, scale, scale) / Fraction(margin)
    product = positive_cell("B_product", _product(measured.B_w) * outer)
    words = groups and vocabulary
    if words:
        product = positive_cell("v_product", _product(*vocabulary_constants(measured)) / Fraction(margin))
    shared = [product, positive_cell("B_A", measured.B_A)]
    if softplus_gate:
        shared += [positive_cell("B_q", B_q), bias_cell(measured.p)]
    l1_cells = [
        positive_cell("M_A", measured.M_A),
        positive_cell("M_B", _ratio(measured.M_B, measured.B_B)),
        positive_cell("M_C", _ratio(measured.M_C, measured.B_C)),
        positive_cell("M_w", _product(measured.M_w) * outer),
        *([positive_cell("M_q", M_q)] if softplus_gate else []),
    ]
    top_gate = _largest_gate(measured, vocabulary) if softplus_gate else None
    caps = [None] if top_gate is None else [None, positive_cell("M", top_gate)]
    radii = [[]] if groups else [[], l1_cells]
    options = len(caps) * len(radii)
    for cap, l1, s_A in itertools.product(caps, radii, abscissa_cells(measured.s_A)):
        decay, gate = s_A, cap
        if gate is not None and top_gate is not None and measured.s_A > 0:
            decay, gate = _refined(decay, gate, sample.T, Fraction(measured.s_A), Fraction(top_gate))
        cells = (*shared, decay, *([gate] if gate else []), *l1)
        value = {cell.name: cell.value for cell in cells}
        yield SelectedClass(
            ClassConstants(
                d=measured.d,
                N=measured.N,
                k=measured.k,
                V=measured.V if embedding_in_class else None,
                gate=measured.gate,
                s_A=value["s_A"],
                B_A=value["B_A"],
                M_A=value.get("M_A"),
                B_u=1 if embedding_in_class else measured.B_u,
                B_B=1,
                M_B=value.get("M_B"),
                B_C=1,
                M_C=value.get("M_C"),
                B_q=value.get("B_q", 0),
                M_q=value.get("M_q"),
                p_lo=value["p"] - 1 if "p" in value else 0,
                p_hi=value.get("p", 0),
                B_w=product.value,
                M_w=value.get("M_w"),
                M=value.get("M"),
                norms="vocabulary" if words else "spectral",
            ),
            cells,
            options,
        )


def vocabulary_constants(measured: MeasuredConstants) -> tuple[Scalar, Scalar, Scalar]:
    """v_w, v_B, v_C of theory.md 5.3. Raises: DomainError where they were not measured."""
    if measured.v_w is None or measured.v_B is None or measured.v_C is None:
        raise DomainError("vocabulary constants (theory.md 5.3) need an embedding, and to be measured over its rows")
    return measured.v_w, measured.v_B, measured.v_C


def _ratio(numerator: Scalar, denominator: Scalar) -> Fraction:
    """0 for a zero matrix, whose normalised form is zero."""
    return Fraction(numerator) / Fraction(denominator) if denominator else Fraction(0)


def _largest_gate(measured: MeasuredConstants, vocabulary: bool) -> float:
    """Upper double of softplus of the largest gate logit: over the vocabulary, or over the ball |u| <= B_u."""
    if vocabulary:
        if measured.logit_max is None:
            raise DomainError("vocabulary inputs need an embedding: this model has real-valued inputs")
        logit = Fraction(measured.logit_max)
    else:
        logit = Fraction(measured.p) + _product(measured.B_q, measured.B_u)
    return float_above(enclose(softplus(sym.p), {sym.p: logit}).upper)


def measured_class(measured: MeasuredConstants, *, embedding_in_class: bool, vocabulary: bool) -> ClassConstants:
    """The class *before section 7*: the measured constants themselves, p in [p - |p|, p]."""
    p = Fraction(measured.p)
    same = set(field_names(ClassConstants)) & set(field_names(MeasuredConstants))
    values = {name: getattr(measured, name) for name in same} | {"V": measured.V if embedding_in_class else None}
    capped = vocabulary and measured.gate == "softplus"
    return ClassConstants(**values, p_lo=p - abs(p), p_hi=p, M=_largest_gate(measured, vocabulary) if capped else None)
