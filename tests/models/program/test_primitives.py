"""The operations against their vectors, a second writing number by number, and the corners of the proofs (P), (R)."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.program import primitives, vectors
from ssm_bounds.models.program.primitives import exp, ints, ln, log2_ceiling, matrix, mm, rms, silu, softplus
from tests.conftest import ROOT
from tests.models.program import oracle

NUMBERS = st.floats(-800, 800) | st.floats(-2, 2) | st.sampled_from([0.0, -0.0, 1e-310, 700.0, 1e300, -1e300])


@pytest.mark.parametrize("name", vectors.FUNCTIONS)
def test_vectors(name):
    for argument, word in vectors.FUNCTIONS[name].items():
        assert getattr(primitives, name)(np.array([argument])).item().hex() == float.fromhex(word).hex()
        assert getattr(oracle, name)(argument).hex() == float.fromhex(word).hex()


def test_the_vector_of_the_product():
    q, e, ok = ints(vectors.X.T, 23, -300)
    assert q[:, 0].tolist() == list(vectors.FIRST_Q) and e[0] == vectors.FIRST_E and ok.all() and e.dtype == np.int32
    W = matrix(vectors.W)
    assert W.q[0].tolist() == list(vectors.FIRST_W)
    expected = [[float.fromhex(word) for word in row] for row in vectors.PRODUCT]
    assert mm(vectors.X.T, W)[0].T.tolist() == expected
    assert [oracle.mm(row, vectors.W.tolist()) for row in vectors.X.tolist()] == expected


WORDS = re.compile(r"-?0x1(?:\.[0-9a-f]+)?p[+-]\d+")


def hexes(text: str) -> set[str]:
    return {float.fromhex(word).hex() for word in WORDS.findall(text)}


def test_the_page_shows_the_vectors():
    page = (ROOT / "docs" / "theory" / "08-data.md").read_text(encoding="utf-8")
    words = [word for values in vectors.FUNCTIONS.values() for word in values.values()]
    words += [word for row in (*vectors.PRODUCT, *vectors.LOGITS1, *vectors.LOGITS2) for word in row]
    assert len(words) == 33 and {float.fromhex(word).hex() for word in words} <= hexes(page)


def test_the_vectors_are_those_of_the_source(shared):
    page = (shared / "theory-data.md").read_text(encoding="utf-8")
    words = [word for values in vectors.FUNCTIONS.values() for word in values.values()]
    words += [word for row in (*vectors.PRODUCT, *vectors.LOGITS1) for word in row]
    assert {float.fromhex(word).hex() for word in words} <= hexes(page)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
@example([-700.0, -700.5, 700.0, 0.3465735902799726, -0.34657359027997264, 1 / 3])
def test_functions_equal_the_second_writing(numbers):
    x = np.array(numbers)
    for name in ("exp", "softplus", "silu"):
        found = getattr(primitives, name)(x).tolist()
        assert [a.hex() for a in found] == [getattr(oracle, name)(a).hex() for a in numbers], name
    assert x.tolist() == numbers  # arguments are left alone


@given(st.lists(st.floats(1e-300, 1e300) | st.floats(0.1, 2), min_size=1, max_size=20))
@example([math.sqrt(0.5), math.nextafter(math.sqrt(0.5), 0), 5e-324, 1.0, 1.7976931348623157e308])
def test_ln_equals_the_second_writing(numbers):
    assert [a.hex() for a in ln(np.array(numbers)).tolist()] == [oracle.ln(a).hex() for a in numbers]


def test_no_bit_depends_on_the_part_or_the_shape(monkeypatch):
    x = np.random.default_rng(0).normal(scale=4, size=(50, 41))
    whole = [f(x) for f in (exp, softplus, silu)] + [ln(np.abs(x))]
    monkeypatch.setattr(primitives, "AT_ONCE", 7)
    parts = [f(x.T).T for f in (exp, softplus, silu)] + [ln(np.abs(x.T)).T]
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_nan_stays():
    x = np.array([np.nan, np.inf, -np.inf])
    assert np.isnan(exp(x)[0]) and np.isnan(softplus(x)[0]) and np.isnan(silu(x)[0])
    assert exp(x)[1:].tolist() == exp(np.array([700.0, -700.0])).tolist()


def test_accuracies_are_those_stated_and_no_smaller():
    ends = (np.arange(-1009, 1010) + 0.5) * math.log(2)  # where the polynomial reaches furthest
    x = np.concatenate([np.linspace(-0.7, 0.7, 1401), ends, np.nextafter(ends, 0), np.nextafter(ends, np.inf)])
    worst = max(abs(float(arb(b) / arb(a).exp() - 1)) for a, b in zip(x.tolist(), exp(x).tolist(), strict=True))
    assert 7.02e-9 < worst < 7.03e-9
    x = np.concatenate([np.geomspace(1e-300, 1e300, 1201), np.linspace(0.5, 2, 1201), [math.sqrt(0.5), 5e-324]])
    worst = max(abs(float(arb(b) - arb(a).log())) for a, b in zip(x.tolist(), ln(x).tolist(), strict=True))
    assert 2**-47 < worst < 2**-40


class TestInts:
    @pytest.mark.parametrize("bits", [18, 20, 23])
    def test_ends_of_the_range(self, bits):
        """At 2^k half the range; just below it 2^bits, which (P) and (R) allow; ties to even."""
        top = math.nextafter(8.0, 0.0)
        q, e, _ = ints(np.array([[8.0, top, -top]]), bits, -300)
        assert q.tolist() == [[2.0 ** (bits - 1), 2.0**bits, -(2.0**bits)]] and e.tolist() == [4, 3, 3]
        q, _, _ = ints(np.array([[1.0], [0.5 * 2.0 ** (1 - bits)], [1.5 * 2.0 ** (1 - bits)]]), bits, -300)
        assert q.ravel().tolist() == [2.0 ** (bits - 1), 0.0, 2.0]

    def test_zeros_and_what_is_below_the_least(self):
        q, e, ok = ints(np.array([[0.0, 2.0**-325, 5e-324, 2.0**-323]]), 23, -300)
        assert q.tolist() == [[0, 0, 0, 1]] and e.tolist() == [0, -300, -300, -300] and ok.all()

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**500, -1.7e308])
    def test_what_is_not_ok(self, value):
        x = np.array([[1.0, 2.0, math.nextafter(2.0**500, 0)], [value, 3.0, 1.0]])
        q, _, ok = ints(x, 23, -300)
        assert ok.tolist() == [False, True, True] and q[:, 0].tolist() == [0, 0] and np.isfinite(q).all()
        y, ok = mm(x, matrix(np.ones((2, 2))))
        assert ok.tolist() == [False, True, True] and y[:, 0].tolist() == [0, 0] and np.isfinite(y).all()
        assert rms(x, np.ones(2), 1e-5)[1].tolist() == [False, True, True]

    @given(st.lists(st.lists(st.floats(-1e100, 1e100), min_size=3, max_size=3), min_size=1, max_size=5))
    def test_equal_the_second_writing(self, rows):
        q, e, _ = ints(np.array(rows).T, 20, -300)
        assert [(a, b) for a, b in zip(q.T.tolist(), e.tolist(), strict=True)] == [
            oracle.ints(row, 20, -300) for row in rows
        ]


class TestProducts:
    @pytest.mark.parametrize("n", [1, 2, 3, 5, 4095, 4096, 4097, 8192, 100_000])
    def test_the_largest_and_random_vectors_against_integers(self, n):
        top = math.nextafter(1.0, 0.0)
        rng = np.random.default_rng(n)
        x, W = np.stack([np.full(n, top), rng.normal(size=n)]), np.stack([np.full(n, top), rng.normal(size=n)])
        expected = [oracle.mm(row, W.tolist()) for row in x.tolist()]
        assert mm(x.T, matrix(W))[0].T.tolist() == expected

    @pytest.mark.parametrize("n", [1, 2, 3, 8191, 8192, 8193, 20_000])
    def test_the_largest_and_random_vectors_of_a_norm(self, n):
        rng = np.random.default_rng(n)
        x = np.stack([np.full(n, math.nextafter(1.0, 0.0)), rng.normal(size=n)])
        gamma = np.ones(n)
        assert rms(x.T, gamma, 1e-12)[0].T.tolist() == [oracle.rms(row, gamma.tolist(), 1e-12) for row in x.tolist()]

    @pytest.mark.parametrize("exponent", [-330, -310, -290, -210, -110, 0, 400, 499])
    def test_vectors_of_any_size(self, exponent):
        rng = np.random.default_rng(exponent % 7)
        x, W = (
            rng.uniform(-1, 1, (4, 5)) * 2.0**exponent,
            rng.normal(size=(3, 5)) * 2.0 ** np.array([[-110], [0], [490]]),
        )
        assert mm(x.T, matrix(W))[0].T.tolist() == [oracle.mm(row, W.tolist()) for row in x.tolist()]
        y = rms(x.T, np.ones(5), 1e-200)[0]
        assert y.T.tolist() == [oracle.rms(row, [1.0] * 5, 1e-200) for row in x.tolist()]

    def test_bits_are_all_that_the_proof_has(self):
        """One bit more, and 2^53 is left behind from n = 4096 on; fewer than two bits are wasted above it."""
        for n in (2048, 4096, 4097, 8192, 10**6, 2**30):
            bits = 23 - max(0, log2_ceiling(n) - 12)
            assert n * 2 ** (bits + 18) <= 2**53
            assert n < 4096 or n * 2 ** (bits + 20) > 2**53
            squares = min(20, (53 - log2_ceiling(n)) // 2)
            assert n * 4**squares <= 2**53 and (squares == 20 or n * 4 ** (squares + 2) > 2**53)

    def test_one_bit_more_is_not_exact(self):
        n, rng = 4096, np.random.default_rng(1)
        q, w = 2.0**24 - rng.integers(0, 2, (n, 1)), 2.0**18 - rng.integers(0, 2, (n, 1))
        exact = sum(int(a) * int(b) for a, b in zip(q.ravel(), w.ravel(), strict=True))
        in_order = np.cumsum(q.ravel() * w.ravel())[-1]
        assert in_order != exact and exact > 2**53

    def test_no_zero_has_a_sign(self, monkeypatch):
        monkeypatch.setattr(primitives, "product", lambda W, q: -(W @ -q))
        y, _ = mm(np.array([[-1.0], [-0.0]]), matrix(np.array([[0.0, 1.0], [0.0, -0.0]])))
        assert not np.signbit(y).any()

    @given(st.integers(0, 10**6))
    def test_each_column_is_what_it_is_alone(self, seed):
        rng = np.random.default_rng(seed)
        n, k, b = rng.integers(1, 40, 3)
        x, W = rng.normal(size=(n, b)) * 2.0 ** rng.integers(-400, 400, b), matrix(rng.normal(size=(k, n)))
        gamma = rng.normal(size=n)
        for f in (lambda x: mm(x, W)[0], lambda x: rms(x, gamma, 1e-5)[0]):
            whole = f(x)
            assert all(np.array_equal(whole[:, i], f(x[:, i : i + 1])[:, 0]) for i in range(b))
        found = rms(x, gamma, 1e-5)[0].T.tolist()
        assert found == [oracle.rms(row, gamma.tolist(), 1e-5) for row in x.T.tolist()]

    def test_close_to_the_real_product(self):
        """Within half a unit of each integer: |q| has 23 bits, |w| 18."""
        rng = np.random.default_rng(0)
        x, W = rng.normal(size=(64, 30)), rng.normal(size=(20, 64))
        error = np.abs(mm(x, matrix(W))[0] - W @ x).max()
        assert 1e-6 < error < 64 * np.abs(x).max() * np.abs(W).max() * (2.0**-18 + 2.0**-23)

    @pytest.mark.parametrize("value", [np.nan, np.inf, 2.0**500])
    def test_weights_that_are_no_weights(self, value):
        with pytest.raises(DomainError, match=r"row 1 of \(2, 2\)"):
            matrix(np.array([[1.0, 1.0], [value, 1.0]]))

    def test_powers_of_two_of_the_rows_are_exact(self):
        W = np.random.default_rng(0).normal(size=(4, 6)) * 2.0 ** np.array([[-99], [0], [40], [499]])
        kept = matrix(W)
        for row, q, scale in zip(W, kept.q, kept.scale.ravel(), strict=True):
            assert np.abs(q).max() <= 2**18
            assert all(
                abs(Fraction(a) - Fraction(b) * Fraction(scale)) <= Fraction(scale) / 2
                for a, b in zip(row, q, strict=True)
            )
