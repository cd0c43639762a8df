"""The rung occam-loss: its two forms written a second time, its floor, and how often it fails."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.ladder.argument import shares
from ssm_bounds.bounds.ladder.occam_loss import CodedLoss, Mean, certify_mean, occam_loss
from ssm_bounds.bounds.ladder.rung import Hypothesis, Verdict
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.report.document import plain
from tests.bounds.gaps.wealth.test_units import again

DELTA = Fraction(1, 20)
RANGES = (1, 3, Fraction(33, 10), Fraction(1, 7))


def kl_again(mean: mpmath.mpf, level: mpmath.mpf) -> mpmath.mpf:
    """``sup{x : kl(mean || x) <= level}`` by bisection."""

    def kl(x: mpmath.mpf) -> mpmath.mpf:
        first = mean * mpmath.log(mean / x) if mean > 0 else mpmath.mpf(0)
        return first + (1 - mean) * mpmath.log((1 - mean) / (1 - x))

    low, high = mean, mpmath.mpf(1)
    for _ in range(120):
        middle = (low + high) / 2
        low, high = (middle, high) if kl(middle) <= level else (low, middle)
    return high


def expected(losses: np.ndarray, most, nats: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Both forms at delta/2, from theory 8.1 and 8.5."""
    c = mpmath.mpf(Fraction(most).numerator) / Fraction(most).denominator
    level = mpmath.mpf(nats) + mpmath.log(40)  # ln 1/(delta/2)
    mean = mpmath.fsum(min(mpmath.mpf(float(loss)), c) for loss in losses) / len(losses)
    return c * kl_again(mean / c, level / len(losses)), again(losses, most, level)


def drawn(seed: int, most, m: int = 80) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.999 * float(most) * rng.uniform(size=m) ** rng.integers(1, 12)


def argued(mean: Mean, nats: float = 30) -> CodedLoss:
    ledger = [("A", 3, Enclosure.point(nats + 2)), ("symmetries", 0, Enclosure.point(-2))]
    return CodedLoss("ramp loss at margin 1.0", mean, Enclosure.point(nats), "some code", ledger, DELTA, "p, version 1")


@given(st.integers(0, 2**32), st.sampled_from(RANGES), st.floats(0, 40))
def test_it_is_the_smaller_of_both_forms(seed, most, nats):
    losses = drawn(seed, most)
    found = certify_mean(Enclosure.point(nats), losses, most, DELTA)
    with mpmath.workdps(40):
        forms = expected(losses, most, nats)
        for form, value in zip(forms, (found.kl, found.wealth.value), strict=True):
            assert value.float_upper() == pytest.approx(float(form), rel=1e-9)
            assert mpmath.mpf(value.float_upper()) >= form * (1 - mpmath.mpf(10) ** -25)
        assert found.value.float_upper() == pytest.approx(float(min(forms)), rel=1e-9)
    assert found.value.float_lower() <= found.value.float_upper()


@given(st.integers(0, 2**32), st.sampled_from(RANGES), st.floats(0, 40))
def test_neither_form_is_below_the_floor(seed, most, nats):
    losses = drawn(seed, most)
    found = certify_mean(Enclosure.point(nats), losses, most, DELTA)
    seen, c = float(losses.mean()), float(most)
    hidden = -math.expm1(-(nats + math.log(20)) / len(losses))
    assert found.floor.float_upper() == pytest.approx(seen + hidden * (c - seen), rel=1e-9)
    assert found.floor.lower <= found.kl.upper and found.floor.lower <= found.wealth.value.upper


def test_it_says_what_gave_the_number():
    middling = argued(certify_mean(Enclosure.point(30), np.full(1000, 0.1), 1, DELTA))
    assert middling.mean.by_wealth and "by the wealth bound at lambda = inf (the kl form: 0." in middling.sentence()
    rare = argued(certify_mean(Enclosure.point(30), np.repeat([0.0, 1.0], [980, 20]), 1, DELTA))
    assert not rare.mean.by_wealth and "by the kl form (the wealth bound: 0." in rare.sentence()
    for argument in (middling, rare):
        text = argument.sentence()
        assert "\n" not in text and " 30 nats (some code)" in text
        assert decimal_string(argument.mean.floor.lower, side="lower") in text and argument.words()[1] in text
        record = argument.record()
        json.dumps(plain(record), allow_nan=False)
        assert record["form"] == ("wealth" if argument is middling else "kl")
    assert "mean at most 0.1001 " in middling.sentence()


def test_costs_are_what_is_divided_by_m():
    for losses, grid in ((np.full(1000, 0.1), math.log(40)), (np.repeat([0.0, 1.0], [980, 20]), 0)):
        parts = argued(certify_mean(Enclosure.point(30), losses, 1, DELTA)).costs()
        assert sum(part.nats.float_upper() for part in parts) == pytest.approx(30 + grid + math.log(40))
        assert sum(shares(parts)) == pytest.approx(1)


def test_the_rung():
    mean = certify_mean(Enclosure.point(30), np.full(1000, 0.6), 3, DELTA)
    rung = occam_loss(argued(mean), (Hypothesis.PROGRAM,))
    assert (rung.name, rung.kind, rung.ceiling, rung.two_sided) == ("occam-loss", "loss", 3, False)
    assert rung.rests_on == (Hypothesis.ROWS, Hypothesis.PROGRAM) and rung.verdict is Verdict.CERTIFIED
    assert not rung.vacuous and occam_loss(argued(certify_mean(Enclosure.point(30), np.full(9, 3.0), 3, DELTA))).vacuous


def test_more_nats_and_less_delta_cost_more():
    losses = drawn(3, 1)
    values = [certify_mean(Enclosure.point(nats), losses, 1, DELTA).value.upper for nats in (0, 1, 5, 30)]
    assert values == sorted(values) and len({*map(str, values)}) == 4
    assert certify_mean(Enclosure.point(5), losses, 1, DELTA / 100).value.upper > values[2]
    with pytest.raises(DomainError, match="delta"):
        certify_mean(Enclosure.point(5), losses, 1, Fraction(3))


class TestFailures:
    """Forty models of known mean losses on three values, of prior mass 1/40 each: how often any bound fails."""

    m, delta, models = 60, Fraction(1, 5), 40
    values = np.array([0.0, 0.3, 1.0])

    def laws(self) -> np.ndarray:
        """Most often without a loss, now and then the largest: what is hidden from a sample."""
        rng = np.random.default_rng(0)
        rare = rng.uniform(0.02, 0.14, size=self.models)
        middle = rng.uniform(0, 0.2, size=self.models)
        return np.stack([1 - rare - middle, middle, rare], axis=1)

    def rate(self, nats: float, runs: int = 1500) -> float:
        """The fraction of samples on which some model's mean loss is above its bound."""

        @cache
        def bound(counts: tuple[int, ...]) -> float:
            losses = np.repeat(self.values, counts)
            return certify_mean(Enclosure.point(nats), losses, 1, self.delta).value.float_upper()

        rng, laws = np.random.default_rng(1), self.laws()
        counts = np.stack([rng.multinomial(self.m, law, size=runs) for law in laws], axis=1)
        means = laws @ self.values
        return float(np.mean([any(mean > bound(tuple(row)) for mean, row in zip(means, run, strict=True))
                              for run in counts.tolist()]))  # fmt: skip

    def test_at_most_delta(self):
        assert self.rate(math.log(self.models)) <= self.delta

    def test_the_price_is_needed(self):
        assert self.rate(0) > self.delta
