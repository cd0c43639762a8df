"""The portable inverse normal distribution function, against 40 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds.codes.gaussian import standard_normal
from ssm_bounds.bounds.evaluate.normal import inverse_cdf, log
from ssm_bounds.bounds.values import DomainError

PINNED = ["-0x1.205814c26708dp-1", "0x1.b301dc45ebe5ap-2", "-0x1.0861edacb0e2ap-5", "0x1.de4ea57c96cadp-1"]
ENDS = ["-0x1.06b48528cea51p+3", "-0x1.7085226d3e523p+0", "-0x1.97203597a2154p+2"]


@given(st.floats(5e-324, 1.7e308))
@example(1.0)
@example(1 - 2.0**-53)
@example(1 + 2.0**-52)
@example(0.7071067811865475)
@example(0.7071067811865476)
@example(2.0**-53)
def test_logarithm(x):
    with mpmath.workdps(40):
        truth = mpmath.log(mpmath.mpf(x))
        assert abs(mpmath.mpf(float(log(np.array([x]))[0])) - truth) <= abs(truth) * mpmath.mpf(5e-16)


@given(st.integers(0, 2**52 - 1))
@example(0)
@example(2**52 - 1)
@example(2**51)
def test_inverse(k):
    """The distribution function of what comes out is p, and the function is odd."""
    p = (k + 0.5) / 2**52
    found = float(inverse_cdf(np.array([p]))[0])
    assert inverse_cdf(np.array([1 - p]))[0] == -found
    with mpmath.workdps(40):
        slope = mpmath.npdf(mpmath.mpf(found))
        off = (mpmath.ncdf(mpmath.mpf(found)) - mpmath.mpf(p)) / slope
        assert abs(off) <= 2e-15 * max(abs(found), 0.1)


def test_values_are_pinned_to_the_last_bit():
    """On any machine: nothing here may come from libm or depend on how many values there are."""
    assert [value.hex() for value in standard_normal(3, 4).tolist()] == PINNED
    assert standard_normal(3, 1000)[:4].tolist() == standard_normal(3, 4).tolist()
    ends = inverse_cdf(np.array([2.0**-53, 0.075, 1e-10])).tolist()
    assert [value.hex() for value in ends] == ENDS


def test_domain():
    for p in (0.0, 1.0, np.nan):
        with pytest.raises(DomainError, match="p in"):
            inverse_cdf(np.array([p]))
