"""Decode (theory 8.12): every operation rounded once, written a second time in exact fractions; test vectors."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.codes.decode import decode
from ssm_bounds.bounds.codes.families import DIMENSIONS, Part, reach
from ssm_bounds.bounds.codes.moves import STEPS, lora, moved, scaled, subspace, uniform
from ssm_bounds.bounds.codes.word import Coded, Start, Word
from ssm_bounds.bounds.values import DomainError

KEY_0 = (0x2F4BA6408E4D89B, 0x3DD62B0B9CA8C5B2)


def test_steps():
    assert STEPS[:4] == (1, Fraction(181, 256), Fraction(1, 2), Fraction(181, 512)) and len(STEPS) == 36
    assert all(abs(float(step) * 2 ** (j / 2) - 1) < 2e-4 for j, step in enumerate(STEPS))
    assert all(Fraction(float(step)) == step for step in STEPS)


@given(st.floats(-1e6, 1e6), st.integers(-(2**45) + 1, 2**45 - 1), st.integers(0, 35))
def test_a_move_is_rounded_once(start, z, j):
    move = scaled(np.array([z]), j)
    assert Fraction(float(move[0])) == z * STEPS[j]
    exact = Fraction(start) + z * STEPS[j]
    assert moved(np.array([start]), np.array([z]), j)[0] == exact.numerator / exact.denominator


def rounded(x: Fraction) -> Fraction:
    return Fraction(x.numerator / x.denominator)


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_lora_adds_in_the_order_of_r(seed, rank):
    rng = np.random.default_rng(seed)
    start, first, second = rng.normal(size=(3, 2)), rng.normal(size=(rank, 2)), rng.normal(size=(3, rank))
    found = lora(start, first, second)
    for i in range(3):
        for j in range(2):
            value = Fraction(start[i, j])
            for r in range(rank):
                value = rounded(value + rounded(Fraction(second[i, r]) * Fraction(first[r, j])))
            assert Fraction(found[i, j]) == value


def test_the_order_of_r_matters():
    """Control: the other order is another model."""
    first, second = np.array([[1.0], [2.0**-53], [2.0**-53]]), np.ones((1, 3))
    found = [lora(np.zeros((1, 1)), rows, second).item() for rows in (first, first[::-1])]
    assert found == [1.0, 1.0 + 2.0**-52]


def signs(seed: int, row: int, size: int) -> list[int]:
    """The signs of one weight of the first tensor, bit by bit."""
    raw = np.random.Philox(key=seed).random_raw((row + 1) * size // 64 + 1).tolist()
    stream = [(raw[at // 64] >> (at % 64)) & 1 for at in range(row * size, (row + 1) * size)]
    return [2 * bit - 1 for bit in stream]


def test_the_generator_begins_as_the_theory_says():
    assert tuple(np.random.Philox(key=0).random_raw(2).tolist()) == KEY_0
    drawn = uniform(np.random.Philox(key=0), 2)
    assert [Fraction(float(v)) for v in drawn] == [(Fraction(u >> 40) - 2**23 + Fraction(1, 2)) / 2**23 for u in KEY_0]
    assert (abs(uniform(np.random.Philox(key=5), 10**4)) < 1).all()


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_subspace_is_what_the_bits_say(size, seed):
    rng = np.random.default_rng(size)
    start = {"a": rng.normal(size=(3, 3)), "b": rng.normal(size=2)}
    z = rng.integers(-1000, 1000, size=size)
    found = subspace(start, z, 5, {"a": 0.1, "b": 2.0}, seed)
    for row in range(9):
        total = sum(sign * int(value) for sign, value in zip(signs(seed, row, size), z, strict=True))
        move = rounded(Fraction(0.1) * total * STEPS[5])
        assert Fraction(found["a"].ravel()[row]) == rounded(Fraction(start["a"].ravel()[row]) + move)
    # the next tensor begins with a new number
    used = -(-9 * size // 64)
    raw = np.random.Philox(key=seed).random_raw(used + 8)[used:].tolist()
    total = sum((2 * ((raw[at // 64] >> at % 64) & 1) - 1) * int(value) for at, value in enumerate(z))
    assert Fraction(found["b"][0]) == rounded(Fraction(start["b"][0]) + 2 * total * STEPS[5])


def test_the_subspace_in_blocks_is_one_stream():
    """2^20 signs are one block: the weights of several blocks have the signs that they have alone."""
    z, rows = np.arange(1, 8193), 300
    found = subspace({"w": np.zeros(rows)}, z, 0, {"w": 1.0})["w"]
    for row in (0, 127, 128, 129, 299):
        assert found[row] == sum(sign * int(value) for sign, value in zip(signs(0, row, 8192), z, strict=True))


def test_vectors():
    """Fixed once: what another machine or version has to give."""
    start = np.array([[0.1, -0.2], [0.3, 0.7]])
    found = lora(start, np.array([[1 / 3, 1 / 7], [0.1, -3.0]]), scaled(np.array([[1, -2], [3, 5]]), 7))
    assert [value.hex() for value in found.ravel().tolist()] == LORA
    z = np.arange(16) - 7
    found = subspace({"w": start}, z, 9, {"w": 1 / 3}, seed=3)["w"]
    assert [value.hex() for value in found.ravel().tolist()] == SUBSPACE


LORA = ["0x1.c9ddddddddddep-4", "0x1.5f20ea0ea0ea0p-2", "0x1.baf3333333333p-2", "-0x1.2cf5075075075p-1"]
SUBSPACE = ["0x1.fa77777777777p-3", "-0x1.d5eeeeeeeeeefp-3", "0x1.515dddddddddep-2", "0x1.ee26666666666p-1"]

PARTS = {
    "w": Part((3, 2), "matrix"),
    "bias": Part((3,), "vector"),
    "v": Part((2, 2), "matrix"),
    "head": Part((2, 2), "head"),
}
BASE = {name: np.random.default_rng(3).normal(size=part.shape) for name, part in PARTS.items()}


def some(shape, step=4, code=0, centre="base") -> Coded:
    return Coded(np.arange(int(np.prod(shape))).reshape(shape) - 1, step, code, centre)


class TestDecode:
    def test_what_is_not_coded_stays(self):
        for family, size in (("head", None), ("bitfit", None), ("full", None)):
            names = {"head": ["head"], "bitfit": ["bias", "head"], "full": list(PARTS)}[family]
            word = Word(family, {name: None if name == "head" else some(PARTS[name].shape) for name in names}, size)
            found = decode(word, PARTS, BASE)
            assert list(found) == list(PARTS)
            for name in PARTS:
                z = None if name == "head" else word.tensors.get(name)
                expected = BASE[name] if z is None else moved(BASE[name], z.z, 4)
                assert np.array_equal(found[name], expected)

    def test_lora(self):
        shapes = {"w.A": (1, 2), "w.B": (3, 1), "v.A": (1, 2), "v.B": (2, 1), "head": (2, 2)}
        word = Word("lora", {name: some(shape) for name, shape in shapes.items()}, 1)
        found = decode(word, PARTS, BASE)
        drawn = uniform(np.random.Philox(key=0), 4).reshape(2, 1, 2) / np.sqrt(2.0)
        for at, name in enumerate(("w", "v")):
            first = moved(drawn[at], word.tensors[f"{name}.A"].z, 4)
            assert np.array_equal(found[name], BASE[name] + scaled(word.tensors[f"{name}.B"].z, 4) * first)
        assert np.array_equal(found["bias"], BASE["bias"])
        still = Word("lora", dict.fromkeys(shapes), 1)
        assert all(np.array_equal(decode(still, PARTS, BASE)[name], BASE[name]) for name in PARTS)

    def test_subspace(self):
        word = Word("subspace", {"head": some((2, 2)), "subspace": some((16,))}, 16)
        found = decode(word, PARTS, BASE)
        still = {name: BASE[name] for name in ("w", "bias", "v")}
        expected = subspace(still, word.tensors["subspace"].z, 4, {"w": 1 / 8, "bias": 1 / 4, "v": 1 / 8})
        assert all(np.array_equal(found[name], expected[name]) for name in still)
        assert np.array_equal(found["head"], moved(BASE["head"], word.tensors["head"].z, 4))

    def test_its_numbers_move_weights_as_far_as_a_start_lies_from_zero(self):
        """c: a power of two below 1/sqrt(size fan_in), by less than 2, so that z s c is exact."""
        for shape in ((7,), (7, 5), (96, 48), (12, 1, 4)):
            for size in DIMENSIONS:
                c, n = Fraction(reach(Part(shape, "other"), size)), size * int(np.prod(shape[1:], dtype=int))
                assert c.numerator == 1 and c.denominator.bit_count() == 1 and c**2 * n <= 1 < 4 * c**2 * n

    def test_from_scratch_a_centre_may_be_zero(self):
        start = Start(16, 2, 8, 4, 2, "mean", 9)
        word = Word("head", {"head": some((2, 2), centre="zero")}, start=start)
        assert np.array_equal(decode(word, PARTS, BASE)["head"], scaled(word.tensors["head"].z, 4))

    @pytest.mark.parametrize(
        ("base", "message"),
        [
            ({**BASE, "bias": np.array([1.0, np.nan, 2.0])}, "bias: needs finite"),
            ({**BASE, "bias": np.zeros(3, dtype=np.float32)}, "bias: needs finite float64"),
            ({"w": BASE["w"]}, "the base has w"),
        ],
    )
    def test_a_base_that_does_not_fit(self, base, message):
        with pytest.raises(DomainError, match=message):
            decode(Word("head", {"head": None}), PARTS, base)

    def test_integers_that_would_round(self):
        with pytest.raises(DomainError, match="2\\^45"):
            scaled(np.array([2**45]), 1)
        with pytest.raises(DomainError, match="2\\^45"):
            scaled(np.array([-(2**63)]), 1)
        with pytest.raises(DomainError, match="add up"):
            subspace({"w": np.zeros(1)}, np.full(16, 2**42), 0, {"w": 1.0})
        with pytest.raises(DomainError, match="integers, got"):
            subspace({"w": np.zeros(1)}, np.zeros(17, dtype=np.int64), 0, {"w": 1.0})
