"""Codes of integers: every one is held to what ``Symbols`` promises. Exact fractions against balls."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations, product

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.codes.symbols import ALPHABETS, KT, RADII, WORD_ALPHABET, Counts, Geometric, Sparse
from ssm_bounds.bounds.evaluate.balls import Enclosure, bits

# every symbol code: name of its alphabet, a member, and the mass of the vectors (n,) up to some reach at least
SYMBOLS = [
    ("geometric", Geometric(Fraction(1, 4)), {(1, 9): 0.999, (2, 6): 0.999}),
    ("geometric", Geometric(Fraction(1, 2)), {(3, 5): 0.9}),
    ("counts", Counts(1), {(1, 1): 1, (3, 2): 1}),
    ("counts", Counts(2), {(3, 3): 1}),
    ("kt", KT(1), {(1, 1): 1, (3, 2): 1, (4, 1): 1}),
    ("kt", KT(2), {(3, 3): 1}),
    ("sparse", Sparse(), {(1, 300): 0.99, (2, 40): 0.95, (3, 9): 0.8}),
]
EACH = pytest.mark.parametrize(("kind", "symbols", "sums"), SYMBOLS)


def vectors(n: int, reach: int):
    return (np.array(z) for z in product(range(-reach, reach + 1), repeat=n))


def test_every_alphabet_is_here():
    known = {**ALPHABETS, "kt": tuple(code for code in WORD_ALPHABET if isinstance(code, KT))}
    assert {kind for kind, *_ in SYMBOLS} == set(known)
    assert all(type(symbols) is type(known[kind][0]) for kind, symbols, _ in SYMBOLS)
    for members in known.values():
        assert len(set(members)) == len(members) and {type(member) for member in members} == {type(members[0])}


@EACH
def test_masses_sum_to_at_most_one(kind, symbols, sums):
    for (n, reach), least in sums.items():
        assert least <= sum(symbols.mass(z) for z in vectors(n, reach)) <= 1


@EACH
def test_nats_enclose_the_logarithm_of_the_mass(kind, symbols, sums):
    for z in (*vectors(2, 3), np.arange(-40, 41) % 3 - 1, np.zeros(30, dtype=np.int64)):
        mass, about = symbols.mass(z), symbols.about(z)
        with bits(200):
            nats = Enclosure.of(symbols.nats(z))
        if mass == 0:
            assert not nats.upper.is_finite() and about == math.inf
            continue
        with mpmath.workdps(50):
            exact = -mpmath.log(mpmath.mpf(mass.numerator) / mass.denominator)
        assert nats.float_lower() <= float(exact) <= nats.float_upper()
        assert nats.float_upper() - nats.float_lower() <= 2e-15 * max(1, float(exact))
        assert about == pytest.approx(float(exact), rel=1e-9)


@EACH
def test_no_order_matters_and_signs_where_it_says(kind, symbols, sums):
    for z in ([0, 1, -2], [1, 1, -1], [2, 0, 0]):
        assert len({symbols.mass(np.array(p)) for p in permutations(z)}) == 1
    flips = {symbols.mass(np.array(signs) * [1, 1, 0]) for signs in product((1, -1), repeat=3)}
    assert (len(flips) == 1) == symbols.even


@EACH
def test_the_empty_vector_costs_nothing(kind, symbols, sums):
    assert symbols.mass(np.zeros(0, dtype=np.int64)) == 1


@EACH
def test_sums_do_not_overflow(kind, symbols, sums):
    """4096 integers of 2^52 have the sum 2^64, which is 0 in 64 bits."""
    z = np.full(4096, 2**52)
    assert symbols.about(z) > 4096 * math.log(2)
    if kind != "geometric":  # there the fraction itself is too long
        assert symbols.mass(z) < Fraction(1, 2**4096)
    assert not bool(symbols.nats(z) < 4096 * math.log(2))


def test_sparse_magnitudes_sum_to_one_in_closed_form():
    """For s magnitudes: C(S-1, s-1) of each sum S, mass s! (S-s)!/(S+1)!; the rest after S = R is s/(R+1) at most."""
    for s in (1, 2, 5):
        reach = 4000
        part = sum(
            Fraction(math.comb(total - 1, s - 1), (total + 1) * math.comb(total, s)) for total in range(s, reach + 1)
        )
        assert 1 - Fraction(s, reach + 1) <= part < 1


def test_counts_are_a_prior_of_their_alphabet_alone():
    for radius in RADII[:4]:
        assert Counts(radius).mass(np.array([radius + 1])) == 0 < Counts(radius).mass(np.array([-radius]))


def test_the_alphabet_of_words():
    assert len(WORD_ALPHABET) == 21 == len(set(WORD_ALPHABET)) and WORD_ALPHABET[0] == Sparse()
    assert [code.radius for code in WORD_ALPHABET[1:]] == 2 * [2**k for k in range(10)]
    assert [type(code) for code in WORD_ALPHABET[1:]] == 10 * [Counts] + 10 * [KT]


@given(st.lists(st.integers(-3, 3), max_size=12), st.sampled_from([Counts(3), KT(3), KT(5), Counts(4)]))
def test_one_more_symbol_shares_the_mass(z, code):
    """Kraft with equality by telescoping: the conditional masses of theory 8.12, written a second time."""
    start = Fraction(1, 2) if isinstance(code, KT) else Fraction(1)
    cells = 2 * code.radius + 1
    mass = code.mass(np.array(z, dtype=np.int64))
    for a in range(-code.radius, code.radius + 1):
        more = code.mass(np.array([*z, a], dtype=np.int64))
        assert more == mass * (z.count(a) + start) / (len(z) + start * cells)


def test_kt_is_shorter_where_few_symbols_occur():
    """About K ln n for zeros, against 2K ln n - ln (2K)!; counts are shorter, by less than a constant, where all do."""
    n, radius = 10**6, 16
    with bits(128):
        zeros = np.zeros(n, dtype=np.int64)
        kt, counts = float(KT(radius).nats(zeros)), float(Counts(radius).nats(zeros))
        assert kt == pytest.approx(radius * math.log(n) - math.lgamma(radius + 0.5) + math.lgamma(0.5), rel=1e-3)
        assert counts == pytest.approx(2 * radius * math.log(n) - math.lgamma(2 * radius + 1), rel=1e-3)
        assert kt < counts / 1.2
        even = np.arange(n) % (2 * radius + 1) - radius
        more, less = (float(KT(radius).nats(even[:m]) - Counts(radius).nats(even[:m])) for m in (10**4, 10**6))
        assert 0 < less == pytest.approx(more, abs=0.2) and less < 2 * radius


def test_kt_of_integers_that_wrap_around():
    """The modulus of -2^63 is negative in 64 bits."""
    for code in (KT(512), Counts(512)):
        assert code.mass(np.array([-(2**63)])) == 0
