"""Elementary functions: close to the exact functions, and the same bits everywhere."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.elementary import (
    LN2,
    exp,
    exp_of,
    expm1,
    log,
    log1p,
    log2_of,
    log_of,
    logaddexp,
    softplus_of,
    total,
)

CLOSE = mpmath.mpf(1.1e-15)
RNG = np.random.default_rng(0)
LOGS = np.concatenate([RNG.uniform(-700, 700, 500), RNG.uniform(-2, 2, 500), RNG.normal(size=200) * 1e-9])
POSITIVE = np.concatenate([np.ldexp(RNG.uniform(0.5, 1, 500), RNG.integers(-1070, 1024, 500)), 1 + LOGS[1000:]])
UNIT = np.concatenate([RNG.uniform(-1, 1, 500), LOGS[1000:], POSITIVE])

HEX = {
    exp: {
        "-0x1.74385446d71c3p+9": "0x0.0000000000001p-1022",
        "-0x1.0p-1": "0x1.368b2fc6f960ap-1",
        "0x1.999999999999ap-4": "0x1.1aec7b35a00d4p+0",
        "0x1.0p+0": "0x1.5bf0a8b14576ap+1",
        "0x1.62e42fefa39efp+9": "0x1.fffffffffff2ap+1023",
    },
    expm1: {
        "-0x1.0p+3": "-0x1.ffd407bdf7dfbp-1",
        "-0x1.0p-1": "-0x1.92e9a0720d3ecp-2",
        "0x1.0p-40": "0x1.0000000000800p-40",
        "0x1.999999999999ap-4": "0x1.aec7b35a00d3ap-4",
        "0x1.8p+1": "0x1.315e5bf6fb106p+4",
    },
    log: {
        "0x0.0000000000001p-1022": "-0x1.74385446d71c3p+9",
        "0x1.999999999999ap-4": "-0x1.26bb1bbb55515p+1",
        "0x1.0000000000001p+0": "0x1.fffffffffffffp-53",
        "0x1.8p+1": "0x1.193ea7aad030ap+0",
    },
    log1p: {
        "-0x1.fp-1": "-0x1.bb9d3beb8c86bp+1",
        "0x1.0p-40": "0x1.ffffffffff000p-41",
        "0x1.999999999999ap-4": "0x1.8663f793c46c7p-4",
        "0x1.8p+1": "0x1.62e42fefa39efp+0",
        "0x1.0p+60": "0x1.4cb5ecf0a9650p+5",
    },
}
"""Arguments and values, bit for bit."""


def worst(function, exact, arguments):
    """Largest relative error, in what is no exact 0."""
    with mpmath.workdps(40):
        pairs = [
            (exact(mpmath.mpf(x)), y) for x, y in zip(arguments.tolist(), function(arguments).tolist(), strict=True)
        ]
        assert all(y == 0 for value, y in pairs if value == 0)
        return max(abs(y / value - 1) for value, y in pairs if value != 0)


@pytest.mark.parametrize(
    ("function", "exact", "arguments"),
    [
        (exp, mpmath.exp, LOGS),
        (expm1, mpmath.expm1, LOGS),
        (log, mpmath.log, POSITIVE),
        (log1p, mpmath.log1p, UNIT),
        (lambda x: logaddexp(0.0, x), lambda x: mpmath.log1p(mpmath.exp(x)), LOGS),
    ],
)
def test_close_to_the_exact_value(function, exact, arguments):
    assert worst(function, exact, arguments) <= CLOSE


@pytest.mark.parametrize("function", list(HEX), ids=lambda function: function.__name__)
def test_the_same_bits_everywhere(function):
    for argument, value in HEX[function].items():
        x = float.fromhex(argument)
        assert float(function(x)).hex() == value
        assert {y.hex() for y in function(np.full(67, x)).tolist()} == {value}  # in every lane of a vector


def test_edges():
    inf = math.inf
    assert exp([-inf, -746.0, 0.0, 710.0, inf]).tolist() == [0.0, 0.0, 1.0, inf, inf]
    assert expm1([-inf, -40.0, 0.0, 710.0, inf]).tolist() == [-1.0, -1.0, 0.0, inf, inf]
    assert log([0.0, 1.0, inf]).tolist() == [-inf, 0.0, inf]
    assert log1p([-1.0, 0.0, inf]).tolist() == [-inf, 0.0, inf]
    assert logaddexp([-inf, -inf, inf, inf], [-inf, 3.0, 3.0, inf]).tolist() == [-inf, 3.0, inf, inf]
    assert np.isnan(log([-1.0, math.nan])).all() and np.isnan(log1p([-2.0, math.nan])).all()
    assert np.isnan(exp(math.nan)) and np.isnan(expm1(math.nan))


def test_shapes():
    x = RNG.uniform(0.5, 2, (2, 3, 5))
    for function in HEX:
        assert function(x).shape == x.shape
        assert function(x)[1, 2, 3] == function(x[1, 2, 3])
    assert exp(1.0).shape == ()


@given(st.lists(st.floats(-1e6, 1e6), max_size=40))
@example([])
@example([1.0, 2.0**-53, 2.0**-53])
def test_a_sum_is_close(values):
    found = Fraction(float(total(values)))
    moduli = sum((abs(Fraction(x)) for x in values), Fraction(0))
    assert (
        abs(found - sum(map(Fraction, values), Fraction(0)))
        <= 6 * Fraction(2) ** -53 * (1 + Fraction(1, 10**9)) * moduli
    )


def test_a_sum_has_one_order():
    a, b, c, d, e = 1.0, 2.0**-53, 2.0**-53, 2.0**-52, 3 * 2.0**-54
    assert total([a, b, c, d, e]) == ((a + c) + e) + (b + d)
    rows = RNG.normal(size=(7, 5))
    assert total(rows, axis=0).tolist() == [total(column) for column in rows.T]
    assert total(rows, axis=1).tolist() == [total(row) for row in rows]
    assert total(np.asfortranarray(rows)) == total(rows) == total(rows.ravel())
    assert total(np.empty((0, 3)), axis=0).tolist() == [0.0] * 3
    many = np.stack([rows, 3 * rows])
    for axis in (-1, -2):
        assert total(many, axis=axis).tolist() == [total(each, axis=axis).tolist() for each in many]


def test_a_sum_leaves_its_argument_alone():
    values = np.ones(5)
    assert total(values) == 5 and values.tolist() == [1.0] * 5
    one = np.ones((1, 3))
    assert total(one, axis=0).tolist() == [1.0] * 3


def test_balls_are_summed():
    assert total(np.array([arb(1), arb(2), arb(3)], dtype=object)) == 6


@given(st.fractions(min_value=Fraction(1, 10**30), max_value=10**30))
def test_single_numbers_are_the_nearest(value):
    with mpmath.workdps(60):
        exact = mpmath.mpf(value.numerator) / value.denominator
        assert log_of(value) == float(mpmath.log(exact))
        assert log2_of(value) == float(mpmath.log(exact, 2))
        assert exp_of(float(log_of(value))) == float(mpmath.exp(log_of(value)))


def test_single_numbers_of_any_size():
    assert log_of(arb(10) ** 1000) == pytest.approx(1000 * math.log(10), rel=1e-15)
    assert log_of(0) == log_of(Fraction(0)) == -math.inf
    assert log2_of(Fraction(1, 2**3000)) == -3000
    assert (exp_of(800.0), exp_of(-800.0)) == (math.inf, 0.0)
    assert softplus_of(-math.inf) == 0 and softplus_of(math.inf) == math.inf and softplus_of(1e300) == 1e300
    assert softplus_of(0.0) == LN2
