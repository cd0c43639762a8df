"""The two engines, outward rounding, and the sums over time."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, RHO
from ssm_bounds.bounds.evaluate.balls import (
    Enclosure,
    PrecisionError,
    enclose,
    enclose_all,
    evaluate,
    float_above,
    float_below,
    range_over,
)
from ssm_bounds.bounds.values import DomainError
from tests import oracle

abscissas = st.one_of(
    st.sampled_from([0.0, -1e-15, 1e-15, -1e-300, 1e-300, -5e-324, 5e-324, -1.0, 1.0]),
    st.floats(-20, 3, allow_subnormal=False),
)
gates = st.floats(1e-3, 50)
lengths = st.one_of(st.sampled_from([1, 2, 3, 500, 10**6]), st.integers(1, 10**5))


def sums_at(s_A: float, M: float, T: int, Delta_min: float | None = None) -> dict:
    return {**DEFINITIONS, sym.s_A: s_A, sym.M: M, sym.T: T, sym.Delta_min: Delta_min or M, sym.rho: RHO["repaired"]}


@given(s_A=abscissas, M=gates, T=lengths)
@example(s_A=-1e-15, M=3.0, T=500)
@example(s_A=1e-15, M=3.0, T=10**6)
def test_two_engines_agree(s_A, M, T):
    values = sums_at(s_A, M, T)
    names = (sym.S_1, sym.S_2, sym.R_1, sym.R_2)
    enclosed = enclose_all({name: name for name in names}, values)
    for name in names:
        found = enclosed[name]
        assert found.relative_width() <= 1e-9
        digits = evaluate(name, values, digits=30)
        with mpmath.workdps(40):
            low, high = (mpmath.mpf(str(end.mid().str(36, radius=False))) for end in (found.lower, found.upper))
            assert low * (1 - mpmath.mpf(10) ** -29) <= digits <= high * (1 + mpmath.mpf(10) ** -29), name


@given(ratio=st.fractions(Fraction(1, 100), Fraction(3), max_denominator=100), T=st.integers(1, 40))
@example(ratio=Fraction(1), T=7)
def test_sums_match_exact_sums(ratio, T):
    values = {**DEFINITIONS, sym.rho: ratio, sym.T: T}
    found = enclose_all({"S_1": sym.S_1, "S_2": sym.S_2}, values)
    for name, exact in (("S_1", oracle.geometric(ratio, T)), ("S_2", oracle.weighted_geometric(ratio, T))):
        assert Fraction(found[name].float_lower()) <= exact <= Fraction(found[name].float_upper())


def test_published_closed_form_sign():
    """Two summaries print the last sign of S_2 reversed; it would diverge at rho = 1 (theory 2)."""
    near = enclose(DEFINITIONS[sym.S_2], {sym.rho: Fraction(10**12 - 1, 10**12), sym.T: 500})
    assert abs(near.float_upper() - 500 * 499 / 2) < 1e-4


def test_large_and_cancelling_arguments():
    assert enclose(DEFINITIONS[sym.S_2], {sym.rho: 1.01, sym.T: 10**6}).float_upper() == math.inf
    assert float(enclose(DEFINITIONS[sym.S_2], {sym.rho: 1.01, sym.T: 10**6}).upper.log()) == pytest.approx(9969, abs=1)
    tiny = enclose(sym.R_2, sums_at(-1e-15, 1.0, 3))  # the naive formula returns 0
    assert 2.9999999999 < tiny.float_lower() <= tiny.float_upper() < 3.0000001


@given(s_A=st.floats(-5, 1), M=st.floats(0.01, 5), draws=st.lists(st.floats(1e-6, 1), min_size=1, max_size=60))
def test_sums_bound_every_gate_sequence(s_A, M, draws):
    gate_sequence = M * np.array(draws)
    found = enclose_all({"R_1": sym.R_1, "R_2": sym.R_2}, sums_at(s_A, M, len(draws)))
    first, second = oracle.gate_sums(gate_sequence, s_A)
    assert first <= found["R_1"].float_upper() * (1 + 1e-12)  # the oracle is float64
    assert second <= found["R_2"].float_upper() * (1 + 1e-12)


@pytest.mark.parametrize("s_A", [-2.0, -0.1, 0.0, 0.2])
def test_first_sum_is_attained(s_A):
    """Lowering R_1 by any percentage is refuted by constant gates M."""
    M, T = 1.5, 30
    attained, _ = oracle.gate_sums(np.full(T, M), s_A)
    assert attained > 0.97 * enclose(sym.R_1, sums_at(s_A, M, T)).float_upper()
    assert attained == pytest.approx(enclose(sym.R_1, sums_at(s_A, M, T)).float_upper(), rel=1e-12)


@pytest.mark.parametrize(
    ("s_A", "M", "T", "ratio"), [(0.2, 1.5, 30, 1 - 1e-12), (0.0, 1.0, 9, 1 - 1e-12), (-1.0, 0.01, 4000, 0.99)]
)
def test_second_sum_is_attained_or_approached(s_A, M, T, ratio):
    _, attained = oracle.gate_sums(np.full(T, M), s_A)
    assert attained >= ratio * enclose(sym.R_2, sums_at(s_A, M, T)).float_upper()


def test_second_sum_slack_is_bounded():
    """theory 4.5 records a loss of 2.9 at T = 2, lambda M = 2: constant gates reach e^{-2} M^2."""
    _, attained = oracle.gate_sums(np.full(2, 2.0), -1.0)
    assert 1 < enclose(sym.R_2, sums_at(-1.0, 2.0, 2)).float_upper() / attained < 8


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_are_exact(x):
    point = Enclosure.point(x)
    assert point.float_lower() == x == point.float_upper()


@given(st.fractions(max_denominator=10**30))
def test_rounding_is_outward(x):
    point = Enclosure.point(x)
    assert Fraction(point.float_lower()) <= x <= Fraction(point.float_upper())


def test_rounding_beyond_the_doubles():
    huge = arb(10) ** 400
    assert float_above(huge) == math.inf
    assert float_below(huge) == np.finfo(float).max
    assert float_above(-huge) == -np.finfo(float).max


def test_errors_say_what_is_missing():
    with pytest.raises(DomainError, match="no value for the symbol T"):
        enclose(sym.S_1, {**DEFINITIONS, sym.rho: 0.5})
    with pytest.raises(TypeError, match="cannot evaluate"):
        enclose(sympy.Float(0.1) * sym.T, {sym.T: 1})
    with pytest.raises(PrecisionError, match="not enclosed"):
        enclose(sympy.log(sym.s_A), {sym.s_A: -1})
    with pytest.raises(PrecisionError, match="not an enclosure"):
        Enclosure(arb(2), arb(1))


def test_undecided_branches_raise_the_precision():
    """exp(1e-60) differs from 1 only beyond the starting precision."""
    found = enclose(DEFINITIONS[sym.S_1], {sym.rho: sympy.exp(sym.s_A), sym.s_A: 1e-60, sym.T: 4})
    assert np.nextafter(4, 0) <= found.float_lower() <= found.float_upper() <= np.nextafter(4, 5)


def test_range_over_a_box_contains_every_value():
    x, y = sympy.symbols("x y", real=True)
    expression = sympy.exp(x) * y - x**2
    found = range_over(expression, {x: (-1, Fraction(1, 2)), y: (0, 3)})
    corners = [math.exp(a) * b - a * a for a in np.linspace(-1, 0.5, 31) for b in np.linspace(0, 3, 31)]
    assert found.float_lower() <= min(corners) and max(corners) <= found.float_upper()
    assert range_over(sympy.log(x), {x: (-1, 1)}) is None
    assert range_over(DEFINITIONS[sym.S_1], {sym.rho: (Fraction(1, 2), 2), sym.T: (3, 3)}) is None
