"""Grids and prices of theory 7."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds.architectures.selective_ssm.constants import MeasuredConstants
from ssm_bounds.bounds.architectures.selective_ssm.family import selected_classes
from ssm_bounds.bounds.selection.cells import abscissa_cells, bias_cell, grid, index_weight, positive_cell
from ssm_bounds.bounds.values import DomainError, Sample

MODEL = MeasuredConstants(
    d=4, N=3, k=1, V=5, gate="softplus", s_A=-0.1, B_A=3.0, M_A=20.0, B_u=1.5, B_B=2.0, M_B=5.0, B_C=1.2, M_C=4.0,
    B_q=0.7, M_q=1.0, p=-1.3, B_w=3.0, M_w=4.0, logit_max=-0.5,
)  # fmt: skip
SAMPLE = Sample(1000, 50)


def classes(model: MeasuredConstants = MODEL, **changes: object) -> list:
    options = {"margin": 1, "embedding_in_class": False, "vocabulary": False} | changes
    return list(selected_classes(model, SAMPLE, **options))


def test_weights_sum_to_at_most_one():
    """sum over Z of 1/(2(|j|+1)(|j|+2)) telescopes to 3/4: 1/4 at 0 and twice 1/2 (1/2)."""
    J = 500
    partial = sum(index_weight(j) for j in range(-J, J + 1))
    assert partial == Fraction(3, 4) - Fraction(1, J + 2)
    abscissa = 2 * Fraction(3, 4) / 4 + Fraction(1, 4)
    assert abscissa <= 1


@given(st.floats(1e-250, 1e250))
@example(1.0)
@example(2.0**-7)
def test_positive_cell_is_the_least_that_contains(x):
    cell = positive_cell("B", x)
    j = int(cell.position[3:-3])
    assert Fraction(grid(j)) >= Fraction(x) > Fraction(grid(j - 1))
    assert cell.value == grid(j) < 1.0906 * x


def test_grid_is_rounded_up():
    for j in (-801, -3, 0, 1, 5, 8, 100):
        assert Fraction(grid(j)) ** 8 >= Fraction(2) ** j
        assert Fraction(math.nextafter(grid(j), 0)) ** 8 < Fraction(2) ** j


@given(st.floats(-100, 100).filter(lambda s: s == 0 or abs(s) > 1e-200))
def test_abscissa_cells_contain(s_A):
    for cell in abscissa_cells(s_A):
        assert cell.value >= s_A
    if s_A < 0:
        assert cell.value == 0
        tight = abscissa_cells(s_A)[0].value
        assert s_A <= tight < s_A / 1.0906


@given(st.floats(-50, 50))
def test_bias_cell_contains(p):
    cell = bias_cell(p)
    assert cell.value - 1 <= p <= cell.value


def contains(selected, model: MeasuredConstants, margin: float, scale: float) -> None:
    """Every radius of the class is at least the rescaled model's."""
    c = selected.constants
    assert c.B_w >= model.B_w * model.B_B * model.B_C * scale**3 / margin
    assert c.s_A >= model.s_A and c.B_A >= model.B_A
    assert c.B_q >= model.B_q * scale
    assert c.p_lo <= model.p <= c.p_hi
    if c.M_B is not None:
        assert c.M_B >= model.M_B / model.B_B * (1 - 1e-15)
        assert c.M_w >= model.M_w * model.B_B * model.B_C * scale**3 / margin * (1 - 1e-15)
    if c.M is not None:
        assert math.log1p(math.exp(model.p + model.B_q * model.B_u)) * (1 - 1e-15) <= c.M


@given(
    s_A=st.sampled_from([-2.0, -0.003, 0.0, 0.05, 1.7]),
    margin=st.floats(0.01, 100),
    trained=st.booleans(),
    p=st.floats(-5, 5),
)
def test_classes_contain_the_model(s_A, margin, trained, p):
    model = replace(MODEL, s_A=s_A, p=p)
    found = classes(model, margin=margin, embedding_in_class=trained)
    assert len(found) == (8 if s_A < 0 else 4)
    for selected in found:
        contains(selected, model, margin * (1 + 1e-15), model.B_u if trained else 1.0)
        assert selected.options == 4
        assert selected.constants.B_u == (1 if trained else model.B_u)
        assert (5 if trained else None) == selected.constants.V
        expected = math.prod((cell.weight for cell in selected.cells), start=Fraction(1, 4))
        assert selected.price.float_lower() <= -math.log(expected) * (1 + 1e-12)
        assert selected.price.float_upper() >= -math.log(expected) * (1 - 1e-12)


def test_unstable_cells_are_split_so_that_rounding_adds_at_most_one():
    model = replace(MODEL, s_A=1.7)
    capped = [s for s in classes(model) if s.constants.M is not None]
    measured_M = math.log1p(math.exp(model.p + model.B_q * model.B_u))
    for selected in capped:
        exponent = selected.constants.s_A * selected.constants.M * SAMPLE.T
        assert exponent <= model.s_A * measured_M * SAMPLE.T + 1
        split = selected.cell("s_A")
        K = int(split.position[split.position.index("/") + 1 : -1]) // 8
        coarse = positive_cell("s_A", 1.7)
        assert K > 1 and split.weight == coarse.weight / 4 / K
        assert split.value <= coarse.value


def test_rescaling_is_free():
    """(W, W_B, W_C) -> (a W, b W_B, W_C/(ab)) leaves the function, and so the classes, unchanged."""
    moved = replace(MODEL, B_w=MODEL.B_w * 4, M_w=MODEL.M_w * 4, B_B=MODEL.B_B / 8, M_B=MODEL.M_B / 8,
                    B_C=MODEL.B_C * 2, M_C=MODEL.M_C * 2)  # fmt: skip
    assert classes(moved) == classes()


def test_rescaling_a_trained_embedding_is_free():
    """(E, q, W_B, W_C, W) -> (E/t, t q, t W_B, t W_C, t W) too."""
    doubled = ("B_q", "M_q", "B_B", "M_B", "B_C", "M_C", "B_w", "M_w")
    moved = replace(MODEL, B_u=MODEL.B_u / 2, **{name: getattr(MODEL, name) * 2 for name in doubled})
    assert classes(moved, embedding_in_class=True) == classes(embedding_in_class=True)


def test_no_gate_no_gate_cells():
    model = replace(MODEL, gate="none", p=0, B_q=0, M_q=0, logit_max=None)
    for selected in classes(model):
        assert {cell.name for cell in selected.cells} <= {"B_product", "B_A", "s_A", "M_A", "M_B", "M_C", "M_w"}
        assert selected.options == 2


def test_zero_weights_have_a_cell():
    model = replace(MODEL, B_w=0, M_w=0, B_B=0, M_B=0, B_q=0, M_q=0)
    assert all(selected.constants.M_B in (None, 1.0) for selected in classes(model))


def test_vocabulary_needs_an_embedding():
    with pytest.raises(DomainError, match="vocabulary inputs need an embedding"):
        classes(replace(MODEL, V=None, logit_max=None), vocabulary=True)


@pytest.mark.parametrize("p", [2.0**53 + 2, -(2.0**60), 0.0, -1e6])
def test_extreme_biases_stay_in_their_cell(p):
    """p_lo and p_hi are integers, not doubles: beyond 2^53 a double has no neighbour at distance 1."""
    for selected in classes(replace(MODEL, p=p)):
        c = selected.constants
        assert c.p_lo <= Fraction(p) <= c.p_hi and c.p_hi - c.p_lo == 1


def test_constants_below_the_grid_get_its_smallest_cell():
    assert positive_cell("B", 5e-324).value == grid(-8000)
    assert [cell.value for cell in abscissa_cells(-5e-324)] == [0.0]
    assert abscissa_cells(5e-324)[0].value == grid(-8000)


def test_outside_the_grid_is_an_error():
    with pytest.raises(DomainError, match="outside the grid"):
        positive_cell("B", Fraction(2) ** 2000)
