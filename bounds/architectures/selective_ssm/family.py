"""The classes of selective SSMs that are fixed before the data: which constants have cells (theory 7)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants, MeasuredConstants
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.evaluate.balls import enclose, float_above
from ssm_bounds.bounds.selection.cells import Cell, abscissa_cells, bias_cell, positive_cell, refined_cells
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.bounds.values import DomainError, Sample, Scalar, field_names


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

    Cells are named for what they bound after that: ``B_product`` is ``B_w B_B B_C/g`` (with E in the class it is
    ``B_w B_B B_C B_u^3/g``), ``v_product`` is ``v_w v_B v_C/g``.

    ``groups``: another family, for ``selective_ssm.groups`` to split, without the option of l1 radii; for vocabulary
    inputs it bounds the constants of theory 5.3 and no spectral norm: after the same rescaling v_B = v_C = 1, and
    ``v_w v_B v_C/g`` is the only cell of the three.
    """
    scale = Fraction(measured.B_u) if embedding_in_class else Fraction(1)
    outer = _product(measured.B_B, measured.B_C, scale, scale, scale) / Fraction(margin)
    words = groups and vocabulary
    product = positive_cell("B_product", _product(measured.B_w) * outer)
    if words:
        product = positive_cell("v_product", _product(*vocabulary_constants(measured)) / Fraction(margin))
    shared = [product, positive_cell("B_A", measured.B_A)]
    if measured.gate == "softplus":
        shared += [positive_cell("B_q", _product(measured.B_q, scale)), bias_cell(measured.p)]
    top_gate = _largest_gate(measured, vocabulary) if measured.gate == "softplus" else None
    caps = [None] if top_gate is None else [None, positive_cell("M", top_gate)]
    radii = [[]] if groups else [[], _l1_cells(measured, scale, outer)]
    options = len(caps) * len(radii)
    for cap, l1, s_A in itertools.product(caps, radii, abscissa_cells(measured.s_A)):
        decay, gate = s_A, cap
        if gate is not None and top_gate is not None and measured.s_A > 0:
            decay, gate = refined_cells(decay, gate, sample.T, Fraction(measured.s_A), Fraction(top_gate))
        cells = (*shared, decay, *([gate] if gate else []), *l1)
        constants = _class_of(measured, cells, product, embedding_in_class=embedding_in_class, words=words)
        yield SelectedClass(constants, cells, options)


def _l1_cells(measured: MeasuredConstants, scale: Fraction, outer: Fraction) -> list[Cell]:
    """The l1 radii after the rescalings."""
    return [
        positive_cell("M_A", measured.M_A),
        positive_cell("M_B", _ratio(measured.M_B, measured.B_B)),
        positive_cell("M_C", _ratio(measured.M_C, measured.B_C)),
        positive_cell("M_w", _product(measured.M_w) * outer),
        *([positive_cell("M_q", _product(measured.M_q, scale))] if measured.gate == "softplus" else []),
    ]


def _class_of(
    measured: MeasuredConstants, cells: tuple[Cell, ...], product: Cell, *, embedding_in_class: bool, words: bool
) -> ClassConstants:
    """The class with the upper ends of these cells; ``words``: in vocabulary norms."""
    value = {cell.name: cell.value for cell in cells}
    return ClassConstants(
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
    )


def vocabulary_constants(measured: MeasuredConstants) -> tuple[Scalar, Scalar, Scalar]:
    """v_w, v_B, v_C of theory 5.3. Raises: DomainError where they were not measured."""
    if measured.v_w is None or measured.v_B is None or measured.v_C is None:
        raise DomainError("vocabulary constants (theory 5.3) need an embedding, and to be measured over its rows")
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
