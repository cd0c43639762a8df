"""Expressions over arrays: against enclosures, where they cancel, at the edges of float64, point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
from hypothesis import example, given
from hypothesis import strategies as st
from sympy import Abs, Min, Piecewise, Rational, exp, log

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm import sums
from ssm_bounds.bounds.evaluate import vanishing
from ssm_bounds.bounds.evaluate.balls import enclose_all
from ssm_bounds.bounds.evaluate.logs import Scaled, logarithms, numbers
from ssm_bounds.bounds.values import DomainError

x, y = sympy.symbols("x y", real=True)
tail = 1 - exp(-sym.lambda_ * sym.L) * (1 + sym.lambda_ * sym.L)
weighted = sums.weighted_geometric(exp(x), sym.T)

signed = st.builds(lambda sign, a: sign * 10.0**a, st.sampled_from([-1, 1]), st.floats(-300, 2))


def reading(expression: sympy.Expr, values: dict[sympy.Symbol, object]) -> np.ndarray:
    return logarithms({"found": expression}, values)["found"]


def agrees(expression: sympy.Expr, values: dict[sympy.Symbol, float]) -> bool:
    ball = enclose_all({"exact": expression}, values, rtol=1e-25)["exact"].ball()
    found = reading(expression, {symbol: np.array([value]) for symbol, value in values.items()}).item()
    if ball.is_zero():
        return found == -math.inf
    expected = float(abs(ball).log())
    return abs(found - expected) <= 3e-15 * max(100, abs(expected))


@given(signed, signed)
@example(1e-300, -1e-300)
@example(3.0, 3.0)
@example(1e300, 1e300)
@example(700.0, -700.0)
def test_arithmetic(a, b):
    values = {x: a, y: b}
    for formula in (x * y, x / y, x**3, Abs(x) * y**2, Abs(x) ** Rational(1, 3), exp(x) * y, Min(x, y), 2 * exp(x) + 1):
        assert agrees(formula, values), formula


@given(signed)
@example(5e-324)
@example(-5e-324)
@example(745.2)
@example(-800.0)
def test_differences_and_softplus_keep_their_digits(a):
    for formula in (1 - exp(x), 1 - exp(-x), log(1 + exp(x)), log(1 + exp(x)) ** 2, (1 - exp(7 * x)) / (1 - exp(x))):
        assert agrees(formula, {x: a}), formula


@given(st.floats(-300, 3), st.floats(-300, 3))
@example(0.0, 0.0)  # where the series ends
@example(-1e-16, 0.0)
def test_the_tail_of_a_gamma_function(log10_rate, log10_length):
    assert agrees(tail, {sym.lambda_: 10.0**log10_rate, sym.L: 10.0**log10_length})


@given(signed.filter(lambda a: abs(a) < 30), st.integers(1, 10**9))
@example(0.0, 7)
@example(1e-9, 10**9)
@example(-1e-9, 10**9)
@example(0.5, 2)
@example(-(2.0**-30), 2**30)
@example(5e-324, 10**9)
def test_weighted_sums(a, T):
    assert agrees(weighted, {x: a, sym.T: T})


def test_every_sum_of_the_table_that_vanishes_so_is_recognised():
    """Otherwise it would be read as written, and lose all digits."""
    assert vanishing.small(tail) is not None
    closed = [sums.weighted_geometric(ratio, sym.T).args[-1].expr for ratio in (sym.rho, sums.step)]
    assert all(vanishing.small(formula) is not None for formula in closed)
    for name, formula in ((sym.S_2, closed[0]), (sym.R_2, closed[1]), (sym.R_2, tail)):
        assert sums.DEFINITIONS[name].has(formula)


def test_another_sum_is_read_as_written():
    """So a change of the table is a change of the reading."""
    other = 1 - exp(-sym.lambda_ * sym.L) * (1 + 2 * sym.lambda_ * sym.L)
    assert vanishing.small(other) is None
    values = {sym.lambda_: 0.3, sym.L: 2.0}
    assert agrees(other, values) and not math.isclose(reading(other, values), reading(tail, values))


def test_a_series_off_by_a_percent_is_seen(monkeypatch):
    values = {sym.lambda_: 0.01, sym.L: 2.0}, {x: 0.01, sym.T: 20}
    assert agrees(tail, values[0]) and agrees(weighted, values[1])
    for name in ("_TAIL", "_LANGEVIN"):
        first, *rest = getattr(vanishing, name)
        monkeypatch.setattr(vanishing, name, (1.01 * first, *rest))
    assert not agrees(tail, values[0]) and not agrees(weighted, values[1])


def test_every_point_takes_its_own_branch():
    formula = Piecewise((log(x), x > 1), (-x, x < 0), (3 + x, True))
    at = np.array([-2.0, 0.0, 0.5, 1.0, 4.0])
    expected = [2.0, 3.0, 3.5, 4.0, math.log(4)]
    assert np.exp(reading(formula, {x: at})) == pytest.approx(expected, rel=1e-14)
    assert np.exp(reading(y + formula, {x: at, y: np.array([1.0])})) == pytest.approx(1 + np.array(expected), rel=1e-14)


def test_a_branch_is_computed_where_it_holds_alone():
    at = np.array([0.0, 1.0, 2.0])
    formula = Piecewise((5 + x, sympy.Eq(x, 0)), (1 / x, True))
    with np.errstate(all="raise"):
        assert np.exp(reading(formula, {x: at})) == pytest.approx([5, 1, 0.5], rel=1e-14)


def test_nothing_below_zero_has_a_logarithm_or_a_root():
    at = {x: np.array([-2.0])}
    with np.errstate(invalid="ignore"):
        for formula in (log(x), log(1 + x), sympy.sqrt(x), x ** Rational(1, 3)):
            assert np.isnan([reading(formula, at), reading(formula + 1, at)]).all()
        assert np.isnan([numbers(log(x), at), numbers(log(1 + x), at), numbers(sympy.sqrt(x), at)]).all()
    assert reading(sympy.sqrt(x**2), at).item() == pytest.approx(math.log(2))
    assert agrees(log(1 + x), {x: -0.75}) and agrees(log(1 + x), {x: 0.75})


def test_what_points_share_has_size_one():
    found = reading(sym.kappa, {**sums.DEFINITIONS, sym.B_w: np.array([2.0]), sym.B_B: np.array([3.0]),
                                sym.B_C: np.array([5.0]), sym.B_u: np.array([1.0])})  # fmt: skip
    assert found.shape == (1,) and found[0] == pytest.approx(math.log(30))


def test_no_product_overflows():
    huge = {symbol: np.array([1e300]) for symbol in (sym.B_w, sym.B_B, sym.B_C, sym.B_u)}
    assert reading(sums.DEFINITIONS[sym.kappa], huge)[0] == pytest.approx(1800 * math.log(10), rel=1e-14)
    assert math.isinf(Scaled(1.0, np.array([1e3])).value[0])


def test_numbers_have_either_sign_and_pass_through_logarithms():
    at = {x: np.array([-2.0, 3.0]), y: np.array([1.0, -1.0])}
    assert numbers(x * y / 2 + abs(y), at).tolist() == [0.0, -0.5]
    assert numbers(log(exp(x, evaluate=False), evaluate=False), at).tolist() == [-2.0, 3.0]
    assert numbers(log(1 + exp(x)), {x: np.array([-700.0, 800.0])}) == pytest.approx([math.exp(-700), 800], rel=1e-15)


def test_what_is_refused():
    with pytest.raises(DomainError, match="no value for the symbol y"):
        numbers(x + y, {x: np.ones(1)})
    with pytest.raises(DomainError, match="the last branch of"):
        reading(Piecewise((x, x > 0)), {x: np.ones(1)})
    with pytest.raises(TypeError, match="cannot evaluate"):
        reading(sympy.gamma(x), {x: np.ones(1)})
