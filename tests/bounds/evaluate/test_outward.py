"""Float64 rounded outward: on the safe side of the exact values, close to them, and no machine's own."""

from __future__ import annotations

import math
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
from flint import arb

from ssm_bounds.bounds.evaluate import elementary, outward
from ssm_bounds.bounds.evaluate.balls import bits

RNG = np.random.default_rng(0)
POINTS = np.concatenate([RNG.uniform(-700, 700, 300), RNG.normal(size=300), 10.0 ** RNG.uniform(-300, 2, 300), [0.0]])
FUNCTIONS = {
    "exp": (outward.exp_below, outward.exp_above, mpmath.exp, POINTS),
    "forgotten": (outward.forgotten_below, outward.forgotten_above, lambda x: -mpmath.expm1(-x), np.abs(POINTS)),
    "softplus": (outward.softplus_below, outward.softplus_above, lambda x: mpmath.log1p(mpmath.exp(x)), POINTS),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_enclosed_closely(name):
    low, high, exact, points = FUNCTIONS[name]
    with mpmath.workdps(60):
        for x, below, above in zip(points, low(points), high(points), strict=True):
            value = exact(mpmath.mpf(float(x)))
            assert below <= value <= above
            assert above - below <= value * mpmath.mpf(2e-13) + mpmath.mpf(2) ** -998


def test_the_formula_behind_an_exponential():
    """``1 + r + r c/(2 - c)`` on |r| <= ln(2)/2 and a little, in balls: within 1e-16, so that roundings are all."""
    with bits(128):
        for i in range(-400, 400):
            r = (arb(i) / 1000).union(arb(i + 1) / 1000) * arb("0.8668")
            t = r * r
            P = sum((arb(c) * t**n for n, c in enumerate(elementary._P)), arb(0))
            for x in (r.lower(), r.mid(), r.upper()):  # the difference is smooth: its slope below is at most 1e-14
                x, t = arb(x), arb(x) * arb(x)
                P = sum((arb(c) * t**n for n, c in enumerate(elementary._P)), arb(0))
                c = x - t * P
                assert abs(1 + x + x * c / (2 - c) - x.exp()) < arb("1e-16")


def test_the_formula_behind_a_logarithm():
    with bits(128):
        for i in range(-1000, 1001):
            s = arb(i) / 1000 * arb("0.1716")
            z = s * s
            Q = sum((arb(c) * z**n for n, c in enumerate(elementary._Q)), arb(0))
            assert abs(2 * s + s * z * Q - ((1 + s) / (1 - s)).log()) <= abs(s) * arb("1e-15")


class TestSums:
    def test_sums_of_any_signs(self):
        for scale in (1e-300, 1.0, 1e200):
            values = RNG.normal(size=(5, 777)) * scale
            above = outward.sum_above(values, axis=1)
            for row, found in zip(values, above, strict=True):
                exact = sum(map(Fraction, row.tolist()))
                size = sum(map(abs, map(Fraction, row.tolist())))
                assert exact <= Fraction(found) <= exact + size * Fraction(1, 10**11) + Fraction(1, 2**999)

    def test_norms(self):
        rows = RNG.normal(size=(4, 300))
        for row, found in zip(rows, outward.norms(rows), strict=True):
            square = sum(Fraction(x) ** 2 for x in row.tolist())
            assert square <= Fraction(found) ** 2 <= square * (1 + Fraction(1, 10**11))
        assert outward.norms(np.zeros((2, 3))).tolist() == [0, 0] and outward.norm(np.full(3, 1e-320)) >= 1e-320

    @pytest.mark.parametrize("shape", [(1, 1, 1), (4, 1, 5), (7, 48, 9), (3, 1000, 4)])
    def test_products_are_within_their_error(self, shape):
        n, r, m = shape
        left = RNG.normal(size=(n, r)) * 10.0 ** RNG.integers(-9, 9, (n, 1))
        right = RNG.normal(size=(r, m)) * 10.0 ** RNG.integers(-3, 3, (r, m))
        left[0, 0] = 0
        found, error = outward.product(left, right)
        exact = flint.fmpq_mat(n, r, [flint.fmpq(*x.as_integer_ratio()) for x in left.ravel().tolist()]) * (
            flint.fmpq_mat(r, m, [flint.fmpq(*x.as_integer_ratio()) for x in right.ravel().tolist()])
        )
        for i in range(n):
            for j in range(m):
                value = Fraction(int(exact[i, j].p), int(exact[i, j].q))
                assert abs(Fraction(float(found[i, j])) - value) <= Fraction(float(error[i, j]))
        largest = np.abs(left).max(axis=1)[:, None] * np.abs(right).max(axis=0)
        assert (error <= 1e-12 * r * r * largest + 1e-300).all()

    def test_a_product_is_exact_in_any_order(self):
        """What BLAS adds are integers below 2^53."""
        left, right = RNG.normal(size=(40, 333)), RNG.normal(size=(333, 20))
        order = RNG.permutation(333)
        assert np.array_equal(outward.product(left, right)[0], outward.product(left[:, order], right[order])[0])

    @pytest.mark.parametrize("shape", [(5, 1, 4), (9, 48, 6), (4, 700, 3)])
    def test_ends_of_columns_are_outside_and_near(self, shape):
        n, r, m = shape
        left, right = RNG.normal(size=(n, r)) * 10.0 ** RNG.integers(-2, 2), RNG.normal(size=(r, m))
        exact = np.array([[_dot(row, column) for column in right.T] for row in left])
        low, high = outward.ends(((left[i : i + 2], np.zeros(len(left[i : i + 2]))) for i in range(0, n, 2)), right)
        for j in range(m):
            least, most = exact[:, j].min(), exact[:, j].max()
            size = Fraction(float(np.abs(left).max() * np.abs(right[:, j]).max())) * r
            assert least - size / 10**4 <= Fraction(float(low[j])) <= least
            assert most <= Fraction(float(high[j])) <= most + size / 10**4

    def test_ends_pay_for_what_is_cut_off_and_for_what_is_unknown(self):
        """Every entry loses the same to the same side, so that the bound of the loss is attained but for a factor."""
        left = np.full((1, 1024), 1 - 2.0**-22)  # of 21 bits, rounded to 1
        low, high = outward.ends([(left, np.zeros(1))], np.ones((1024, 1)))
        assert low[0] <= 1024 * (1 - 2.0**-22) <= high[0] and low[0] >= 1024 * (1 - 2.1 * 2.0**-22)
        low, high = outward.ends([(np.ones((1, 4)), np.full(1, 0.5))], np.ones((4, 1)))
        assert low[0] <= 4 - 0.5 * 2 < low[0] + 1e-9 and high[0] >= 4 + 0.5 * 2 > high[0] - 1e-9

    def test_ends_are_the_same_in_any_order(self):
        left, right = RNG.normal(size=(40, 333)), RNG.normal(size=(333, 20))
        order = RNG.permutation(333)
        one, other = (outward.ends([(a, np.zeros(40))], b) for a, b in ((left, right), (left[:, order], right[order])))
        assert np.allclose(one, other, rtol=1e-12)


def _dot(x: np.ndarray, y: np.ndarray) -> Fraction:
    return sum((Fraction(a) * Fraction(b) for a, b in zip(x.tolist(), y.tolist(), strict=True)), Fraction(0))


def test_what_is_not_finite_stays_on_its_side():
    with np.errstate(all="ignore"):
        assert outward.above(math.inf) == math.inf and outward.below(math.inf) <= outward.LARGEST
        assert outward.exp_above(math.inf) == math.inf and outward.exp_below(-math.inf) == 0
        assert np.isnan(outward.above(math.nan)) and outward.forgotten_above(math.inf) == 1
