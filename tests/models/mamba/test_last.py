"""The last block and what reads it out: the same function, with a proven radius; what it is not about (theory M6.4)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba.last import ENTRY
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba import forward
from ssm_bounds.models.mamba.last import center, entry, last, triangular
from ssm_bounds.models.mamba.last_scores import features, scored
from ssm_bounds.models.mamba.near import Near
from ssm_bounds.models.mamba.tables import middle
from ssm_bounds.models.mamba.weights import Norm
from tests.mamba import around, mamba1, mamba2, normal

D, T, UNIT = 4, 7, 2.0


def classifier(kind: int, real: bool, **changed):
    draw = normal(3)
    make = mamba1 if kind == 1 else mamba2
    layers = tuple(make(seed, D=D, N=2, k=3) for seed in range(1 if real else 2))
    model = replace(around(layers[-1].mixer, draw, 3, D, 1), layers=layers, final_norm=None)
    if real:
        model = replace(model, embedding=None, input_weight=draw(D, 2), input_bias=draw(D))
    return replace(model, **changed)


def rows(real: bool, m: int = 12):
    rng = np.random.default_rng(0)
    return rng.normal(size=(m, T, 2)).astype(np.float32) if real else rng.integers(0, 3, size=(m, T))


def by_hand(model, x) -> np.ndarray:
    """f of features in float64 by ``forward``, from the logit, the divisor of the norm after the gate and |phi|."""
    found = []
    for row in x:
        h = model.embedding[row] if model.embedding is not None else row @ model.input_weight.T + model.input_bias
        for layer in model.layers[:-1]:
            h = h + forward.block(layer, h)
        own = model.layers[-1].mixer
        s = 1.0
        if getattr(own, "norm", None) is not None:
            bare = replace(own, norm=None, W_o=np.eye(len(own.R_x)), b_o=np.zeros(len(own.R_x)))
            s = np.sqrt(np.mean(forward.block(replace(model.layers[-1], mixer=bare), h)[-1] ** 2) + own.norm.eps)
        phi = h[-1] if model.embedding is not None else row[-1]
        found.append(forward.logits(model, row)[0] * s / (UNIT + np.linalg.norm(phi.astype(np.float64))))
    return np.array(found)


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("real", [False, True])
def test_it_is_the_same_function_divided_by_the_size_of_its_features(kind, real):
    model, x = classifier(kind, real), rows(real)
    found = scored(model, last(model, T, UNIT), x)
    expected = by_hand(model, x)
    # features of a frozen backbone are the program's, whose products have 18 bits
    assert np.abs(found.at - expected).max() < (1e-13 if real else 1e-4) and np.ptp(expected) > 0.05
    assert (found.off < 1e-10).all()
    again = scored(model, last(model, T, UNIT), x[5:6])
    assert again.at[0] == found.at[5] and again.off[0] == found.off[5]


@pytest.mark.parametrize("kind", [1, 2])
def test_rows_of_all_lengths_are_read_at_their_last_token(kind):
    """Padded on the right: phi, the gate, C and the state are those of the last token that is none."""
    model = classifier(kind, False, pad=2)
    length = np.array([1, 2, T, 4, 5, 3])
    x = np.random.default_rng(1).integers(0, 2, size=(len(length), T))
    x[np.arange(T) >= length[:, None]] = 2
    found = scored(model, last(model, T, UNIT), x)
    expected = [by_hand(model, [row[:n]])[0] for row, n in zip(x, length, strict=True)]
    assert np.abs(found.at - expected).max() < 1e-4
    for i, n in enumerate(length):
        alone = scored(replace(model, pad=None), last(model, T, UNIT), x[i : i + 1, :n])
        assert alone.at[0] == found.at[i]
    for part in features(model, x):
        ends = part.h.at[:, part.lengths - 1, np.arange(len(part.rows))]
        assert np.array_equal(part.lengths, length[part.rows]) and np.array_equal(part.phi.at, ends)


def test_the_radius_holds():
    """Against 60 digits, from the features on."""
    model, x = classifier(1, False), rows(False, 3)
    found, own = scored(model, last(model, T, UNIT), x), model.layers[-1].mixer
    mp, (part,) = mpmath.mp, list(features(model, x))
    number = lambda values: [mpmath.mpf(float(v)) for v in values]  # noqa: E731
    dot = lambda p, q: mpmath.fsum(a * b for a, b in zip(p, q, strict=True))  # noqa: E731
    silu = lambda v: v / (1 + mp.exp(-v))  # noqa: E731
    with mpmath.workdps(60):
        for place, row in enumerate(part.rows):
            us, v = [], []
            state = [[mpmath.mpf(0)] * 2 for _ in own.D]
            for t in range(T):
                h = number(part.h.at[:, t, place])
                size = mp.sqrt(dot(h, h) / D + mpmath.mpf(model.layers[-1].norm.eps))
                v.append([a / size for a in h])
                xs = [[dot(number(r), w) for r in own.R_x] for w in v]
                u = [
                    silu(float(own.b[j]) + mpmath.fsum(float(own.K[j, i]) * xs[t - i][j] for i in range(min(t + 1, 3))))
                    for j in range(len(own.D))
                ]
                us.append(u)
                B, C, low = ([dot(number(r), u) for r in rows_] for rows_ in (own.X_B, own.X_C, own.X_dt))
                for j in range(len(own.D)):
                    step = mp.log1p(mp.exp(float(own.p[j]) + dot(number(own.W_dt[j]), low)))
                    state[j] = [
                        mp.exp(-mp.exp(float(own.A_log[j, n])) * step) * s + step * B[n] * u[j]
                        for n, s in enumerate(state[j])
                    ]
            y = [dot(state[j], C) + float(own.D[j]) * us[-1][j] for j in range(len(own.D))]
            w = [y[j] * silu(dot(number(own.R_z[j]), v[-1])) for j in range(len(own.D))]
            out = [dot(number(r), w) + float(b) for r, b in zip(own.W_o, own.b_o, strict=True)]
            h = number(part.h.at[:, T - 1, place])
            z = dot(number(model.score[0]), [a + b for a, b in zip(h, out, strict=True)]) + float(model.bias[0])
            exact = z / (2 + mp.sqrt(dot(h, h)))
            assert abs(exact - mpmath.mpf(found.at[row])) <= mpmath.mpf(found.off[row])


@pytest.mark.parametrize("kind", [1, 2])
def test_real_inputs_turned_are_the_same_rows(kind):
    model = classifier(kind, True)
    found, M, own = middle(center(model)), entry(model), model.layers[0].mixer
    xi = np.array([0.3, -2.0, 1.0])
    triangle = np.zeros((3, 3))
    triangle[tuple(zip(*((i, k) for k in range(3) for i in range(k + 1)), strict=True))] = found[ENTRY]
    rows_ = own.R_x if kind == 1 else np.vstack([own.R_x, own.R_B, own.R_C])
    turned = found["R_x"] if kind == 1 else found["R_xBC"]
    assert np.allclose(turned @ (triangle @ xi), rows_ @ (M @ xi), rtol=1e-12)
    assert np.linalg.norm(triangle @ xi) == pytest.approx(np.linalg.norm(M @ xi), rel=1e-13)
    assert np.allclose(found["line"], M[:, :-1].T @ model.score[0], rtol=1e-13)


def test_a_start_without_bias_has_a_centre_and_no_certificate():
    model = classifier(1, True, input_bias=np.zeros(D))
    Q, L = triangular(entry(model))
    assert float(L[-1]) == 0 and all(float(Q[i, 2]) == 0 for i in range(D))
    with pytest.raises(DomainError, match="mapped to 0"):
        last(model, T, UNIT)


def test_sums_and_products_of_near_numbers_hold_their_own_rounding():
    """Against fractions: numbers that are known exactly, and both ends of those that are not."""
    rng = np.random.default_rng(2)
    for off in (0.0, 1e-18, 1e-3):
        x, y = (Near(rng.normal(size=(40, 3)), np.full((40, 3), off)) for _ in range(2))
        ends = [
            [Fraction(float(at)) + side * Fraction(off) for at in part.at.ravel()]
            for part in (x, y)
            for side in (1, -1)
        ]
        for found, exact in (
            ((x * y), [[a * b for a, b in zip(ends[i], ends[j], strict=True)] for i in (0, 1) for j in (2, 3)]),
            ((x + y), [[a + b for a, b in zip(ends[i], ends[i + 2], strict=True)] for i in (0, 1)]),
            (x.sum(0), [[sum(each[k::3]) for k in range(3)] for each in ends[:2]]),
        ):
            errors = [
                [abs(a - Fraction(float(b))) for a, b in zip(each, found.at.ravel(), strict=True)] for each in exact
            ]
            assert all(e <= Fraction(float(o)) for row in errors for e, o in zip(row, found.off.ravel(), strict=True))
            if off == 0:  # and something was rounded
                assert any(errors[0]) and (found.off < 1e-12).all()


def test_functions_of_near_numbers_hold_those_of_all_ends():
    rng = np.random.default_rng(0)
    x = Near(np.abs(rng.normal(size=60)) * 4, np.abs(rng.normal(size=60)) * 1e-3)
    with mpmath.workdps(40):
        for found, exact in (
            (x.silu(), lambda v: v / (1 + mpmath.exp(-v))),
            (x.softplus(), lambda v: mpmath.log1p(mpmath.exp(v))),
            (x.decay(), lambda v: mpmath.exp(-v)),
            (x.inverse(), lambda v: 1 / v),
        ):
            for at, off, middle_, width in zip(x.at, x.off, found.at, found.off, strict=True):
                for end in (mpmath.mpf(at) - mpmath.mpf(off), mpmath.mpf(at) + mpmath.mpf(off)):
                    if end > 0:
                        assert abs(exact(end) - mpmath.mpf(middle_)) <= mpmath.mpf(width)
    rows_ = rng.normal(size=(3, 5))
    image = Near(rng.normal(size=(5, 4)), np.full((5, 4), 1e-3)).image(rows_)
    assert (image.off >= np.abs(rows_).sum(axis=1)[:, None] * 1e-3 / np.sqrt(5)).all() and (image.off < 0.1).all()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"pooling": "mean"}, "last token"),
        ({"final_norm": Norm("rms", np.ones(D), 1e-5)}, "bias beside a final norm"),
        ({"score": np.ones((3, D)), "bias": np.zeros(3)}, "two classes"),
    ],
)
def test_what_the_theorem_is_not_about(changed, said):
    with pytest.raises(DomainError, match=said):
        center(classifier(1, False, **changed))
