"""The Dudley integral against exact oracles, and the published closed form where it holds and where it does not."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy
from flint import acb, arb
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import LipschitzImage, Product
from ssm_bounds.bounds.covers.lemmas import Box, Maurey, Volume
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.gaps.chaining import dudley
from tests import oracle

ONE = Enclosure.point(1)


@given(
    n=st.integers(1, 200),
    log_radius=st.floats(-3, 60),
    m=st.sampled_from([10, 1000, 10**6]),
    c=st.sampled_from([1, 4.0]),
)
def test_matches_the_integral_where_it_is_smooth(n, log_radius, m, c):
    """acb.integral of sqrt(n ln(1 + 2r/e)) at the alpha that was chosen lies between the two sums, 1e-3 apart."""
    radius = math.exp(log_radius)
    found = dudley(Volume(n, radius, "output"), lipschitz=ONE, c=c, m=m)
    alpha = found.alpha.upper
    assert found.rademacher.relative_width() <= chaining.DUDLEY_RTOL

    def integrand(e: acb, _: bool) -> acb:
        return (n * (1 + 2 * radius / e).log()).sqrt()

    integral = acb.integral(integrand, acb(alpha), acb(c) / 2).real if found.cells else arb(0)
    exact = 4 * alpha + 12 / arb(m).sqrt() * integral
    assert found.rademacher.lower <= exact <= found.rademacher.upper


@given(n=st.integers(1, 50), m=st.sampled_from([100, 10**5]), log_radius=st.floats(-2, 3))
@example(n=15, m=100, log_radius=-1.625)  # alpha just below c/2
def test_alpha_is_near_optimal(n, m, log_radius):
    """No alpha on a fine grid improves the value by more than 1 %."""
    entropy = Volume(n, math.exp(log_radius), "output")
    found = dudley(entropy, lipschitz=ONE, c=1, m=m)
    edges = 0.5 * np.exp(np.linspace(-20, 0, 4001))
    heights = 12 / math.sqrt(m) * np.sqrt(entropy.approximate(np.log(edges)))
    lower_sums = np.append(np.cumsum((np.diff(edges) * heights[1:])[::-1])[::-1], 0.0)
    assert found.rademacher.float_upper() <= 1.01 * (4 * edges + lower_sums).min()


def test_jumps_of_ceilings_are_enclosed():
    """``int sqrt(ceil(C^2/e^2)) de`` over [C/sqrt K, C] is ``C sum_{k=2}^K (sqrt(k/(k-1)) - 1)`` (comparators.md 1)."""
    C, m = 0.5, 10**6
    found = dudley(Maurey(3, C), lipschitz=ONE, c=1, m=m)
    alpha = mpmath.mpf(found.alpha.float_upper())
    K = int((C / alpha) ** 2)
    exact = C * sum(mpmath.sqrt(mpmath.mpf(k) / (k - 1)) - 1 for k in range(2, K + 1))
    exact += (C / mpmath.sqrt(K) - alpha) * mpmath.sqrt(K + 1)
    exact = 4 * alpha + 12 / mpmath.sqrt(m) * mpmath.sqrt(mpmath.log(7)) * exact
    assert found.rademacher.float_lower() <= exact <= found.rademacher.float_upper()
    assert found.rademacher.relative_width() <= 1e-3


@pytest.mark.parametrize("m", [16, 400, 10**4])
def test_bounds_the_exact_complexity_of_an_interval(m):
    """Constants in [-1/2, 1/2]: valid, and within a factor 17 of the exact value, which no bound may undercut."""
    exact = oracle.rademacher_of_interval(0.5, m)
    found = dudley(Box(1, 0.5), lipschitz=ONE, c=1, m=m).rademacher.float_upper()
    assert exact <= found <= 17 * exact


def test_lipschitz_constant_rescales():
    """Loss l z over H(e/l): covering the outputs at e/l is covering the losses at e."""
    outputs = Volume(4, 3.0, "output")
    losses = LipschitzImage(outputs, Enclosure.point(2.5), "output")
    through = dudley(outputs, lipschitz=Enclosure.point(2.5), c=1, m=10**5).rademacher
    direct = dudley(losses, lipschitz=ONE, c=1, m=10**5).rademacher
    assert through.float_upper() == pytest.approx(direct.float_upper(), rel=2e-3)


def test_products_are_split_cell_by_cell():
    blocks = {"A": Box(3, 2.0, "output"), "B": Volume(5, 40.0, "output")}
    found = dudley(Product(blocks), lipschitz=ONE, c=1, m=10**5)
    assert found.rademacher.relative_width() <= chaining.DUDLEY_RTOL
    assert found.cells > 50


def test_vacuous_entropy_leaves_the_integral_out():
    found = dudley(Volume(500, 1e40, "output"), lipschitz=ONE, c=1, m=100)
    assert found.cells == 0
    assert found.rademacher.float_upper() == 2.0


def at(C_F: float, m: int = 10**4) -> dict:
    return {sym.l: 1, sym.c: 1, sym.m: m, sym.C_F: C_F, sym.delta: sympy.Rational(1, 20)}


def test_published_closed_form_is_dudley_with_both_ends_of_the_loss():
    """D.4 for ln N = C^2/e^2: alpha = 3 l C/sqrt m and upper limit c give 12 l C/sqrt m (1 + ln(c sqrt m/(3 l C)))."""
    C, m = sym.C_F, sym.m
    alpha = 3 * C / sympy.sqrt(m)
    integral = C * sympy.log(1 / alpha)
    direct = 4 * alpha + 12 / sympy.sqrt(m) * integral
    printed = chaining.PUBLISHED_RADEMACHER.subs({sym.l: 1, sym.c: 1})
    assert sympy.simplify(sympy.expand_log(direct - printed, force=True)) == 0


@pytest.mark.parametrize(("C_F", "applies", "sign"), [(10, True, 1), (33, True, 1), (34, False, 1), (91, False, -1)])
def test_published_condition_is_sharp(C_F, applies, sign):
    """True only if 3 l C_F <= c sqrt m; negative once 3 l C_F > e c sqrt m."""
    assert (enclose(chaining.PUBLISHED_CONDITION, at(C_F)).upper <= 1) == applies
    value = enclose(chaining.PUBLISHED_RADEMACHER, at(C_F))
    assert value.upper * sign > 0


def test_published_value_drops_below_the_truth_beyond_its_condition():
    """The infimum of Dudley's bound over alpha <= c is 4c once 3 l C_F >= c sqrt m; the formula promises less."""
    assert enclose(chaining.PUBLISHED_RADEMACHER, at(60)).upper < 4
    assert enclose(chaining.PUBLISHED_RADEMACHER, at(100.0 / 3)).float_upper() == pytest.approx(4, rel=1e-9)
