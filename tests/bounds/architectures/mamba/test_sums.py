"""theory M4: the sums at M8's examples, at the ends of their domains, and against sequences of steps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba.sums import R_1, R_2, R_3, R_a, R_g, R_s, _power

EXAMPLES = {
    (0.5, 2, 0.8, 10): ("2.382151173", "4.408745122", "14.79052270", "2.858581407", "2.392988803"),
    (1, 16, 0.25, 3): ("0.5963328607", "0.1875", "0.078125", "0.6708744683", "0.1839397206"),
    (0.1, 0.1, 0.2, 50): ("6.384628350", "26.68923368", "162.2141755", "6.448474633", "2.668923368"),
    (0.02, 5, 0.5, 400): ("49.33004818", "2282.428712", "191428.1318", "49.57669842", "50.83561170"),
}
ENDS = [
    (0.0, 1.0),
    (0.0, 0.0),
    (1e-300, 1e10),
    (1e-20, 1.0),
    (1e300, 1.0),
    (math.inf, 1.0),
    (3.0, 1e-300),
    (1e-9, 1e-9),
]


def exact(lambda_: float, Lambda: float, M: float, T: int) -> tuple[float, ...]:
    """The closed forms of M4 a second time, to 40 digits."""
    import mpmath

    with mpmath.workdps(60):
        a, b, M, L = mpmath.mpf(lambda_), mpmath.mpf(Lambda), mpmath.mpf(M), mpmath.mpf(M) * T
        first = M * T if a * M == 0 else M * mpmath.expm1(-a * L) / mpmath.expm1(-a * M)
        phi = 1 if a * M == 0 else -a * M / mpmath.expm1(-a * M)
        g = lambda n, x: mpmath.gammainc(n, 0, x, regularized=True)  # noqa: E731
        second, third = M**2 * T * (T - 1) / 2, M**3 * (T - 1) * T * (2 * T - 1) / 6
        if a > 0:
            second, third = min(second, phi * g(2, a * L) / a**2), min(third, 2 * phi * g(3, a * L) / a**3)
        gate = min(first + a * second, (1 + a * M / 2) * first)
        e = mpmath.e
        if b * L <= 1:
            inner = g(2, b * L) / b if b else mpmath.mpf(0)
        elif a * L <= 1:
            inner = (1 - 2 / e) / b + (L - 1 / b) / e
        else:
            inner = (1 - 2 / e) / b + (1 / a - 1 / b) / e + (g(2, a * L) - 1 + 2 / e) / a
        return tuple(+x for x in (first, second, third, gate, min(b * second, phi * inner, (T - 1) * M / e)))


@pytest.mark.parametrize("point", EXAMPLES)
def test_the_examples(point):
    lambda_, Lambda, M, T = point
    found = (R_1(lambda_, M, T), R_2(lambda_, M, T), R_3(lambda_, M, T), R_g(lambda_, M, T), R_a(lambda_, Lambda, M, T))
    for value, printed, closed in zip(found, EXAMPLES[point], exact(*point), strict=True):
        assert f"{float(closed):.10g}" == f"{float(printed):.10g}"
        assert closed <= float(value) <= closed * (1 + 1e-9)


def test_a_grid_and_its_ends():
    rng = np.random.default_rng(0)
    points = [
        (10.0**x, 10.0 ** (x + y), 10.0**z, int(T))
        for x, y, z, T in zip(
            rng.uniform(-9, 3, 300),
            rng.uniform(0, 3, 300),
            rng.uniform(-9, 2, 300),
            10 ** rng.uniform(0, 6, 300),
            strict=True,
        )
    ]
    points += [
        (x, y, M, T) for x, y in ((0.0, 0.5), (0.5, 0.5), (1e-12, 1.0)) for M in (1e-9, 1.0) for T in (1, 2, 1000)
    ]
    points += [(1.0, 1.0, 1.0, 1), (0.5, 2.0, 0.5, 1), (1.0, 1.0, 0.125, 8), (0.125, 1.0, 1.0, 8)]  # on the branches
    for lambda_, Lambda, M, T in points:  # fmt: skip
        found = (
            R_1(lambda_, M, T),
            R_2(lambda_, M, T),
            R_3(lambda_, M, T),
            R_g(lambda_, M, T),
            R_a(lambda_, Lambda, M, T),
        )
        for value, closed in zip(found, exact(lambda_, Lambda, M, T), strict=True):
            assert closed <= float(value) <= closed * (1 + 1e-9) + 1e-280, (lambda_, Lambda, M, T)


@pytest.mark.parametrize(("lambda_", "M"), ENDS)
def test_the_ends_are_above_and_numbers(lambda_, M):
    for T in (1, 5):
        first = float(R_1(lambda_, M, T))
        assert min(M, M * T) <= first <= max(M * T * (1 + 1e-9), 1e-290)
        for value in (R_2(lambda_, M, T), R_3(lambda_, M, T), R_g(lambda_, M, T), R_a(lambda_, lambda_ + 1, M, T)):
            assert value >= 0


def sums(c: np.ndarray, rates: tuple[float, float]) -> tuple[float, float, float, float, float]:
    """What a sequence of steps attains: R_1, R_2, R_3 at the slow rate, R_s's and R_a's."""
    tau = np.concatenate([[0.0], np.cumsum(c)[:-1]])
    decay, slow, fast = np.exp(-rates[0] * tau), *rates
    with np.errstate(divide="ignore"):
        best = np.clip(1 / tau, slow, fast)
    return (
        (c * decay).sum(), (c * tau * decay).sum(), (c * tau**2 * decay).sum(),
        (c * slow * tau * decay).sum(), (c * best * tau * np.exp(-best * tau)).sum(),
    )  # fmt: skip


def test_no_sequence_is_above_and_some_come_close():
    rng = np.random.default_rng(1)
    closest = np.zeros(5)
    for _ in range(3000):
        T, M = int(rng.integers(1, 200)), 10.0 ** rng.uniform(-3, 1)
        slow = 10.0 ** rng.uniform(-3, 1)
        fast = slow * 10.0 ** rng.uniform(0, 2)
        c = np.full(T, M) if rng.integers(2) else M * rng.uniform(size=T) ** rng.uniform(0, 3)
        bounds = (R_1(slow, M, T), R_2(slow, M, T), R_3(slow, M, T), R_s(slow, slow, M, T), R_a(slow, fast, M, T))
        ratios = np.array([x / float(y) for x, y in zip(sums(c, (slow, fast)), bounds, strict=True)])
        assert (ratios <= 1).all()
        closest = np.maximum(closest, ratios)
    assert (closest >= 0.97).all()  # so that none can be lowered by 3 percent


def test_powers_are_products():
    """A library's cube has other last bits on other processors."""
    x = np.random.default_rng(0).uniform(0, 40, size=2000)
    assert (_power(x, 3) == x * x * x).all()
