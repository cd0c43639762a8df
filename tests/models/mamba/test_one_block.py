"""One block in tables: the same function of tokens, its scores with a proven radius, and its prior."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba.telescope import BLOCKS, OF_TOKENS
from ssm_bounds.bounds.architectures.mamba.windows import Windows
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba import forward
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.prior import SEEDS, prior
from ssm_bounds.models.mamba.scores import scores
from ssm_bounds.models.mamba.tables import middle, mixer, readout, tables
from ssm_bounds.models.mamba.weights import InnerNorms, Mamba1, Norm
from tests.mamba import around, normal

V, D, d, N, R, k, T = 3, 4, 6, 2, 2, 3, 9


def classifier(seed: int = 0, outputs: int = 1, **changed: object) -> Classifier:
    draw = normal(seed)
    block = Mamba1(
        draw(d, D), draw(d, D), draw(d), draw(d), draw(d, k), draw(d), draw(R, d), draw(N, d), draw(N, d),
        np.zeros(R), np.zeros(N), np.zeros(N), draw(d, R), draw(d), draw(d, N), draw(d), draw(D, d), draw(D),
    )  # fmt: skip
    return around(block, draw, V, D, outputs, **changed)


def rows(m: int = 30, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, V, size=(m, T))


def by_hand(model: Classifier, x: np.ndarray, length: int) -> float:
    """The logit, or the difference of two."""
    h = model.embedding[x[:length]]
    h = h + forward.block(model.layers[0], h)
    read = h[-1] if model.pooling == "last" else h.mean(axis=0)
    if model.final_norm is not None:
        read = forward.normed(model.final_norm, read)
    z = model.score @ read + model.bias
    return float(z[0] if len(z) == 1 else z[1] - z[0])


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_tables_are_the_same_function(outputs, pooling):
    model = classifier(outputs=outputs, pooling=pooling)
    x, lengths = rows(), np.random.default_rng(2).integers(1, T + 1, size=30)
    found = scores(tables(model), Windows.of(V, k, T), x, lengths, mean=pooling == "mean")
    expected = np.array([by_hand(model, row, n) for row, n in zip(x, lengths, strict=True)])
    assert np.abs(found.at - expected).max() <= 1e-9 * np.abs(expected).max()
    # a control: without what stands between embedding and output the function is another
    wrong = tables(model) | {"D": (0 * tables(model)["D"][0],) * 2}
    other = scores(wrong, Windows.of(V, k, T), x, lengths, mean=pooling == "mean")
    assert np.abs(other.at - expected).max() > 1e-3


def test_a_final_norm_is_a_positive_factor():
    """theory M5.2: the sign, and only the sign, is that of the model with the norm."""
    model = classifier(final_norm=Norm("rms", np.array([0.5, 2.0, -1.0, 1.0]), 1e-5), bias=np.zeros(1))
    found = scores(tables(model), Windows.of(V, k, T), rows(), np.full(30, T), mean=False)
    expected = np.array([by_hand(model, row, T) for row in rows()])
    assert (np.sign(found.at) == np.sign(expected)).all() and np.abs(found.at - expected).max() > 0.1


@pytest.mark.parametrize("beta", [None, np.array([0.1, -0.3, 0.7, 0.2])])
def test_a_layer_norm_is_folded_too(beta):
    model = classifier()
    layer = replace(model.layers[0], norm=Norm("layer", np.array([1.5, 2.0, -1.0, 1.0]), 1e-5, beta))
    model = replace(model, layers=(layer,))
    found = scores(tables(model), Windows.of(V, k, T), rows(), np.full(30, T), mean=False)
    expected = np.array([by_hand(model, row, T) for row in rows()])
    assert np.abs(found.at - expected).max() <= 1e-9 * np.abs(expected).max()


def exactly(model: Classifier, x: list[int]) -> mpmath.mpf:
    """z of one row with 60 digits, from the definition."""
    mp, w = mpmath.mp, model.layers[0].mixer
    row = lambda values: [mpmath.mpf(float(v)) for v in values]  # noqa: E731
    dot = lambda a, b: mpmath.fsum(p * q for p, q in zip(a, b, strict=True))  # noqa: E731
    silu = lambda v: v / (1 + mp.exp(-v))  # noqa: E731
    gamma, xs, zs, out = row(model.layers[0].norm.gamma), [], [], mpmath.mpf(0)
    for token in x:
        e = row(model.embedding[token])
        size = mp.sqrt(dot(e, e) / D + mpmath.mpf(1e-5))
        v = [p * g / size for p, g in zip(e, gamma, strict=True)]
        xs.append([dot(row(w.R_x[j]), v) + float(w.c[j]) for j in range(d)])
        zs.append([dot(row(w.R_z[j]), v) + float(w.c_z[j]) for j in range(d)])
    state = [[mpmath.mpf(0)] * N for _ in range(d)]
    for t in range(len(x)):
        a = [
            float(w.b[j]) + mpmath.fsum(float(w.K[j, i]) * xs[t - i][j] for i in range(min(t + 1, k))) for j in range(d)
        ]
        u = list(map(silu, a))
        low, B, C = ([dot(row(r), u) for r in matrix] for matrix in (w.X_dt, w.X_B, w.X_C))
        for j in range(d):
            step = mp.log1p(mp.exp(float(w.p[j]) + dot(row(w.W_dt[j]), low)))
            for n in range(N):
                decay = mp.exp(-mp.exp(float(w.A_log[j, n])) * step)
                state[j][n] = decay * state[j][n] + step * B[n] * u[j]
    y = [(dot(state[j], C) + float(w.D[j]) * u[j]) * silu(zs[-1][j]) for j in range(d)]
    h = [p + dot(row(w.W_o[i]), y) + float(w.b_o[i]) for i, p in enumerate(row(model.embedding[x[-1]]))]
    out = dot(row(model.score[0]), h) + float(model.bias[0])
    return out


def test_the_radius_holds_and_is_small():
    model, x = classifier(), rows(6)
    found = scores(tables(model), Windows.of(V, k, T), x, np.full(6, T), mean=False)
    with mpmath.workdps(60):
        off = [abs(mpmath.mpf(float(at)) - exactly(model, row.tolist())) for at, row in zip(found.at, x, strict=True)]
        assert all(error <= mpmath.mpf(float(most)) for error, most in zip(off, found.off, strict=True))
    assert (found.off <= 1e-9 * (1 + np.abs(found.at))).all()


def test_scores_do_not_depend_on_the_batch(monkeypatch):
    model, x = classifier(), rows(40)
    windows, found = Windows.of(V, k, T), tables(model)
    whole = scores(found, windows, x, np.full(40, T), mean=False)
    monkeypatch.setattr("ssm_bounds.models.mamba.scores._NUMBERS", 1)
    assert np.array_equal(whole.at, scores(found, windows, x, np.full(40, T), mean=False).at)
    alone = scores(found, windows, x[7:8], np.full(1, T), mean=False)
    assert alone.at[0] == whole.at[7] and alone.off[0] == whole.off[7]


class TestRefused:
    def test_what_the_theorem_is_not_about(self):
        block, layer = classifier().layers[0].mixer, classifier().layers[0]
        inner = InnerNorms(np.ones(R), np.ones(N), np.ones(N), 1e-6)
        for changed, said in (
            ({"inner": inner}, "M4.5"),
            ({"convolution": "same"}, "causal"),
            ({"step_offset": 1e-4}, "step offset"),
            ({"c_B": np.ones(N)}, "biases of x_proj"),
            ({"A_log": np.full((d, N), -np.inf)}, "A_log"),
        ):
            with pytest.raises(DomainError, match=said):
                tables(classifier(layers=(replace(layer, mixer=replace(block, **changed)),)))
        with pytest.raises(DomainError, match=r"M6\.3"):
            mixer(classifier(layers=(layer, layer)))

    def test_readouts(self):
        norm = Norm("rms", np.ones(D), 1e-5)
        with pytest.raises(DomainError, match="two classes"):
            readout(classifier(outputs=3))
        with pytest.raises(DomainError, match="a bias beside a final norm"):
            readout(classifier(final_norm=norm))
        with pytest.raises(DomainError, match="pool before"):
            readout(classifier(final_norm=norm, pooling="mean", bias=np.zeros(1)))
        readout(classifier(final_norm=norm, pooling="mean", pool_before_norm=True, bias=np.zeros(1)))


class TestPrior:
    def test_masses_sum_to_one(self):
        assert Fraction(1, 2) + Fraction(1, 4) + (SEEDS - 1) * Fraction(1, 4 * (SEEDS - 1)) == 1

    def test_without_a_seed_it_knows_nothing_of_the_weights(self):
        (one, price, said), (other, _, _) = prior(classifier(0)), prior(classifier(1))
        assert said == "the standard centre" and price.float_upper() == pytest.approx(np.log(2))
        assert all(np.array_equal(one[name], other[name]) for name in BLOCKS)
        assert not any(one[name].any() for name in OF_TOKENS)

    def test_the_middle_is_inside(self):
        found = tables(classifier())
        inside = middle(found)
        assert all((low <= inside[name]).all() and (inside[name] <= high).all() for name, (low, high) in found.items())
