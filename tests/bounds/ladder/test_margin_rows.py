"""Margin PAC-Bayes with the training margins (theory 8.3): a second writing, draws from Q, no worse risk."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.gaps.losses import margins as margins_of
from ssm_bounds.bounds.gaps.maurer import level
from ssm_bounds.bounds.ladder import margin_rows
from ssm_bounds.bounds.ladder import pac_bayes as mpb
from ssm_bounds.bounds.ladder.margin_rows import Rows, mean_tail, with_margins
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files.checkpoint import read
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from tests.bounds.ladder.test_pac_bayes import (
    all_sequences,
    drawn,
    outputs,
    positive,
    posterior_at,
    random_weights,
    tensors,
)


def one(mu: float, g: Fraction) -> Rows:
    return Rows.of(np.array([mu]), g)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.sampled_from([Fraction(1), Fraction(1, 10), Fraction(3)])
)
def test_margins_are_rounded_down(margins, g):
    rows = Rows.of(np.array(margins), g)
    assert rows.m == len(margins)
    down = [-math.inf] * rows.low + [mu for mu, n in zip(rows.margins, rows.counts, strict=True) for _ in range(n)]
    for found, mu in zip(down, sorted(margins), strict=True):
        assert found <= mu
        assert found >= min(mu, 3 * rows.half) - rows.half / 256 or mu < rows.half
    assert all(mu >= rows.half for mu in rows.margins)


def test_margins_at_the_points_of_the_grid_and_beside_them():
    for g in (Fraction(1), Fraction(1, 10), Fraction(2**0.25)):
        half = Rows.of(np.zeros(1), g).half
        for i in (0, 1, 256, 512):
            point = half * (1 + i / 256)
            assert one(point, g).margins == [point]
            assert one(math.nextafter(point, 0), g).margins == ([half * (1 + (i - 1) / 256)] if i else [])
        assert one(math.inf, g).margins == [3 * half] and one(-math.inf, g).low == 1


@pytest.mark.parametrize(("k", "seed", "g"), [(1, 0, Fraction(1)), (3, 2, Fraction(2)), (4, 5, Fraction(1, 3))])
def test_a_second_writing(k, seed, g):
    """Above the mean of f over the margins themselves, by what their rounding costs, and by 1e-9 over the grid."""
    _, q = posterior_at(random_weights(seed, k=k), 1, T=7, g=g, embedding_in_class=True)
    rng = np.random.default_rng(seed)
    for margins in (float(g) * rng.gamma(4.0, 0.4, 300), float(g) * rng.uniform(0.5, 1.2, 50), np.full(9, float(g))):
        rows = Rows.of(margins, g)
        with mpmath.workdps(40):
            V, rho, events = (mpf(value.float_upper()) for value in (q.variance, q.remainder, q.events))
            start = mpf(g.numerator) / g.denominator / 2 + rho

            def f(mu):
                return min(mpf(1), max(k - 1, 1) * mpmath.erfc((mu - start) / mpmath.sqrt(2 * V)) + events)  # noqa: B023

            def mean(values):
                return mpmath.fsum(f(mpf(float(mu))) if mu > start else mpf(1) for mu in values) / len(values)  # noqa: B023

            found = mpf(float(mean_tail(q, g, rows)))
            assert mean(margins) * (1 - mpf(10) ** -14) <= found <= 1.05 * mean(margins)
            binned = mean([-math.inf] * rows.low + list(np.repeat(rows.margins, rows.counts)))
            assert binned * (1 - mpf(10) ** -14) <= found <= binned * (1 + mpf(10) ** -9)


def test_the_tail_falls_with_the_margin():
    _, q = posterior_at(random_weights(0, k=3), 0, T=7, g=1, embedding_in_class=True)
    values = [mean_tail(q, Fraction(1), one(mu, Fraction(1))) for mu in np.linspace(-1, 2, 200)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1
    assert values[-1] >= Fraction(q.events.float_lower())
    tau_g = max(q.outputs - 1, 1) * q.tail.float_upper() + q.events.float_upper()
    assert mean_tail(q, Fraction(1), one(1.0, Fraction(1))) == pytest.approx(tau_g, rel=1e-12)


def test_no_margin_falls_on_the_small_side():
    _, q = posterior_at(random_weights(0), 0, T=7, g=1, embedding_in_class=True)
    g, start = Fraction(1), 0.5 + q.remainder.float_upper()
    assert mean_tail(q, g, one(-math.inf, g)) == mean_tail(q, g, one(start, g)) == 1
    hopeless = replace(q, remainder=Enclosure.point(math.inf))
    assert mean_tail(hopeless, g, one(1e300, g)) == 1
    assert mean_tail(replace(q, variance=Enclosure.point(math.inf)), g, one(1e300, g)) == 1


@pytest.mark.parametrize(
    ("weights", "g", "least"),
    [(positive(), 1e-7, 0.4), (positive(a=-0.3, bias=0.0), 1, 0), (random_weights(5, V=3, k=3), 1, 0)],
)
def test_low_margins_are_as_rare_as_claimed_row_by_row(weights, g, least):
    """Rows whose margin under theta is mu, for mu from g/2 to 5g/4: how often theta' from Q has a margin <= g/2. Where
    moves are small against the weights nothing is lost but the factor 2 of the reflection: half of V is too little."""
    T, draws, g = 4, 6000, Fraction(g)
    balanced, q = posterior_at(weights, 0, T=T, g=g, embedding_in_class=True)
    x = all_sequences(weights.V, T)
    moves = drawn(balanced, q, draws, x) - outputs(tensors(balanced), x)
    half, caught = replace(q, variance=Enclosure.of(q.variance.upper / 2)), 0
    for share in np.linspace(0.5, 1.25, 16):
        mu = float(g) * float(share)
        if weights.k == 1:
            low = (mu - moves.abs().squeeze(-1) <= float(g) / 2).double().mean(0) / 2
        else:  # label 0, and both other outputs mu below it
            low = (mu + moves[..., 0] - moves[..., 1:].amax(-1) <= float(g) / 2).double().mean(0)
        rate, tail = float(low.max()), float(mean_tail(q, g, one(mu, g)))
        noise = 4 * math.sqrt(tail / draws)
        assert rate <= tail + noise
        assert rate >= least * tail - noise
        caught += rate > float(mean_tail(half, g, one(mu, g))) + noise
    assert bool(caught) == bool(least)


def test_half_of_the_tail_is_too_little():
    """The factor 2: four steps of one variance, each stopped where t is passed, pass t more often than N(0, V) does."""
    rng, t, passed = np.random.default_rng(0), 1.5, np.zeros(400_000, dtype=bool)
    at = np.zeros(len(passed))
    for _ in range(4):
        at += np.where(passed, 0.0, 0.5 * rng.normal(size=len(at)))
        passed |= at > t
    tail = math.erfc(t / math.sqrt(2))  # V = 1, no remainder
    assert 0.6 * tail < passed.mean() <= tail


def test_the_sample_step():
    """(iii) by rows, on all inputs with arbitrary labels: margins of theta on both sides of 0, of g/2 and of g."""
    weights, T, draws = random_weights(11, V=3, size=0.9), 4, 4000
    x = all_sequences(3, T)
    side = torch.tensor(np.random.default_rng(1).choice([-1.0, 1.0], len(x)))
    margin = (side * outputs(tensors(weights), x)[:, 0]).numpy()
    g = Fraction(float(np.abs(margin).mean()))
    balanced, q = posterior_at(weights, 0, T=T, g=g, embedding_in_class=True)
    low = float((side * drawn(balanced, q, draws, x)[..., 0] <= float(g) / 2).double().mean())
    found = float(mean_tail(q, g, Rows.of(margin, g)))
    by_count = float(q.by_count(int((margin <= float(g)).sum()), len(margin)))
    assert 0.1 < low <= found + 4 * math.sqrt(found / draws / len(x))
    assert found < 0.95 * by_count


@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.sampled_from([0.25, 1, 3]), st.sampled_from([60, 4000]))
@settings(max_examples=6)
def test_never_worse_than_by_count(seed, k, g, m):
    rng = np.random.default_rng(seed)
    family = mpb.fit(random_weights(seed, k=k), gate="softplus", T=6, g=g)
    margins = rng.gamma(3.0, 1.0, m) * rng.choice([-1.0, 1.0], m, p=[0.1, 0.9])
    found = with_margins(family, m, 0.05, margins)
    by_count = family.at(m, 0.05, int((margins <= g).sum())).risk
    assert found.risk.upper <= by_count.upper
    assert found.risk.float_upper() == pytest.approx(
        found.posterior.risk_after(found.mean, m, 0.05).float_upper(), rel=1e-12
    )
    assert float((margins <= float(found.g) / 2).mean()) <= float(found.mean) <= 1
    assert len(found.trace) == 7


@pytest.mark.parametrize(("seed", "k", "m"), [(0, 1, 60), (1, 3, 4000), (2, 1, 25000), (3, 2, 300)])
def test_rough_risks_are_within_what_they_may_be_off_by(seed, k, m):
    """So that the few that are enclosed hold the least of all."""
    rng = np.random.default_rng(seed)
    family = mpb.fit(random_weights(seed, k=k), gate="softplus", T=6, g=1)
    margins = rng.gamma(3.0, 1.0, m) * rng.choice([-1.0, 1.0], m, p=[0.1, 0.9])
    saved = {j: 3.0 * j for j in range(-9, 9, 3)}
    about = margin_rows._about(family, m, 0.05, margins, saved)
    exact = {}
    for j, nats in saved.items():
        means = margin_rows._rough_means(Rows.of(margins, Fraction(margin_rows._margin(j))), k)
        levels = [level(Enclosure.point(max(draft.cost - nats, 0.0)), m, 0.05) for draft in family.drafts]
        every = [
            kl_inv(mean, b).float_upper() / (1 - draft.tail)
            for draft, mean, b in zip(family.drafts, means, levels, strict=True)
        ]
        exact[j] = min(every)
    least = min(exact, key=exact.__getitem__)
    assert all(about[j] > exact[j] - margin_rows._CLOSE / 4 for j in saved)
    assert about[least] < exact[least] + margin_rows._CLOSE / 4


@pytest.fixture(scope="module")
def family() -> mpb.Family:
    return mpb.fit(random_weights(0), gate="softplus", T=9, g=1)


def test_rows_between_half_the_margin_and_the_margin_are_errors_by_count():
    """Counted at g/2 instead they would be none, and the risk too small."""
    family = mpb.fit(random_weights(1), gate="softplus", T=6, g=1)
    for margin in (0.55, 0.8, 1.0):
        found = with_margins(family, 10_000, 0.05, np.full(10_000, margin))
        q = found.posterior
        tails = mean_tail(q, found.g, Rows.of(np.full(10_000, margin), found.g))
        by_count = q.by_count(10_000 if margin <= found.g else 0, 10_000)
        assert found.mean == min(tails, by_count)
        assert found.risk == q.risk_after(found.mean, 10_000, 0.05)


def test_whatever_the_margin_of_the_family(family):
    """g is free: families at other margins find the same."""
    margins = np.random.default_rng(0).normal(3.0, 1.0, 5000)
    risks = [
        with_margins(mpb.fit(random_weights(0), gate="softplus", T=9, g=g), 5000, 0.05, margins).risk.float_upper()
        for g in (1 / 64, 1, 64)
    ]
    assert len(set(risks)) == 1
    assert min(risks) < 0.97 * family.at(5000, 0.05, int((margins <= 1).sum())).risk.float_upper()


def test_lower_margins_and_smaller_delta_cost(family):
    margins = np.random.default_rng(0).normal(3.0, 1.0, 5000)
    base = with_margins(family, 5000, 0.05, margins).risk.float_upper()
    assert with_margins(family, 5000, 0.001, margins).risk.float_upper() > base
    assert with_margins(family, 5000, 0.05, margins - 0.5).risk.float_upper() > base
    unknown = margins.copy()
    unknown[:500] = -math.inf
    assert with_margins(family, 5000, 0.05, unknown).risk.float_upper() > base + 0.09


@pytest.mark.parametrize("margin", [-1.0, 0.0, 5e-324, 1e-200, 1e200, -math.inf])
def test_margins_of_any_size(family, margin):
    found = with_margins(family, 300, 0.05, np.full(300, margin))
    assert 0 < found.risk.float_upper() <= 1
    assert margin > 0 or found.risk.float_upper() == 1


def test_trouble_is_infinite():
    weights = random_weights(0)
    family = mpb.fit(replace(weights, A=np.full(weights.A.shape, 1e300)), gate="softplus", T=900, g=1)
    found = with_margins(family, 100, 0.05, np.full(100, 50.0))
    assert found.risk.float_upper() == 1 and found.posterior is None and found.trace


@pytest.mark.parametrize("margins", [np.ones(99), np.ones((100, 1)), np.full(100, np.nan), np.full(100, np.inf)])
def test_bad_margins_are_refused(family, margins):
    with pytest.raises(DomainError, match="margins of 100 rows"):
        with_margins(family, 100, 0.05, margins)


def test_majority(shared):
    """By count 0.4857 at delta/3 and g = 1."""
    weights = read(shared / "checkpoints" / "majority_T200_m1000_seed1.pth").weights
    data = np.load(shared / "data" / "majority_T200_seed1.npz")
    with torch.inference_mode():
        z = SelectiveSSM.from_weights(weights, gate="softplus")(torch.from_numpy(data["x_train"]).long()).numpy()
    family = mpb.fit(weights, gate="softplus", T=200, g=1, embedding_in_class=True)
    found = with_margins(family, 1000, Fraction(1, 60), margins_of(z, data["y_train"].astype(int)))
    assert 0.455 < found.risk.float_upper() < 0.466


def test_margins_like_those_of_imdb(shared):
    """By count 0.2178 at g = 1 and 0.195 at the best g."""
    weights = read(shared / "checkpoints" / "imdb_T500_m25000_seed1.pth").weights
    rng = np.random.default_rng(0)
    margins = np.where(rng.random(25000) < 0.04, -1, 1) * rng.gamma(4, 1, 25000)
    found = with_margins(mpb.fit(weights, gate="softplus", T=500, g=1), 25000, Fraction(1, 60), margins)
    assert 0.187 < found.risk.float_upper() < 0.1915
