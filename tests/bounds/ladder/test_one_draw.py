"""One draw (theory 8.2): the log ratio and xi(m) against exact and 50-digit values, and the failure rate."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from math import comb
from statistics import NormalDist

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds.codes.gaussian import prior_center, standard_normal
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.gaps.maurer import expected_risk, level, maurer_constant
from ssm_bounds.bounds.ladder.one_draw import CONDITIONS, Draw
from ssm_bounds.bounds.values import DomainError

LOOSE = 1e-12


def random_draw(seed: int, n: int, *, full: bool) -> Draw:
    rng = np.random.default_rng(seed)
    diagonal = np.exp(rng.normal(-2, 2, n))
    factor = np.diag(diagonal) + np.tril(rng.normal(size=(n, n)), -1) if full else diagonal
    return Draw.once(center=rng.normal(size=n), mean=rng.normal(scale=3, size=n), factor=factor, seed=seed)


def log_normal_pdf(theta, mean, factor) -> mpmath.mpf:
    """Log density by the covariance matrix: another formula than the one under test."""
    n = len(mean)
    L = mpmath.matrix(n, n)
    for i in range(n):
        for j in range(n):
            L[i, j] = mpmath.mpf(factor[i][j])
    covariance = L * L.T
    away = mpmath.matrix([t - mpmath.mpf(c) for t, c in zip(theta, mean, strict=True)])
    square = (away.T * mpmath.lu_solve(covariance, away))[0]
    return -(n * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(covariance)) + square) / 2


@given(st.integers(0, 10**6), st.integers(1, 6), st.booleans())
@example(0, 1, False)
def test_log_ratio_against_fifty_digits(seed, n, full):
    draw = random_draw(seed, n, full=full)
    with mpmath.workdps(80):
        L = draw.factor if full else np.diag(draw.factor)
        theta = [
            mpmath.mpf(draw.mean[i]) + mpmath.fsum(mpmath.mpf(L[i, j]) * mpmath.mpf(draw.noise[j]) for j in range(n))
            for i in range(n)
        ]
        truth = log_normal_pdf(theta, draw.mean, L) - log_normal_pdf(theta, draw.center, np.eye(n))
        found = draw.log_ratio
        lower, upper = (mpmath.mpf(end.mid().str(60, radius=False)) for end in (found.lower, found.upper))
        slack = mpmath.mpf(10) ** -25 * (1 + abs(truth))
        assert lower - slack <= truth <= upper + slack
        assert upper - lower <= slack
        assert all(abs(t - p) <= abs(t) * mpmath.mpf(2) ** -53 for t, p in zip(theta, draw.parameters, strict=True))


def test_log_ratio_is_taken_before_rounding():
    """theta* = 1 + 2^-80 rounds to 1, and the ratio is not that of 1."""
    scale = 2.0**-80
    draw = Draw(np.zeros(1), np.ones(1), np.array([scale]), 0, np.ones(1))
    assert draw.parameters.tolist() == [1.0]
    assert draw._exact() == [1 + Fraction(scale)]
    assert draw.log_ratio.float_upper() == pytest.approx(80 * math.log(2), rel=1e-15)  # (theta*^2 - noise^2)/2 is 2^-80


def test_log_ratio_of_the_prior_itself_is_zero():
    draw = Draw.once(center=np.zeros(5), mean=np.zeros(5), factor=np.ones(5), seed=3)
    assert draw.log_ratio.float_lower() <= 0 <= draw.log_ratio.float_upper() < LOOSE


def maurer_sum(m: int) -> Fraction:
    return sum((comb(m, k) * Fraction(k, m) ** k * Fraction(m - k, m) ** (m - k) for k in range(m + 1)), Fraction(0))


@pytest.mark.parametrize("m", [*range(1, 41), 200])
def test_maurer_constant_is_the_sum(m):
    found, truth = maurer_constant(m), maurer_sum(m)
    assert Fraction(found.float_lower()) <= truth <= Fraction(found.float_upper())
    assert found.relative_width() < LOOSE


@pytest.mark.parametrize("m", [8, 9, 20, 1000, 20000, 25000, 10**6])
def test_maurer_constant_between_its_known_bounds(m):
    """``sqrt m <= xi(m) <= 2 sqrt m`` (Maurer 2004, Theorem 1) and ``xi(m) - sqrt(pi m/2) -> 2/3`` (Ramanujan)."""
    found = maurer_constant(m)
    assert found.float_upper() <= 2 * math.sqrt(m)
    assert found.float_lower() >= math.sqrt(m)
    assert found.float_upper() == pytest.approx(math.sqrt(math.pi * m / 2) + 2 / 3, abs=0.5 / math.sqrt(m))


def maurer_terms(m: int) -> mpmath.mpf:
    """``1 + sum_j m(m-1)...(m-j+1)/m^j``, term by term."""
    term = total = mpmath.mpf(1)
    for j in range(m):
        term = term * (m - j) / m
        total += term
        if term < mpmath.mpf(10) ** -60:
            break
    return total


@pytest.mark.parametrize("m", [41, 127, 128, 1000, 1023, 4097, 10**5, 10**6 + 1])
def test_maurer_constant_term_by_term(m):
    with mpmath.workdps(50):
        truth, found = maurer_terms(m), maurer_constant(m)
        lower, upper = (mpmath.mpf(end.mid().str(60, radius=False)) for end in (found.lower, found.upper))
        slack = mpmath.mpf(10) ** -40 * truth
        assert lower - slack <= truth <= upper + slack
        assert upper - lower <= truth * mpmath.mpf(10) ** -20


@pytest.mark.parametrize("m", [10**4, 10**6, 10**9, 2**53 + 1, 10**15, 10**18 - 1, 10**18])
def test_maurer_constant_of_many_samples(m):
    """``xi(m) = m! (e/m)^m/2 + 1 - theta``, ``theta = 1/3 + 4/(135 (m + x))``, x in [2/21, 8/45] (Ramanujan; Flajolet,
    Grabner, Kirschenhofer and Prodinger 1995), and ``ln m!`` by Robbins 1955: an interval of relative width 1e-10."""
    started = time.perf_counter()
    found = maurer_constant(m)
    assert time.perf_counter() - started < 1
    with mpmath.workdps(60):
        stirling = mpmath.sqrt(2 * mpmath.pi * m) / 2
        theta = [mpmath.mpf(1) / 3 + 4 / (135 * (m + mpmath.mpf(p) / q)) for p, q in ((2, 21), (8, 45))]
        low = stirling * mpmath.exp(mpmath.mpf(1) / (12 * m + 1)) + 1 - theta[0]
        high = stirling * mpmath.exp(mpmath.mpf(1) / (12 * m)) + 1 - theta[1]
        lower, upper = (mpmath.mpf(end.mid().str(60, radius=False)) for end in (found.lower, found.upper))
        assert high - low < 1e-9 * low
        assert low < lower <= upper < high
    assert found.relative_width() < LOOSE


@given(st.integers(1, 10**18 - 1))
def test_maurer_constant_increases(m):
    assert maurer_constant(m).upper < maurer_constant(m + 1).lower


def test_maurer_constant_refuses_what_it_cannot_enclose():
    for m in (0, 10**18 + 1):
        with pytest.raises(DomainError, match=r"10\^18"):
            maurer_constant(m)


@pytest.mark.parametrize("risk", [0.1, 0.5])
def test_maurer_constant_is_the_moment(risk):
    """``E exp(m kl(emp || risk)) = xi(m)`` at every risk in (0, 1): 3 % less is not enough."""
    m = 50
    with mpmath.workdps(30):
        p = mpmath.mpf(risk)
        weight = lambda k: comb(m, k) * p**k * (1 - p) ** (m - k)  # noqa: E731
        kl = lambda a: (a * mpmath.log(a / p) if a else 0) + ((1 - a) * mpmath.log((1 - a) / (1 - p)) if a < 1 else 0)  # noqa: E731
        moment = mpmath.fsum(weight(k) * mpmath.exp(m * kl(mpmath.mpf(k) / m)) for k in range(m + 1))
    assert float(moment) <= maurer_constant(m).float_upper()
    assert 0.97 * maurer_constant(m).float_upper() < float(moment)


def test_level_counts_a_negative_side_as_zero():
    assert level(Enclosure.point(-1000), 100, 0.05).float_upper() == 0
    assert level(Enclosure.point(0), 100, 0.05).float_upper() == pytest.approx(
        math.log(maurer_constant(100).float_upper() / 0.05) / 100, rel=1e-14
    )
    with pytest.raises(DomainError, match="delta"):
        level(Enclosure.point(0), 100, 1)


def test_risk_is_the_inverse_at_the_level():
    draw = random_draw(1, 4, full=True)
    wanted = draw.log_ratio.float_upper() + math.log(maurer_constant(500).float_upper() / 0.05)
    found = draw.risk(20, 500, Fraction(1, 20)).float_upper()
    assert found >= kl_inv(Fraction(20, 500), Enclosure.point(0.999 * max(wanted, 0) / 500)).float_upper()
    assert found == pytest.approx(expected_risk(0.04, draw.log_ratio.float_upper(), 500, 0.05), rel=1e-9)
    assert draw.risk(500, 500, 0.05).float_upper() == 1
    with pytest.raises(DomainError, match="errors <= m"):
        draw.risk(501, 500, 0.05)


def test_noise_is_standard_normal_and_fixed_by_the_seed():
    noise = standard_normal(7, 20000)
    assert np.array_equal(noise, standard_normal(7, 20000))
    assert not np.array_equal(noise, standard_normal(8, 20000))
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.02
    assert standard_normal(0, 3).tolist() == pytest.approx(
        [-1.3199234490744902, -0.236061164477174, -0.3295289080348673]
    )


@given(st.integers(0, 10**6), st.integers(1, 5), st.booleans())
@example(0, 1, False)
@example(0, 3, False)
def test_a_record_replays_bit_for_bit(seed, n, full):
    draw = random_draw(seed, n, full=full)
    again = Draw.replay(draw.record(), center=draw.center)
    assert np.array_equal(again.parameters, draw.parameters)
    assert again.log_ratio.float_upper() == draw.log_ratio.float_upper()
    assert again.seed == seed


def test_a_tampered_record_is_refused():
    draw = random_draw(0, 3, full=True)
    record = draw.record()
    with pytest.raises(DomainError, match="not that of seed 1"):
        Draw.replay(record | {"seed": 1}, center=draw.center)
    with pytest.raises(DomainError, match="prior 'other'"):
        Draw.replay(record | {"prior": "other"}, center=draw.center)
    for broken in ({}, record | {"noise": "!" + record["noise"]}, record | {"mean": record["mean"][:-5]}, {"seed": 0}):
        with pytest.raises(DomainError, match="cannot be read"):
            Draw.replay(broken, center=draw.center)
    with pytest.raises(DomainError, match="center"):
        Draw.replay(record, center=np.zeros(4))


@pytest.mark.parametrize(
    "change",
    [
        {"factor": np.array([1.0, 0.0])},
        {"factor": np.array([1.0, -1.0])},
        {"factor": np.ones((2, 2))},
        {"factor": np.ones(3)},
        {"mean": np.array([np.nan, 0.0])},
        {"seed": -1},
        {"seed": True},
    ],
)
def test_a_draw_refuses_nonsense(change):
    with pytest.raises(DomainError, match="of a draw"):
        Draw.once(**({"center": np.zeros(2), "mean": np.zeros(2), "factor": np.ones(2), "seed": 0} | change))


def test_a_mean_chosen_after_its_noise_is_refused():
    """theta* is whatever one likes and the ratio is as small as one likes, at every record that can be written."""
    wanted, noise, factor = np.linspace(-1, 1, 20), standard_normal(0, 20), np.full(20, 1e6)
    crude = Draw.once(center=np.zeros(20), mean=wanted - factor * noise, factor=factor, seed=0)
    assert np.allclose(crude.parameters, wanted, atol=1e-8)
    assert crude.risk(0, 1000, 0.05).float_upper() < 1e-15  # computable all the same
    reason = crude.refusal(0.05)
    assert reason is not None and "ln dQ/dP = -2" in reason and "-13.00" in reason
    assert Draw.replay(crude.record(), center=crude.center).refusal(0.05) == reason


@pytest.mark.parametrize("beyond", [-1e-9, 1e-9])
def test_the_threshold_of_refusal(beyond):
    """One parameter with theta* = c: ``ln dQ/dP = -ln sigma - noise^2/2``, at the threshold up to 1e-9 nats."""
    delta, noise = Fraction(1, 100), 0.5
    sigma = math.exp(math.log(100) + 10 - noise**2 / 2 + beyond)
    draw = Draw(np.zeros(1), np.array([-sigma * noise]), np.array([sigma]), 0, np.array([noise]))
    assert (draw.refusal(delta) is None) == (beyond < 0)
    assert draw.refusal(delta / 2) is None
    with pytest.raises(DomainError, match="delta"):
        draw.refusal(0)


@pytest.mark.parametrize("scale", [0.3, 1.0, 1.5, 30.0])
def test_honest_ratios_are_seldom_small(scale):
    """``P_Q(ln dQ/dP <= -t) <= e^{-t}`` for each t: what :meth:`Draw.refusal` rests on. Beside it, Q with its noise."""
    rng = np.random.default_rng(0)
    ratios, known = [], []
    for _ in range(400):
        noise, mean = rng.standard_normal(3), np.array([0.3, 0.0, -0.3])
        ratios.append(Draw(np.zeros(3), mean, np.full(3, scale), 0, noise).log_ratio.float_upper())
        known.append(Draw(np.zeros(3), mean - scale * noise, np.full(3, scale), 0, noise).log_ratio.float_upper())
    for t in (0.5, 1.0, 2.0, 4.0):
        assert np.mean(np.array(ratios) <= -t) <= math.exp(-t) + 4 * math.sqrt(math.exp(-t) / 400)
    assert scale < 1 or np.mean(np.array(known) <= -1) > 0.5


def test_conditions_are_three_facts_about_the_past():
    assert len(CONDITIONS) == 3 and any("noise" in fact for fact in CONDITIONS)


def test_old_records_still_replay():
    """Noise of the platform's logarithm, as files hold it: off by some last bits."""
    draw = random_draw(0, 500, full=False)
    raw = np.random.PCG64(np.random.SeedSequence(0, spawn_key=(8, 2))).random_raw(500)
    old = np.array([NormalDist().inv_cdf(((int(word) >> 12) + 0.5) / 2**52) for word in raw])
    assert np.abs(old / draw.noise - 1).max() < 1e-14
    again = Draw.replay(Draw(draw.center, draw.mean, draw.factor, 0, old).record(), center=draw.center)
    assert np.array_equal(again.noise, old)


def test_prior_center():
    assert prior_center({"A": 1, "W_B": 2, "embedding": 1}).tolist() == [-1, 0, 0, 0]


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.5])
def test_the_ratio_is_a_density(scale):
    """``E_Q exp(-ln dQ/dP) = 1``, by quadrature over the noise; a ratio smaller by 0.01 would be no density."""
    nodes, weights = np.polynomial.hermite.hermgauss(80)
    ratios = [
        Draw(np.array([0.5]), np.array([-0.25]), np.array([scale]), 0, np.array([noise])).log_ratio.float_upper()
        for noise in math.sqrt(2) * nodes
    ]
    total = sum(weights * np.exp(-np.array(ratios))) / math.sqrt(math.pi)
    assert total == pytest.approx(1, abs=1e-6)
    assert sum(weights * np.exp(-np.array(ratios) + 0.01)) / math.sqrt(math.pi) > 1.005


# A known distribution: x uniform on the points and the label a fair coin, so that every model has risk exactly 1/2.
# A model predicts sign(theta_x); the posterior learns the majority label of every point by heart.
POINTS, M, SAMPLES, DELTA = 40, 40, 150, Fraction(1, 5)


def memorise(rng: np.random.Generator, seed: int) -> tuple[Draw, int]:
    """A draw for one sample of size M, and its training errors."""
    x, y = rng.integers(POINTS, size=M), rng.choice([-1.0, 1.0], M)
    votes = np.bincount(x, weights=y, minlength=POINTS)
    draw = Draw.once(center=np.zeros(POINTS), mean=1.5 * np.sign(votes), factor=np.full(POINTS, 0.7), seed=seed)
    return draw, int((np.sign(draw.parameters)[x] != y).sum())


def failure_rate(*, pay_the_ratio: bool) -> float:
    """How often the certificate is below the true risk 1/2, each time with a fresh sample and a fresh draw."""
    rng = np.random.default_rng(0)
    failed = 0
    for seed in range(SAMPLES):
        draw, errors = memorise(rng, seed)
        bound = draw.risk(errors, M, DELTA)
        if not pay_the_ratio:
            bound = kl_inv(Fraction(errors, M), level(Enclosure.point(0), M, DELTA))
        failed += bound.float_upper() < 0.5
    return failed / SAMPLES


def test_the_certificate_fails_at_most_delta_of_the_time():
    assert failure_rate(pay_the_ratio=True) <= DELTA


def test_without_the_price_of_the_ratio_it_fails():
    assert failure_rate(pay_the_ratio=False) > 2 * DELTA


def test_of_many_draws_the_best_fails():
    """Redrawing is what the claim excludes: for Q = P every draw is certified, the luckiest of 1000 is not."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(POINTS, size=M), rng.choice([-1.0, 1.0], M)
    bounds = []
    for seed in range(1000):
        draw = Draw(np.zeros(POINTS), np.zeros(POINTS), np.ones(POINTS), seed, rng.standard_normal(POINTS))
        errors = int((np.sign(draw.noise)[x] != y).sum())
        bounds.append(kl_inv(Fraction(errors, M), level(Enclosure.point(0), M, DELTA)).float_upper())
    bounds = np.array(bounds)
    assert np.mean(bounds < 0.5) <= DELTA
    assert bounds.min() < 0.5
