"""Chained errors (theory 8.10): the worst word of a class, chosen with the truth in hand, beside a fixed classifier."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from ssm_bounds.bounds.gaps.inversion import binomial_upper
from ssm_bounds.bounds.gaps.wealth.units import FINITE
from ssm_bounds.bounds.ladder.word import OfWord
from ssm_bounds.bounds.ladder.word_chained import ChainedErrors, occam_chained
from ssm_bounds.bounds.ladder.word_paired import Paired
from tests.bounds.ladder.test_word import DELTA, GRID, RULE, M, answering, line, risks, rows
from tests.failures import allowed

FLIPS, RUNS = 1, 200
BASES = {"the rule": RULE, "another line": GRID.sum(axis=1) > 0}


@cache
def counts(base: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each run the errors of the base (runs,); and of each word the rows on which one alone errs (runs,words)."""
    fixed = BASES[base]
    differs = (answering(line).answers != fixed).astype(float)
    zero, one = (each[:RUNS].astype(float) for each in rows(FLIPS))
    wrong, right = np.where(fixed, zero, one), np.where(fixed, one, zero)
    return wrong.sum(axis=1).astype(int), right @ differs.T, wrong @ differs.T


@cache
def above(base: str, *, paid: bool = True) -> np.ndarray:
    """What the bound of each word is above its risk in each run, in float64; ``paid``: for the word and its bet."""
    errors, worse, better = counts(base)
    every = answering(line)
    level, least = paid * (every.nats + math.log(2 / DELTA) + math.log(40)), np.ones(worse.shape)
    for each in map(float, FINITE):
        A = (better * math.log1p(2 * each) + (M - better - worse) * math.log1p(each)) / M
        least = np.minimum(least, 1 - np.expm1(A - level / M) / each)
    own = np.array([binomial_upper(e, M, DELTA / 2).float_upper() for e in errors.tolist()])
    return own[:, None] + least - risks(every, FLIPS)


def failures(over: np.ndarray) -> int:
    """Runs in which the bound of some word, chosen with the truth in hand, is below its risk."""
    return int((over.min(axis=1) < 0).sum())


@pytest.mark.parametrize("base", BASES)
def test_the_worst_word_fails_no_more_often_than_delta(base):
    assert failures(above(base)) <= allowed(RUNS, DELTA)


def test_without_the_price_of_words_and_bets_it_does():
    assert failures(above("the rule", paid=False)) > allowed(RUNS, DELTA)


def test_the_simulation_has_the_bounds_of_the_rung():
    """In ten runs, of the word that comes nearest: the same number, as the argument makes it."""
    errors, worse, better = counts("another line")
    every, over = answering(line), above("another line")
    for run in range(10):
        at = int(over[run].argmin())
        w, b = int(worse[run, at]), int(better[run, at])
        own = OfWord(every.words[at], int(errors[run]) + w - b, M, DELTA, "three numbers", "line")
        losses = np.array([1.0] * w + [-1.0] * b + [0.0] * (M - w - b))
        chain = ChainedErrors.of(Paired.of(own, losses, worse=w, better=b), int(errors[run]))
        found = occam_chained(chain).value.float_upper()
        assert found == pytest.approx(over[run, at] + risks(every, FLIPS)[at], abs=1e-6)
        assert chain.at(DELTA).risk == chain.risk and chain.at(Fraction(1, 20)).risk.upper > chain.risk.upper


def test_a_word_that_is_its_base_pays_little_for_the_chain():
    """A ceiling: nothing differs, so that the bound exceeds the base's own by what the word costs alone."""
    word = answering(line).words[0]
    own = OfWord(word, 10, 10_000, DELTA, "three numbers", "line")
    chain = ChainedErrors.of(Paired.of(own, np.zeros(10_000), worse=0, better=0), 10)
    level = float(word.nats().upper) + math.log(2 / DELTA) + math.log(40)
    beyond = chain.risk.float_upper() - chain.base.float_upper()
    assert 0.99 * level / 10_000 < beyond <= level / 10_000


def test_the_sentence_names_the_unit_and_how_the_base_is_read():
    """One group of 4,000 wrong rows and 400 of a right one: the base errs on most rows, and in few groups."""
    word = answering(line).words[0]
    own = OfWord(word, 4000, 4400, DELTA, "three numbers", "line")
    groups = np.array([1.0] + [0.0] * 400)
    said = ChainedErrors.of(Paired.of(own, np.zeros(401), worse=0, better=0), 4000, groups, by_number=True)
    assert re.search(
        r"^of the base, read by number, output i for label i, the mean over groups of the error rate within the group "
        r"is at most 0\.\d+ \(401 groups, mean error within a group at most 0\.0024\d+; 4000 errors on 4400 rows, a "
        r"tie or no answer being none\), of the word above it by at most ",
        said.sentence(),
    )
    assert "usefully fall below" not in said.sentence()  # that floor is of the difference
    assert said.record()["base"]["units"] == 401 and said.record()["base"]["mean"].float_upper() < 0.0025
    rows = ChainedErrors.of(Paired.of(own, np.zeros(4400), worse=0, better=0), 4000)
    assert rows.sentence().startswith("of the base the error rate is at most 0.9")
