"""Differences to a base (theory 8.10): a base next to nothing, and how often a model that is no help is called one."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.wealth.differences import difference, span
from ssm_bounds.bounds.gaps.wealth.documents import per_document
from ssm_bounds.bounds.gaps.wealth.ticks import expected
from ssm_bounds.bounds.gaps.wealth.tokens import tokens
from ssm_bounds.bounds.values import DomainError
from tests.failures import allowed, multiplicities, ranks


def test_a_base_next_to_nothing_is_refused():
    """Its quotients leave the range of float64: a difference would come out below what it is."""
    with pytest.raises(DomainError, match="smooth it first"):
        difference(np.array([1.0]), np.array([5e-324]), 7)
    least = difference(np.array([1.0]), np.array([2.0**-1000]), 7)[0] * 2.0**-24
    assert -1000 <= least <= -999.98


class TestFailures:
    """4000 tuned models of mass 1/4000 that are sure of what a fair coin shows in 256 contexts, each right just so
    often that its mixture (alpha = 1/4) is no better than the coin: the base. Which one helped, by 60 contexts?

    A valid bound has more failures than are allowed with probability below 1e-6, and the draws are fixed besides.
    """

    MODELS, RUNS, UNITS, N, K, DELTA = 4000, 300, 256, 60, 2, Fraction(1, 5)
    LEVEL, PRICE, ENDS = math.log(1 / DELTA), math.log(MODELS), span(K)
    SURE = np.array([1.0, 0.9375, 0.875])

    @classmethod
    def rows(cls) -> tuple[np.ndarray, np.ndarray]:
        """By how sure a model is: what it loses where it is right and where it is wrong (3,2), and expects to (3,)."""
        p = np.stack([cls.SURE, 1 - cls.SURE], axis=1)
        losses = difference(p, np.full(p.shape, 0.5), cls.K)
        mixture = 0.75 * p + 0.125
        return losses, expected(mixture, losses, cls.ENDS)

    @classmethod
    @cache
    def models(cls) -> tuple[np.ndarray, np.ndarray]:
        """Whether each is right in each context (models,units), and its mean difference in ticks: above 0."""
        losses = cls.rows()[0][np.arange(cls.MODELS) % 3]
        right = cls.UNITS * losses[:, 1] // (losses[:, 1] - losses[:, 0])
        means = (right * losses[:, 0] + (cls.UNITS - right) * losses[:, 1]) / cls.UNITS
        return ranks(70, cls.MODELS, cls.UNITS) < right[:, None], means

    @classmethod
    @cache
    def wrong(cls) -> np.ndarray:
        """How often each model was wrong (runs,models)."""
        rows = multiplicities("iid", 71, cls.RUNS, cls.UNITS, cls.N).astype(float)
        return (rows @ (~cls.models()[0]).T.astype(float)).astype(np.int64)

    @classmethod
    @cache
    def bounds(cls, wrong: int, sure: int, n: int, nats: float) -> tuple[float, float]:
        """Of n units and of n tokens, so many of them wrong, in whatever order."""
        losses, guesses = cls.rows()
        found, guess = np.repeat(losses[sure], (n - wrong, wrong)), np.full(n, guesses[sure])
        level = Enclosure.point(nats)
        units, text = per_document(found, cls.ENDS, level), tokens(found, guess, cls.ENDS, level)
        return units.value.float_upper(), text.value.float_upper()

    @classmethod
    def least(cls, nats: float) -> np.ndarray:
        """The least bounds of any model, of units and of tokens, in each run (2,runs): of the least often wrong."""
        fewest = [cls.wrong()[:, sure::3].min(axis=1).tolist() for sure in range(3)]
        found = [[cls.bounds(wrong, sure, cls.N, nats) for wrong in fewest[sure]] for sure in range(3)]
        return np.array(found).min(axis=0).T

    def test_no_model_helps(self):
        means = self.models()[1] * 2.0**-24
        assert means.min() > 0.001 and means.max() < 0.02

    def test_none_is_certified_to_help_but_rarely(self):
        least = self.least(self.LEVEL + self.PRICE)
        assert ((least < 0).sum(axis=1) <= allowed(self.RUNS, self.DELTA)).all() and least.min() < 0.2

    def test_without_the_price_of_the_models_it_fails_often(self):
        """Control: delta in place of delta times the share of each model."""
        assert ((self.least(self.LEVEL) < 0).sum(axis=1) > 2 * self.DELTA * self.RUNS).all()

    @pytest.mark.parametrize("sure", range(3))
    def test_a_model_that_helps_is_certified_to(self, sure):
        """Right in 240 of the 256 contexts, at the same price: in each of 100 samples of 400."""
        right, losses, n = ranks(72, self.UNITS) < 240, self.rows()[0][sure], 400
        true = (240 * losses[0] + 16 * losses[1]) / 256 * 2.0**-24
        wrong = multiplicities("iid", 73, 100, self.UNITS, n) @ ~right
        found = np.array([self.bounds(each, sure, n, self.LEVEL + self.PRICE) for each in wrong.tolist()])
        assert (found < -0.2).all() and ((found < true).sum(axis=0) <= allowed(100, self.DELTA)).all()
