"""The wealth bound of tokens (theory 8.6): the formula a second time, what it beats, and how often it fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.wealth import grid, units
from ssm_bounds.bounds.gaps.wealth.differences import chained, span
from ssm_bounds.bounds.gaps.wealth.documents import per_document
from ssm_bounds.bounds.gaps.wealth.grid import THIRDS, Bet, bound
from ssm_bounds.bounds.gaps.wealth.ticks import TICK, Span, own_span
from ssm_bounds.bounds.gaps.wealth.tokens import GRID, bets, tokens
from ssm_bounds.bounds.values import DomainError
from tests.failures import allowed, whole

SPANS = (own_span(1, 2), own_span(4, 79), own_span(8, 2**17), span(2), Span(-3, 2**20 + 1))
SPAN = own_span(4, 79)
UNIT = 2**24


def drawn(seed: int, n: int, ends: Span) -> tuple[np.ndarray, np.ndarray]:
    """Losses up to b, some of them far below a, and expected ones in the span."""
    rng = np.random.default_rng(seed)
    width = ends.high - ends.low
    losses = ends.high - (width * rng.uniform(size=n) ** rng.integers(1, 9) * 2.0 ** rng.integers(0, 3)).astype(int)
    return losses, ends.low + (width * rng.uniform(size=n)).astype(np.int64)


def again(bet: Bet, losses: np.ndarray, expected: np.ndarray, ends: Span, nats) -> mpmath.mpf:
    """(8.6) at one bet, from the formula."""
    b, n = mpmath.mpf(ends.high) / UNIT, len(losses)
    h = [mpmath.mpf(x) / UNIT for x in (expected.tolist() if bet.kind == "own" else [ends.high] * n)]
    gaps = [x - mpmath.mpf(loss) / UNIT for x, loss in zip(h, losses.tolist(), strict=True)]
    if bet.factor is None:
        found = b if 0 in gaps else b - mpmath.exp(mpmath.fsum(map(mpmath.log, gaps)) / n - nats / n)
    else:
        mean = mpmath.fsum(mpmath.log1p(mpmath.mpf(bet.factor) * gap) for gap in gaps) / n
        found = mpmath.fsum(h) / n + (1 - mpmath.exp(mean - nats / n)) / mpmath.mpf(bet.factor)
    return min(found, b)


@given(st.integers(0, 2**32), st.sampled_from(SPANS), st.integers(1, 50), st.floats(0, 60), st.booleans())
def test_it_is_the_formula(seed, ends, n, nats, top):
    losses, expected = drawn(seed, n, ends)
    losses[0] = ends.high if top else losses[0]
    with mpmath.workdps(50):
        paid = mpmath.mpf(nats) + mpmath.log(64)
        truth = min(again(bet, losses, expected, ends, paid) for bet in bets(ends))
        found = tokens(losses, expected, ends, Enclosure.point(nats))
        scale = mpmath.mpf(ends.high - ends.low) / UNIT
        assert mpmath.mpf(found.value.float_upper()) >= truth - scale * mpmath.mpf(10) ** -25
        assert abs(found.value.float_upper() - truth) <= 1e-10 * scale
        assert found.value.lower <= found.value.upper <= arb(ends.high) / UNIT
        paid = mpmath.mpf(nats) + mpmath.log(40)
        truth = min(again(bet, losses, expected, ends, paid) for bet in bets(ends)[:40])
        assert abs(per_document(losses, ends, Enclosure.point(nats)).value.float_upper() - truth) <= 1e-10 * scale


def test_the_grid_is_fixed_by_the_span():
    assert [float(each) for each in THIRDS] == [2.0 ** (-j / 3) for j in range(3)]
    for ends in SPANS:
        found, width = bets(ends), Fraction(ends.high - ends.low) * TICK
        assert len(found) == len(set(found)) == GRID == 64
        assert [bet.factor if bet.factor is None else Fraction(bet.factor) for bet in found[:40]] == [
            *units.bets(ends.most)
        ]
        for j, bet in enumerate(found[40:]):
            assert bet.kind == "own" and Fraction(bet.factor) * width < Fraction(32, 33)
            assert bet.factor * float(width) == pytest.approx(31 / 32 * 2 ** (-j / 3), rel=1e-14)


@given(st.integers(0, 2**32), st.integers(2, 60), st.floats(0.1, 30))
def test_the_bound_of_units_is_that_of_units(seed, n, nats):
    """Losses in ticks and losses in floats, two ways to one number."""
    losses = np.random.default_rng(seed).integers(0, 3 * UNIT, size=n)
    one = per_document(losses, Span(0, 3 * UNIT), Enclosure.point(nats))
    other = units.wealth(losses * 2.0**-24, 3, Enclosure.point(nats))
    assert one.value.float_upper() == pytest.approx(other.value.float_upper(), rel=1e-11)
    assert one.value.upper >= other.value.lower


def test_an_infinite_price_buys_nothing():
    losses = np.zeros(5, dtype=np.int64)
    nothing = Enclosure(arb("inf"), arb("inf"))
    assert tokens(losses, losses, Span(0, 2 * UNIT), nothing).value.float_upper() == 2


@pytest.mark.parametrize(
    ("losses", "expected", "nats", "message"),
    [
        (np.array([9]), np.array([5]), 1, "above the range"),
        (np.array([5]), np.array([9]), 1, "above the range"),
        (np.array([5]), np.array([-1]), 1, r"in \[a, b\]"),
        (np.array([5, 5]), np.array([5]), 1, r"in \[a, b\]"),
        (np.array([5]), np.array([5.0]), 1, "int64"),
        (np.array([5]), np.array([5]), -9, "level >= 0"),
    ],
)
def test_outside_its_domain(losses, expected, nats, message):
    with pytest.raises(DomainError, match=message):
        tokens(losses, expected, Span(0, 8), Enclosure.point(nats))


@pytest.mark.parametrize("bet", [Bet("own", 1.0), Bet("own", None), Bet("own", -0.1), Bet("constant", 0.0)])
def test_a_bet_that_may_lose_more_than_all_is_refused(bet):
    losses = np.array([0, UNIT])
    with pytest.raises(DomainError, match="lambda"):
        bound(bet, losses, losses, Span(0, UNIT), Enclosure.point(1))


def psi(x: float) -> float:
    return -math.log1p(-x) - x


@given(st.integers(0, 2**32), st.integers(1, 200), st.floats(0.01, 30), st.integers(0, 23))
def test_never_worse_than_empirical_bernstein_at_the_same_bet_and_level(seed, n, nats, j):
    losses, expected = drawn(seed, n, SPAN)
    losses = np.maximum(losses, SPAN.low)
    bet, width = grid.own(SPAN)[j], (SPAN.high - SPAN.low) / UNIT
    x = bet.factor * width
    spread = float(np.mean(((losses - expected) / UNIT) ** 2))
    bernstein = losses.mean() / UNIT + psi(x) / (x * width) * spread + nats * width / (x * n)
    found = bound(bet, losses, expected, SPAN, Enclosure.point(nats)).float_upper()
    assert found <= bernstein * (1 + 1e-12)
    # psi cannot be 3 % smaller: all losses at b, expected to be a, leave no more than that
    worst = np.full(n, SPAN.high), np.full(n, SPAN.low)
    if j < 6:
        mean = math.log1p(-x) + x + psi(x) * 0.97
        assert mean < 0  # ln(1 - x) is not above -x - 0.97 psi(x)
        assert bound(bet, *worst, SPAN, Enclosure.point(0.0)).float_upper() == pytest.approx(SPAN.high / UNIT)


@given(st.integers(0, 2**32), st.integers(1, 200), st.floats(0.01, 30), st.integers(1, 39))
def test_never_worse_than_azuma_at_the_same_bet_and_level(seed, n, nats, j):
    """Azuma's exponent at x = ln(1 + lambda (b-a)): mean + (b-a)(x/8 + L/(x n)), whose best x gives its bound."""
    losses, expected = drawn(seed, n, SPAN)
    losses = np.maximum(losses, SPAN.low)
    bet, width = grid.constant(SPAN)[j], (SPAN.high - SPAN.low) / UNIT
    x = math.log1p(bet.factor * width)
    azuma = losses.mean() / UNIT + width * (x / 8 + nats / (x * n))
    assert bound(bet, losses, expected, SPAN, Enclosure.point(nats)).float_upper() <= azuma * (1 + 1e-12)


def test_a_good_guess_is_worth_more_than_its_price():
    """Losses of a law that the model knows: close to sqrt(2 V L/n), below Azuma by a factor."""
    rng = np.random.default_rng(0)
    n, nats = 20_000, Enclosure.point(20)
    expected = rng.integers(1 * UNIT, 5 * UNIT, size=n)
    losses = expected + rng.choice([-UNIT // 2, UNIT // 2], size=n)
    found = tokens(losses, expected, SPAN, nats)
    excess = found.value.float_upper() - losses.mean() / UNIT
    ideal, azuma = (math.sqrt(2 * 0.25 * 20 / n), (SPAN.high - SPAN.low) / UNIT * math.sqrt(20 / (2 * n)))
    assert found.bet.kind == "own" and ideal < excess < 1.25 * ideal < azuma / 5
    # and a guess that knows nothing costs no more than the grid
    blind = tokens(losses, np.full(n, SPAN.low), SPAN, nats).value.upper
    assert blind <= bound(grid.constant(SPAN)[12], losses, losses, SPAN, Enclosure.point(20 + math.log(64))).upper


DELTA = 0.2


class TestFailures:
    """300 texts of up to 240 tokens by a law that drifts with what was drawn; 96 models of mass 1/96, the worst of them
    at its worst bet and where its text is best ended, chosen with the truth in hand.

    Losses are 0 or 2 bits, expected ones and guesses sixteenths of it, so that R_n is exact. A valid bound has more
    failures than are allowed with probability below 1e-6, and the draws are fixed besides.
    """

    MODELS, RUNS, LENGTH, DELTA, ENDS = 96, 300, 240, Fraction(1, 5), Span(0, 2 * UNIT)
    LEVEL, PRICE = math.log(1 / DELTA), math.log(MODELS)

    @classmethod
    @cache
    def texts(cls) -> np.ndarray:
        """What each token lost, what was to be expected, what was guessed (3,runs,models,tokens), in 1/8 bit."""
        shape, j = (cls.RUNS, cls.MODELS), np.arange(cls.MODELS)
        rate, found = np.broadcast_to(2 + 2 * (j % 7), shape), []
        for k, drawn in enumerate(whole(51, cls.LENGTH, *shape)):
            hit = drawn % 4096 < 256 * rate
            guess = np.clip(rate + (j % 3 - 1) * (k // 8 % 3), 0, 16)  # two of three models err, now and then
            found.append((16 * hit, rate, guess))
            drifts = (j % 4 == 0) & (drawn >> 12 < 4)  # every fourth gets worse after a token that costs nothing
            rate = np.clip(rate + np.where(drifts, np.where(hit, -1, 1), 0), 1, 15)
        return np.stack([np.stack(each, axis=-1, dtype=np.int16) for each in zip(*found, strict=True)])

    @classmethod
    @cache
    def worst(cls) -> list[tuple[Bet, np.ndarray]]:
        """Of each run the bet, and one model's text up to a token, that earned most beyond what R_n allows."""
        losses, rates, guesses = texts = cls.texts()
        n, sixteenths, best = np.arange(1, cls.LENGTH + 1), np.arange(-16, 17), np.full(cls.RUNS, -math.inf)
        found: list[tuple[Bet, int]] = [(Bet("constant", None), 0)] * cls.RUNS
        for bet in (bets(cls.ENDS)[at] for at in (0, *range(11, 25, 3), *range(40, 48, 3))):
            against = guesses if bet.kind == "own" else np.full_like(guesses, 16)
            means = np.cumsum(against - rates, axis=-1) / n
            with np.errstate(divide="ignore", invalid="ignore"):  # at lambda = inf a loss of b ends it
                logs, fair = (
                    (np.log(sixteenths), np.log(means))
                    if bet.factor is None
                    else (np.log1p(bet.factor / 8 * sixteenths), np.log1p(bet.factor / 8 * means))
                )
            over = (np.cumsum(logs[against - losses + 16], axis=-1) - n * fair).reshape(cls.RUNS, -1)
            for run, place in enumerate(over.argmax(axis=1).tolist()):
                if over[run, place] > best[run]:
                    best[run], found[run] = over[run, place], (bet, place)
        ended = [(bet, *divmod(place, cls.LENGTH)) for bet, place in found]
        return [(bet, texts[:, run, model, : k + 1].astype(np.int64)) for run, (bet, model, k) in enumerate(ended)]

    @classmethod
    def over(cls, bound: Callable[[Bet, np.ndarray, np.ndarray], Enclosure]) -> list[Fraction]:
        """What each run's bound, of losses and guesses, is above R_n: a failure where it is below 0."""
        return [
            Fraction(bound(bet, losses * (UNIT // 8), guesses * (UNIT // 8)).float_upper())
            - Fraction(int(rates.sum()), 8 * len(rates))
            for bet, (losses, rates, guesses) in cls.worst()
        ]

    def test_it_fails_rarely(self):
        nats = Enclosure.point(self.LEVEL + self.PRICE)
        over = self.over(lambda bet, losses, guesses: tokens(losses, guesses, self.ENDS, nats).value)
        assert sum(each < 0 for each in over) <= allowed(self.RUNS, self.DELTA) and min(over) < 0.05

    def test_without_the_price_of_the_models_it_fails_often(self):
        """Control: delta in place of delta times the share of each model."""
        nats = Enclosure.point(self.LEVEL)
        over = self.over(lambda bet, losses, guesses: tokens(losses, guesses, self.ENDS, nats).value)
        assert sum(each < 0 for each in over) > 2 * self.DELTA * self.RUNS

    def test_without_the_price_of_the_grid_it_fails_too_often(self):
        """Control: the best bet, as if it had been fixed before the text."""
        nats = Enclosure.point(self.LEVEL + self.PRICE)
        over = self.over(lambda bet, losses, guesses: bound(bet, losses, guesses, self.ENDS, nats))
        assert sum(each < 0 for each in over) > allowed(self.RUNS, self.DELTA)

    def test_a_guess_that_looks_at_its_token_fails_often(self):
        """Control: h = l, no function of the past, leaves of (8.6) the mean loss and L/(lambda n) at most."""
        losses, rates, _ = texts = self.texts()
        level, n = self.LEVEL + self.PRICE, np.arange(1, self.LENGTH + 1)
        over = (np.cumsum(rates - losses, axis=-1) - 16 * (level + math.log(64))) / n
        failures = 0
        for run, place in enumerate(over.reshape(self.RUNS, -1).argmax(axis=1).tolist()):
            model, k = divmod(place, self.LENGTH)
            one, expected, _ = texts[:, run, model, : k + 1].astype(np.int64)
            found = tokens(one * (UNIT // 8), one * (UNIT // 8), self.ENDS, Enclosure.point(level)).value
            failures += Fraction(found.float_upper()) < Fraction(int(expected.sum()), 8 * len(expected))
        assert failures > 2 * self.DELTA * self.RUNS


def hidden(bet: Bet, part: float, n: int = 50) -> float:
    """The chance of a text without a loss, under the law just above what is certified there at a part of the level."""
    ends, zeros = Span(0, 3 * UNIT), np.zeros(n, dtype=np.int64)
    nats = Enclosure.point(Fraction(math.log(1 / DELTA) * part))
    p = bound(bet, zeros, zeros, ends, nats).float_upper() / 3 * (1 + 1e-9)
    return (1 - p) ** n


def test_the_level_cannot_be_lowered():
    for bet in (Bet("constant", None), grid.own(Span(0, 3 * UNIT))[0]):
        assert hidden(bet, 1.0) <= DELTA < hidden(bet, 0.92)
    assert hidden(Bet("constant", None), 0.97) > 1.04 * DELTA


class TestDifferences:
    """Theory 8.10: the same bounds for D, of a range of log2(1/alpha) bits."""

    def test_a_model_that_helps_is_certified_to(self):
        rng = np.random.default_rng(1)
        ends = span(2)
        gains = rng.choice([-2 * UNIT, -UNIT, UNIT // 2], size=4000, p=[0.3, 0.4, 0.3])
        for found in (
            per_document(gains, ends, Enclosure.point(30)),
            tokens(gains, np.full(4000, int(gains.mean())), ends, Enclosure.point(30)),
        ):
            assert gains.mean() / UNIT < found.value.float_upper() < -0.5
        assert per_document(-gains // 2, ends, Enclosure.point(30)).value.float_upper() > 0

    def test_chained_bounds_add_up(self):
        whole = chained(Enclosure.point(Fraction(1, 3)), Enclosure.point(Fraction(-1, 7)))
        assert Fraction(whole.float_lower()) <= Fraction(4, 21) <= Fraction(whole.float_upper())
        assert whole.relative_width() < 1e-30
