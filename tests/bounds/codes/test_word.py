"""Words (theory 8.12): every choice priced once, masses that sum to 1, nats that are their logarithm."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.codes import word as words
from ssm_bounds.bounds.codes.families import DIMENSIONS, FAMILIES, RANKS, Part, coded
from ssm_bounds.bounds.codes.moves import STEPS
from ssm_bounds.bounds.codes.symbols import WORD_ALPHABET
from ssm_bounds.bounds.codes.word import Coded, Start, Word
from ssm_bounds.bounds.values import DomainError

SCRATCH = Start(16, 2, 8, 4, 2, "mean")
PARTS = {
    "embedding": Part((5, 4), "other"),
    "in_proj": Part((6, 4), "matrix"),
    "bias": Part((6,), "vector"),
    "head": Part((3, 4), "head"),
}


def integers(*z: int) -> np.ndarray:
    return np.array(z, dtype=np.int64)


@st.composite
def some_words(draw) -> Word:
    family = draw(st.sampled_from(FAMILIES))
    size = draw(st.sampled_from({"lora": RANKS, "subspace": DIMENSIONS[:2]}.get(family, (None,))))
    start = draw(st.none() | st.builds(Start, st.sampled_from(words.WIDTHS), st.sampled_from(words.LAYERS),
                 st.sampled_from((8, 64)), st.sampled_from((2, 3, 4)), st.sampled_from((1, 2)),
                 st.sampled_from(("mean", "last")), st.sampled_from((0, 1, 65535))))  # fmt: skip
    centres = st.sampled_from(("base", "zero") if start else ("base",))

    def tensor(shape):
        count = math.prod(shape)
        z = st.lists(st.integers(-2, 2), min_size=count, max_size=count).map(lambda z: integers(*z).reshape(shape))
        return draw(st.none() | st.builds(Coded, z, st.integers(0, 35), st.sampled_from((0, 2, 5, 12, 20)), centres))

    tensors = {name: tensor(shape) for name, shape in coded(family, PARTS, size).items()}
    options = {
        "length": draw(st.sampled_from((None, 16, 2**15))),
        "bases": 1 if start else draw(st.integers(1, 9)),
        "power": draw(st.sampled_from((None, 1, 8))),
        "mixture": draw(st.sampled_from((None, True, False))),
        "constants": draw(st.sampled_from((None, (0, 65535)))),
    }
    return Word(family, tensors, size, start, **options)


@given(some_words())
def test_nats_enclose_the_logarithm_of_the_mass(word):
    mass, nats = word.mass(), word.nats()
    exact = math.log(mass.denominator) - math.log(mass.numerator)
    assert nats.float_lower() == pytest.approx(exact, rel=1e-12) and nats.relative_width() < 1e-20
    assert word.about() == pytest.approx(exact, rel=1e-9)
    for rows in (word.table(), word.ledger()):
        assert sum(row.nats.float_upper() if hasattr(row, "nats") else row[2].float_upper() for row in rows) == (
            pytest.approx(exact, rel=1e-12)
        )
    word.require_shapes(coded(word.family, PARTS, word.size))


@given(some_words())
def test_the_price_is_that_of_the_table(word):
    """Theory 8.12, written a second time."""
    nats = math.log(5) + {"lora": math.log(8), "subspace": math.log(10)}.get(word.family, 0.0)
    if word.start is not None:
        nats += math.log(9216) + math.log(2) + (math.log(65535) if word.start.seed else 0)
    nats += math.log(12) * (word.length is not None) + math.log(word.bases) + math.log(8) * (word.power is not None)
    nats += math.log(2) * (word.mixture is not None) + 32 * math.log(2) * (word.constants is not None)
    for tensor in word.tensors.values():
        nats += math.log(2)
        if tensor is not None:
            nats += math.log(2) * (word.start is not None) + math.log(36) + math.log(21)
            nats += WORD_ALPHABET[tensor.code].about(tensor.z.ravel())
    assert word.nats().float_upper() == pytest.approx(nats, rel=1e-9)


def test_the_numbers_of_the_table():
    assert (len(FAMILIES), len(RANKS), len(DIMENSIONS), len(words.LENGTHS), len(words.POWERS)) == (5, 8, 10, 12, 8)
    assert (len(STEPS), len(WORD_ALPHABET), SCRATCH.architectures()) == (36, 21, 9216)
    assert Start(16, 1, 2, 2, 1, "last", 0, "paper").architectures() == 9216
    seeds = [float(Word("head", {}, start=Start(16, 2, 8, 4, 2, "mean", seed)).nats().upper) for seed in (0, 7)]
    assert [f"{nats - math.log(5 * 9216):.1f}" for nats in seeds] == ["0.7", "11.8"]
    assert f"{math.log(words.CONSTANTS**2):.1f}" == "22.2" and f"{math.log(9216):.1f}" == "9.1"
    assert (DIMENSIONS[0], DIMENSIONS[-1], words.LENGTHS[0], words.LENGTHS[-1]) == (16, 8192, 16, 32768)
    assert [row.choice for row in Word("full", {"w": None}).table()] == [
        "family: head, bitfit, lora, full, subspace",
        "tensor: coded, or its integers all zero",
    ]


def test_headers_have_masses_of_sum_1():
    """All families with their sizes, all starts and all other choices of a word without tensors."""
    sizes = {"lora": RANKS, "subspace": DIMENSIONS}
    headers = [Word(family, {}, size) for family in FAMILIES for size in sizes.get(family, (None,))]
    assert sum(word.mass() for word in headers) == 1
    for name, options in (
        ("length", words.LENGTHS),
        ("power", words.POWERS),
        ("mixture", (False, True)),
    ):
        assert sum(Word("head", {}, **{name: option}).mass() for option in options) == Fraction(1, 5)
    assert 7 * Word("head", {}, bases=7).mass() == Fraction(1, 5)
    assert words.CONSTANTS**2 * Word("head", {}, constants=(1, 2)).mass() == Fraction(1, 5)
    lists = (words.WIDTHS, words.LAYERS, words.STATES["mamba"], words.CONVOLUTIONS, words.EXPANDS, words.POOLINGS)
    starts = [Start(*each) for each in product(*lists)]
    assert len(starts) == 9216 == len(set(starts))
    first, other = (Word("head", {}, start=Start(16, 2, 8, 4, 2, "mean", seed)).mass() for seed in (0, 1))
    assert 9216 * (first + (words.SEEDS - 1) * other) == Fraction(1, 5)


@pytest.mark.parametrize("start", [None, SCRATCH])
def test_all_words_of_a_tiny_model_sum_to_1(start):
    """One tensor of one or two entries, by every flag, centre, step and code; only *sparse* has words without end."""
    header = Word("head", {}, start=start).mass()
    for entries in (1, 2):
        whole = Word("head", {"w": None}, start=start).mass() / header
        missing = Fraction(0)
        for code in (0, 1, 11, 2, 12):
            radius = 40 // entries if code == 0 else WORD_ALPHABET[code].radius
            vectors = [integers(*z) for z in product(range(-radius, radius + 1), repeat=entries)]
            for centre in ("base", "zero") if start else ("base",):
                part = sum(Word("head", {"w": Coded(z, 3, code, centre)}, start=start).mass() for z in vectors) / header
                expected = Fraction(1, 2 * 36 * 21 * (2 if start else 1))
                if code:
                    assert part == expected
                else:
                    assert 0.85 * expected < part < expected
                    missing += expected - part
                whole += 36 * part  # no mass depends on the step
            steps = {Word("head", {"w": Coded(vectors[0], j, code)}, start=start).mass() for j in range(36)}
            assert len(steps) == 1
        assert whole + 36 * missing + Fraction(16, 2 * 21) == 1  # the sixteen other codes


def test_a_word_that_forgets_a_flag_overspends():
    """Control: without the price of "coded or zero" the same sum is above 1."""
    header = Word("head", {}).mass()
    zero = Word("head", {"w": None}).mass() / header * 2
    kt = sum(Word("head", {"w": Coded(integers(z), 0, 11)}).mass() for z in (-1, 0, 1)) / header * 2
    assert zero + 36 * 21 * kt == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Word("lora", {}), "lora: expected a size"),
        (lambda: Word("lora", {}, 9), "lora: expected a size"),
        (lambda: Word("full", {}, 2), "full: expected a size"),
        (lambda: Word("tail", {}), "unknown family"),
        (lambda: Word("subspace", {}, 17), "subspace: expected a size"),
        (lambda: Word("full", {}, length=17), "length: expected"),
        (lambda: Word("full", {}, power=9), "power: expected"),
        (lambda: Word("full", {}, bases=0), "bases: expected"),
        (lambda: Word("full", {}, bases=2, start=SCRATCH), "no list of bases"),
        (lambda: Word("full", {}, constants=(0, 65536)), "16 bits"),
        (lambda: Word("full", {"w": Coded(integers(1), 0, 0, "zero")}), "only a word from scratch"),
        (lambda: Coded(integers(1), 36, 0), "step: expected"),
        (lambda: Coded(integers(1), 0, 21), "code: expected"),
        (lambda: Coded(np.array([1.0]), 0, 0), "int64"),
        (lambda: Start(17, 2, 8, 4, 2, "mean"), "width: expected"),
        (lambda: Start(16, 2, 2, 4, 2, "mean"), "states: expected"),
        (lambda: Start(16, 2, 8, 4, 2, "mean", 65536), "seed: expected"),
        (lambda: Word("full", {"w": None}).require_shapes({"v": (1,)}), "a word of v"),
        (lambda: Word("full", {"w": Coded(integers(1, 2), 0, 0)}).require_shapes({"w": (1,)}), r"w: expected .*\(1,\)"),
        (lambda: Part((3,), "matrix"), "two axes"),
        (lambda: Part((3,), "tail"), "unknown role"),
        (lambda: Part((0,), "head"), "sizes"),
    ],
)
def test_outside_its_domain(make, message):
    with pytest.raises(DomainError, match=message):
        make()


def test_what_each_family_codes():
    names = {family: list(coded(family, PARTS, {"lora": 2, "subspace": 16}.get(family))) for family in FAMILIES}
    assert names == {
        "head": ["head"],
        "bitfit": ["bias", "head"],
        "lora": ["in_proj.A", "in_proj.B", "head"],
        "full": list(PARTS),
        "subspace": ["head", "subspace"],
    }
    assert coded("lora", PARTS, 2)["in_proj.B"] == (6, 2) and coded("subspace", PARTS, 16)["subspace"] == (16,)


def test_integers_beyond_what_is_decoded_have_no_price():
    for z in (-(2**63), 2**45):
        with pytest.raises(DomainError, match="2\\^45"):
            Coded(np.array([z]), 0, 0)
