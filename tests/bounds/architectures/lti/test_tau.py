"""The class behind tau: its average against all signs, exactly; attained; never below what was computed elsewhere."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.tau import TauClass, Units, mean_modulus
from ssm_bounds.bounds.evaluate.balls import enclose
from ssm_bounds.bounds.gaps.chaining import SAMPLE_GAP
from ssm_bounds.bounds.values import DomainError


def fractions(values):
    return [Fraction(value) for value in np.ravel(values).tolist()]


def supremum(v, units: Units, psi_1, psi_2) -> Fraction:
    """``sup sum g v`` over the class: the least ``psi_1 max |v - t mu0|/sigma0 + psi_2 |t|`` over t, by duality."""
    mean, deviation = fractions(units.mean), fractions(units.deviation)

    def at(t):
        return psi_1 * max(abs(a - t * b) / s for a, b, s in zip(v, mean, deviation, strict=True)) + psi_2 * abs(t)

    lines = [(g * a / s, -g * b / s) for a, b, s in zip(v, mean, deviation, strict=True) for g in (1, -1)]
    kinks = {(c - a) / (b - d) for (a, b), (c, d) in itertools.combinations(lines, 2) if b != d}
    return min(map(at, kinks | {Fraction(0)}))


def exact(x: np.ndarray, units: Units, psi_1, psi_2) -> Fraction:
    """``E sup (1/m) sum_i sigma_i y_i`` of sequences (m,T,d), over all signs."""
    m = len(x)
    rows = [fractions(row) for row in x]
    found = Fraction(0)
    for signs in itertools.product((1, -1), repeat=m):
        v = [sum((sign * value for sign, value in zip(signs, column, strict=True)), Fraction(0)) / m
             for column in zip(*rows, strict=True)]  # fmt: skip
        found += supremum(v, units, Fraction(psi_1), Fraction(psi_2))
    return found / 2**m


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7, 12, 127, 128, 129, 130, 131])
def test_the_mean_of_signs(m):
    """By counting; both ways of computing it, where they meet."""
    counted = Fraction(sum(math.comb(m, h) * abs(2 * h - m) for h in range(m + 1)), 2**m * m)
    found = mean_modulus(m)
    assert Fraction(found.float_lower()) <= counted <= Fraction(found.float_upper())
    assert found.float_upper() == pytest.approx(float(counted), rel=1e-14)


def test_the_mean_of_very_many_signs():
    assert mean_modulus(10**18).float_upper() == pytest.approx(math.sqrt(2 / math.pi) * 1e-9, rel=1e-12)


@st.composite
def cases(draw):
    m, T, d = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    x = np.round(4 * rng.normal(size=(m, T, d))) / 4
    mean = np.round(4 * rng.normal(size=(T, d))) / 4 * draw(st.booleans())
    return (
        x,
        Units(mean, 2.0 ** rng.integers(-2, 2, size=(T, d))),
        2.0 ** draw(st.integers(-2, 2)),
        draw(st.sampled_from([0.0, 0.5, 2.0])),
    )


class TestAverage:
    @given(cases())
    def test_never_below_the_exact_one(self, case):
        x, units, psi_1, psi_2 = case
        psi_2 = 0.0 if units.centred else psi_2
        assert exact(x, units, psi_1, psi_2) <= Fraction(TauClass(psi_1, psi_2, units).rademacher(x).float_upper())

    def test_the_mean_is_attained(self):
        """Inputs that are mu0: what is left is the mean of signs, and with 1 % less the bound is refuted."""
        x = np.full((5, 1, 1), 3.0)
        units = Units(np.full((1, 1), 3.0), np.ones((1, 1)))
        assert exact(x, units, 10, 2) >= Fraction(99, 100) * Fraction(
            TauClass(10, 2, units).rademacher(x).float_upper()
        )

    @pytest.mark.parametrize("m", [2, 5])
    def test_the_moduli_on_all_signs(self, m):
        """Every pattern of signs is an input at some time: R = psi_1, and the slack is sqrt(2 ln 2)."""
        patterns = np.array(list(itertools.product((1.0, -1.0), repeat=m)))[: 2 ** (m - 1)]
        x = patterns.T[:, :, None]
        ratio = 1 / TauClass(1).rademacher(x).float_upper()
        assert ratio == pytest.approx(1 / math.sqrt(2 * math.log(2)), rel=1e-9)
        units = Units(np.zeros(x.shape[1:]), np.ones(x.shape[1:]))
        assert exact(x, units, 1, 0) == 1

    def test_reference(self, shared):
        """An exact average in rationals, and its bound, that others computed."""
        file = json.loads((shared / "reference" / "rademacher.json").read_text())
        found, x = file["liu_li"], np.array(file["lti"]["u"])[:, :, :1]
        units = Units(*(np.array(found[name])[:, None] for name in ("mu0", "sigma0")))
        bound = TauClass(found["psi1"], found["psi2"], units).rademacher(x)
        assert bound.float_upper() == pytest.approx(found["bound"], rel=1e-12) and bound.relative_width() < 1e-9
        assert float(exact(x, units, found["psi1"], found["psi2"])) == pytest.approx(float(found["exact"]), rel=1e-15)
        assert float(found["exact"]) <= bound.float_lower()

    def test_the_example_of_the_theory(self):
        """m = 25000, T = 500, psi_1 = 2, psi_2 = 1/2, mean square 1.1: R = 0.0518, one-sided gap 0.1192 at 0.05."""
        rng = np.random.default_rng(0)
        signs = rng.choice([-1.0, 1.0], size=(1000, 500, 1)) * math.sqrt(1.1)
        units = Units(np.full((500, 1), 2.0), np.ones((500, 1)))
        x = np.tile(signs, (25, 1, 1)) + 2
        R = TauClass(2, 0.5, units).rademacher(x)
        assert f"{R.float_upper():.4f}" == "0.0518"
        # two-sided at 0.1 is one-sided at 0.05
        values = {sym.rademacher: R.upper, sym.l: 1, sym.c: 1, sym.m: 25000, sym.delta: Fraction(1, 10), sym.price: 0}
        assert enclose(SAMPLE_GAP, values).float_upper() == pytest.approx(0.1192, abs=6e-5)


class TestUnits:
    @given(cases(), st.integers(0, 3))
    def test_mean_squares_are_rounded_up(self, case, longer):
        x, units, *_ = case
        _, T, d = x.shape
        ahead = np.zeros((len(x), longer, d))
        padded = np.concatenate([ahead, x], axis=1)
        mean = np.concatenate([np.ones((longer, d)), units.mean])
        deviation = np.concatenate([np.ones((longer, d)) / 2, units.deviation])
        whole = Units(mean, deviation)
        z = (padded - mean) / deviation
        largest = max(sum((Fraction(v) ** 2 for v in z[:, s, j].tolist()), Fraction(0)) / len(x)
                      for s in range(T + longer) for j in range(d))  # fmt: skip
        found = whole.mean_square(x, T + longer)
        assert largest <= Fraction(found) <= largest * (1 + Fraction(1, 10**12)) + Fraction(1, 10**290)
        assert found == pytest.approx(whole.mean_square(padded, T + longer), rel=1e-12)

    def test_units_that_are_no_sums_of_few_powers_of_two(self):
        """Nearest, half of them would come out below."""
        rng = np.random.default_rng(0)
        below = 0
        for x, mean, deviation in rng.uniform(0.1, 3, size=(100, 3)).tolist():
            exact = ((Fraction(x) - Fraction(mean)) / Fraction(deviation)) ** 2
            found = Units(np.array([[mean]]), np.array([[deviation]])).mean_square(np.array([[[x]]]), 1)
            assert exact <= Fraction(found) <= exact * (1 + Fraction(1, 10**13))
            below += Fraction(((x - mean) / deviation) ** 2) < exact
        assert below > 20

    def test_zeros_in_front_count_where_the_mean_is_not_0(self):
        units = Units(np.array([[3.0], [0.0]]), np.ones((2, 1)))
        assert units.mean_square(np.ones((4, 1, 1)), 2) == pytest.approx(9, rel=1e-12)
        assert Units().mean_square(np.ones((4, 1, 1)), 10**18) == pytest.approx(1, rel=1e-12)

    def test_a_mean_of_0_is_no_constraint(self):
        x = np.ones((4, 2, 1))
        zero = Units(np.zeros((2, 1)), np.ones((2, 1)))
        assert TauClass(1, 5, zero).rademacher(x).upper == TauClass(1).rademacher(x).upper

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: Units(np.zeros(3)), r"mean: expected shape \(T, d\), found \(3,\)"),
            (lambda: Units(np.zeros((1, 1)), np.zeros((1, 1))), "deviation: expected values above 0, found 0"),
            (lambda: Units(np.array([[np.nan]])), "mean: expected finite values, found 1 NaN or inf"),
            (lambda: Units(np.zeros((2, 1))).mean_square(np.ones((1, 3, 1)), 3), r"mean: expected .* = \(3, 1\)"),
            (lambda: Units().mean_square(np.ones((1, 3, 1)), 2), "length 3 are longer than T = 2"),
            (lambda: Units().mean_square(np.full((1, 1, 1), 1e200), 1), "exceeds float64"),
            (lambda: TauClass(-1), "TauClass.psi_1: a radius is >= 0"),
            (lambda: TauClass(math.inf), "TauClass.psi_1: expected a finite"),
            (lambda: mean_modulus(0), "needs m >= 1"),
        ],
    )
    def test_what_is_refused(self, call, message):
        with pytest.raises(DomainError, match=message):
            call()
