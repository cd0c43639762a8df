"""How rows are drawn (theory 8.5): the binomial inversion is for i.i.d. rows, kl and bets are for others too."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import get_args

import numpy as np
import pytest

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import binomial_upper, binomial_upper_nats, error_rate, kl_inv
from ssm_bounds.bounds.gaps.wealth.units import bets, wealth, wealth_at
from ssm_bounds.bounds.values import DomainError, Draws
from tests.failures import allowed, multiplicities, ranks


def seen(N: int, errors: int, n: int, k: int) -> Fraction:
    """The chance of k errors in n of N rows, drawn without replacement."""
    return Fraction(math.comb(errors, k) * math.comb(N - errors, n - k), math.comb(N, n))


@pytest.mark.parametrize(("N", "chance"), [(40, "0.0500"), (400, "0.0050")])
def test_without_replacement_the_binomial_inversion_is_false(N, chance):
    """One error on 2 of N rows, of which N - 1 are errors."""
    true, delta = Fraction(N - 1, N), seen(N, N - 1, 2, 1)
    assert f"{float(delta):.4f}" == chance
    below = 1 - true**2
    assert below < delta and f"{float(below):.{4 if N == 40 else 5}f}" == {40: "0.0494", 400: "0.00499"}[N]
    level = Fraction(999, 1000) * delta  # a level that it misses: it fails with probability delta
    assert Fraction(binomial_upper(1, 2, level).float_upper()) < true
    for draws in ("stratified", "without-replacement"):
        nats = Enclosure.point(Fraction(math.log(1 / level)))
        assert Fraction(error_rate(1, 2, nats, draws).float_upper()) >= true
        assert wealth(np.array([0.0, 1.0]), 1, nats).value.float_upper() >= true


def test_it_is_refused_for_other_draws():
    assert get_args(Draws) == ("iid", "stratified", "without-replacement")
    for draws in ("stratified", "without-replacement"):
        for call in (
            lambda draws=draws: binomial_upper(1, 9, 0.1, draws),
            lambda draws=draws: binomial_upper_nats(1, 9, Enclosure.point(3), draws),
        ):
            with pytest.raises(DomainError, match=f"false for {draws} rows"):
                call()
    nats = Enclosure.point(3)
    assert error_rate(1, 9, nats, "iid") == binomial_upper_nats(1, 9, nats)
    kl = error_rate(1, 9, nats, "stratified").upper
    assert kl == kl_inv(Fraction(1, 9), Enclosure.point(Fraction(1, 3))).upper > error_rate(1, 9, nats, "iid").upper
    with pytest.raises(DomainError, match="0 <= errors <= n"):
        error_rate(10, 9, nats, "stratified")


DELTA = Fraction(1, 10)
NATS = Enclosure.point(Fraction(math.log(1 / DELTA)) + Fraction(1, 10**12))
N, n = 12, 5
COLLECTIONS = [(i, j, N - i - j) for i in range(N + 1) for j in range(N + 1 - i)]
VALUES = (0.0, 0.25, 1.0)


def samples(collection):
    """Every sample by its counts, and its exact chance."""
    for i in range(n + 1):
        for j in range(n + 1 - i):
            counts = (i, j, n - i - j)
            ways = math.prod(math.comb(size, count) for size, count in zip(collection, counts, strict=True))
            if ways:
                yield counts, Fraction(ways, math.comb(N, n))


def worst(bound) -> Fraction:
    """Over all collections of 12 losses, the chance that 5 of them certify less than their mean."""
    found = []
    for collection in COLLECTIONS:
        mean = sum(Fraction(v) * size for v, size in zip(VALUES, collection, strict=True)) / N
        found.append(
            sum((chance for counts, chance in samples(collection) if mean > Fraction(bound(counts))), Fraction())
        )
    return max(found)


@pytest.mark.parametrize("at", [0, 8, 15, 21])
def test_every_finite_collection_fails_rarely(at):
    @cache
    def bound(counts):
        return wealth_at(bets(1)[at], np.repeat(VALUES, counts), 1, NATS).float_upper()

    @cache
    def lowered(counts):
        return wealth_at(bets(1)[at], np.repeat(VALUES, counts), 1, Enclosure.point(Fraction(1, 3))).float_upper()

    assert worst(bound) <= DELTA < worst(lowered)


def test_every_finite_collection_fails_rarely_by_kl():
    @cache
    def bound(counts):
        mean = sum(Fraction(v) * count for v, count in zip(VALUES, counts, strict=True)) / n
        return kl_inv(mean, Enclosure.point(Fraction(math.log(1 / DELTA)) / n + Fraction(1, 10**12))).float_upper()

    assert worst(bound) <= DELTA


class TestManyModels:
    """900 models of prior mass 1/(j (j+1)) on one sample of 60 of 1024 units, the worst chosen with the truth in hand.

    Of three models one loses 1 now and then, one now and then half of the time, one 1/4, 1, or -2: no lower range is
    needed. A valid bound has more failures than are allowed with probability below 1e-6, and the draws are fixed.
    """

    MODELS, RUNS, UNITS, ROWS, DELTA = 900, 1000, 1024, 60, Fraction(1, 5)
    LOSSES = np.array([0.0, -2.0, 0.25, 1.0])
    PRICES = np.log(np.arange(1.0, MODELS + 1) * np.arange(2.0, MODELS + 2))

    @classmethod
    def models(cls) -> np.ndarray:
        """Which of the losses each has on each unit (models,units): so many of the last, of the last but one, ..."""
        j = np.arange(cls.MODELS)
        top = np.choose(j % 3, [80 + j % 128, 512 + j % 32, 32 + j % 64])
        last = np.cumsum([top, np.where(j % 3 == 2, 256, 0), np.where(j % 3 == 2, 20, 0)], axis=0)
        return 3 - (ranks(40, cls.MODELS, cls.UNITS) >= last[:, :, None]).sum(axis=0)

    @classmethod
    @cache
    def sampled(cls, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
        """How often each loss was seen (losses,runs,models), and the mean loss of each model."""
        models, rows = cls.models(), multiplicities(draws, 41, cls.RUNS, cls.UNITS, cls.ROWS).astype(float)
        counts = np.stack([rows @ (models == v).T.astype(float) for v in range(4)])
        return counts.astype(int), cls.LOSSES[models].mean(axis=1)

    @classmethod
    def about(cls, counts: np.ndarray, nats: np.ndarray) -> np.ndarray:
        """(8.5) over the grid, in float64: the adversary's own."""
        rests, level = 1 - cls.LOSSES, (nats + math.log(40)) / cls.ROWS
        logs = np.log(rests, out=np.zeros(4), where=rests > 0)
        found = np.where(counts[3] > 0, 1.0, 1 - np.exp(np.tensordot(logs, counts, 1) / cls.ROWS - level))
        for factor in map(float, bets(1)[1:]):
            mean = np.tensordot(np.log1p(factor * rests), counts, 1) / cls.ROWS
            found = np.minimum(found, 1 - np.expm1(mean - level) / factor)
        return found

    @classmethod
    def failing(cls, draws: Draws, prices: np.ndarray) -> tuple[int, float]:
        """In how many runs the worst model's bound is below its risk, and the least of bound less risk."""
        (counts, risks), nats = cls.sampled(draws), math.log(1 / cls.DELTA) + prices
        worst = (risks - cls.about(counts, nats)).argmax(axis=1).tolist()
        over = [
            wealth(np.repeat(cls.LOSSES, counts[:, run, j]), 1, Enclosure.point(nats[j])).value.float_upper() - risks[j]
            for run, j in enumerate(worst)
        ]
        return sum(each < 0 for each in over), min(over)

    @pytest.mark.parametrize("draws", get_args(Draws))
    def test_the_worst_fails_rarely(self, draws):
        failures, closest = self.failing(draws, self.PRICES)
        assert failures <= allowed(self.RUNS, self.DELTA) and closest < 0.1

    @pytest.mark.parametrize("draws", get_args(Draws))
    def test_without_the_price_of_the_models_it_fails_often(self, draws):
        """Control: delta in place of delta times the mass of each model."""
        assert self.failing(draws, 0 * self.PRICES)[0] > 2 * self.DELTA * self.RUNS


class TestHiddenLosses:
    """200 models that lose 1 on just so many of 1024 units that a sample without a loss certifies less: lambda = inf
    spends nearly all of delta on them."""

    MODELS, RUNS, UNITS, ROWS, DELTA = 200, 2000, 1024, 60, Fraction(1, 5)

    @classmethod
    def failing(cls, part: float) -> int:
        """In how many of 2000 runs some model's bound is below its risk, at a part of its price."""
        prices = TestManyModels.PRICES[: cls.MODELS]
        none = np.zeros(cls.ROWS)
        bounds = [
            wealth_at(None, none, 1, Enclosure.point(math.log(1 / cls.DELTA) + part * price)).float_upper()
            for price in prices.tolist()
        ]
        losing = np.array([math.floor(cls.UNITS * bound) + 1 for bound in bounds])
        rows = multiplicities("iid", 42, cls.RUNS, cls.UNITS, cls.ROWS).astype(float)
        unseen = rows @ (ranks(43, cls.MODELS, cls.UNITS) < losing[:, None]).T.astype(float) == 0
        assert (losing / cls.UNITS > bounds).all()
        return int(unseen.any(axis=1).sum())

    def test_the_price_cannot_be_lowered(self):
        delta = self.DELTA * self.RUNS
        assert 0.75 * delta < self.failing(1.0) <= allowed(self.RUNS, self.DELTA) < self.failing(0.85)
