"""Codes of models that are not the paper's: layouts with and without symmetries, by enumeration and by brute force.

``LAYOUTS`` holds each with its symmetries written out a second time, as functions of the tensors.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.codes import fit, tensors
from ssm_bounds.bounds.codes.layout import Flip, Index, Layout, Order, Tensor, row_count
from ssm_bounds.bounds.codes.scheme import SCHEMES, UNPOOLED, Scheme
from ssm_bounds.bounds.codes.symbols import ALPHABETS
from ssm_bounds.bounds.codes.tensors import Code
from ssm_bounds.bounds.values import DomainError

Table = dict[str, np.ndarray]
Move = Callable[[Table], Table]


def linear(inputs: int, hidden: int, outputs: int) -> Layout:
    """``x -> U V x``: hidden units in any order, each with either sign."""
    return Layout(
        (Index("inputs", inputs), Index("units", hidden), Index("outputs", outputs)),
        (Tensor("U", ("outputs", "units")), Tensor("V", ("units", "inputs"))),
        ("units",),
        (Order("units", ("V", "U")),),
        (Flip("units", ("U", "V")),),
        ("V", "U"),
    )


def linear_moves(z: Table, *, signs: bool) -> Iterator[Move]:
    units = len(z["V"])
    for order in map(list, permutations(range(units))):
        for sign in product((1, -1), repeat=units if signs else 0):
            s = np.array(sign or (1,) * units)
            yield lambda x, order=order, s=s: {"U": x["U"][:, order] * s, "V": x["V"][order] * s[:, None]}


def mamba(channels: int, states: int, model: int = 1, taps: int = 1) -> Layout:
    """A Mamba block, x_proj in its three parts: channels in any order, states too, each with either sign of B and C."""
    names = {
        "in_proj": ("halves", "channels", "model"),
        "conv1d.weight": ("channels", "taps"),
        "conv1d.bias": ("channels",),
        "x_proj.dt": ("rank", "channels"),
        "x_proj.B": ("states", "channels"),
        "x_proj.C": ("states", "channels"),
        "dt_proj.weight": ("channels", "rank"),
        "dt_proj.bias": ("channels",),
        "A_log": ("channels", "states"),
        "D": ("channels",),
        "out_proj": ("model", "channels"),
    }
    sizes = {"halves": 2, "model": model, "taps": taps, "rank": 1, "channels": channels, "states": states}
    return Layout(
        tuple(Index(*size) for size in sizes.items()),
        tuple(Tensor(*tensor) for tensor in names.items()),
        ("states",),
        (Order("channels", tuple(names)), Order("states", ("x_proj.B", "x_proj.C", "A_log"))),
        (Flip("states", ("x_proj.B", "x_proj.C")),),
        ("x_proj.B", "x_proj.C"),
    )


def mamba_moves(z: Table, *, signs: bool) -> Iterator[Move]:
    channels, states = z["A_log"].shape
    for c, n in product(map(list, permutations(range(channels))), map(list, permutations(range(states)))):
        for sign in product((1, -1), repeat=states if signs else 0):
            s = np.array(sign or (1,) * states)[:, None]

            def move(x: Table, c=c, n=n, s=s) -> Table:
                own = {name: x[name][c] for name in x if name not in ("in_proj", "out_proj", "D") and "x_" not in name}
                own |= {"in_proj": x["in_proj"][:, c], "D": x["D"][c], "out_proj": x["out_proj"][:, c]}
                own |= {"A_log": x["A_log"][c][:, n], "x_proj.dt": x["x_proj.dt"][:, c]}
                return own | {name: x[name][n][:, c] * s for name in ("x_proj.B", "x_proj.C")}

            yield move


def three(a: int, b: int, c: int) -> Layout:
    """No model: three ordered indices, each tensor with another set of them, signs that overlap, one of all entries."""
    return Layout(
        (Index("a", a), Index("b", b), Index("c", c)),
        (Tensor("ab", ("a", "b")), Tensor("cba", ("c", "b", "a")), Tensor("bc", ("b", "c")), Tensor("one", ())),
        ("b", "c"),
        (Order("c", ("bc", "cba")), Order("a", ("ab", "cba")), Order("b", ("cba", "bc", "ab"))),
        (Flip("b", ("ab", "bc")), Flip("a", ("ab",)), Flip(None, ("one", "bc")), Flip("b", ("cba", "ab"))),
        ("bc", "one", "ab", "cba"),
    )


def three_moves(z: Table, *, signs: bool) -> Iterator[Move]:
    c, b, a = z["cba"].shape
    every = [product((1, -1), repeat=n) if signs else [(1,) * n] for n in (b, a, 1, b)]
    flips = [tuple(map(np.array, flip)) for flip in product(*every)]
    for i, j, k in product(*(map(list, permutations(range(n))) for n in (a, b, c))):
        for s, t, (g,), u in flips:
            yield lambda x, i=i, j=j, k=k, s=s, t=t, g=g, u=u: {
                "ab": x["ab"][np.ix_(i, j)] * s * u * t[:, None],
                "cba": x["cba"][np.ix_(k, j, i)] * u[:, None],
                "bc": x["bc"][np.ix_(j, k)] * s[:, None] * g,
                "one": x["one"] * g,
            }


def still(layout: Layout) -> Layout:
    """The same tensors without any symmetry."""
    return replace(layout, orders=(), flips=(), gauge=())


LAYOUTS = {
    "linear": (linear(2, 3, 1), linear_moves),
    "linear, two units": (linear(1, 2, 2), linear_moves),
    "mamba": (mamba(2, 2), mamba_moves),
    "mamba, three channels": (mamba(3, 1, 2, 2), mamba_moves),
    "three": (three(2, 2, 2), three_moves),
    "three, one of them long": (three(1, 3, 2), three_moves),
    "linear, as it is": (still(linear(2, 2, 2)), lambda z, *, signs: iter([dict])),
    "mamba, as it is": (still(mamba(2, 2)), lambda z, *, signs: iter([dict])),
}


def option_counts(layout: Layout, kept: tuple[int, ...], scheme: Scheme) -> tuple[int, int]:
    shapes = layout.shapes(kept)
    count = {"model": 1, "block": len(shapes), "row": sum(map(row_count, shapes.values()))}
    return count[scheme.steps], count[scheme.pool]


@st.composite
def coded(draw, names=tuple(LAYOUTS)):
    """A word with many zeros and repetitions in a random code."""
    name = draw(st.sampled_from(names))
    layout, scheme = LAYOUTS[name][0], draw(st.sampled_from(SCHEMES))
    sizes = [layout.sizes()[index] for index in layout.narrow]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    kept = tuple(int(rng.integers(1, n + 1)) if scheme.width == "narrow" else n for n in sizes)
    steps, groups = option_counts(layout, kept, scheme)
    symbols = rng.integers(len(ALPHABETS[scheme.symbols]), size=groups).tolist()
    code = Code(layout, scheme, kept, tuple(rng.integers(0, 2, size=steps).tolist()), tuple(symbols))
    density, reach = draw(st.sampled_from([0.2, 0.5, 1])), draw(st.sampled_from([1, 2]))
    return name, code, {
        tensor: np.asarray(rng.integers(-reach, reach + 1, size=shape) * (rng.random(shape) < density))
        for tensor, shape in code.coded().items()
    }  # fmt: skip


def key(code: Code, z: Table):
    return code.steps, tuple(tuple(part.ravel().tolist()) for part in z.values())


def moved(code: Code, z: Table, move: Move) -> tuple[Code, Table]:
    """A word moved: what is said of a row's step goes with the row, as a table of steps of the tensor's shape."""
    found = move(z)
    table = move(
        {name: np.broadcast_to(1 + np.log2(1 / scale), z[name].shape) for name, scale in code.scales().items()}
    )
    rows = [np.abs(table[name]).reshape(row_count(part.shape), -1)[:, 0] - 1 for name, part in z.items()]
    steps = tuple(int(k) for row in rows for k in row) if code.scheme.steps == "row" else code.steps
    return replace(code, steps=steps), {name: np.asarray(found[name]) for name in z}


def orbit_of(name: str, code: Code, z: Table) -> dict:
    moves = LAYOUTS[name][1](z, signs=code.scheme.symbols != "counts")
    return {key(*word): word for word in (moved(code, z, move) for move in moves)}


@given(coded())
def test_the_orbit_is_what_maps_to_the_representative(drawn):
    """R stays in the orbit, is idempotent, and as many words as counted, of equal masses, map to each fixed point."""
    name, code, z = drawn
    chosen = code.representative(z)
    orbit = orbit_of(name, code, z)
    assert key(*chosen) in orbit and chosen[0].represents(chosen[1])
    fibres = Counter(key(*word[0].representative(word[1])) for word in orbit.values())
    assert set(fibres.values()) == {code.orbit(z)} == {chosen[0].orbit(chosen[1])}
    assert len({replace(other, prior=UNPOOLED).mass(table) for other, table in orbit.values()}) == 1


def test_some_orbits_are_large():
    """By hand: 3! orders and 2^3 signs; 2! 2! orders and 2^2 signs, or with one channel twice half as many; 1."""
    sparse = Scheme("full", "model", "model", "sparse")
    for name, different, alike in (("linear", 48, 8), ("mamba", 16, 4), ("mamba, as it is", 1, 1)):
        layout = LAYOUTS[name][0]
        code = Code(layout, sparse, tuple(layout.sizes()[index] for index in layout.narrow), (0,), (0,))
        count = iter(range(1, 10**6))
        z = {tensor: np.fromiter(count, int, math.prod(s)).reshape(s) for tensor, s in layout.shapes().items()}
        assert code.orbit(z) == different == len(orbit_of(name, code, z))
        assert code.orbit({tensor: np.ones_like(part) for tensor, part in z.items()}) == alike


CUT = Layout(  # of a Mamba block: what 3^8 words can hold
    (Index("halves", 2), Index("channels", 2)),
    (Tensor("in_proj", ("halves", "channels")), Tensor("D", ("channels",)), Tensor("out_proj", ("channels",))),
    (),
    (Order("channels", ("in_proj", "D", "out_proj")),),
)
STATES, CHANNELS = ("x_proj.B", "x_proj.C", "A_log"), ("in_proj", "A_log", "out_proj")
# values closed under the symmetries, of all tensors or of some (the others are 1): few enough to enumerate
KRAFT = [
    (linear(1, 2, 1), Scheme("full", "model", "model", "counts"), (-1, 0, 1), None),
    (linear(1, 2, 1), Scheme("full", "row", "block", "sparse"), (-1, 0, 1), None),
    (linear(2, 2, 1), Scheme("narrow", "block", "model", "geometric"), (-1, 0, 1), None),
    (CUT, Scheme("full", "model", "model", "counts"), (-1, 0, 1), None),
    (CUT, Scheme("full", "row", "model", "geometric"), (0, 1), None),
    (still(linear(2, 1, 2)), Scheme("full", "model", "block", "counts"), (-1, 0, 1), None),
    (three(1, 2, 1), Scheme("narrow", "model", "block", "sparse"), (-1, 0, 1), None),
    (mamba(1, 2), Scheme("full", "model", "model", "sparse"), (-1, 0, 1), STATES),
    (replace(mamba(2, 1), flips=(), gauge=()), Scheme("full", "block", "block", "geometric"), (-1, 1), CHANNELS),
]


@pytest.mark.parametrize(("layout", "scheme", "values", "only"), KRAFT)
def test_kraft_sum_is_that_of_the_words(layout, scheme, values, only):
    """Every word of a small alphabet: representatives have all their mass, and no more."""
    shapes, kept = layout.shapes(), tuple(layout.sizes()[index] for index in layout.narrow)
    steps, groups = option_counts(layout, kept, scheme)
    free = {name: shapes[name] for name in only or shapes}
    sizes = [math.prod(shape) for shape in free.values()]
    words, pooled, alone = Fraction(0), Fraction(0), Fraction(0)
    for exponents in product((0, 1), repeat=steps) if scheme.steps == "row" else [(0,) * steps]:
        code = Code(layout, scheme, kept, exponents, (0,) * groups)
        for flat in product(values, repeat=sum(sizes)):
            parts = np.split(np.array(flat), np.cumsum(sizes)[:-1])
            z = {name: np.ones(shape, dtype=np.int64) for name, shape in shapes.items()}
            z |= {name: part.reshape(shape) for (name, shape), part in zip(free.items(), parts, strict=True)}
            mass = replace(code, prior=UNPOOLED).mass(z)
            words += mass
            if code.represents(z):
                pooled, alone = pooled + code.mass(z), alone + mass
    assert pooled == words <= 1
    assert (alone < words) == bool(layout.orders)
    if scheme.symbols == "counts":  # -1, 0, 1 are all there is
        assert words == Fraction(1, code.choices())


@given(coded())
def test_what_is_coded_comes_back(drawn):
    _, code, z = drawn
    whole = code.decoded(z)
    assert {name: part.shape for name, part in whole.items()} == code.layout.shapes()
    back = code.integers(whole)
    assert list(back) == list(z) and all(np.array_equal(back[name], z[name]) for name in z)
    assert all(back[name].shape == z[name].shape and back[name].dtype == np.int64 for name in z)
    assert tensors.recorded(code.layout, code.record()) == code
    ordered = fit.arranged(code.layout, whole)
    assert sorted(np.concatenate([part.ravel() for part in ordered.values()])) == sorted(
        np.concatenate([part.ravel() for part in whole.values()])
    )
    short = fit.shortest(code.layout, ordered)
    again = short.decoded(short.integers(ordered))
    assert all(np.array_equal(again[name], ordered[name]) for name in ordered)
    assert np.isfinite(short.nats(short.integers(ordered)).float_upper())


@given(coded(("linear", "mamba", "three")))
def test_different_integers_are_different_tensors(drawn):
    """One codebook is injective: a step is not 0."""
    _, code, z = drawn
    for name in z:
        other = {tensor: part.copy() for tensor, part in z.items()}
        other[name].flat[-1] += 1
        assert not np.array_equal(code.decoded(other)[name], code.decoded(z)[name])


def test_a_layout_without_symmetries_is_coded_as_it_is():
    layout = LAYOUTS["mamba, as it is"][0]
    rng = np.random.default_rng(0)
    code = Code(layout, SCHEMES[-1], (2,), (0,), (0,))
    z = {name: rng.integers(-3, 4, size=shape) for name, shape in layout.shapes().items()}
    assert code.represents(z) and code.orbit(z) == 1
    assert code.mass(z) == replace(code, prior=UNPOOLED).mass(z)
    assert code.ledger(z)[-1][0] == "symmetries" and code.ledger(z)[-1][2].upper == 0


def test_a_row_is_a_value_of_the_first_of_several_axes():
    layout = mamba(3, 2)
    code = Code(layout, Scheme("full", "row", "model", "sparse"), (2,), (0,) * 20, (0,))
    rows = {name: len(found) for name, found in code.exponents().items()}
    assert rows["in_proj"] == 2 and rows["conv1d.weight"] == 3 and rows["conv1d.bias"] == rows["D"] == 1
    assert sum(rows.values()) == 20
    assert code.scales()["in_proj"].shape == (2, 1, 1) and code.scales()["D"].shape == (1,)
    assert "all states" in str(code) and "every tensor" in str(Code(CUT, SCHEMES[0], (), (0,) * 4, (0,) * 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": (Index("units", 2),)}, "axes"),
        ({"indices": (*linear(2, 2, 2).indices, Index("units", 3))}, "named twice"),
        ({"indices": (*linear(2, 2, 2).indices, Index("more", 3))}, "no tensor carries"),
        ({"indices": (Index("inputs", 0), *linear(2, 2, 2).indices[1:])}, "integer >= 1"),
        ({"tensors": ()}, "different names"),
        ({"tensors": (*linear(2, 2, 2).tensors, Tensor("U", ()))}, "different names"),
        ({"tensors": (*linear(2, 2, 2).tensors, Tensor("X", ("units", "units")))}, "not different indices"),
        ({"narrow": ("rows",)}, "not different indices"),
        ({"narrow": ("units", "units")}, "not different indices"),
        ({"orders": (Order("units", ("U",)),)}, "is carried by"),
        ({"orders": linear(2, 2, 2).orders * 2}, "not different indices"),
        ({"flips": (Flip("inputs", ("U",)),)}, "signs flip tensors of"),
        ({"flips": ()}, "that flip"),
        ({"gauge": ("U",)}, "that flip"),
    ],
)
def test_a_layout_that_does_not_fit_together_is_refused(change, message):
    with pytest.raises(DomainError, match=message):
        replace(linear(2, 2, 2), **change)
    with pytest.raises(DomainError, match="kept: expected one number for each"):
        Code(linear(2, 2, 2), SCHEMES[0], (), (0, 0), (0, 0))
