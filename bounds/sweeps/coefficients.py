"""The sums and beta coefficients of the table as float64 logarithms, over arrays. Not certified.

A class is a mapping from the names of ``ClassConstants`` to arrays that broadcast against each other; a name that is
missing is not constrained: "M" (no cap on the gates), "V" (no embedding in the class), "B_q" (gate none: Delta = 1).
Every function returns natural logarithms, accurate as ``evaluate.logs`` says. Source: theory 2, 4.5, 5.1, 5.4, 5.5.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Literal

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Block, Theorem
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, RHO
from ssm_bounds.bounds.architectures.selective_ssm.table import PUBLISHED_STATE, SELECTIVE_SSM
from ssm_bounds.bounds.covers.entropy import allocation
from ssm_bounds.bounds.evaluate.logs import Floats, Scaled, logarithms, scaled, symbols

Class = Mapping[str, Floats]
_WITHOUT_GATE = {sym.M: 1.0, sym.Delta_min: 1.0, sym.B_q: 0.0}
_POWER_SUMS = (sym.M, sym.S_1, sym.S_2)


def blocks_of(of: Class, *, joint: bool) -> tuple[Block, ...]:
    """The blocks of a class, the gate as one or in parts."""
    return SELECTIVE_SSM.of(gate="B_q" in of, joint=joint, embedding="V" in of)


def _values(of: Class, T: Floats, rho: Literal["published", "repaired"]) -> dict[sympy.Symbol, Any]:
    """Values of the symbols of a coefficient, as ``selective_ssm.blocks.assignment``."""
    gates = {} if "B_q" in of else _WITHOUT_GATE
    return {**DEFINITIONS, sym.rho: RHO[rho], **gates, **symbols(of), sym.T: T}


def _read(of: Class, T: Floats, theorem: Theorem, sums: tuple[sympy.Symbol, ...]) -> dict[str, Floats]:
    """``ln`` of the sums and of the coefficients that this class has."""
    table = SELECTIVE_SSM.beta(theorem) | SELECTIVE_SSM.beta("embedding")
    names = [block.coefficient for block in blocks_of(of, joint=True)]
    formulas = {x.name: x for x in sums} | {name: table[name] for name in names}
    return logarithms(formulas, _values(of, T, "repaired"))


def sharp(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, R_1, R_2 and of each coefficient of 5.1: A, B, C, w, g (with a gate), e (5.4, with V).

    Shapes: those the arrays broadcast to.
    """
    return _read(of, T, "sharp", (sym.M, sym.R_1, sym.R_2))


def repaired(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, S_1, S_2 and of each coefficient of 5.5 (e as in 5.4)."""
    return _read(of, T, "repaired", _POWER_SUMS)


def published(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, S_1, S_2, of each coefficient of the published chain (q for the gate), and of C_F by C.9."""
    beta = {block.key: block.beta["published"] for block in _published("B_q" in of)}
    formulas = {x.name: x for x in (*_POWER_SUMS, sym.C_F)} | beta
    return {name: found.log for name, found in in_published(of, T, formulas).items()}


def in_published(of: Class, T: Floats, formulas: Mapping[str, sympy.Expr]) -> dict[str, Scaled]:
    """Formulas in the symbols of the published chain, C_F among them.

    Needs M_A, M_B, M_C, M_w and, with a gate, M_q. The gates are those of ``p_lo``, ``p_hi``: both are p there.
    """
    chain = {sym.B_x: PUBLISHED_STATE, sym.C_F: _capacity("B_q" in of)}
    return scaled(formulas, _values(of, T, "published") | chain)


def _published(gate: bool) -> list[Block]:
    return [block for block in SELECTIVE_SSM.of(gate=gate) if block.alpha is not None]


@functools.cache
def _capacity(gate: bool) -> sympy.Expr:
    alpha, beta = zip(*((block.alpha, block.beta["published"]) for block in _published(gate)), strict=True)
    return allocation(alpha, beta) ** sympy.Rational(3, 2)
