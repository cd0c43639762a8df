"""A class of models as parameter blocks: each block's cover, in the metric its beta coefficient is stated for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import sympy

from bounds import notation as sym
from bounds.constants import ClassConstants, DecayGroups, Group, Scalar, field_names, require
from bounds.covering import Box, GroupVolume, Maurey, Volume
from bounds.enclose import Enclosure, Value, enclose_all
from bounds.entropy import EntropyBound, LipschitzImage, Minimum, Product, Projection
from bounds.perturbation import EMBEDDING, REPAIRED, SHARP, VOCABULARY
from bounds.sums import DEFINITIONS, RHO

OUTPUT = "output, sup over inputs, l2"
Metric = Literal["max", "spectral", "l2"]


def assignment(
    constants: ClassConstants, T: int, *, rho: Literal["published", "repaired"] = "repaired"
) -> dict[sympy.Symbol, Value]:
    """Values of every symbol that a sum or coefficient of this class contains."""
    values: dict[sympy.Symbol, Value] = {**DEFINITIONS, sym.rho: RHO[rho], sym.T: T}
    for name in field_names(ClassConstants):
        if name in sym.NOTATION and (value := getattr(constants, name)) is not None:
            values[sym.NOTATION[name].symbol] = value
    if constants.gate == "none":
        values |= {sym.M: 1, sym.Delta_min: 1}
    if constants.norms == "vocabulary":  # no spectral norm is bounded, so whatever asks for one must fail
        for spectral, vocabulary in ((sym.B_B, sym.v_B), (sym.B_C, sym.v_C), (sym.B_w, sym.v_w)):
            values[vocabulary] = values.pop(spectral)
    return values


def group_terms(groups: DecayGroups) -> dict[str, tuple[str, Group]]:
    """Name of every group's term, its block and the group: B.1, B.2, ..., or B where the rows are one group."""
    return {
        f"{block}.{i}" if len(found) > 1 else block: (block, group)
        for block, found in (("A", groups.A), ("B", groups.rows), ("C", groups.rows), ("w", groups.columns))
        for i, group in enumerate(found, 1)
    }


def coefficients(
    constants: ClassConstants, T: int, chain: Literal["sharp", "repaired"] = "sharp"
) -> Mapping[str, Enclosure]:
    """Enclosed beta of each block: A, B, C, w, g (unless the gate is none), e (if the embedding is in the class).

    With decay groups one for each of :func:`group_terms`.
    """
    # no coefficient depends on an l1 radius, so classes that differ in those alone share them
    return _coefficients(replace(constants, M_A=None, M_B=None, M_C=None, M_q=None, M_w=None), T, chain)


def coefficient_formulas(
    constants: ClassConstants, chain: Literal["sharp", "repaired"] = "sharp"
) -> dict[str, sympy.Expr]:
    """The expression of each block's beta: of 5.1 (5.3 in vocabulary norms) or 5.5, and 5.4; a decay group's is that of
    its block."""
    table = dict(REPAIRED if chain == "repaired" else SHARP if constants.norms == "spectral" else VOCABULARY)
    if constants.gate == "none":
        del table["g"]
    if constants.V is not None:
        table["e"] = EMBEDDING
    return table


@functools.lru_cache(maxsize=512)
def _coefficients(constants: ClassConstants, T: int, chain: Literal["sharp", "repaired"]) -> Mapping[str, Enclosure]:
    if constants.groups is not None:
        require(chain == "sharp", "decay groups belong to the sharp chain (theory.md 5.2)")
        one = replace(constants, groups=None)
        terms = {
            name: _coefficients(replace(one, s_A=group.s_A), T, chain)[block]
            for name, (block, group) in group_terms(constants.groups).items()
        }
        shared = _coefficients(one, T, chain)  # the gate and the embedding act through every group at once
        return terms | {block: shared[block] for block in ("g", "e") if block in shared}
    require(
        chain == "sharp" or constants.norms == "spectral", "the repaired chain (theory.md 5.5) is in spectral norms"
    )
    return enclose_all(coefficient_formulas(constants, chain), assignment(constants, T))


def _with_maurey(volume: EntropyBound, entries: int, l1_radius: Scalar | None, metric: Metric) -> EntropyBound:
    """The minimum with Maurey's cover when the class constrains the l1 norm (theory.md 3.1, 3.3, 3.5)."""
    if l1_radius is None:
        return volume
    return Minimum((volume, Projection(Maurey(entries, l1_radius), metric)))


def covers(constants: ClassConstants) -> dict[str, EntropyBound]:
    """Covers with centres inside, block by block. Metrics: A maximum, W_B, W_C, W spectral, gate logit, rows l2.

    With vocabulary norms W_B, W_C and W are covered in those (theory.md 5.3); with decay groups a group's term is that
    of the packing of the whole matrix (theory.md 5.2).
    """
    found = _matrix_covers(constants) if constants.groups is None else _grouped_covers(constants, constants.groups)
    if constants.gate == "softplus":
        found |= _gate_covers(constants)
    if constants.V is not None:
        found["e"] = Volume(constants.V * constants.d, constants.B_u, "largest row, l2")
    return found


def _grouped_covers(constants: ClassConstants, groups: DecayGroups) -> dict[str, EntropyBound]:
    """The box of A, group by group (its entries are independent); one packing each of W_B, W_C and W."""
    matrices = {
        "B": (constants.d, constants.B_B),
        "C": (constants.d, constants.B_C),
        "w": (constants.k, constants.B_w),
    }
    found: dict[str, EntropyBound] = {}
    for name, (block, group) in group_terms(groups).items():
        if block == "A":
            # an entry's own bound may be smaller, that of its row or column: it then needs no more midpoints
            found[name] = Box(group.items, (Fraction(constants.B_A) + Fraction(group.s_A)) / 2)
        else:
            size, radius = matrices[block]
            found[name] = GroupVolume(group.items * size, radius, constants.norms)
    return found


def _matrix_covers(constants: ClassConstants) -> dict[str, EntropyBound]:
    matrix, box = constants.d * constants.N, (Fraction(constants.B_A) + Fraction(constants.s_A)) / 2
    # midpoints of a box need not have a small l1 norm, so the box is covered by volume when M_A binds
    decays = Box(matrix, box) if constants.M_A is None else Volume(matrix, box, "max")
    readout, norm = constants.k * constants.d, constants.norms
    return {
        "A": _with_maurey(decays, matrix, constants.M_A, "max"),
        "B": _with_maurey(Volume(matrix, constants.B_B, norm), matrix, constants.M_B, "spectral"),
        "C": _with_maurey(Volume(matrix, constants.B_C, norm), matrix, constants.M_C, "spectral"),
        "w": _with_maurey(Volume(readout, constants.B_w, norm), readout, constants.M_w, "spectral"),
    }


def _gate_covers(constants: ClassConstants) -> dict[str, EntropyBound]:
    """theory.md 3.3: one joint block under a cap on M, else the product of an interval and a ball."""
    half_width = (Fraction(constants.p_hi) - Fraction(constants.p_lo)) / 2
    if constants.M is not None:
        radius = half_width + Fraction(constants.B_q) * Fraction(constants.B_u)
        return {"g": Volume(constants.d + 1, radius, "|dp| + B_u |dq|")}
    weights = _with_maurey(Volume(constants.d, constants.B_q, "l2"), constants.d, constants.M_q, "l2")
    return {"p": Box(1, half_width), "q": LipschitzImage(weights, Enclosure.point(constants.B_u), "logit")}


def output_entropy(constants: ClassConstants, beta: Mapping[str, Enclosure]) -> Product:
    """``H(eps)``: bound of the log covering number of the outputs (theory.md 3.4 over the blocks of 5.1 or 5.5)."""
    return Product(
        {
            name: LipschitzImage(cover, beta["g" if name in ("p", "q") else name], OUTPUT)
            for name, cover in covers(constants).items()
        }
    )
