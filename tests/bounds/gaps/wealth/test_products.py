"""The logarithm of a product of millions of factors (theory 8.11): an enclosure, narrow, and no libm in it."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import bits, exact
from ssm_bounds.bounds.gaps.wealth.products import ALLOWED, log_product, log_product_of_balls
from ssm_bounds.bounds.gaps.wealth.ticks import TICK


def again(factor: float | None, gaps: np.ndarray) -> arb:
    """Every logarithm by itself, to 200 bits."""
    with bits(200):
        terms = (TICK * gap if factor is None else 1 + Fraction(factor) * TICK * gap for gap in gaps.tolist())
        return sum((exact(term).log() for term in terms), arb(0))


@given(st.integers(0, 2**32), st.integers(1, 700), st.sampled_from([1.0, 8.3, 0.01]))
def test_it_encloses_and_is_narrow(seed, n, width):
    rng = np.random.default_rng(seed)
    gaps = (rng.uniform(-1, 1, size=n) * width * 2.0 ** rng.integers(0, 9, size=n) * 2**24).astype(np.int64)
    gaps = np.maximum(gaps, -int(width * 2**24))
    for factor in (31 / 32 / width, 0.3 / width, 1000 / width, 1e-9):
        some = gaps if factor * width < 1 else np.abs(gaps)
        found, truth = log_product(factor, some), again(factor, some)
        with bits(200):
            assert found.contains(truth)
            assert abs(found.mid() - truth) <= n * ALLOWED / 4 + 1e-30
            assert found.rad() <= n * ALLOWED * 1.001 + 1e-25


@given(st.lists(st.integers(1, 2**41), min_size=1, max_size=100))
def test_at_infinity_gaps_are_exact(gaps):
    found, truth = log_product(None, np.array(gaps)), again(None, np.array(gaps))
    with bits(200):
        assert found.contains(truth) and abs(found.mid() - truth) <= len(gaps) * ALLOWED / 64 + 1e-30


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 255, 256, 257, 2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16 + 5])
def test_every_number_of_factors(n):
    gaps = np.random.default_rng(n).integers(-(2**23), 2**30, size=n)
    found = log_product(0.7, gaps)
    with bits(128):
        assert found.contains(log_product_of_balls(Fraction(0.7) * TICK, gaps.tolist()))


def test_factors_that_float64_does_not_hold_go_through_balls():
    """Control: 1 + lambda gap near 0 keeps few digits in float64, fewer than are allowed for."""
    factor, gap = 1 / 3, -3 * 2**24 + 1  # the factor is about 2^-24/3
    truth = again(factor, np.array([gap]))
    with bits(200):
        naive = exact(1.0 + factor * (gap * 2.0**-24)).log()
        assert abs(naive - truth) > 2.0**-31 > ALLOWED
        for many in (1, 5):
            found = log_product(factor, np.array([gap] * many + [2**24] * 100))
            assert found.contains(again(factor, np.array([gap] * many + [2**24] * 100)))
    # neither do the largest overflow
    for large in (2.0**40, 2.0**44, 2.0**64, 1e60):
        gaps = np.full(50, 2**40)
        with bits(200):
            assert log_product(large, gaps).contains(again(large, gaps))


def test_a_factor_that_is_not_above_0_has_no_logarithm():
    for gaps in ([-(2**24)], [2**24, -(2**25)], [-(2**24), 2**24]):
        assert not log_product(1.0, np.array(gaps)).is_finite()
    assert not log_product(None, np.array([0, 5])).is_finite()


def test_any_order_gives_an_enclosure_of_one_number():
    gaps = np.random.default_rng(0).integers(-(2**23), 2**25, size=5000)
    one, other = log_product(0.9, gaps), log_product(0.9, gaps[::-1].copy())
    assert one.overlaps(other) and log_product(0.9, gaps).mid() == one.mid()


def test_a_million_factors_take_no_time():
    """5 million tokens in 0.3 s for each bet (theory 8.11); here a tenth of it."""
    gaps = np.random.default_rng(0).integers(-(2**23), 2**25, size=10**6)
    start = time.process_time()
    log_product(0.9, gaps)
    assert time.process_time() - start < 0.3
