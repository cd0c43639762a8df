"""Lower bounds for every model of one layer: exact counts, and models that reach them."""

from __future__ import annotations

import functools
import itertools
import json
import math
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from flint import arb

from ssm_bounds.bounds.architectures.a5 import Counts, counted
from ssm_bounds.bounds.architectures.order import (
    GOOD,
    HINGE,
    LOGISTIC,
    floors,
    largest_error,
    mean_square,
    volume,
    word_problem,
)
from ssm_bounds.bounds.evaluate.balls import bits, exact
from ssm_bounds.bounds.values import DomainError

A5 = [p for p in itertools.permutations(range(5)) if sum(p[i] > p[j] for i in range(5) for j in range(i, 5)) % 2 == 0]
ONE = tuple(range(5))
TRIPLES = [np.array(v).reshape(-1, 3) for v in itertools.product((-1, 1), repeat=9)]


def times(a, b):
    return tuple(a[i] for i in b)


def inverse(a):
    return tuple(sorted(range(5), key=a.__getitem__))


def commutator(c, d):
    """``cd (dc)^{-1}``."""
    return times(times(c, d), inverse(times(d, c)))


def involution(s):
    return s != ONE and times(s, s) == ONE


class TestFourPoints:
    @pytest.mark.parametrize("defect", [4, Fraction(-3, 7), 0])
    def test_the_errors_of_the_proof_attain_both(self, defect):
        errors = [Fraction(defect) * sign / 4 for sign in (1, -1, -1, 1)]
        assert errors[0] - errors[1] - errors[2] + errors[3] == defect
        assert max(map(abs, errors)) == largest_error(defect)
        assert sum(e * e for e in errors) / 4 == mean_square(defect)

    def test_other_errors_are_no_smaller(self):
        for f in itertools.product((-1, 0, Fraction(1, 3), 2), repeat=3):
            outputs = [*f, f[1] + f[2] - f[0]]  # any f of defect 0
            errors = [abs(t - z) for t, z in zip((1, -1, -1, 1), outputs, strict=True)]
            assert max(errors) >= largest_error(4) and sum(e * e for e in errors) / 4 >= mean_square(4)

    def test_losses_on_signed_labels(self):
        labels = (1, -1, -1, 1)
        for f in itertools.product((-3.0, 0.0, 0.5, 2.0), repeat=3):
            scores = [y * z for y, z in zip(labels, (*f, f[1] + f[2] - f[0]), strict=True)]
            assert sum(math.log1p(math.exp(-s)) for s in scores) / 4 >= float(LOGISTIC) - 1e-15
            assert sum(max(0, 1 - s) for s in scores) / 4 >= float(HINGE)
            assert min(scores) <= 0
        assert math.log(2) == float(LOGISTIC) and HINGE == 1  # the constant 0 has both

    def test_volume_of_axis_paths_has_defect_two(self):
        """q = +-V e1, then e2 e3 or e3 e2, then a token that does not move."""
        signed = []
        for side, order in itertools.product((1, -1), ((1, 2), (2, 1))):
            path = [np.eye(3, dtype=int)[0] * side, *np.eye(3, dtype=int)[[*order]], np.zeros(3, dtype=int)]
            signed.append(integral(np.array(path)))
        assert signed[0] - signed[1] - signed[2] + signed[3] == 2
        (row,) = [floor for floor in floors() if floor.unit == "V^3"]
        assert row.value.lower == row.value.upper == largest_error(2).numerator / 2


def integral(v: np.ndarray) -> Fraction:
    """S^{123} of whole increments (n,3), by its definition on segments."""
    total = 0
    for a, b, c in itertools.combinations_with_replacement(range(len(v)), 3):
        sixths = {1: 1, 2: 3, 3: 6}[len({a, b, c})]
        total += sixths * int(v[a, 0] * v[b, 1] * v[c, 2])
    return Fraction(total, 6)


def best(v: np.ndarray, *, reads_last: bool) -> Fraction:
    """S^{123} with ``v_b^2 v_c^3`` made symmetric in b and c, where c is not the last one if that is read: a limit of
    models of one layer, as its parts are words of two letters, letters being functions of a token."""
    triples = itertools.combinations(range(len(v) - reads_last), 3)
    gap = sum(int(v[a, 0] * (v[b, 1] * v[c, 2] - v[b, 2] * v[c, 1])) for a, b, c in triples)
    return integral(v) - Fraction(gap, 2)


class TestVolume:
    @pytest.mark.parametrize("reads_last", [False, True])
    @pytest.mark.parametrize("n", [3, 4])
    def test_a_function_under_the_identity_attains_it(self, n, reads_last):
        signs = [np.array(v).reshape(n, 3) for v in itertools.product((-1, 1), repeat=3 * n)]
        missed = sum((integral(v) - best(v, reads_last=reads_last)) ** 2 for v in signs)
        whole = sum(integral(v) ** 2 for v in signs)
        found = volume(n, reads_last=reads_last)
        with bits(256):
            assert abs(found.ball() ** 2 - exact(Fraction(missed, whole))) < arb("1e-30")
        assert whole / len(signs) == math.comb(n, 3) + Fraction(math.comb(n, 2), 2) + Fraction(n, 36)

    @pytest.mark.parametrize("reads_last", [False, True])
    def test_that_function_is_under_the_identity(self, reads_last):
        rng = np.random.default_rng(0)
        for suffix in (1, 2) if reads_last else (0, 1, 2):
            q, other, p, e = (rng.integers(-3, 4, (n, 3)) for n in (2, 1, 3, suffix))
            f = [best(np.vstack([a, b, e]), reads_last=reads_last) for a in (q, other) for b in (p, p[::-1])]
            assert f[0] - f[1] - f[2] + f[3] == 0
            t = [integral(np.vstack([a, b, e])) for a in (q, other) for b in (p, p[::-1])]
            assert t[0] - t[1] - t[2] + t[3] != 0

    def test_a_readout_of_the_last_token_passes_below_the_bound_for_others(self):
        """Ten units and a readout that depends on the last token, under all five hypotheses: of three increments it has
        S^{123} itself in the limit, where a readout that does not depend on it misses at least a share of 0.43."""
        errors = [model(v, 1e-3) - float(integral(v)) for v in TRIPLES]
        missed = math.sqrt(sum(e * e for e in errors) / sum(float(integral(v)) ** 2 for v in TRIPLES))
        assert missed < 1e-5 < float(volume(3, reads_last=False).lower)
        assert float(volume(3, reads_last=True).upper) == 0

    def test_published_values(self):
        for n, value in ((19, 0.678), (99, 0.702), (10_000, 0.707)):
            assert float(volume(n, reads_last=False).lower) == pytest.approx(value, abs=5e-4)
        assert [round(float(volume(n, reads_last=True).lower), 4) for n in (19, 99)] == [0.6219, 0.691]
        for n in (4, 19, 99):
            assert 0 < volume(n, reads_last=True).lower < volume(n, reads_last=False).lower

    def test_ends_are_close(self):
        for n in (4, 19, 9_999):
            found = volume(n, reads_last=True)
            assert found.lower <= found.upper and found.relative_width() < 1e-9


def model(v: np.ndarray, eps: float) -> float:
    """``z -> E_t z + g_t`` with diagonal E_t, unit by unit, and an affine readout with coefficients of the last token.

    W(x, y) is the pair of units with exponents +-eps y_t and forcing x_t; its half difference over eps is
    ``sum_{a<b} x_a y_b`` in the limit.
    """
    first, second, third = v.T.astype(float)
    last = v[-1].astype(float)

    def summed(x: np.ndarray) -> float:  # E_t = 1
        return float(x.sum())

    def pair(x: np.ndarray, y: np.ndarray) -> float:
        ends = []
        for sign in (1, -1):
            z = 0.0
            for x_t, y_t in zip(x, y, strict=True):
                z = math.exp(sign * eps * y_t) * z + x_t
            ends.append(z)
        return (ends[0] - ends[1]) / (2 * eps)

    def before(x: np.ndarray, x_last: float) -> float:
        return summed(x) - x_last

    def pair_before(x: np.ndarray, x_last: float, y: np.ndarray, y_last: float) -> float:
        return pair(x, y) - before(x, x_last) * y_last

    l1, l2, l3 = last
    found = pair_before(first, l1, second, l2) * l3
    found += before(first * second, l1 * l2) * l3 / 2 + before(first, l1) * l2 * l3 / 2
    found += pair_before(first * second, l1 * l2, third, l3) / 2 + pair_before(first, l1, second * third, l2 * l3) / 2
    return found + summed(first * second * third) / 6


class TestWordProblem:
    def test_good_pairs_are_counted(self):
        good = [(c, d) for c in A5 for d in A5 if involution(commutator(c, d))]
        assert len(A5) == 60 and Fraction(len(good), 60**2) == GOOD and len(good) == 480

    def test_blocks_fall_into_orbits_of_four_with_two_products(self):
        good = {(c, d) for c in A5 for d in A5 if involution(commutator(c, d))}
        left, orbits = {(x, *pair) for x in A5 for pair in good}, 0
        while left:
            x, c, d = next(iter(left))
            s = commutator(c, d)
            orbit = [(x, c, d), (x, d, c), (times(x, s), c, d), (times(x, s), d, c)]
            products = [times(g, times(a, b)) for g, a, b in orbit]
            assert products[0] == products[3] != products[1] == products[2]
            assert commutator(d, c) == s and len(set(orbit)) == 4 and left.issuperset(orbit)
            left.difference_update(orbit)
            orbits += 1
        assert orbits == 7200
        assert self.counts() == Counts(60**2, len(good), 60 * len(good), orbits)

    @staticmethod
    @functools.cache
    def counts():
        return counted()

    EXACT: ClassVar = {
        4: "1/30",
        7: "14/225",
        10: "589/6750",
        13: "5516/50625",
        16: "194041/1518750",
        20: "1640954/11390625",
    }

    @pytest.mark.parametrize("T", EXACT)
    def test_values_by_the_blocks_that_are_counted(self, T):
        share = Fraction(self.counts().blocks, 60**3)
        assert Fraction(self.EXACT[T]) == (1 - (1 - share) ** ((T - 1) // 3)) / 4 == word_problem(T)

    def test_values_are_exact(self, shared):
        known = json.loads((shared / "reference" / "linear_cde.json").read_text(encoding="utf-8"))["a5"]
        for T, value in known["error_at_least"].items():
            assert word_problem(int(T)) == Fraction(value)
        assert known["pairs_with_involution_commutator"] == GOOD * known["pairs"]

    def test_it_is_the_share_of_words_with_a_good_block_over_four(self):
        assert [word_problem(T) for T in (1, 2, 3)] == [0, 0, 0]
        assert word_problem(7) == (GOOD + (1 - GOOD) * GOOD) / 4
        assert Fraction(249, 1000) < word_problem(200) < Fraction(1, 4)


def test_every_floor_is_positive_and_finite():
    found = floors()
    assert len(found) == 11 and len({(floor.target, floor.measure) for floor in found}) == 11
    assert all(0 < floor.value.lower <= floor.value.upper <= 1 for floor in found)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: largest_error(math.nan), "expected a finite"),
        (lambda: mean_square(math.inf), "expected a finite"),
        (lambda: volume(0, reads_last=True), "from 1 to 10000"),
        (lambda: word_problem(10**9), "from 1 to 10000"),
    ],
)
def test_what_has_no_bound_is_refused(call, said):
    with pytest.raises(DomainError, match=said):
        call()
