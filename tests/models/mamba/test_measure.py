"""Norms and ranges of a layer: above the exact ones, close to them, LayerNorm and gamma folded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba.suprema import Window, convolved, gated, images_by_lines
from ssm_bounds.models.mamba.measure import (
    entrywise_l1,
    folded,
    gate_rows,
    matrix_norms,
    rates,
    root_above,
    spectral_above,
    step_bias,
    tap_norms,
    weighted_norm,
    window_norm,
)
from ssm_bounds.models.mamba.weights import Layer, Norm
from tests import mamba

RNG = np.random.default_rng(2)


def layer(applied: Norm) -> Layer:
    """Any mixer, behind this norm."""
    return replace(mamba.mamba1(0), norm=applied)


def ball(size: int, D: int) -> np.ndarray:
    v = RNG.normal(size=(size, D))
    return v / np.linalg.norm(v, axis=1)[:, None] * np.sqrt(D)


class TestFolded:
    def test_gamma_and_bias(self):
        rows, gamma, bias = RNG.normal(size=(5, 7)), RNG.normal(size=7), RNG.normal(size=5)
        found = folded(rows, bias, layer(Norm("rms", gamma, 1e-5)))
        for row, length in zip(rows, found.norms, strict=True):
            square = sum((Fraction(x) * Fraction(y)) ** 2 for x, y in zip(row.tolist(), gamma.tolist(), strict=True))
            assert square <= Fraction(length) ** 2 <= square * (1 + Fraction(1, 10**11))
        low, high = found.range
        direction = rows * gamma / np.linalg.norm(rows * gamma, axis=1)[:, None] * np.sqrt(7)
        attained = (rows * gamma * direction).sum(axis=1) + bias
        assert (attained <= high).all() and attained == pytest.approx(high, rel=1e-12) and (low <= bias).all()

    def test_a_layer_norm_is_orthogonal_to_one(self):
        rows, gamma, beta = RNG.normal(size=(4, 6)), RNG.normal(size=6), RNG.normal(size=6)
        bias = RNG.normal(size=4)
        found = folded(rows, bias, layer(Norm("layer", gamma, 1e-5, beta)))
        weighted = rows * gamma
        exact = np.linalg.norm(weighted - weighted.mean(axis=1)[:, None], axis=1)
        assert found.norms == pytest.approx(exact, rel=1e-12) and (found.norms >= exact * (1 - 1e-15)).all()
        assert found.shift[0] == pytest.approx(bias + rows @ beta) and found.masked is bias
        low, high = found.range
        assert (low <= bias).all() and (bias <= high).all()  # a masked token
        v = ball(2000, 6)
        v -= v.mean(axis=1)[:, None]
        x = (v * gamma + beta) @ rows.T + bias
        assert (low <= x.min(axis=0)).all() and (x.max(axis=0) <= high).all()

    def test_a_constant_row_vanishes_under_a_layer_norm(self):
        found = folded(np.full((1, 3), 0.1), np.zeros(1), layer(Norm("layer", np.ones(3), 1e-5)))
        assert found.norms[0] <= 1e-15

    def test_roots(self):
        assert root_above(64) == 8 and Fraction(root_above(768)) ** 2 >= 768


class TestWindow:
    @pytest.mark.parametrize(("d", "D", "k"), [(3, 2, 1), (6, 3, 4), (16, 8, 4), (90, 70, 3)])
    def test_no_window_is_longer_and_theta_gains(self, d, D, k):
        rows, K = RNG.normal(size=(d, D)), RNG.normal(size=(d, k))
        inputs = folded(rows, np.zeros(d), layer(Norm("rms", np.ones(D), 1e-5)))
        bound = window_norm(inputs, K)
        each = [np.linalg.norm(K[:, i, None] * rows, 2) for i in range(k)]
        assert bound <= np.sqrt(D) * sum(each) * (1 + 1e-6)
        x, best = RNG.normal(size=d), 0.0
        for _ in range(100):  # the best tokens for x, and the best x for tokens
            tokens = [np.sqrt(D) * (y / np.linalg.norm(y)) for y in ((K[:, i] * x) @ rows for i in range(k))]
            x = sum(K[:, i] * (rows @ tokens[i]) for i in range(k))
            best = np.linalg.norm(x)
        assert 0.6 * bound <= best <= bound

    def test_taps_and_rows_of_zeros(self):
        inputs = folded(RNG.normal(size=(4, 3)), np.zeros(4), layer(Norm("rms", np.ones(3), 1e-5)))
        assert window_norm(inputs, np.zeros((4, 2))) == 0
        one = np.array([[1.0, 0, 0]] * 4)
        assert window_norm(inputs, one) == pytest.approx(np.sqrt(3) * np.linalg.norm(inputs.rows, 2), rel=1e-9)

    @pytest.mark.parametrize("kind", ["rms", "layer"])
    def test_lines_hold_every_image_of_a_window(self, kind):
        d, D, k, n = 6, 3, 3, 5
        rows, K, b, q = RNG.normal(size=(d, D)), RNG.normal(size=(d, k)), RNG.normal(size=d), RNG.normal(size=(n, d))
        applied = Norm(kind, RNG.normal(size=D), 1e-5, RNG.normal(size=D))
        inputs = folded(rows, RNG.normal(size=d), layer(applied))
        a = convolved(K, b, inputs.range)
        window = Window(K, b, inputs.rows, inputs.error, inputs.shift, inputs.masked, inputs.radius)
        low, high = images_by_lines(q, np.zeros_like(q), gated(a), a, window)
        widest = np.full(n, np.inf), np.full(n, -np.inf)
        for _ in range(3000):
            v = ball(k, D)
            if kind == "layer":
                v -= v.mean(axis=1)[:, None]
            x = v @ inputs.rows.T + inputs.shift[0]
            gone = RNG.integers(0, 4, k)
            x[gone == 1] = inputs.masked
            x[gone == 2] = 0
            activation = b + sum(K[:, i] * x[i] for i in range(k))
            image = q @ (activation / (1 + np.exp(-activation)))
            widest = np.minimum(widest[0], image), np.maximum(widest[1], image)
        assert (low <= widest[0]).all() and (widest[1] <= high).all()
        assert (low <= 0).all() and (high >= 0).all()


class TestNorms:
    def test_spectral_norms_are_above_with_their_errors(self):
        for shape in ((3, 5), (16, 40), (70, 80)):
            matrix = RNG.normal(size=shape)
            found = spectral_above(matrix)
            assert found == pytest.approx(np.linalg.norm(matrix, 2), rel=3e-7) and found >= np.linalg.norm(matrix, 2)
            assert spectral_above(matrix, 0.5) >= found + 0.5

    def test_weights_on_both_sides_cancel(self):
        W_o, o = RNG.normal(size=(4, 9)), RNG.uniform(size=9)
        o[2], o[3] = 0, 1e-310
        bound = weighted_norm(W_o, o)
        best = max(np.linalg.norm(W_o @ (o * RNG.choice([-1, 1], 9))) for _ in range(500))
        assert best <= bound <= np.linalg.norm(W_o * np.sqrt(o), 2) * np.sqrt(o.sum()) * (1 + 1e-6)
        assert weighted_norm(W_o, np.zeros(9)) < 1e-290 and weighted_norm(W_o, np.full(9, np.inf)) == np.inf

    def test_those_of_a_layer(self):
        whole = mamba.mamba1(0)
        mixer = whole.mixer
        found = matrix_norms(mixer, folded(mixer.R_x, mixer.c, whole))
        for name in ("X_B", "X_C", "X_dt", "W_o", "R_x"):
            exact = np.linalg.norm(getattr(mixer, name), 2)
            assert exact * (1 - 1e-15) <= getattr(found, name) <= exact * (1 + 3e-7)
        assert found.kmax == tuple(np.abs(mixer.K).max(axis=0))
        assert tap_norms(mixer.K) == pytest.approx(np.abs(mixer.K).sum(axis=1))
        assert entrywise_l1(mixer.X_B) == pytest.approx(np.abs(mixer.X_B).sum())

    def test_gate_rows_and_their_bias(self):
        mixer = mamba.mamba1(1, biases=0.5).mixer
        rows, error = gate_rows(mixer)
        assert np.abs(rows - mixer.W_dt @ mixer.X_dt).max() <= 1e-15 and error.max() <= 1e-12
        low, high = step_bias(mixer)
        exact = mixer.p + mixer.W_dt @ mixer.c_dt
        assert (low <= exact).all() and (exact <= high).all() and (high - low).max() <= 1e-11

    def test_rates_end_at_zero(self):
        low, high = rates(np.array([-np.inf, 0.0, 2.0, 900.0]))
        assert low[0] == 0 and high[0] <= 2.0**-999 and low[1] <= 1 <= high[1] and high[3] == np.inf
        assert low[:3] == pytest.approx([0, 1, np.exp(2)]) and 1.79e308 < low[3] < np.inf
