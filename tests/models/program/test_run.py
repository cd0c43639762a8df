"""Whole models: the vectors, a second writing number by number, real arithmetic, and that no bit depends on company."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba.forward import block as real_block
from ssm_bounds.models.mamba.forward import normed
from ssm_bounds.models.mamba.weights import GatedNorm, InnerNorms, Norm
from ssm_bounds.models.program import blocks, primitives, run, vectors
from ssm_bounds.models.program.evaluate import digest, logits
from ssm_bounds.models.program.run import prepared
from ssm_bounds.models.program.stack import Embedding, Projection, Stack
from tests.models.program import oracle
from tests.models.program.models import KINDS, inputs, same, stack

POOLINGS = ("mean", "last", "none")
EXAMPLES = {
    "mamba1": (vectors.mamba1(), vectors.REAL, vectors.LOGITS1),
    "mamba2": (vectors.mamba2(), vectors.TOKENS, vectors.LOGITS2),
}


@pytest.mark.parametrize("kind", KINDS)
class TestVectors:
    def test_twice(self, kind):
        model, x, words = EXAMPLES[kind]
        expected = [[float.fromhex(word) for word in row] for row in words]
        assert logits(prepared(model), x, vectors.LENGTHS).tolist() == expected
        for row, length, z in zip(x, vectors.LENGTHS, expected, strict=True):
            assert oracle.logits(model, row, length) == [z]

    def test_each_tensor_counts(self, kind):
        """The vectors would see a tensor that is left out, or taken in another order."""
        model, x, _ = EXAMPLES[kind]
        expected = logits(prepared(model), x, vectors.LENGTHS)
        for layer in model.layers:
            for name in layer.mixer.__slots__:
                value = getattr(layer.mixer, name)
                if isinstance(value, np.ndarray) and value.any():
                    changed = replace(layer, mixer=replace(layer.mixer, **{name: np.flip(value).copy()}))
                    others = tuple(changed if other is layer else other for other in model.layers)
                    assert not same(logits(prepared(replace(model, layers=others)), x, vectors.LENGTHS), expected), name


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "real"])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_second_writing(kind, tokens, pooling):
    sizes = {
        "mamba1": {"N": 3, "R": 2, "k": 4},
        "mamba2": {"N": 3, "H": 4, "G": 2, "k": 2, "gated": GatedNorm(np.ones(16), 1e-5, 4)},
    }
    model = stack(1, kind, tokens, pooling, **sizes[kind])
    x, lengths = inputs(2, 3, 6, tokens)
    found = logits(prepared(model), x, lengths)
    rows = [oracle.logits(model, row, int(n)) for row, n in zip(x, lengths, strict=True)]
    assert [[a.hex() for a in z] for z in found.tolist()] == [[a.hex() for a in z] for row in rows for z in row]


@pytest.mark.parametrize("last", ["no norm", "the mean before the norm"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_ends_of_a_classifier_equal_the_second_writing(kind, last):
    made = stack(3, kind)
    model = replace(made, norm=None) if last == "no norm" else replace(made, pool_before_norm=True)
    x, lengths = inputs(4, 5, 7)
    rows = [oracle.logits(model, row, int(n))[0] for row, n in zip(x, lengths, strict=True)]
    found = logits(prepared(model), x, lengths)
    assert found.tolist() == rows and not same(found, logits(prepared(made), x, lengths))


def test_a_head_of_what_was_pooled_gives_the_same_bits():
    program = prepared(stack(7, pooling="last"))
    x, lengths = inputs(8, 40, 9)
    before = run.pooled(program, x, lengths)
    assert same(run.headed(program.head, before), logits(program, x, lengths))
    assert same(
        run.headed(program.head, run.pooled(program, x[::-1], lengths[::-1]))[::-1].copy(), logits(program, x, lengths)
    )


def test_the_mean_is_taken_before_a_norm_that_there_is():
    for changed in ({"norm": None}, {"pooling": "last"}):
        with pytest.raises(DomainError, match="pool_before_norm"):
            replace(stack(1), pool_before_norm=True, **changed)


def test_without_a_norm_of_the_gate_and_with_one_tap():
    model = stack(5, "mamba2", k=1, gated=None, limits=(0.01, 0.05))
    x, lengths = inputs(6, 2, 5)
    rows = [oracle.logits(model, row, int(n))[0] for row, n in zip(x, lengths, strict=True)]
    assert logits(prepared(model), x, lengths).tolist() == rows


def in_reals(model: Stack, row: np.ndarray) -> np.ndarray:
    """The same model in plain float64, by theory M0."""
    entry = model.entry
    h = entry.E[row] if isinstance(entry, Embedding) else row @ entry.W.T + entry.b
    for layer in model.layers:
        h = h + real_block(layer, h)
    h = normed(model.norm, h)
    pooled = {"mean": h.mean(axis=0), "last": h[-1], "none": h}[model.pooling]
    return pooled @ model.head.T + model.bias


class TestRealArithmetic:
    @settings(max_examples=25)
    @given(st.integers(0, 10**6), st.sampled_from(KINDS), st.booleans(), st.sampled_from(POOLINGS))
    def test_agrees(self, seed, kind, tokens, pooling):
        model = stack(seed, kind, tokens, pooling, D=4 * (1 + seed % 3))
        x, _ = inputs(seed, 2, 9, tokens)
        expected = np.concatenate([np.atleast_2d(in_reals(model, row)) for row in x])
        found = logits(prepared(model), x)
        assert np.abs(found - expected).max() <= 3e-5 * np.abs(expected).max()

    def test_not_to_the_last_bit(self):
        """18 bits of a weight are what they are: a program without rounding is another."""
        model = stack(0)
        x, _ = inputs(0, 20, 9)
        expected = np.stack([in_reals(model, row) for row in x])
        assert np.abs(logits(prepared(model), x) - expected).max() > 1e-7 * np.abs(expected).max()


class TestCompany:
    """A row's logits are the same alone, in any batch, place and padding, and for any size of the pieces."""

    @settings(max_examples=15)
    @given(st.integers(0, 10**6), st.sampled_from(KINDS), st.booleans(), st.sampled_from(POOLINGS))
    @example(0, "mamba1", True, "none")
    @example(0, "mamba2", False, "last")
    def test_batches_permutations_and_padding(self, seed, kind, tokens, pooling):
        rng = np.random.default_rng(seed)
        program = prepared(stack(seed, kind, tokens, pooling))
        x, lengths = inputs(seed, 9, 7, tokens)
        whole = logits(program, x, lengths)
        ends = np.cumsum(lengths)[:-1] if pooling == "none" else np.arange(1, 9)
        rows = np.split(whole, ends)
        alone = [logits(program, row[None, :n]) for row, n in zip(x, lengths, strict=True)]
        assert all(map(same, rows, alone))
        order = rng.permutation(9)
        there = logits(program, x[order], lengths[order])
        assert same(there, np.concatenate([rows[i] for i in order]))
        rubbish = rng.integers(-(10**9), 10**9, (9, 11)) if tokens else np.full((9, 11, 2), np.nan)
        inside = np.arange(7) < lengths[:, None]
        rubbish[:, :7][inside] = x[inside]
        assert same(logits(program, rubbish, lengths), whole)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_pieces(self, kind, pooling, monkeypatch):
        program = prepared(stack(3, kind, True, pooling))
        x, lengths = inputs(4, 40, 13)
        whole = digest(logits(program, x, lengths))
        for rows, positions, states, at_once in ((1, 1, 1, 5), (7, 14, 200, 64), (64, 1 << 20, 1 << 20, 1 << 20)):
            monkeypatch.setattr(run, "ROWS", rows)
            monkeypatch.setattr(run, "POSITIONS", positions)
            monkeypatch.setattr(blocks, "STATES_AT_ONCE", states)
            monkeypatch.setattr(primitives, "AT_ONCE", at_once)
            assert digest(logits(program, x, lengths)) == whole

    def test_a_float32_product_would_be_seen(self, monkeypatch):
        program = prepared(stack(3, D=64))
        x, _ = inputs(4, 64, 5)
        product = lambda W, q: (W.astype(np.float32) @ q.astype(np.float32)).astype(float)  # noqa: E731
        monkeypatch.setattr(primitives, "product", product)
        whole = run.run(program, x)
        alone = np.concatenate([run.run(program, row[None]) for row in x])
        assert not same(whole, alone)


class TestNotOk:
    def test_a_row_without_finite_inputs_is_nan_and_no_other(self):
        program = prepared(stack(0, tokens=False))
        x, _ = inputs(0, 4, 6, tokens=False)
        expected = logits(program, x)
        for value in (np.nan, np.inf, 2.0**500, -1e308):
            broken = x.copy()
            broken[2, 3, 1] = value
            found = logits(program, broken)
            assert np.isnan(found[2]).all() and same(np.delete(found, 2, 0), np.delete(expected, 2, 0))
            lengths = np.array([6, 6, 3, 6])  # the position lies behind the end
            assert np.isfinite(logits(program, broken, lengths)).all()

    @pytest.mark.parametrize("positions", [1 << 11, 4, 1])
    def test_a_position_that_is_not_ok_ends_a_text(self, monkeypatch, positions):
        monkeypatch.setattr(run, "POSITIONS", positions)
        program = prepared(stack(0, tokens=False, pooling="none"))
        x, _ = inputs(0, 2, 6, tokens=False)
        expected, broken = logits(program, x), x.copy()
        broken[0, 3] = np.nan
        found = logits(program, broken)
        assert np.isnan(found[3:6]).all() and same(np.delete(found, [3, 4, 5], 0), np.delete(expected, [3, 4, 5], 0))
        assert same(
            found, np.concatenate([oracle.logits(stack(0, tokens=False, pooling="none"), r, 6) for r in broken])
        )

    @pytest.mark.parametrize("kind", KINDS)
    def test_overflow_inside_is_nan(self, kind):
        """Weights of 2^490: some sum leaves the range, and no warning or number comes of it."""
        model = stack(0, kind)
        layer = model.layers[0]
        huge = replace(layer, mixer=replace(layer.mixer, K=layer.mixer.K * 2.0**600))
        model = replace(model, layers=(huge, model.layers[1]))
        assert np.isnan(logits(prepared(model), inputs(0, 3, 4)[0])).all()

    @pytest.mark.parametrize("pooling", POOLINGS)
    def test_each_norm_and_product_is_asked(self, pooling):
        """What is 2^500 or more at one place and less at the next."""
        model, x, huge = stack(0, pooling=pooling), inputs(0, 3, 4)[0], 2.0**510
        first, last = model.layers

        def mixer(layer, **change):
            return replace(layer, mixer=replace(layer.mixer, **change))

        def normed_by(layer, factor):
            return replace(layer, norm=replace(layer.norm, gamma=layer.norm.gamma * factor))

        b_o, wide, low = np.full(8, huge), np.full(16, huge), np.full(2, huge)
        less = normed_by(last, 2.0**-40)
        for place, layers, factor in (
            ("head", (first, last), huge),
            ("last norm", (first, mixer(last, b_o=b_o)), 2.0**-40),
            ("norm of a block", (mixer(first, b_o=b_o), mixer(less, b_o=-b_o)), 1.0),
            ("in_proj", (normed_by(first, huge), last), 1.0),
            ("x_proj", (mixer(first, b=wide, D=first.mixer.D * 2.0**-100, c_B=np.zeros(4)), last), 1.0),
            ("dt_proj", (mixer(first, c_dt=low, W_dt=first.mixer.W_dt * 2.0**-95), last), 1.0),
            ("out_proj", (mixer(first, c_z=wide), last), 1.0),
        ):
            norm = replace(model.norm, gamma=model.norm.gamma * factor)
            assert np.isnan(logits(prepared(replace(model, layers=layers, norm=norm)), x)).all(), place

    def test_the_norm_of_the_gate_is_asked(self):
        model, x = stack(0, "mamba2"), inputs(0, 3, 4)[0]
        first, last = model.layers
        changed = replace(first.mixer, c_z=np.full(16, 2.0**510), norm=GatedNorm(np.full(16, 2.0**-40), 1e-5, 1))
        assert np.isnan(logits(prepared(replace(model, layers=(replace(first, mixer=changed), last))), x)).all()


class TestRefusals:
    def test_inputs(self):
        words, numbers = prepared(stack(0)), prepared(stack(0, tokens=False))
        for program, x, lengths, message in (
            (words, np.zeros((2, 3)), None, r"expected tokens \(n, T\), found float64"),
            (words, np.full((2, 3), 5), None, r"tokens have to lie in 0..4, found 5 to 5"),
            (words, np.array([[0, 1, -1]]), None, r"0..4, found -1 to 1"),
            (numbers, np.zeros((2, 3, 4)), None, r"expected real inputs \(n, T, 2\)"),
            (words, np.zeros((2, 3), int), [3, 4], r"lengths have to lie in 1..3, found 3 to 4"),
            (words, np.zeros((2, 3), int), [0, 3], r"1..3, found 0 to 3"),
            (words, np.zeros((2, 3), int), [3], r"expected 2 integers"),
            (words, np.zeros((2, 3), int), [3.0, 3.0], r"expected 2 integers"),
            (words, np.zeros((2, 0), int), None, r"1..0"),
        ):
            with pytest.raises(DomainError, match=message):
                logits(program, x, lengths)
        assert logits(words, np.zeros((0, 3), int)).shape == (0, 3)

    def test_stacks(self):
        one, two = stack(0), stack(0, "mamba2")
        layer, other = one.layers[0], two.layers[0]
        mixers = (
            (layer, {"inner": InnerNorms(np.ones(2), np.ones(4), np.ones(4), 1e-5)}, "no inner norms"),
            (layer, {"convolution": "same"}, "no convolution that looks ahead"),
            (layer, {"directions": 2}, "one direction"),
            (layer, {"step_offset": 1e-4}, "no offset of steps"),
            (layer, {"p": np.zeros(3)}, r"p has to be float64 \(16\), found float64 \(3,\)"),
            (layer, {"D": np.ones(16, np.float32)}, "D has to be float64"),
            (layer, {"A_log": np.zeros(16)}, "A_log has to be float64"),
            (layer, {"W_o": np.full((8, 16), np.nan)}, "W_o has entries that are not finite"),
            (other, {"norm": GatedNorm(np.ones(16), 1e-5, 1, before_gate=True)}, "after the gate"),
            (other, {"norm": GatedNorm(np.ones(16), 0.0, 1)}, "eps"),
            (other, {"norm": GatedNorm(np.ones(16), 1e-5, 3)}, "3 norm groups"),
            (other, {"groups": 3}, "groups 3"),
            (other, {"limits": (1.0, 0.5)}, "limits"),
        )
        for at, change, message in mixers:
            with pytest.raises(DomainError, match=message):
                replace(one, layers=(replace(at, mixer=replace(at.mixer, **change)),))
        for change, message in (
            ({"norm": Norm("layer", np.ones(8), 1e-5)}, "RMS norms"),
            ({"norm": Norm("rms", np.ones(8), 1e-5, np.ones(8))}, "RMS norms"),
            ({"norm": Norm("rms", np.ones(8), 0.0)}, "eps"),
            ({"layers": (replace(layer, norm=None),)}, "layers.0: the program has RMS norms"),
            ({"bias": np.zeros(2)}, "bias"),
            ({"entry": Embedding(np.ones((3, 7)))}, "E has to be"),
            ({"entry": Projection(np.ones((7, 1)), np.ones(8))}, "W has to be"),
            ({"pooling": "max"}, "pooling"),
            ({"head": np.zeros((2**17 + 1, 8)), "bias": np.zeros(2**17 + 1)}, "at most 131072 outputs"),
        ):
            with pytest.raises(DomainError, match=message):
                replace(one, **change)

    def test_weights_beyond_the_range(self):
        with pytest.raises(DomainError, match=r"2\^500"):
            prepared(replace(stack(0), head=np.full((3, 8), 2.0**500)))
