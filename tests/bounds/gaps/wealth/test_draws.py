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
    """400 samples of 60 rows; 200 models, each right on rows of its own, the worst chosen with the truth in hand."""

    MODELS, RUNS, ROWS, DELTA = 200, 400, 60, 0.2

    def failing(self, paid: bool, collection: int | None) -> float:
        """How often some bound is below the risk; of i.i.d. rows, or rows of a finite collection."""
        rng, rate, size = np.random.default_rng(2), 0.3, (self.RUNS, self.MODELS)
        level = Enclosure.point(math.log(1 / self.DELTA) + (math.log(self.MODELS) if paid else 0.0))
        counts = [np.repeat([0.0, 1.0], (self.ROWS - k, k)) for k in range(self.ROWS + 1)]
        bounds = np.array([wealth_at(bets(1)[21], losses, 1, level).float_upper() for losses in counts])
        if collection is None:
            errors = rng.binomial(self.ROWS, rate, size=size)
        else:
            wrong = int(rate * collection)
            errors = rng.hypergeometric(wrong, collection - wrong, self.ROWS, size=size)
        return float((bounds[errors] < rate).any(axis=1).mean())

    @pytest.mark.parametrize("collection", [None, 100, 1000])
    def test_they_fail_rarely(self, collection):
        assert self.failing(True, collection) < self.DELTA

    @pytest.mark.parametrize("collection", [None, 1000])
    def test_without_the_price_they_fail_often(self, collection):
        """Control: delta in place of delta times the share of each model."""
        assert self.failing(False, collection) > 2 * self.DELTA
