"""Differences to a base that is next to nothing (theory 8.10)."""

from __future__ import annotations

import numpy as np
import pytest

from ssm_bounds.bounds.gaps.wealth.differences import difference
from ssm_bounds.bounds.values import DomainError


def test_a_base_next_to_nothing_is_refused():
    """Its quotients leave the range of float64: a difference would come out below what it is."""
    with pytest.raises(DomainError, match="smooth it first"):
        difference(np.array([1.0]), np.array([5e-324]), 7)
    least = difference(np.array([1.0]), np.array([2.0**-1000]), 7)[0] * 2.0**-24
    assert -1000 <= least <= -999.98
