"""The loss per symbol of documents (theory 8.7): the formula a second time, its level, and how often it fails."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import get_args

import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.wealth.documents import NUS, per_document, per_symbol
from ssm_bounds.bounds.gaps.wealth.ticks import Span, mean_above
from ssm_bounds.bounds.values import DomainError, Draws
from tests.failures import allowed, multiplicities, ranks, whole

UNIT = 2**24


def earned(nu: Fraction, r: mpmath.mpf, scores: np.ndarray, lengths: np.ndarray, longest: int, b: mpmath.mpf):
    """The sum of (8.7)."""
    scale = mpmath.mpf(nu.numerator) / nu.denominator / (longest * (b - r))
    pairs = zip(scores.tolist(), lengths.tolist(), strict=True)
    return mpmath.fsum(mpmath.log1p(-scale * (mpmath.mpf(s) / UNIT - r * t)) for s, t in pairs)


def again(scores: np.ndarray, lengths: np.ndarray, longest: int, ends: Span, nats: float) -> mpmath.mpf:
    """The least r over all nu, each by bisection."""
    b, best = mpmath.mpf(ends.high) / UNIT, mpmath.mpf(ends.high) / UNIT
    level = mpmath.mpf(nats) + mpmath.log(32)
    mean = mpmath.mpf(int(scores.sum())) / UNIT / int(lengths.sum())
    for nu in NUS:
        low, high = mean, best
        if mean >= best or earned(nu, best - mpmath.mpf(10) ** -12, scores, lengths, longest, b) < level:
            continue
        for _ in range(45):
            middle = (low + high) / 2
            passes = earned(nu, middle, scores, lengths, longest, b) >= level
            low, high = (low, middle) if passes else (middle, high)
        best = high
    return best


def drawn(seed: int, n: int, longest: int, ends: Span) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, size=n)
    rate = ends.high - (ends.high - ends.low) * rng.uniform(size=n) ** rng.integers(0, 4)
    return np.minimum((rate * lengths).astype(np.int64), ends.high * lengths), lengths


@settings(max_examples=25)
@given(
    st.integers(0, 2**32),
    st.integers(1, 20),
    st.sampled_from([1, 7, 101]),
    st.sampled_from([Span(0, 3 * UNIT), Span(-4 * UNIT, 2 * UNIT)]),
    st.floats(0, 12),
)
def test_it_is_the_formula(seed, n, longest, ends, nats):
    scores, lengths = drawn(seed, n, longest, ends)
    found = per_symbol(scores, lengths, longest, ends, Enclosure.point(nats))
    with mpmath.workdps(25):
        truth = again(scores, lengths, longest, ends, nats)
        assert mpmath.mpf(found.value.float_upper()) >= truth - mpmath.mpf(10) ** -9
        assert abs(found.value.float_upper() - truth) <= 2.0**-23
    assert found.value.float_lower() <= found.value.float_upper() <= ends.high / UNIT


def test_the_grid():
    assert len(NUS) == 32 == len(set(NUS)) and all(0 < nu < 1 for nu in NUS)
    assert [float(nu) for nu in NUS[:8]] == [1 - 2.0**-i for i in range(1, 9)]
    assert [float(nu) for nu in NUS[8:]] == pytest.approx([2 ** (-1 - j / 2) for j in range(1, 25)], rel=2e-4)


@given(st.integers(0, 2**32))
def test_it_is_a_whole_number_of_ticks_and_verified(seed):
    ends = Span(0, 3 * UNIT)
    scores, lengths = drawn(seed, 40, 9, ends)
    scores = scores // 4
    found = per_symbol(scores, lengths, 9, ends, Enclosure.point(2))
    with mpmath.workdps(40):
        b, level = mpmath.mpf(3), 2 + mpmath.log(32)
        ends_of = [mpmath.mpf(Fraction(end).numerator) / Fraction(end).denominator
                   for end in (found.value.float_lower(), found.value.float_upper())]  # fmt: skip
        below, above = (earned(found.nu, r, scores, lengths, 9, b) for r in ends_of)
        assert below < level <= above and ends_of[1] - ends_of[0] <= mpmath.mpf(4) / UNIT
        assert found.value.float_upper() * UNIT == int(found.value.float_upper() * UNIT)


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_it_increases_in_every_score(seed):
    ends, rng = Span(0, 3 * UNIT), np.random.default_rng(seed)
    scores, lengths = drawn(seed, 30, 9, ends)
    more = scores + ((3 * UNIT * lengths - scores) * rng.uniform(size=30) * 0.2).astype(np.int64)
    one, other = (per_symbol(each, lengths, 9, ends, Enclosure.point(1)).value for each in (scores, more))
    assert one.lower <= other.upper
    order = rng.permutation(30)
    assert per_symbol(scores[order], lengths[order], 9, ends, Enclosure.point(1)).value.upper == one.upper


def test_where_nothing_is_earned_it_is_b():
    lengths = np.array([2, 3])
    for scores, nats in ((3 * UNIT * lengths, 0), (np.zeros(2, dtype=np.int64), 10**4)):
        found = per_symbol(scores, lengths, 3, Span(0, 3 * UNIT), Enclosure.point(nats))
        assert found.nu is None and found.value == Enclosure.point(3)
    nothing = Enclosure(arb("inf"), arb("inf"))
    assert per_symbol(0 * lengths, lengths, 3, Span(0, 3 * UNIT), nothing).value == Enclosure.point(3)


def test_long_documents_do_not_overflow():
    """2^15 symbols of 25 bits each, and one more: sums beyond 2^40."""
    ends, lengths = Span(0, 32 * UNIT), np.full(2000, 2**15 + 1)
    found = per_symbol(25 * UNIT * lengths, lengths, 2**15 + 1, ends, Enclosure.point(1))
    short = per_symbol(np.full(2000, 25 * UNIT), np.full(2000, 1), 1, ends, Enclosure.point(1))
    assert found == short and 25 < found.value.float_upper() < 25.1


@pytest.mark.parametrize(
    ("scores", "lengths", "message"),
    [
        ([1], [0], "1 to 3 symbols"),
        ([1], [4], "1 to 3 symbols"),
        ([1, 2], [1], "1 to 3 symbols"),
        ([9], [1], "above b for each"),
    ],
)
def test_outside_its_domain(scores, lengths, message):
    with pytest.raises(DomainError, match=message):
        per_symbol(np.array(scores), np.array(lengths), 3, Span(0, 8), Enclosure.point(1))


def hidden(part: float, n: int = 50) -> tuple[float, float]:
    """Documents of T' symbols, all at b or all at 0: the chance of none at b under the law just above what is certified
    there at a part of the level, and what the whole level allows."""
    level = 2 + math.log(32)
    nats, none = Enclosure.point(part * level - math.log(32)), np.zeros(n, dtype=np.int64)
    found = per_symbol(none, np.full(n, 4), 4, Span(0, 2 * UNIT), nats)
    return (1 - found.value.float_upper() / 2 * (1 + 1e-9)) ** n, math.exp(-level)


def test_the_level_cannot_be_lowered():
    chance, allowed = hidden(1.0)
    assert 0.97 * allowed < chance <= allowed
    chance, allowed = hidden(0.97)
    assert chance > 1.1 * allowed


class TestFailures:
    """1200 models of prior mass 1/(j (j+1)) on one sample of 60 of 256 documents, the worst chosen with the truth in
    hand. All lose whole documents, most of them long ones or short ones rather, and half of them a part of the rest.

    By the proof the bound is below rho iff the level was earned at rho. A valid bound has more failures than
    are allowed with probability below 1e-6, and the draws are fixed besides.
    """

    MODELS, RUNS, UNITS, N, LONGEST = 1200, 200, 256, 60, 10
    DELTA, B, ENDS = Fraction(1, 5), 2.0, Span(0, 2 * UNIT)
    PRICES = np.log(np.arange(1.0, MODELS + 1) * np.arange(2.0, MODELS + 2))

    @classmethod
    @cache
    def documents(cls) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores (models,units) and lengths (units,) of all documents, and rho of each model, exact."""
        j, lengths = np.arange(cls.MODELS), 1 + whole(60, cls.UNITS) % cls.LONGEST
        order = ranks(61, cls.MODELS, cls.UNITS) + 6 * ((1 - j % 3) * (j % 5))[:, None] * lengths
        lost = np.argsort(np.argsort(order, axis=1, kind="stable"), axis=1) < 16 + j[:, None] % 100
        scores = 2 * np.where(lost, lengths, np.where(j[:, None] % 2, lengths // 4, 0))
        return scores, lengths, scores.sum(axis=1) / lengths.sum()

    @classmethod
    def earned(cls) -> np.ndarray:
        """The logarithms of (8.7) at rho (nus,models,units)."""
        scores, lengths, rho = cls.documents()
        shares = (scores - rho[:, None] * lengths) / (cls.LONGEST * (cls.B - rho[:, None]))
        return np.stack([np.log1p(-float(nu) * shares) for nu in NUS])

    @classmethod
    @cache
    def sampled(cls, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """How often each document was drawn (runs,units), and what its best nu earned of each model (runs,models)."""
        drawn = multiplicities(draws, 62, cls.RUNS, cls.UNITS, cls.N)
        return drawn, np.max([drawn.astype(float) @ each.T for each in cls.earned()], axis=0)

    @classmethod
    def bound(cls, drawn: np.ndarray, model: int, nats: float) -> float:
        """What one sample certifies of one model."""
        scores, lengths, _ = cls.documents()
        units = np.repeat(np.arange(cls.UNITS), drawn)
        level = Enclosure.point(nats)
        found = per_symbol(scores[model, units] * UNIT, lengths[units].astype(np.int64), cls.LONGEST, cls.ENDS, level)
        return found.value.float_upper()

    @classmethod
    def over(cls, draws: Draws, prices: np.ndarray) -> np.ndarray:
        """What the worst model's bound is above its rho, of each run: a failure where it is below 0."""
        (drawn, earned), nats = cls.sampled(draws), math.log(1 / cls.DELTA) + prices
        worst, rho = (earned - nats).argmax(axis=1).tolist(), cls.documents()[2]
        bounds = (cls.bound(row, model, nats[model]) - rho[model] for row, model in zip(drawn, worst, strict=True))
        return np.fromiter(bounds, dtype=float)

    @pytest.mark.parametrize("draws", get_args(Draws))
    def test_the_worst_fails_rarely(self, draws):
        over = self.over(draws, self.PRICES)
        assert (over < 0).sum() <= allowed(self.RUNS, self.DELTA) and over.min() < 0.2

    def test_without_the_price_of_the_models_it_fails_often(self):
        """Control: delta in place of delta times the mass of each model."""
        assert (self.over("iid", 0 * self.PRICES) < 0).sum() > 2 * self.DELTA * self.RUNS

    def test_the_mean_of_documents_is_no_loss_per_symbol(self):
        """Control: a valid bound of the mean loss of a document, held against rho of a model that loses long ones."""
        lengths, nats = self.documents()[1], Enclosure.point(math.log(1 / self.DELTA))
        scores, failures = 2 * np.where(lengths >= 6, lengths, 0), 0
        for row in self.sampled("iid")[0]:
            units = np.repeat(np.arange(self.UNITS), row)
            means = mean_above(scores[units] * UNIT, lengths[units])
            failures += per_document(means, self.ENDS, nats).value.float_upper() < scores.sum() / lengths.sum()
        assert failures > 2 * self.DELTA * self.RUNS

    def test_the_bound_is_below_rho_iff_the_level_was_earned_there(self):
        (drawn, earned), rho, grid = self.sampled("iid"), self.documents()[2], math.log(32)
        for run, model in enumerate(earned[:12].argmax(axis=1).tolist()):
            for part, below in ((0.99, True), (1.01, False)):
                level = part * earned[run, model]
                assert level > grid and (self.bound(drawn[run], model, level - grid) <= rho[model]) == below
