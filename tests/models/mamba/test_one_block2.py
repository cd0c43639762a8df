"""One Mamba-2 block in tables: the same function of tokens, its scores with a proven radius, and its prior."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import numpy as np
import pytest
import torch

from ssm_bounds.bounds.architectures.mamba.heads import BLOCKS2, OF_READOUT
from ssm_bounds.bounds.architectures.mamba.windows import Windows
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.mamba import forward
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.near import Near
from ssm_bounds.models.mamba.prior import prior
from ssm_bounds.models.mamba.scores import cells2, scored
from ssm_bounds.models.mamba.start import start
from ssm_bounds.models.mamba.tables import middle
from ssm_bounds.models.mamba.tables2 import fixed, tables2
from ssm_bounds.models.mamba.weights import GatedNorm, Mamba2, Norm
from tests.mamba import around, normal
from tests.one_block2 import output2

V, D, H, P, G, N, k, T = 3, 4, 4, 2, 2, 3, 3, 9
d = H * P


def classifier(
    seed: int = 0, outputs: int = 1, limits: tuple[float, float] = (0.3, 1.2), **changed: object
) -> Classifier:
    draw = normal(seed)
    block = Mamba2(
        draw(d, D), draw(d, D), draw(G * N, D), draw(G * N, D), draw(H, D), draw(d), draw(d), draw(G * N),
        draw(G * N), draw(d + 2 * G * N, k), draw(d + 2 * G * N), draw(H), draw(H), draw(H), draw(D, d), draw(D),
        G, GatedNorm(draw(d), 1e-2, 1), limits,
    )  # fmt: skip
    return around(block, draw, V, D, outputs, **changed)


def with_mixer(model: Classifier, **changed: object) -> Classifier:
    layer = model.layers[0]
    return replace(model, layers=(replace(layer, mixer=replace(layer.mixer, **changed)),))


def rows(m: int = 30, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, V, size=(m, T))


def answers(model: Classifier, x: np.ndarray, lengths: np.ndarray) -> Near:
    windows = Windows.of(V, k, T)
    made = cells2(tables2(model), windows, fixed(model))
    return scored(made, windows, x, lengths, mean=model.pooling == "mean")


def by_hand(model: Classifier, x: np.ndarray) -> tuple[float, float]:
    """The logit, or the difference of two, and what the norm after the gate divides by at the last token."""
    z = forward.logits(model, x)
    layer = model.layers[0]
    bare = replace(layer.mixer, norm=None, W_o=np.eye(d), b_o=np.zeros(d))
    w = forward.block(replace(layer, mixer=bare), model.embedding[x])[-1]
    return float(z[0] if len(z) == 1 else z[1] - z[0]), float(np.sqrt(np.mean(w**2) + layer.mixer.norm.eps))


@pytest.mark.parametrize("outputs", [1, 2])
def test_tables_are_the_same_function_times_the_divisor(outputs):
    model = classifier(outputs=outputs)
    x, lengths = rows(), np.random.default_rng(2).integers(1, T + 1, size=30)
    found = answers(model, x, lengths)
    pairs = [by_hand(model, row[:n]) for row, n in zip(x, lengths, strict=True)]
    expected = np.array([z * s for z, s in pairs])
    assert np.abs(found.at - expected).max() <= 1e-9 * np.abs(expected).max()
    # a control: without the divisor it is another function
    assert np.abs(found.at - [z for z, _ in pairs]).max() > 1e-2


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_without_a_norm_they_are_the_function_itself(pooling):
    model = with_mixer(classifier(pooling=pooling), norm=None)
    x, lengths = rows(), np.random.default_rng(2).integers(1, T + 1, size=30)
    found = answers(model, x, lengths)
    expected = np.array([forward.logits(model, row, n)[0] for row, n in zip(x, lengths, strict=True)])
    assert np.abs(found.at - expected).max() <= 1e-9 * np.abs(expected).max()


def test_both_norms_are_positive_factors():
    """theory M5.2 (a) and (b): the sign, and only the sign, is that of the model."""
    model = classifier(final_norm=Norm("rms", np.array([0.5, 2.0, -1.0, 1.0]), 1e-5), bias=np.zeros(1))
    found = answers(model, rows(), np.full(30, T))
    expected = np.array([forward.logits(model, row)[0] for row in rows()])
    assert (np.sign(found.at) == np.sign(expected)).all() and np.abs(found.at - expected).max() > 0.1


def test_the_second_writing_is_that_function():
    model = classifier()
    at = {name: torch.tensor(value) for name, value in middle(tables2(model)).items()}
    found = answers(model, rows(5), np.full(5, T))
    for z, row in zip(found.at, rows(5), strict=True):
        assert output2(at, fixed(model), row.tolist()).item() == pytest.approx(z, rel=1e-9)


def exactly(model: Classifier, x: list[int]) -> mpmath.mpf:
    """s z of one row with 60 digits, from the definition."""
    mp, layer = mpmath.mp, model.layers[0]
    m = layer.mixer
    row = lambda values: [mpmath.mpf(float(v)) for v in values]  # noqa: E731
    dot = lambda a, b: mpmath.fsum(p * q for p, q in zip(a, b, strict=True))  # noqa: E731
    silu = lambda v: v / (1 + mp.exp(-v))  # noqa: E731
    in_rows, shift = np.vstack([m.R_x, m.R_B, m.R_C]), np.hstack([m.c, m.c_B, m.c_C])
    normed, xs = [], []
    for token in x:
        e = row(model.embedding[token])
        size = mp.sqrt(dot(e, e) / D + mpmath.mpf(1e-5))
        normed.append([p * g / size for p, g in zip(e, row(layer.norm.gamma), strict=True)])
        xs.append([dot(row(r), normed[-1]) + float(c) for r, c in zip(in_rows, shift, strict=True)])
    state = [[mpmath.mpf(0)] * N for _ in range(d)]
    for t in range(len(x)):
        after = [
            silu(float(m.b[j]) + mpmath.fsum(float(m.K[j, i]) * xs[t - i][j] for i in range(min(t + 1, k))))
            for j in range(len(m.b))
        ]
        u, B, C = after[:d], after[d : d + G * N], after[d + G * N :]
        for j in range(d):
            head, g = j // P, j * G // d
            step = mp.log1p(mp.exp(float(m.p[head]) + dot(row(m.R_dt[head]), normed[t])))
            step = min(max(step, mpmath.mpf(m.limits[0])), mpmath.mpf(m.limits[1]))
            decay = mp.exp(-mp.exp(float(m.A_log[head])) * step)
            state[j] = [decay * s + step * B[g * N + n] * u[j] for n, s in enumerate(state[j])]
    w = []
    for j in range(d):
        g = j * G // d
        y = dot(state[j], C[g * N : g * N + N]) + float(m.D[j // P]) * u[j]
        w.append(y * silu(dot(row(m.R_z[j]), normed[-1]) + float(m.c_z[j])))
    scale = mp.sqrt(dot(w, w) / d + mpmath.mpf(m.norm.eps))
    after = [p * g / scale for p, g in zip(w, row(m.norm.gamma), strict=True)]
    h = [p + dot(row(m.W_o[i]), after) + float(m.b_o[i]) for i, p in enumerate(row(model.embedding[x[-1]]))]
    return scale * (dot(row(model.score[0]), h) + float(model.bias[0]))


def test_the_radius_holds_and_is_small():
    model, x = classifier(), rows(6)
    found = answers(model, x, np.full(6, T))
    with mpmath.workdps(60):
        off = [abs(mpmath.mpf(float(at)) - exactly(model, row.tolist())) for at, row in zip(found.at, x, strict=True)]
        assert all(error <= mpmath.mpf(float(most)) for error, most in zip(off, found.off, strict=True))
        assert any(error > 0 for error in off)
    assert (found.off <= 1e-9 * (1 + np.abs(found.at))).all()


def test_roots_hold_the_exact_ones():
    at, off = np.array([0.0, 1e-300, 2.0, 3.0]), np.array([0.0, 1e-299, 1e-16, 0.5])
    found = Near(at, off).root()
    with mpmath.workdps(60):
        for x, error, middle_, width in zip(at, off, found.at, found.off, strict=True):
            for end in (max(x - mpmath.mpf(error), 0), x + mpmath.mpf(error)):
                assert abs(mpmath.sqrt(end) - mpmath.mpf(middle_)) <= mpmath.mpf(width)
    assert found.off[2] <= 1e-13


def test_products_and_sums_hold_those_of_all_ends():
    rng = np.random.default_rng(0)
    x, y = (Near(rng.normal(size=(50, 3)), np.abs(rng.normal(size=(50, 3)))) for _ in range(2))
    for found, exact in ((x * y, lambda a, b: a * b), (x + y, lambda a, b: a + b)):
        ends = [exact(x.at + s * x.off, y.at + t * y.off) for s in (-1, 1) for t in (-1, 1)]
        off = np.max([np.abs(end - found.at) for end in ends], axis=0)
        assert (off <= found.off).all() and (found.off <= off * (1 + 1e-9)).all()
    whole = x.sum()
    assert np.allclose(whole.off, x.off.sum(axis=1)) and np.allclose(whole.at, x.at.sum(axis=1))


def test_what_the_theorem_is_not_about():
    model = classifier()
    norm = model.layers[0].mixer.norm
    for refused, said in (
        (with_mixer(model, norm=replace(norm, before_gate=True)), "before the gate"),
        (with_mixer(model, norm=replace(norm, groups=2)), "2 groups"),
        (with_mixer(model, norm=replace(norm, eps=0.0)), "eps of 0"),
        (replace(model, pooling="mean"), "mean over tokens"),
        (with_mixer(model, A_log=np.full(H, -np.inf)), "A_log"),
        (replace(model, layers=model.layers * 2), r"M6\.3"),
        (replace(model, embedding=None), "vocabulary"),
        (replace(model, final_norm=Norm("rms", np.ones(D), 1e-5)), "a bias beside a final norm"),
    ):
        with pytest.raises(DomainError, match=said):
            tables2(refused)


def test_the_start_of_a_seed_is_that_of_its_tables(tmp_path):
    """The prior's centre is what an untrained folder has, but for what reads out; a trained one moves no centre."""
    design = Design(mixer="mamba2", V=2, D=4, N=2, P=4, k=3)
    centres = []
    for moved in (0.0, 0.3):
        tensors = {name: (value + moved).astype(np.float32) for name, value in start(design, 3).items()}
        folder = tmp_path / str(moved)
        folder.mkdir()
        files.write(folder, design, tensors, labels=("0", "1"), seed=3, training={"m": 9, "T": T})
        model = files.read(folder)
        centre, price, said = prior(model)
        centres.append(centre)
        assert said == "the start of seed 3" and price.float_upper() == pytest.approx(np.log(4 * (2**16 - 1)))
        own = middle(tables2(model))
        same = [bool(np.array_equal(own[name], centre[name])) for name in BLOCKS2 if name not in OF_READOUT]
        assert all(same) if moved == 0 else not any(same)
    assert all(np.array_equal(centres[0][name], centres[1][name]) for name in BLOCKS2)
    assert not any(centres[0][name].any() for name in OF_READOUT)


def test_without_a_seed_it_knows_nothing_of_the_weights():
    (one, price, said), (other, _, _) = prior(classifier(0)), prior(classifier(1))
    assert said == "the standard centre" and price.float_upper() == pytest.approx(np.log(2))
    assert all(np.array_equal(one[name], other[name]) for name in BLOCKS2)
    assert one["L"].max() < -4 and one["D"].min() == 1
