"""Words from end to end (theory 8.1, 8.12): a class of words, and the worst of them chosen with the truth in hand."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from typing import TypeAlias

import numpy as np
import pytest

from ssm_bounds.bounds.codes.decode import decode
from ssm_bounds.bounds.codes.families import Part
from ssm_bounds.bounds.codes.symbols import WORD_ALPHABET
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.occam import certify
from ssm_bounds.bounds.ladder.word import OfWord, occam
from tests.failures import allowed, whole

PARTS = {"shift": Part((1,), "vector"), "head": Part((2,), "head")}
BASE = {"shift": np.array([0.5]), "head": np.array([1.0, -1.0])}
GRID = np.array([*product(range(-7, 9, 2), repeat=2)], dtype=float)
"""The 64 inputs, uniform."""
M, RUNS, DELTA = 80, 1000, Fraction(1, 2)
Program: TypeAlias = Callable[[dict[str, np.ndarray]], np.ndarray]


def line(weights: dict[str, np.ndarray]) -> np.ndarray:
    """On which side of a line each input lies: sums of few bits, exact in any order."""
    return GRID @ weights["head"] + weights["shift"] > 0


def hashed(weights: dict[str, np.ndarray]) -> np.ndarray:
    """Coins of its own for each model: as if no two words had anything in common."""
    said = hashlib.sha256(b"".join(w.astype("<f8").tobytes() for w in weights.values())).digest()
    return np.unpackbits(np.frombuffer(said[:8], dtype=np.uint8)).astype(bool)


def coded(entries: int, reach: int, steps: range) -> list[Coded | None]:
    """All integers up to a size, at every step, each in its cheapest code; and none."""
    found: list[Coded | None] = [None]
    for z in product(range(-reach, reach + 1), repeat=entries):
        integers = np.array(z)
        if integers.any():
            code = min(range(len(WORD_ALPHABET)), key=lambda at: WORD_ALPHABET[at].about(integers))
            found += [Coded(integers, step, code) for step in steps]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """Words of different answers on the 64 inputs, each the cheapest that answers so, with their answers and nats."""

    words: list[Word]
    answers: np.ndarray
    nats: np.ndarray


@cache
def words() -> tuple[list[Word], list[dict[str, np.ndarray]], np.ndarray]:
    """Some 31,000 words of the families head and bitfit, what they decode to, and their nats in float64."""
    heads, shifts = coded(2, 3, range(36)), coded(1, 1, range(8))
    found = [Word("head", {"head": head}) for head in heads]
    found += [Word("bitfit", {"shift": shift, "head": head}) for shift in shifts for head in heads]
    return found, [decode(word, PARTS, BASE) for word in found], np.array([word.about() for word in found])


@cache
def answering(program: Program) -> Class:
    """The class of one program: of words that answer alike only the cheapest can be the worst."""
    every, weights, nats = words()
    answers = np.array([program(each) for each in weights])
    keys = np.packbits(answers, axis=1).view(">u8").ravel()
    order = np.lexsort((nats, keys))
    at = order[np.append(True, keys[order][1:] != keys[order][:-1])]
    return Class([every[i] for i in at.tolist()], answers[at], nats[at])


@cache
def log_tail(risk: float) -> np.ndarray:
    """``ln P(Bin(m, risk) <= e)``, e = 0..m, about."""
    i = np.arange(M + 1)
    combs = np.cumsum(np.append(0.0, np.log((M - i[:-1]) / i[1:])))
    return np.logaddexp.accumulate(combs + i * math.log(risk) + (M - i) * math.log1p(-risk))


RULE = line({"head": np.array([2.0, -1.0]), "shift": np.array([0.5])})
FLIPS = (1, 2)
"""Quarters of the labels that are not the rule's; 2 of them are coins."""


def risks(found: Class, flips: int) -> np.ndarray:
    """Of each word, exact."""
    return flips / 4 + (found.answers != RULE).mean(axis=1) * (1 - flips / 2)


@cache
def rows(flips: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each input has the label 0, and 1, in each sample (2,runs,64)."""
    drawn = whole(80 + flips, RUNS, M)
    y = RULE[drawn % 64] ^ ((drawn >> 6) % 4 < flips)
    zero, one = (np.stack([np.bincount(row, minlength=65)[:64] for row in np.where(y == side, drawn % 64, 64)])
                 for side in (False, True))  # fmt: skip
    return zero, one


@cache
def worst(program: Program, flips: int, part: float) -> list[tuple[int, int]]:
    """In each run the word whose risk is least likely, by so much of its price, to show so few errors; and these."""
    every, found = answering(program), []
    values, kind = np.unique(risks(every, flips), return_inverse=True)
    tails = np.stack([log_tail(value) for value in values.tolist()])
    said = every.answers.T.astype(float)
    for zero, one in zip(*(each.astype(float).reshape(-1, 50, 64) for each in rows(flips)), strict=True):
        errors = (zero @ said + one @ (1 - said)).astype(int)
        at = (-part * every.nats - tails[kind, errors]).argmax(axis=1)
        found += zip(at.tolist(), errors[np.arange(len(at)), at].tolist(), strict=True)
    return found


@cache
def repriced(nats: float, errors: int) -> float:
    """What errors would certify at another price."""
    return certify(Enclosure.point(nats), errors, M, DELTA).float_upper()


@cache
def over(program: Program, flips: int, part: float = 1.0) -> np.ndarray:
    """What the worst word's bound is above its risk, in each run: a failure where it is below 0."""
    every = answering(program)

    @cache
    def bound(at: int, errors: int) -> float:
        if part != 1:
            return repriced(part * float(every.nats[at]), errors)
        argument = OfWord(every.words[at], errors, M, DELTA, "three numbers", program.__name__)
        return occam(argument).value.float_upper()

    true = risks(every, flips)
    return np.array([bound(*each) - true[each[0]] for each in worst(program, flips, part)])


PROGRAMS = pytest.mark.parametrize("program", [line, hashed])


@pytest.mark.parametrize("flips", FLIPS)
@PROGRAMS
def test_the_worst_word_fails_rarely(program, flips):
    """The words have less than an eighth of the prior. A valid bound, each at delta times its mass, has more failures
    than are allowed with probability below 1e-6, and the draws are fixed besides."""
    found, every = over(program, flips), answering(program)
    assert np.exp(-every.nats).sum() < 1 / 8
    assert (found < 0).sum() <= allowed(RUNS, DELTA / 8) and found.min() < 0


@pytest.mark.parametrize("flips", FLIPS)
@PROGRAMS
def test_without_the_price_of_the_words_it_always_fails(program, flips):
    """Control: 0 nats, as if the word had been fixed before the rows."""
    assert (over(program, flips, 0.0) < 0).all()


@pytest.mark.parametrize("flips", FLIPS)
def test_the_price_cannot_be_lowered(flips):
    """Where words have nothing in common, 70 % of their price lets more fail than their masses allow."""
    assert (over(hashed, flips, 0.7) < 0).sum() > allowed(RUNS, DELTA / 8)


@PROGRAMS
def test_coins_are_never_told_by_much(program):
    """Every word has risk 1/2: the worst bound of all samples is not far below it, and far without a price."""
    assert over(program, 2).min() > -0.1 > -0.15 > over(program, 2, 0.0).min()
