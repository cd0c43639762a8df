"""The formulas of one class: gates, sums and coefficients, with their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sympy import Expr, Symbol

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Theorem
from ssm_bounds.bounds.architectures.selective_ssm.blocks import (
    assignment,
    coefficient_formulas,
    coefficients,
    group_terms,
)
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.evaluate.formula import Formula, evaluated

_SUMS = {
    sym.M: "theory.md 1",
    sym.kappa: "theory.md 1",
    sym.lambda_: "theory.md 4.4",
    sym.L: "theory.md 4.5",
    sym.phi: "theory.md 4.4",
    sym.R_1: "theory.md 4.5",
    sym.R_2: "theory.md 4.5",
    sym.R_g: "theory.md 5.1",
}


def formulas(constants: ClassConstants, T: int) -> Iterator[Formula]:
    """What the coefficients of a class are made of, and each of them."""
    values = assignment(constants, T)
    one = replace(constants, groups=None)
    for symbol, source in _SUMS.items():
        if symbol is sym.kappa and constants.norms == "vocabulary":
            continue
        if symbol in (sym.lambda_, sym.phi) and constants.s_A >= 0:
            continue
        if isinstance(values.get(symbol), Expr):
            yield evaluated(sym.NOTATION[symbol.name].meaning, symbol, DEFINITIONS[symbol], values, source)
    table, found = coefficient_formulas(constants), coefficients(constants, T)
    terms = {} if constants.groups is None else group_terms(constants.groups)
    for name, value in found.items():
        block, group = terms.get(name) or (SELECTIVE_SSM.block(name), None)
        at = values if group is None else assignment(replace(one, s_A=group.s_A), T)
        theorem: Theorem = "vocabulary" if constants.norms == "vocabulary" else "sharp"
        source = SELECTIVE_SSM.source(block, theorem)
        beta = Symbol(f"beta_{block.coefficient}")
        shown = SELECTIVE_SSM.shown(name)
        yield replace(evaluated(shown, beta, table[block.coefficient], at, source), value=value)
