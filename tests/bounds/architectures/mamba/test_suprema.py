"""theory M1, M2.2, M3.2 at M8's examples, and SiLU's ranges against dense samples."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.mamba import silu
from ssm_bounds.bounds.architectures.mamba.memory import doubling_exponent, memory
from ssm_bounds.bounds.architectures.mamba.paper import CORE, core, published_sums
from ssm_bounds.bounds.architectures.mamba.silu import silu_range, steepest
from ssm_bounds.bounds.architectures.mamba.sums import R_1
from ssm_bounds.bounds.architectures.mamba.suprema import (
    clamped,
    convolved,
    frobenius_state,
    gated,
    images,
    modulus,
    normed,
    on_both_paths,
    steps,
)
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.evaluate.balls import enclose
from ssm_bounds.bounds.values import DomainError


def close(found: float, printed: float, exact: bool = True) -> bool:
    """At least the value, of which ten digits are printed, and at most 1e-9 more."""
    return printed * (1 - 1e-9) <= found <= printed * (1 + 2e-9)


def true_silu(x: float) -> mpmath.mpf:
    with mpmath.workdps(40):
        return mpmath.mpf(x) / (1 + mpmath.exp(-mpmath.mpf(x)))


class TestExamples:
    """M8, 1 and 3."""

    @pytest.mark.parametrize(
        ("b", "ends", "U", "L"),
        [(-0.4, (-3.25, 2.75), 2.584761712, 1.099839320), (-0.9, (-3.75, 2.25), 2.035463704, 1.098730910)],
    )
    def test_a_channel(self, b, ends, U, L):
        x = np.array([0.3 - 2.0]), np.array([0.3 + 2.0])
        a = convolved(np.array([[1.0, -0.5]]), np.array([b]), x)
        assert (a[0][0], a[1][0]) == pytest.approx(ends, rel=1e-13) and a[0] <= ends[0] and a[1] >= ends[1]
        u = gated(a)
        assert float(modulus(u)[0]) >= true_silu(ends[1]) and close(float(modulus(u)[0]), U)
        assert close(-float(u[0][0]), 0.2784645427610738)
        assert close(float(steepest(*a)[0]), L)

    def test_a_state(self):
        lambda_, M, m, U = np.array([0.5, 1]), np.array([0.4, 0.9]), np.array([0.1, 0.2]), np.array([1, 0.8])
        found = frobenius_state(1.0, U, 1.1, lambda_, (m, M), 50)
        with mpmath.workdps(40):
            R = [
                M_j * mpmath.expm1(-a * M_j * 50) / mpmath.expm1(-a * M_j)
                for a, M_j in zip([0.5, 1], [0.4, 0.9], strict=True)
            ]
            low = mpmath.mpf(0.9) / -mpmath.expm1(-mpmath.mpf(0.5) * mpmath.mpf(0.1))
            exact = mpmath.sqrt(R[0] ** 2 + (R[1] * 0.8) ** 2), 1.1 * low, 1.1 * mpmath.sqrt(low * max(R))
        for value, printed, closed in zip(found, (2.518129467, 20.29912483, 7.019288156), exact, strict=True):
            assert close(value, printed) and closed * (1 - mpmath.mpf(2) ** -50) <= value <= closed * (1 + 1e-9)


class TestSilu:
    def test_the_constants(self):
        with mpmath.workdps(40):
            W = mpmath.lambertw(mpmath.exp(-1)).real
            bend = mpmath.findroot(lambda x: x * mpmath.tanh(x / 2) - 2, 2.4)
            slope = 1 / (1 + mpmath.exp(-bend)) * (1 + bend / (1 + mpmath.exp(bend)))
            for found, exact in ((silu.W, W), (silu.X_MIN, 1 + W), (silu.X_BEND, bend), (silu.SLOPE, slope)):
                assert abs(found - exact) <= exact * mpmath.mpf(2) ** -52

    def test_ranges_hold_every_value_and_little_more(self):
        rng = np.random.default_rng(0)
        low = np.concatenate([rng.uniform(-50, 10, 300), [-1e300, -800.0, -silu.X_MIN, -silu.X_BEND, 0.0]])
        high = low + np.concatenate([rng.exponential(2, 300), [0.0, 1e300, 0.0, 0.0, 0.0]])
        bottom, top = silu_range(low, high)
        steep = steepest(low, high)
        for a, b, down, up, slope in zip(low, high, bottom, top, steep, strict=True):
            inside = [
                a,
                b,
                *np.linspace(a, b, 50),
                *(x for x in (-silu.X_MIN, silu.X_BEND, -silu.X_BEND) if a <= x <= b),
            ]
            values = [true_silu(float(x)) for x in inside]
            assert down <= min(values) and max(values) <= up
            assert up - max(values) <= 1e-12 * abs(max(values)) + 1e-290
            assert min(values) - down <= 1e-12 * abs(min(values)) + 1e-290
            with mpmath.workdps(40):
                slopes = [abs(self.slope(mpmath.mpf(float(x)))) for x in inside]
            assert max(slopes) <= slope <= max(slopes) + 1e-12

    @staticmethod
    def slope(x: mpmath.mpf) -> mpmath.mpf:
        s = 1 / (1 + mpmath.exp(-x))
        return s * (1 + x * (1 - s))


def test_images_take_the_smaller_of_both():
    rows, none = np.array([[3.0, -4.0]]), np.zeros((1, 2))
    wide = np.full(2, -1.0), np.full(2, 1.0)
    assert images(rows, none, wide, 100.0)[1] == pytest.approx(7) and images(rows, none, wide, 1.0)[1] == pytest.approx(
        5
    )
    one_sided = np.zeros(2), np.ones(2)
    low, high = images(rows, none, one_sided, 100.0)
    assert (low[0], high[0]) == pytest.approx((-4, 3)) and low[0] <= -4 and high[0] >= 3
    assert images(rows, none + 1, one_sided, 100.0)[1] == pytest.approx(5)


def test_clamps_of_both_paths():
    step = steps((np.array([-9.0, -1.0]), np.array([-8.0, 5.0])), 0.0)
    limits = 0.01, 0.1
    assert [end.tolist() for end in clamped(step, limits)] == [[0.01, 0.1], [0.01, 0.1]]
    low, high = on_both_paths(step, limits)
    assert low.tolist() == [step[0][0], 0.1] and high.tolist() == [0.01, step[1][1]]
    assert steps((np.zeros(1), np.zeros(1)), 1e-4)[1][0] == pytest.approx(math.log(2) + 1e-4)


def test_a_norm_bounds_each_group():
    f = normed(np.array([3.0, 4.0, 0.0, 0.0, math.inf, 1.0]), 1.0, 3)
    w = math.sqrt(12.5)
    assert f.tolist() == [pytest.approx(w / math.sqrt(w * w + 1)), pytest.approx(0), 1.0]


class TestMemory:
    def test_states_are_counted_by_the_two_ends(self):
        a = np.array([[1.0, 1e-4, 0.5]])
        held = memory((a, a), np.array([0.1]), np.array([0.2]), T=100, eta=0.05)
        assert (held.always_forgets, held.cannot_forget, held.undecided) == (2 / 3, 1 / 3, 0)
        assert held.ceiling == pytest.approx(math.log(20) / 1e-5) and held.ceiling >= math.log(20) / 1e-5 * (1 - 1e-15)
        assert held.floor == pytest.approx(-math.log(0.95) / 0.2) and held.floor <= -math.log(0.95) / 0.2
        assert (held.decay_min, held.decay_max) == pytest.approx((math.exp(-0.2), math.exp(-1e-5)))
        assert held.decay_min <= math.exp(-0.2) and held.decay_max >= math.exp(-1e-5)

    def test_the_counts_are_at_the_thresholds(self):
        """e^(-|a| m T) = eta exactly between two lengths."""
        one, m = np.array([[1.0]]), np.array([1.0])
        forgets = [memory((one, one), m, m, T=T, eta=0.05).always_forgets for T in (2, 3)]
        keeps = [memory((one / 100, one / 100), m, m, T=T, eta=0.05).cannot_forget for T in (5, 6)]
        assert forgets == [0, 1] and keeps == [1, 0]  # ln 20 = 2.996, -100 ln 0.95 = 5.129

    def test_nothing_decays_or_all_at_once(self):
        zero, huge = np.zeros((1, 1)), np.array([[1.7e308]])
        held = memory((zero, zero), np.array([1.0]), np.array([2.0]), T=10, eta=0.1)
        assert held.cannot_forget == 1 and held.ceiling == math.inf and held.decay_max == 1
        held = memory((huge, np.full((1, 1), math.inf)), np.array([1.0]), np.array([2.0]), T=10, eta=0.1)
        assert held.always_forgets == 1 and held.floor == 0 and held.decay_min == 0 and held.ceiling < 1e-300

    @pytest.mark.parametrize("eta", [0.0, 0.5, 1.0, -0.1, math.nan])
    def test_eta_is_a_small_share(self, eta):
        one = np.ones((1, 1))
        with pytest.raises(DomainError, match="eta"):
            memory((one, one), one[0], one[0], T=1, eta=eta)

    def test_the_doubling_exponent_is_that_of_the_bound(self):
        assert doubling_exponent(3.0, 6.0) == 1 and doubling_exponent(3.0, 3.0) == 0
        assert doubling_exponent(3.0, 3.0 * math.sqrt(2)) == 0.5 and math.isnan(doubling_exponent(0.0, 0.0))
        assert math.isnan(doubling_exponent(1.0, math.inf))


class TestPaper:
    def test_the_sums_near_one_and_at_it(self):
        rho, first, second = published_sums(-1.0, 4.38524e-9, 2048)
        x = 4.38524e-9
        assert 1 - rho == pytest.approx(x, rel=1e-6) and first == pytest.approx(
            math.expm1(-2048 * x) / math.expm1(-x), rel=1e-12
        )
        assert second == pytest.approx(2.096e6, rel=1e-3) and second <= 2048 * 2047 / 2
        assert published_sums(0.0, 1.0, 50) == (1.0, 50.0, 1225.0) == published_sums(-1.0, 0.0, 50)
        assert published_sums(-1e-300, 1e-300, 50) == (1.0, 50.0, pytest.approx(1225))
        assert published_sums(-1.0, 2.0, 1) == (pytest.approx(math.exp(-2)), 1.0, 0.0)

    def test_the_core_in_symbols(self):
        """With channels that are the same, both are the formulas of the table of growth."""
        U, first, T, M, B_u = np.array([3.0, 4.0]), 10.0, 7, 0.5, 5.0
        published, sharp = core(2.0, 3.0, B_u, M, first, R_1(0.25, M, T) * U)
        at = {sym.B_B: 2, sym.B_C: 3, sym.B_u: 5, sym.M: Fraction(1, 2), sym.S_1: 10, sym.U: 5, sym.T: T}
        at |= {sym.s_A: Fraction(-1, 4), sym.R_1: DEFINITIONS[sym.R_1]}
        for value, formula in ((published, CORE["published"]["sup"]), (sharp, CORE["sharp"]["sup"])):
            exact = enclose(formula, at)
            assert exact.upper <= value <= exact.float_lower() * (1 + 1e-12)

    def test_the_core(self):
        published, sharp = core(2.0, 3.0, 5.0, 0.5, 10.0, np.array([3.0, 4.0]))
        assert published == pytest.approx(2 * 3 * 125 * 0.5 * 10) and published >= 3750 and sharp >= 750
        assert sharp == pytest.approx(2 * 3 * 25 * 5)
