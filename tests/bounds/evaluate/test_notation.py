"""Every symbol once, and every formula in those symbols."""

from __future__ import annotations

import pytest
import sympy

from ssm_bounds.bounds import notation
from ssm_bounds.bounds.architectures.selective_ssm import perturbation, sums
from ssm_bounds.bounds.covers import lemmas as covering
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.notation import NOTATION

FORMULAS = {
    **{f"definition of {symbol}": formula for symbol, formula in sums.DEFINITIONS.items()},
    **{f"rho {name}": formula for name, formula in sums.RHO.items()},
    **{f"sharp beta_{name}": formula for name, formula in perturbation.SHARP.items()},
    **{f"repaired beta_{name}": formula for name, formula in perturbation.REPAIRED.items()},
    **{f"published beta_{name}": formula for name, formula in perturbation.PUBLISHED.items()},
    **{f"published alpha_{name}": formula for name, formula in perturbation.PUBLISHED_ALPHA.items()},
    "embedding": perturbation.EMBEDDING,
    "Dudley": chaining.DUDLEY,
    "gap": chaining.GAP,
    "single scale": chaining.SINGLE_SCALE,
    "margin excess": chaining.MARGIN_EXCESS,
    "published Rademacher": chaining.PUBLISHED_RADEMACHER,
    **{leaf.__name__: leaf.formula for leaf in (covering.Maurey, covering.Volume, covering.Box, covering.MatrixCover)},
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_use_declared_symbols_and_print(name):
    formula = sympy.sympify(FORMULAS[name])
    declared = {entry.symbol for entry in NOTATION.values()}
    assert formula.free_symbols <= declared
    assert not formula.atoms(sympy.Float)
    assert sympy.latex(formula)


def test_symbols_are_declared_once():
    symbols = [entry.symbol for entry in NOTATION.values()]
    assert len({symbol.name for symbol in symbols}) == len(symbols)
    module = {value for value in vars(notation).values() if isinstance(value, sympy.Symbol)}
    assert module == set(symbols)


@pytest.mark.parametrize("name", NOTATION)
def test_every_symbol_is_documented(name):
    entry = NOTATION[name]
    assert entry.meaning and entry.unit and entry.source.startswith("theory.md") and entry.latex
