"""Every code over integers: masses sum to at most 1, and nats are what they say."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from ssm_bounds.bounds.evaluate.balls import START_BITS, bits
from tests.lists import CODES

pytestmark = pytest.mark.parametrize("code", CODES, ids=str)
VECTORS = [np.array(z, dtype=np.int64) for n in (1, 2, 3) for z in product(range(-2, 3), repeat=n)]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_masses_sum_to_at_most_one(code, n):
    total = sum(code.mass(np.array(z, dtype=np.int64)) for z in product(range(-4, 5), repeat=n))
    assert 0 < total <= 1


def test_nats_are_the_logarithm_of_the_mass(code):
    for z in VECTORS:
        mass = code.mass(z)
        with bits(START_BITS):
            nats = code.nats(z)
        if mass:
            expected = math.log(mass.denominator) - math.log(mass.numerator)
            assert float(nats.mid()) == pytest.approx(expected, rel=1e-12, abs=1e-12)
            assert float(nats.rad()) < 1e-20
        else:
            assert not nats.is_finite() and nats > 0


def test_the_searches_see_the_same(code):
    for z in VECTORS:
        with bits(START_BITS):
            nats = code.nats(z)
        assert code.about(z) == pytest.approx(float(nats) if nats.is_finite() else math.inf, rel=1e-9, abs=1e-9)
