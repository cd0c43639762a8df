"""Symmetries of codewords: representatives, how many words each stands for, and Kraft sums by enumeration."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.architectures.selective_ssm.layout import layout
from ssm_bounds.bounds.codes import fit, symmetries
from ssm_bounds.bounds.codes.layout import row_count
from ssm_bounds.bounds.codes.scheme import SCHEMES, UNPOOLED, Scheme
from ssm_bounds.bounds.codes.tensors import Code
from ssm_bounds.models.searches.rounded import assembled
from ssm_bounds.models.selective_ssm import earlier
from ssm_bounds.models.tasks.task import Split

Integers = dict[str, np.ndarray]
NARROW = {kind: Scheme("narrow", "model", "model", kind) for kind in ("geometric", "counts", "sparse")}


def key(code: Code, integers: Integers):
    return code.steps, tuple(tuple(z.ravel().tolist()) for z in integers.values())


def flipped(integers: Integers, s, t, g: int) -> Integers:
    """The symmetry of signs, written out: channels s, states t, and W with W_C."""
    s, t = np.array(s), np.array(t)[:, None]
    factors = {"W_B": t * s, "W_C": g * t * s, "q": s, "W": g * s, "embedding": s}
    return {name: z * factors.get(name, 1) for name, z in integers.items()}


def moved(code: Code, integers: Integers, channels, states) -> tuple[Code, Integers]:
    """The symmetry of order, written out with one matrix for the channels and one for the states."""
    C, S = np.eye(len(channels), dtype=int)[list(channels)], np.eye(len(states), dtype=int)[list(states)]
    found = {"A": C @ integers["A"] @ S.T, "W_B": S @ integers["W_B"] @ C.T, "W_C": S @ integers["W_C"] @ C.T}
    found = {name: found[name] if name in found else z if name == "p" else z @ C.T for name, z in integers.items()}
    rows = {name: np.array(k) for name, k in code.exponents().items()}
    rows |= {"A": C @ rows["A"], "W_B": S @ rows["W_B"], "W_C": S @ rows["W_C"]}
    steps = tuple(int(k) for row in rows.values() for k in row) if code.scheme.steps == "row" else code.steps
    return replace(code, steps=steps), found


def images(code: Code, integers: Integers, *, signs: bool) -> Iterator[tuple[Code, Integers]]:
    """The whole group at work, repetitions included."""
    channels, states = integers["A"].shape
    embedded = "embedding" in integers
    flips = [
        (s, t, g)
        for s in product((1, -1), repeat=channels if signs and embedded else 0)
        for t in product((1, -1), repeat=states if signs else 0)
        for g in ((1, -1) if signs else (1,))
    ]
    orders = permutations(range(channels)) if embedded else [range(channels)]
    for first, second in product(orders, permutations(range(states))):
        other, table = moved(code, integers, first, second)
        for s, t, g in flips:
            yield other, flipped(table, s or (1,) * channels, t or (1,) * states, g)


def tables(small: dict[str, tuple[int, ...]], values) -> Iterator[Integers]:
    sizes = list(map(math.prod, small.values()))
    for flat in product(values, repeat=sum(sizes)):
        parts = np.split(np.array(flat), np.cumsum(sizes)[:-1])
        yield {name: part.reshape(size) for (name, size), part in zip(small.items(), parts, strict=True)}


KRAFT = [
    (layout(1, 2, 1, None, "none"), NARROW["counts"], (-1, 0, 1)),
    (layout(1, 2, 1, None, "none"), NARROW["sparse"], (-1, 0, 1)),
    (layout(2, 1, 1, None, "none"), NARROW["geometric"], (-1, 0, 1)),
    (layout(1, 1, 1, 1, "softplus"), NARROW["sparse"], (-1, 0, 1)),
    (layout(1, 2, 1, None, "none"), Scheme("full", "row", "model", "sparse"), (-1, 1)),
    (layout(2, 1, 1, 1, "none"), Scheme("full", "block", "block", "counts"), (0, 1)),
]


@pytest.mark.parametrize(("model", "scheme", "values"), KRAFT)
def test_kraft_sum_is_that_of_the_words(model, scheme, values):
    """Every word of a small alphabet, closed under the symmetries: representatives have all their mass, and no more.

    Counting an orbit as large as the group (no stabiliser) makes the sum exceed that of the words.
    """
    small, sizes = model.shapes(), model.sizes()
    d, N = sizes["channels"], sizes["states"]
    count = {"model": 1, "block": len(small), "row": sum(map(row_count, small.values()))}[scheme.steps]
    choices = product((0, 1), repeat=count) if scheme.steps == "row" else [(0,) * count]
    groups = 1 if scheme.pool == "model" else len(small)
    single = [Code(model, scheme, (d, N), steps, (0,) * groups) for steps in choices]
    words, pooled, careless, count = Fraction(0), Fraction(0), Fraction(0), 0
    group = math.factorial(N) * (math.factorial(d) if "tokens" in sizes else 1)
    if scheme.symbols != "counts":
        group *= 2 ** (N + 1 + (d if "tokens" in sizes else 0))
    for code in single:
        for integers in tables(small, values):
            alone = replace(code, prior=UNPOOLED).mass(integers)
            words += alone
            if code.represents(integers):
                pooled, careless, count = pooled + code.mass(integers), careless + group * alone, count + 1
    assert pooled == words <= 1
    assert careless > words > 0 and count > 5
    if scheme.steps == "model" and scheme.symbols == "counts" and scheme.width == "narrow":
        assert words == Fraction(1, code.choices())  # the whole alphabet


@st.composite
def coded(draw):
    """Words with many zeros and repetitions, so that stabilisers and ties are common."""
    d, N = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    model = layout(d, N, draw(st.sampled_from([1, 2])), draw(st.sampled_from([None, 2])))
    scheme = draw(st.sampled_from(SCHEMES))
    small = model.shapes()
    rows = {"model": 1, "block": len(small), "row": sum(map(row_count, small.values()))}[scheme.steps]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    steps = tuple(rng.integers(0, 2, size=rows).tolist())
    code = Code(model, scheme, (d, N), steps, (0,) * (len(small) if scheme.pool == "block" else 1))
    density, reach = draw(st.sampled_from([0.2, 0.5, 1])), draw(st.sampled_from([1, 2]))
    return code, {
        n: np.asarray(rng.integers(-reach, reach + 1, size=k) * (rng.random(k) < density)) for n, k in small.items()
    }


@given(coded())
def test_the_orbit_is_what_maps_to_the_representative(drawn):
    """R stays in the orbit, is idempotent, and as many words as counted, of equal masses, map to one."""
    code, integers = drawn
    signs = code.scheme.symbols != "counts"
    chosen = code.representative(integers)
    assert chosen[0].represents(chosen[1])
    orbit = {key(*word): word for word in images(code, integers, signs=signs)}
    assert key(*chosen) in orbit
    fibre = [word for word in orbit.values() if key(*word[0].representative(word[1])) == key(*chosen)]
    assert len(fibre) == code.orbit(integers) == chosen[0].orbit(chosen[1])
    alone = {replace(other, prior=UNPOOLED).mass(table) for other, table in orbit.values()}
    assert len(alone) == 1
    # nothing outside: the fibres of the other fixed points fill the orbit
    others = Counter(key(*word[0].representative(word[1])) for word in orbit.values())
    assert sum(others.values()) == len(orbit) and set(others.values()) == {len(fibre)}


def test_an_orbit_by_hand():
    """Two states and two channels, everything different: 2! 2! orders and 2^(2 + 2 + 1) signs; with zeros fewer."""
    code = Code(layout(2, 2, 1, 1, "none"), NARROW["sparse"], (2, 2), (0,), (0,))
    full = {
        "A": np.array([[1, 2], [3, 4]]),
        "W_B": np.array([[1, 2], [3, 4]]),
        "W_C": np.array([[1, 2], [3, 4]]),
        "W": np.array([[1, 2]]),
        "embedding": np.array([[1, 2]]),
    }
    assert code.orbit(full) == 4 * 32
    assert code.orbit(full | {"W": np.zeros((1, 2), dtype=int)}) == 4 * 32  # W_C still tells g
    assert code.orbit(full | {"W": np.zeros((1, 2), dtype=int), "W_C": np.zeros((2, 2), dtype=int)}) == 4 * 16
    assert code.orbit({name: np.zeros_like(z) for name, z in full.items()}) == 1
    assert code.orbit({name: np.ones_like(z) for name, z in full.items()}) == 32  # copies: one order
    assert replace(code, scheme=NARROW["counts"], symbols=(3,)).orbit(full) == 4
    assert replace(code, prior=UNPOOLED).orbit(full) == 1
    real = layout(2, 2, 1, None, "none")
    del full["embedding"]
    assert Code(real, NARROW["sparse"], (2, 2), (0,), (0,)).orbit(full) == 2 * 8  # inputs fix channels and their signs


@pytest.mark.parametrize("name", ["A", "W_B", "W_C", "q", "W", "embedding", "step of A"])
def test_each_block_tells_channels_apart(name):
    """Copies but for one weight, or for the step of one row: two orders instead of one."""
    model = layout(2, 1, 1, 1)
    code = Code(model, Scheme("full", "row", "model", "sparse"), (2, 1), (0,) * 8, (0,))
    word = {block: np.ones(size, dtype=np.int64) for block, size in model.shapes().items()}
    assert code.orbit(word) == 2**4
    if name in word:
        word[name].flat[1] = 2
    else:
        code = replace(code, steps=(0, 1) + (0,) * 6)
        word["A"][:] = 0
    assert code.orbit(word) == 2 * 2**4


@pytest.mark.parametrize("name", ["A", "W_B", "W_C", "step of W_B", "step of W_C"])
def test_each_block_tells_states_apart(name):
    model = layout(1, 2, 1, None)
    code = Code(model, Scheme("full", "row", "model", "sparse"), (1, 2), (0,) * 8, (0,))
    word = {block: np.ones(size, dtype=np.int64) for block, size in model.shapes().items()}
    assert code.orbit(word) == 2**3
    if name in word:
        word[name].flat[1] = 2
    else:
        block, at = name.split()[-1], 2 if name.endswith("B") else 4
        word[block][:] = 0
        code = replace(code, steps=(0,) * at + (1,) + (0,) * (7 - at))
    assert code.orbit(word) == 2 * 2**3


def test_channels_that_only_look_alike_are_counted_once():
    """The same decays in both channels, no copies: R does not tell them apart, so both orders are representatives."""
    model = layout(2, 3, 1, 1, "none")
    code = Code(model, NARROW["sparse"], (2, 3), (0,), (0,))
    ones = {name: np.ones(size, dtype=np.int64) for name, size in model.shapes().items()}
    _, one = code.representative(ones | {"A": np.array([[1, 2, 3], [2, 3, 1]])})
    _, two = code.representative(moved(code, one, (1, 0), (0, 1, 2))[1])
    assert one["A"].tolist() == [[3, 2, 1], [1, 3, 2]] and two["A"].tolist() == [[3, 2, 1], [2, 1, 3]]
    assert code.orbit(one) == code.orbit(two) == math.factorial(3) * 2**6
    assert len({key(*word) for word in images(code, one, signs=True)}) == 2 * code.orbit(one)


def test_representatives_put_what_is_not_used_last():
    model = layout(3, 2, 1, 2)
    blocks = {name: np.zeros(size) for name, size in model.shapes().items()}
    blocks["A"][2, 1], blocks["W_B"][1, 0], blocks["W"][0, 2] = -1, 2, 1
    last = fit.arranged(model, blocks)
    assert not last["A"][2].any() and not last["W_B"][:, 2].any() and not last["W_B"][1].any()
    assert fit.fitted(model, last, NARROW["sparse"]).kept == (2, 1)
    still = layout(3, 2, 1, None)
    del blocks["embedding"]
    assert fit.arranged(still, blocks)["W"].tolist() == [[0, 0, 1]]  # inputs that are given keep their channels


@given(coded(), st.sampled_from(["code", "paper"]))
def test_signs_change_no_answer_and_orders_little(drawn, convention):
    """Of the program: flips leave the logits as they are, bit for bit up to the sign of 0."""
    code, integers = drawn
    rng, sizes = np.random.default_rng(0), code.layout.sizes()
    d, V = sizes["channels"], sizes.get("tokens")
    x = rng.integers(V, size=(9, 7)) if V else rng.normal(size=(9, 7, d))
    data = Split(x, rng.integers(2, size=9))

    def answers(other: Code, table: Integers) -> np.ndarray:
        weights = assembled({name: table[name] * scale for name, scale in other.scales().items()})
        with np.errstate(all="ignore"):
            return earlier.run(weights, data, convention=convention).z

    z = answers(code, integers)
    t, g = rng.choice([1, -1], size=sizes["states"]), int(rng.choice([1, -1]))
    s = rng.choice([1, -1], size=d) if V else np.ones(d, dtype=int)
    np.testing.assert_array_equal(answers(code, flipped(integers, s, t, g)), z)
    again = answers(*code.representative(integers))
    np.testing.assert_allclose(again, z, rtol=1e-12, atol=1e-12 * np.abs(z).max(initial=1))


def test_large_models_are_quick_and_exact():
    model = layout(16, 8, 3, 40)
    rng = np.random.default_rng(0)
    code = Code(model, Scheme("full", "model", "model", "sparse"), (16, 8), (9,), (0,))
    integers = {name: np.asarray(rng.integers(-9, 10, size=size)) for name, size in model.shapes().items()}
    assert code.orbit(integers) == math.factorial(16) * math.factorial(8) * 2**25
    _, same = code.representative(integers)
    signs = symmetries.positive(model, same)
    assert all(np.array_equal(signs[name], same[name]) for name in same)
