"""The classes of linear S4D models that are fixed before the data: which constants have cells (theory 14.5, 7).

Constants are values of symbols; the readout is divided by g, so that the margin is 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from sympy import Symbol

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.constants import Measured, Standardised, Taps
from ssm_bounds.bounds.architectures.lti.table import DEFINITIONS
from ssm_bounds.bounds.evaluate.balls import Value
from ssm_bounds.bounds.selection.cells import (
    LARGEST_INDEX,
    Cell,
    abscissa_cells,
    grid,
    index_above,
    positive_cell,
)
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.bounds.values import Sample, Scalar

Values = Mapping[Symbol, Value]
_FASTEST = 64  # of the rates that are tried: taps that fall by e^-64 a step
_LARGEST = 2.0**900  # constant of a class of which the rate is not 0
_SLOWEST = 1024  # parts of the slowest decay, or of 1/T, below which a rate is of no use


def fixed(measured: Measured, sample: Sample) -> dict[Symbol, Value]:
    """What was fixed before the data, and what stands for other symbols."""
    sizes: Values = {sym.d: measured.d, sym.N: measured.N, sym.k: measured.k, sym.T: sample.T, sym.m: sample.m}
    return {**DEFINITIONS, **sizes, sym.B_u: measured.B_u}


def by_norm(symbol: Symbol, norm: Scalar, g: Scalar) -> SelectedClass[Values]:
    """The class of one norm of the taps, over g."""
    cell = positive_cell(symbol.name, Fraction(norm) / Fraction(g))
    return SelectedClass({symbol: cell.value}, (cell,), 1)


def by_units(found: Standardised, g: Scalar) -> SelectedClass[Values]:
    """The class of theory 16.4, over g: one cell, and one more where the inputs have a mean of their own."""
    norms = {sym.psi_1: found.psi_1} | ({} if found.psi_2 is None else {sym.psi_2: found.psi_2})
    cells = {symbol: positive_cell(symbol.name, Fraction(norm) / Fraction(g)) for symbol, norm in norms.items()}
    return SelectedClass({symbol: cell.value for symbol, cell in cells.items()}, tuple(cells.values()), 1)


def by_rate(taps: Taps, g: Scalar) -> Iterator[SelectedClass[Values]]:
    """Classes ``|h_l|_2 <= K e^{-lambda l}`` that hold the model, lambda on the grid and 0; K in units of g."""
    for cell in _rates(taps):
        K = taps.envelope(-float(cell.value))
        if K < _LARGEST or cell.value == 0:
            bound = positive_cell("K_rho", Fraction(K) / Fraction(g))
            yield SelectedClass({sym.K_rho: bound.value, sym.s_lambda: cell.value}, (bound, cell), 1)


def _rates(taps: Taps) -> Iterator[Cell]:
    least = max(1 / taps.T, taps.slowest) / _SLOWEST
    for j in range(max(index_above(Fraction(least)), -LARGEST_INDEX), index_above(Fraction(_FASTEST)) + 1):
        yield _abscissa(-grid(j))[0]
    yield from _abscissa(0)


def _abscissa(s: Scalar) -> tuple[Cell, ...]:
    """Cells that contain a logarithm of a decay."""
    return tuple(replace(cell, name="s_lambda") for cell in abscissa_cells(s))


def parametrised(measured: Measured, g: Scalar) -> Iterator[SelectedClass[Values]]:
    """Classes of the table that hold the model: c and the skip are divided by C_1, which the readout takes over."""
    unit = Fraction(measured.C_1) or Fraction(1)
    cells = (
        positive_cell("b_lambda", measured.b),
        positive_cell("D", Fraction(measured.D) / unit),
        positive_cell("B_w", Fraction(measured.B_w) * unit / Fraction(g)),
    )
    values = dict(zip((sym.b_lambda, sym.D_skip, sym.B_w), (cell.value for cell in cells), strict=True))
    for cell in _abscissa(measured.s):
        yield SelectedClass({**values, sym.s_lambda: cell.value, sym.C_1: 1}, (*cells, cell), 1)


def parameters(measured: Measured, g: Scalar) -> Values:
    """The measured constants themselves, before anything is paid."""
    return {
        sym.b_lambda: measured.b,
        sym.s_lambda: measured.s,
        sym.C_1: measured.C_1,
        sym.D_skip: measured.D,
        sym.B_w: Fraction(measured.B_w) / Fraction(g),
    }
