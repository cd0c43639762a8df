"""One table, two readings: the cells and the coefficients of a sweep are those of a certificate, whatever the table."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm import family
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, RHO
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.sweeps import coefficients, sweep
from ssm_bounds.bounds.sweeps.axes import AXES, columns, points
from ssm_bounds.bounds.sweeps.classes import Paid, selected
from ssm_bounds.bounds.values import DomainError
from tests.bounds.sweeps.test_sweeps import SETTING, SETTINGS, agrees, arrays, constants, logarithm

VOCABULARY = {"vocabulary": replace(SETTING, vocabulary=True)}


def swept(setting: Setting) -> list[Paid]:
    """The classes at a setting's own point that contain the model."""
    (point,) = points(columns({"m": [10**6]}, setting), setting)
    plain, twins = selected(point, np.array([1.0]))
    return [paid for paid in (*plain, *twins) if np.isfinite(paid.price).all()]


def same(exact: ClassConstants, paid: Paid, tolerance: float = 1e-12) -> bool:
    values = {name: getattr(exact, name) for name in ClassConstants.__slots__}
    numbers = {name: value for name, value in values.items() if isinstance(value, (int, float))}
    if exact.gate == "none":
        numbers = {name: value for name, value in numbers.items() if name not in ("B_q", "p_lo", "p_hi")}
    found = {name: np.asarray(value).item() for name, value in paid.constants.items() if name != "T"}
    return found.keys() == numbers.keys() and all(
        math.isclose(found[name], float(value), rel_tol=tolerance) for name, value in numbers.items()
    )


def agree(setting: Setting) -> bool:
    """Whether every class of either reading is one of the other, at the same price."""
    exact, found = list(setting.classes(1, groups=False)), swept(setting)

    def paired(selected, paid: Paid) -> bool:
        price = math.isclose(selected.price.float_upper(), np.asarray(paid.price).item(), rel_tol=1e-12)
        return price and same(selected.constants, paid)

    return all(any(paired(one, other) for other in found) for one in exact) and all(
        any(paired(one, other) for one in exact) for other in found
    )


@pytest.mark.parametrize("name", [*SETTINGS, *VOCABULARY])
def test_both_readings_give_the_same_classes(name):
    assert agree((SETTINGS | VOCABULARY)[name])


ROWS = {row.cell: row for row in family.chosen(gate=True)}


@pytest.mark.parametrize("name", ["trained", "growing"])
@pytest.mark.parametrize("cell", ROWS)
def test_a_change_of_one_row_reaches_both_readings(monkeypatch, cell, name):
    """Three times the constant, or the bias moved: the same classes in both, and not those from before."""
    setting = SETTINGS[name]
    before = swept(setting)
    row = ROWS[cell]
    moved = replace(row, of=row.of + 2 if row.kind in ("bias", "cap") else 3 * row.of)
    monkeypatch.setattr(family, "CHOSEN", tuple(moved if other is row else other for other in family.CHOSEN))
    assert agree(setting)
    exact = [one.constants for one in setting.classes(1, groups=False)]
    assert not all(any(same(one, paid) for paid in before) for one in exact)


@pytest.mark.parametrize("name", ["trained", "growing"])
def test_a_row_that_only_one_reading_has_is_seen(monkeypatch, name):
    exact = SETTINGS[name].classes(1, groups=False)
    monkeypatch.setattr(Setting, "classes", lambda self, scale, groups: exact)
    assert agree(SETTINGS[name])
    for cell, row in ROWS.items():
        moved = replace(row, of=row.of + 2 if row.kind in ("bias", "cap") else 3 * row.of)
        with monkeypatch.context() as patch:
            patch.setattr(family, "CHOSEN", tuple(moved if other is row else other for other in family.CHOSEN))
            assert not agree(SETTINGS[name]), cell


def test_constants_of_the_gate_and_axes_are_those_of_the_table():
    assert {row.cell for row in family.CHOSEN if row.gate} == {"p", "B_q", "M_q", "M"}
    assert {row.bounds for row in family.CHOSEN if row.l1} == {
        block.l1.name for block in SELECTIVE_SSM.blocks if block.l1 is not None
    }
    measured = {symbol.name for row in family.chosen(gate=True) for symbol in row.of.free_symbols}
    assert measured - {family.UNIT.name, sym.margin.name} <= set(AXES)
    assert len(set(AXES)) == len(AXES)


CHAINS = {"sharp": coefficients.sharp, "repaired": coefficients.repaired}
READ = (sym.M, sym.Delta_min, sym.kappa, sym.lambda_, sym.L, sym.phi, sym.S_1, sym.S_2, sym.R_1, sym.R_2, sym.R_g)


def chain_agrees(chain: str, s_A: float) -> bool:
    of = constants(s_A, -1.0, 0.7)
    found = CHAINS[chain](arrays(of), np.array([40.0]))
    values = assignment(of, 40)
    return all(
        agrees(np.asarray(found[name]).item(), logarithm(formula, values))
        for name, formula in SELECTIVE_SSM.beta(chain).items()
    )


def value(chain: str, s_A: float) -> dict[str, float]:
    found = CHAINS[chain](arrays(constants(s_A, -1.0, 0.7)), np.array([40.0]))
    return {name: np.asarray(found[name]).item() for name in SELECTIVE_SSM.beta(chain)}


@pytest.mark.parametrize("symbol", READ, ids=str)
def test_a_change_of_one_definition_reaches_both_readings(monkeypatch, symbol):
    """Of the sums, and of what they are made of."""
    before = {(chain, s_A): value(chain, s_A) for chain in CHAINS for s_A in (-0.3, 0.02)}
    monkeypatch.setitem(DEFINITIONS, symbol, sympy.Rational(101, 100) * DEFINITIONS[symbol])
    moved = []
    for (chain, s_A), old in before.items():
        assert chain_agrees(chain, s_A)
        moved.append(value(chain, s_A) != pytest.approx(old, abs=1e-6))
    assert any(moved)


def test_a_change_of_rho_reaches_both_readings(monkeypatch):
    before = value("repaired", -0.3)
    monkeypatch.setitem(RHO, "repaired", RHO["repaired"] ** sympy.Rational(101, 100))
    assert chain_agrees("repaired", -0.3)
    assert value("repaired", -0.3) != pytest.approx(before, abs=1e-6)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("key", ["A", "B", "C", "w", "g"])
def test_a_change_of_one_coefficient_reaches_both_readings(monkeypatch, chain, key):
    before = value(chain, -0.3)
    for block in SELECTIVE_SSM.blocks:
        if block.coefficient == key:
            monkeypatch.setitem(block.beta, chain, sympy.Rational(101, 100) * SELECTIVE_SSM.beta(chain)[key])
    assert chain_agrees(chain, -0.3)
    after = value(chain, -0.3)
    assert {name for name, old in before.items() if abs(after[name] - old) > 1e-6} == {key}


def test_a_change_that_reaches_one_reading_alone_is_seen(monkeypatch):
    values = assignment(constants(-0.3, -1.0, 0.7), 40)
    monkeypatch.setitem(DEFINITIONS, sym.R_2, sympy.Rational(101, 100) * DEFINITIONS[sym.R_2])
    found = CHAINS["sharp"](arrays(constants(-0.3, -1.0, 0.7)), np.array([40.0]))["A"]
    assert not agrees(np.asarray(found).item(), logarithm(SELECTIVE_SSM.beta("sharp")["A"], values))


def test_a_cell_outside_the_grid_is_refused():
    with pytest.raises(DomainError, match="B_A: a constant above 2"):
        swept(replace(SETTING, measured=replace(SETTING.measured, B_A=1e302)))


@pytest.mark.parametrize(
    ("rung", "formula"), [("margin", "MARGIN_EXCESS"), ("scale", "SINGLE_SCALE"), ("sharp", "GAP"), ("repaired", "GAP")]
)
def test_a_change_of_the_step_from_entropy_to_a_gap_reaches_the_sweep(monkeypatch, rung, formula):
    before = sweep(rung, {"T": [50]}, SETTING)["value"][0]
    monkeypatch.setattr(chaining, formula, sympy.Rational(101, 100) * getattr(chaining, formula))
    assert sweep(rung, {"T": [50]}, SETTING)["value"][0] == pytest.approx(1.01 * before, rel=1e-9)
