"""The exact program of the paper's model: vectors, a second writing, real arithmetic; and that nothing else counts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import bits
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.program import primitives
from ssm_bounds.models.selective_ssm import earlier, program, selftest, states, vectors
from ssm_bounds.models.selective_ssm.program import prepared, run
from ssm_bounds.models.selective_ssm.programs import EARLIER, EXACT, recorded
from ssm_bounds.models.selective_ssm.selftest import logits
from ssm_bounds.models.selective_ssm.weights import SHAPES, Weights
from ssm_bounds.models.tasks.task import Split
from tests.conftest import ROOT
from tests.models.program import oracle
from tests.models.program.models import same
from tests.models.program.test_primitives import hexes
from tests.models.selective_ssm.test_radius import exact_logits, ordinary, rotation

WAYS = [(gate, convention) for gate in ("softplus", "none") for convention in ("code", "paper")]


def model(seed: int, *, tokens: bool, k: int = 3, d: int = 4, N: int = 3, V: int = 5) -> Weights:
    """Decays of either sign."""
    rng = np.random.default_rng(seed)
    return Weights(
        A=rng.normal(scale=2, size=(d, N)) - 1,
        W_B=rng.normal(size=(N, d)),
        W_C=rng.normal(size=(N, d)),
        q=rng.normal(size=d),
        p=float(rng.normal()),
        W=rng.normal(size=(k, d)),
        embedding=rng.normal(size=(V, d)) if tokens else None,
    )


def inputs(seed: int, n: int, T: int, *, tokens: bool, d: int = 4, V: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(V, size=(n, T)) if tokens else rng.normal(size=(n, T, d))


def second(weights: Weights, x: np.ndarray, gate: str, convention: str) -> np.ndarray:
    rows = x if weights.embedding is None else weights.embedding[x]
    return np.array([oracle.paper(weights, row.tolist(), gate, convention) for row in rows])


class TestVectors:
    @pytest.mark.parametrize("name", vectors.EXAMPLES)
    def test_twice(self, name):
        given_ = vectors.EXAMPLES[name]
        expected = np.array([[float.fromhex(word) for word in row] for row in given_.logits])
        found = logits(given_.weights, given_.x, gate=given_.gate, convention=given_.convention)
        assert same(found, expected)
        assert same(second(given_.weights, given_.x, given_.gate, given_.convention), expected)

    @pytest.mark.parametrize("name", vectors.EXAMPLES)
    def test_close_to_real_arithmetic(self, name):
        """Balls of 600 bits, one number at a time; and not equal, or nothing was rounded."""
        given_ = vectors.EXAMPLES[name]
        weights, words = given_.weights, given_.logits
        for x, row in zip(given_.x, words, strict=True):
            u = x if weights.embedding is None else weights.embedding[x]
            with bits(600):
                exact = exact_logits(weights, u, gate=given_.gate, convention=given_.convention)
                for word, value in zip(row[-weights.k :], exact, strict=True):
                    assert 1e-13 < abs(float(arb(float.fromhex(word)) - value)) < 1e-6

    def test_each_tensor_counts(self):
        given_ = vectors.EXAMPLES["tokens"]
        expected = logits(given_.weights, given_.x)
        for name in SHAPES:
            value = np.asarray(getattr(given_.weights, name))
            changed = -value if value.ndim == 0 else np.flip(value).copy()
            weights = replace(given_.weights, **{name: changed.item() if changed.ndim == 0 else changed})
            assert not same(logits(weights, given_.x), expected), name
        for gate, convention in WAYS[1:]:
            assert not same(logits(given_.weights, given_.x, gate=gate, convention=convention), expected)

    def test_the_page_shows_them(self):
        page = hexes((ROOT / "docs" / "theory" / "08-data.md").read_text(encoding="utf-8"))
        words = [word for each in vectors.EXAMPLES.values() for row in each.logits for word in row]
        assert len(words) == 10 and {float.fromhex(word).hex() for word in words if float.fromhex(word)} <= page


@given(
    seed=st.integers(0, 10**6),
    tokens=st.booleans(),
    way=st.sampled_from(WAYS),
    k=st.sampled_from([1, 2, 3]),
    T=st.integers(1, 6),
)
@example(0, True, ("softplus", "paper"), 1, 1)
def test_equals_the_second_writing(seed, tokens, way, k, T):
    gate, convention = way
    weights, x = model(seed, tokens=tokens, k=k), inputs(seed, 3, T, tokens=tokens)
    found = run(prepared(weights, gate=gate, convention=convention), x)
    assert same(found + 0.0, second(weights, x, gate, convention))
    assert not np.signbit(found[found == 0]).any()


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize(("gate", "convention"), WAYS)
def test_close_to_the_earlier_program(tokens, gate, convention):
    """To a few units of 2^-18 of the largest logit, the rounding of a weight, and further than float64's."""
    weights, data = ordinary(3, k=3, tokens=tokens, T=30)
    z = logits(weights, data.x, gate=gate, convention=convention)
    before = earlier.run(weights, data, gate=gate, convention=convention).z
    error = np.abs(z - before).max() / np.abs(before).max()
    assert 1e-8 < error < 2.0**-14


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("convention", ["code", "paper"])
def test_no_bit_depends_on_company(tokens, convention, monkeypatch):
    weights, x = model(1, tokens=tokens), inputs(2, 41, 23, tokens=tokens)
    ours = prepared(weights, gate="softplus", convention=convention)
    whole = run(ours, x)
    assert len(np.unique(whole, axis=0)) == 41
    assert same(np.concatenate([run(ours, x[i : i + 1]) for i in range(41)]), whole)
    assert same(run(ours, x[::-1])[::-1].copy(), whole) and same(run(ours, np.asfortranarray(x)), whole)
    for place, name in ((program, "TOKENS"), (program, "AT_ONCE"), (program, "STATES_AT_ONCE"), (states, "AT_ONCE")):
        monkeypatch.setattr(place, name, 100)
        assert same(run(ours, x), whole)
    monkeypatch.setattr(primitives, "AT_ONCE", 7)
    assert same(run(prepared(weights, gate="softplus", convention=convention), x), whole)


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64])
def test_tokens_of_any_type(kind):
    weights, x = model(1, tokens=True), inputs(2, 5, 6, tokens=True)
    assert same(logits(weights, x.astype(kind)), logits(weights, x))


def test_reals_of_float32_are_what_they_are():
    weights, x = model(1, tokens=False), inputs(2, 5, 6, tokens=False).astype(np.float32)
    assert same(logits(weights, x), logits(weights, x.astype(np.float64)))


class TestNotOk:
    """A row with an input, a state or an output beyond range has no logits, and is an error; others do not see it."""

    @pytest.mark.parametrize("at", [0, 3, 5])
    @pytest.mark.parametrize("convention", ["code", "paper"])
    @pytest.mark.parametrize("value", [2.0**500, 1e300])
    def test_an_input(self, at, convention, value):
        weights, x = model(4, tokens=False), inputs(5, 4, 6, tokens=False)
        x[1, at, 2] = value
        found = logits(weights, x, convention=convention)
        assert np.isnan(found[1]).all() and np.isfinite(found[[0, 2, 3]]).all()
        assert same(found, second(weights, x, "softplus", convention))

    def test_an_embedding_row(self):
        weights, x = model(4, tokens=True), np.array([[0, 1, 2], [0, 4, 1], [4, 0, 0], [1, 1, 4], [1, 1, 1]])
        E = weights.embedding.copy()
        E[4, 0] = 1e200
        for convention in ("code", "paper"):
            found = logits(replace(weights, embedding=E), x, convention=convention)
            assert np.isnan(found[1:4]).all() and np.isfinite(found[[0, 4]]).all()
            assert same(found[[0, 4]], logits(weights, x, convention=convention)[[0, 4]])

    def test_a_state_that_grows_without_end(self):
        weights = replace(model(4, tokens=True), A=np.full((4, 3), 90.0), q=np.zeros(4), p=8.0)
        x = inputs(5, 4, 6, tokens=True)
        with np.errstate(all="raise"):
            found = logits(weights, x)
        assert np.isnan(found).all()
        assert EXACT.run(weights, Split(x, np.arange(4) % 3), "softplus", "code").errors == 4

    @pytest.mark.parametrize("name", ["W_B", "W_C", "q", "W"])
    def test_weights_that_are_no_weights(self, name):
        weights = model(4, tokens=True)
        with pytest.raises(DomainError, match=r"below 2\^500"):
            prepared(replace(weights, **{name: getattr(weights, name) * 2.0**501}), gate="none", convention="code")


@pytest.mark.parametrize(
    ("tokens", "x", "message"),
    [
        (True, np.zeros((2, 3, 4)), r"expected tokens \(n, T\), found float64 of shape \(2, 3, 4\)"),
        (True, np.zeros((2, 3)), r"expected tokens \(n, T\), found float64"),
        (True, np.array([[0, 5]]), r"0\.\.4, found 0 to 5"),
        (True, np.array([[-1, 4]]), r"0\.\.4, found -1 to 4"),
        (True, np.zeros((2, 0), dtype=int), r"found int64 of shape \(2, 0\)"),
        (False, np.zeros((2, 3, 5)), r"expected real inputs \(n, T, 4\), found float64 of shape \(2, 3, 5\)"),
        (False, np.zeros((2, 3), dtype=int), r"expected real inputs \(n, T, 4\)"),
    ],
)
def test_refused_inputs(tokens, x, message):
    with pytest.raises(DomainError, match=message):
        logits(model(0, tokens=tokens), x)


def test_no_rows_have_no_logits():
    assert logits(model(0, tokens=True), np.zeros((0, 3), dtype=int)).shape == (0, 3)


class TestErrors:
    def test_one_output_stands_beside_a_zero(self):
        weights, x = model(6, tokens=True, k=1), inputs(7, 50, 9, tokens=True)
        z = logits(weights, x)
        assert z.shape == (50, 2) and not z[:, 0].any()
        for label in (0, 1):
            right = z[:, 1] > 0 if label else z[:, 1] < 0
            found = EXACT.run(weights, Split(x, np.full(50, label)), "softplus", "code")
            assert found.errors == 50 - right.sum() and 0 < found.errors < 50

    def test_a_tie_is_an_error_whatever_the_label(self):
        for k in (1, 3):
            weights = replace(model(6, tokens=True, k=k), W=np.zeros((k, 4)))
            data = Split(inputs(7, 8, 9, tokens=True), np.arange(8) % max(k, 2))
            assert EXACT.run(weights, data, "softplus", "code").errors == 8
        one = model(6, tokens=True)  # in the paper's convention nothing has entered the state of a single token
        data = Split(np.zeros((3, 1), dtype=int), np.arange(3))
        assert EXACT.run(one, data, "softplus", "paper").errors == 3

    def test_what_cancels_in_real_arithmetic_ties(self):
        """Margins of 0, where float64 sums leave a residue: it is below the last of the 23 bits that are read."""
        weights, data = rotation(1)
        z = earlier.run(weights, data).z
        assert earlier.errors(z, data.y) < data.m == EARLIER.run(weights, data, "softplus", "code").errors
        found = EXACT.run(weights, data, "softplus", "code")
        assert found.errors == data.m and not found.z.any()

    def test_labels_without_an_output(self):
        with pytest.raises(DomainError, match=r"0\.\.2"):
            EXACT.run(model(0, tokens=True), Split(np.zeros((2, 3), dtype=int), np.array([0, 3])), "none", "code")


class TestSelfTest:
    @pytest.fixture(autouse=True)
    def anew(self):
        selftest._require_vectors.cache_clear()
        yield
        selftest._require_vectors.cache_clear()

    def test_once_in_a_process(self):
        for _ in range(2):
            logits(model(0, tokens=True), inputs(0, 1, 1, tokens=True))
        assert selftest._require_vectors.cache_info().misses == 1

    @pytest.mark.parametrize(
        ("place", "name", "change"),
        [
            (program, "softplus", lambda f: lambda x: f(x) * (1 + 2.0**-20)),
            (program, "exp", lambda f: lambda x: f(x) * (1 + 2.0**-20)),
            (program, "gathered", lambda f: lambda decay, inject, tokens: f(decay, inject, tokens[::-1])),
            (program, "mm", lambda f: lambda x, W: (f(x, W)[0] * (1 + 2.0**-20), f(x, W)[1])),
        ],
    )
    def test_what_the_vectors_show_is_refused(self, monkeypatch, place, name, change):
        monkeypatch.setattr(place, name, change(getattr(place, name)))
        with pytest.raises(DomainError, match="the example of the paper's model, tokens, gives"):
            logits(model(0, tokens=True), inputs(0, 1, 1, tokens=True))

    def test_the_real_example_sees_another_loop(self, monkeypatch):
        monkeypatch.setattr(program, "carried", lambda state, decays, new: new.sum(axis=0) + state)
        with pytest.raises(DomainError, match="the example of the paper's model, real, gives"):
            logits(model(0, tokens=True), inputs(0, 1, 1, tokens=True))


class TestNames:
    def test_what_is_recorded_is_read_back(self):
        for known in (EXACT, EARLIER):
            assert recorded({"program": known.record()}) is known
        assert recorded({}) is recorded({"errors": 3}) is EARLIER
        assert str(EXACT) == "ssm-bounds 8.13, version 1" and str(EARLIER) == "ssm-bounds selective SSM, version 1"

    @pytest.mark.parametrize(
        "said",
        [
            None,
            {},
            "ssm-bounds 8.13",
            ["ssm-bounds 8.13", 1],
            {"name": "ssm-bounds 8.13"},
            {"name": "ssm-bounds 8.13", "version": 2},
            {"name": "ssm-bounds 8.13", "version": True},
            {"name": "ssm-bounds 8.13", "version": 1.0},
            {"name": "ssm-bounds 8.13", "version": "1"},
            {"name": "other\nprogram", "version": 1},
            {"name": "ssm-bounds 8.13", "version": 1, "more": 0},
            {"name": "x" * 10**6, "version": 1},
        ],
    )
    def test_any_other_is_refused_in_one_line(self, said):
        with pytest.raises(
            DomainError, match=r"this version of the tool knows ssm-bounds 8\.13, version 1 and"
        ) as found:
            recorded({"program": said})
        assert "\n" not in str(found.value) and len(str(found.value)) < 400


def test_majority_reference(shared):
    """As many errors as by the earlier program and by proof."""
    from ssm_bounds.models.files import checkpoint
    from ssm_bounds.models.tasks.files import read_task

    weights = checkpoint.read(shared / "checkpoints" / "majority_T200_m1000_seed1.pth").weights
    data = read_task(shared / "data" / "majority_T200_seed1.npz").train
    before, now = (each.run(weights, data, "softplus", "code") for each in (EARLIER, EXACT))
    assert before.errors == now.errors == 29 and math.isfinite(now.z.sum())
    assert np.abs(before.z - now.z).max() < 3e-5 * np.abs(before.z).max()
