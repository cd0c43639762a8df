"""The classes of selective SSMs that are fixed before the data: which constants have cells (theory 7)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from sympy import Eq, Expr, Integer, Piecewise, Symbol

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants, MeasuredConstants, Norms
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.evaluate.balls import enclose, float_above, rational
from ssm_bounds.bounds.selection.cells import Cell, abscissa_cells, bias_cell, positive_cell, refined_cells
from ssm_bounds.bounds.selection.family import Chosen, SelectedClass
from ssm_bounds.bounds.values import DomainError, Sample, Scalar, field_names

UNIT = Symbol("t", nonnegative=True)
"""What an embedding in the class is divided by: B_u; 1 where it is fixed."""

LARGEST_LOGIT: Expr = sym.p + sym.B_q * sym.B_u
"""Of the gates over the ball |u| <= B_u."""

_outer = sym.B_B * sym.B_C * UNIT**3 / sym.margin


def _ratio(above: Expr, below: Expr) -> Expr:
    """0 for a zero matrix, whose normalised form is zero."""
    return Piecewise((Integer(0), Eq(below, 0)), (above / below, True))


CHOSEN = (
    Chosen("B_product", "B_w", sym.B_w * _outer, norms="spectral"),
    Chosen("v_product", "B_w", sym.v_w * sym.v_B * sym.v_C / sym.margin, norms="vocabulary"),
    Chosen("B_A", "B_A", sym.B_A),
    Chosen("B_q", "B_q", sym.B_q * UNIT, gate=True),
    Chosen("p", "p", sym.p, "bias", gate=True),
    Chosen("s_A", "s_A", sym.s_A, "abscissa"),
    Chosen("M", "M", LARGEST_LOGIT, "cap", gate=True),
    Chosen("M_A", "M_A", sym.M_A, l1=True),
    Chosen("M_B", "M_B", _ratio(sym.M_B, sym.B_B), l1=True),
    Chosen("M_C", "M_C", _ratio(sym.M_C, sym.B_C), l1=True),
    Chosen("M_w", "M_w", sym.M_w * _outer, l1=True),
    Chosen("M_q", "M_q", sym.M_q * UNIT, l1=True, gate=True),
)
"""Every constant with a cell, in the order in which a class lists them. The bias bounds p_lo and p_hi; for vocabulary
inputs the cap is that of the largest logit over the vocabulary, and in the family that decay groups split ``v_product``
takes the place of ``B_product`` there."""


def chosen(*, gate: bool, norms: Norms = "spectral") -> tuple[Chosen, ...]:
    """The constants with a cell in the classes with a gate or without."""
    return tuple(row for row in CHOSEN if (gate or not row.gate) and row.norms in (None, norms))


def normalised(*, embedding_in_class: bool) -> tuple[str, ...]:
    """The constants that rescaling makes 1."""
    return ("B_B", "B_C", "B_u") if embedding_in_class else ("B_B", "B_C")


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

    Cells are those of :data:`CHOSEN`, named for what they bound after that: ``B_product`` is ``B_w B_B B_C/g`` (with E
    in the class it is ``B_w B_B B_C B_u^3/g``), ``v_product`` is ``v_w v_B v_C/g``.

    ``groups``: another family, for ``selective_ssm.groups`` to split, without the option of l1 radii; for vocabulary
    inputs it bounds the constants of theory 5.3 and no spectral norm: after the same rescaling v_B = v_C = 1, and
    ``v_w v_B v_C/g`` is the only cell of the three.
    """
    norms: Norms = "vocabulary" if groups and vocabulary else "spectral"
    if norms == "vocabulary":
        vocabulary_constants(measured)
    rows = chosen(gate=measured.gate == "softplus", norms=norms)
    values = _values(measured) | {UNIT: measured.B_u if embedding_in_class else 1, sym.margin: margin}
    fixed = {row.cell: _cell(row, values) for row in rows if row.kind in ("positive", "bias")}
    of = {row.kind: row.of for row in rows}
    abscissa = Fraction(rational(of["abscissa"], values))
    top_gate = _largest_gate(of["cap"], measured, vocabulary) if "cap" in of else None
    caps = [None] if top_gate is None else [None, positive_cell("M", top_gate)]
    options = [False] if groups else [False, True]
    for cap, l1, s_A in itertools.product(caps, options, abscissa_cells(abscissa)):
        decay, gate = s_A, cap
        if gate is not None and top_gate is not None and abscissa > 0:
            decay, gate = refined_cells(decay, gate, sample.T, abscissa, Fraction(top_gate))
        found = fixed | {"s_A": decay, "M": gate}
        held = [(row, cell) for row in rows if (l1 or not row.l1) and (cell := found[row.cell]) is not None]
        constants = _class(measured, held, norms, embedding_in_class)
        yield SelectedClass(constants, tuple(cell for _, cell in held), len(caps) * len(options))


def _values(measured: MeasuredConstants) -> dict[Symbol, Any]:
    """The measured constants by symbol."""
    names = (name for name in field_names(MeasuredConstants) if name in sym.NOTATION)
    return {sym.NOTATION[name].symbol: getattr(measured, name) for name in names}


def _cell(row: Chosen, values: dict[Symbol, Any]) -> Cell:
    value = rational(row.of, values)
    return bias_cell(value) if row.kind == "bias" else positive_cell(row.cell, value)


def _class(
    measured: MeasuredConstants, held: list[tuple[Chosen, Cell]], norms: Norms, embedding_in_class: bool
) -> ClassConstants:
    """What the cells bound; what has none is unbounded, as measured, or 1."""
    radii: dict[str, Any] = dict.fromkeys(row.bounds for row in CHOSEN if row.l1)
    radii |= {"B_q": 0, "p_lo": 0, "p_hi": 0, "B_u": measured.B_u}
    radii |= dict.fromkeys(normalised(embedding_in_class=embedding_in_class), 1)
    for row, cell in held:
        radii |= {"p_lo": cell.value - 1, "p_hi": cell.value} if row.kind == "bias" else {row.bounds: cell.value}
    V = measured.V if embedding_in_class else None
    return ClassConstants(d=measured.d, N=measured.N, k=measured.k, V=V, gate=measured.gate, norms=norms, **radii)


def vocabulary_constants(measured: MeasuredConstants) -> tuple[Scalar, Scalar, Scalar]:
    """v_w, v_B, v_C of theory 5.3. Raises: DomainError where they were not measured."""
    if measured.v_w is None or measured.v_B is None or measured.v_C is None:
        raise DomainError("vocabulary constants (theory 5.3) need an embedding, and to be measured over its rows")
    return measured.v_w, measured.v_B, measured.v_C


def _largest_gate(over_the_ball: Expr, measured: MeasuredConstants, vocabulary: bool) -> float:
    """Upper double of softplus of the largest gate logit: over the vocabulary, or over the ball |u| <= B_u."""
    logit = measured.logit_max if vocabulary else rational(over_the_ball, _values(measured))
    if logit is None:
        raise DomainError("vocabulary inputs need an embedding: this model has real-valued inputs")
    return float_above(enclose(softplus(sym.p), {sym.p: logit}).upper)


def measured_class(measured: MeasuredConstants, *, embedding_in_class: bool, vocabulary: bool) -> ClassConstants:
    """The class *before section 7*: the measured constants themselves, p in [p - |p|, p]."""
    p = Fraction(measured.p)
    same = set(field_names(ClassConstants)) & set(field_names(MeasuredConstants))
    values = {name: getattr(measured, name) for name in same} | {"V": measured.V if embedding_in_class else None}
    capped = vocabulary and measured.gate == "softplus"
    return ClassConstants(
        **values, p_lo=p - abs(p), p_hi=p, M=_largest_gate(LARGEST_LOGIT, measured, vocabulary) if capped else None
    )
