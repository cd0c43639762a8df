"""tau: twelve cases that others computed, never below the mean square of a batch, and one after rescaling."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.s4d.module import S4DLayer
from ssm_bounds.models.s4d.tau import Statistics, parts, penalty, rescale_, second_moment, tau, watched

COVARIANCES = {
    "white": lambda s, t: (s == t).double(),
    "ou_0.1": lambda s, t: torch.exp(-(s - t).abs() / 0.1),
    "se_0.5": lambda s, t: torch.exp(-(((s - t) / 0.5) ** 2)),
    "brownian": torch.minimum,
}
MEANS = {"zero": torch.zeros_like, "sine": lambda s: torch.sin(2 * math.pi * s), "ramp": lambda s: 2 * s - 1}


def module(d=3, N=4, seed=0):
    return S4DLayer.initial(d, N, generator=torch.Generator().manual_seed(seed))


class TestReference:
    @pytest.fixture
    def found(self, shared):
        return json.loads((shared / "reference" / "tau_s4d.json").read_text())

    def layer(self, found):
        N = found["N"]
        numbers = {
            "C": [found["C"]],
            "log_dt": [math.log(1 / 64)],
            "log_A_real": [[math.log(0.5)] * N],
            "A_imag": [[math.pi * n for n in range(N)]],
            "D": [0.0],
        }
        return S4DLayer(**{name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()})

    def test_the_kernel(self, found):
        assert self.layer(found).taps(64).detach()[0].numpy() == pytest.approx(
            [float(value) for value in found["kernel"]], rel=1e-12
        )

    def test_every_case(self, found):
        taps = self.layer(found).taps(64).detach()
        times = (torch.arange(64, dtype=torch.float64) + 1) / 64
        unreversed = 0.0
        for case in found["cases"].values():
            mean = MEANS[case["mean"]](times)
            covariance = COVARIANCES[case["cov"]](times[:, None], times[None, :])
            statistics = Statistics(mean[:, None], covariance.diagonal().sqrt()[:, None])
            assert tau(taps, statistics).item() == pytest.approx(float(case["tau"]), rel=1e-12)
            moment = second_moment(taps, mean, covariance).item()
            assert moment == pytest.approx(float(case["second_moment"]), rel=1e-12)
            wrong = tau(taps.flip(-1), statistics).item() / float(case["tau"]) - 1
            unreversed = max(unreversed, abs(wrong))
        assert len(found["cases"]) == 12 and unreversed > 0.05  # a kernel that is not reversed is seen


@st.composite
def batches(draw):
    m, T, d = draw(st.integers(1, 6)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    heavy = rng.standard_cauchy((m, T, d)) if draw(st.booleans()) else rng.normal(size=(m, T, d))
    return torch.tensor(heavy + 3 * rng.normal(size=(T, d)) * draw(st.booleans()))


class TestOfABatch:
    @given(batches(), st.integers(0, 99))
    @example(torch.zeros(1, 1, 1, dtype=torch.float64), 0)
    def test_never_below_the_mean_square(self, batch, seed):
        layer = module(batch.shape[2], 2, seed)
        with torch.no_grad():
            found = tau(layer.taps(batch.shape[1]), Statistics.of(batch))
            squares = layer.last(batch).square().mean(0)
        assert (squares <= found * (1 + 1e-12)).all()

    def test_it_is_attained(self):
        """Inputs that move together with the signs of the taps, around 0: 1 % less would be refuted."""
        layer = module(2)
        with torch.no_grad():
            taps = layer.taps(11)
            signs = taps.flip(-1).T.sign()
            batch = torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None, None] * signs
            found, squares = tau(taps, Statistics.of(batch)), layer.last(batch).square().mean(0)
        assert (squares > 0.99 * found).all()

    def test_parts_and_one_sequence(self):
        """Of one sequence there is no deviation: tau is the square of the output."""
        layer, batch = module(), torch.randn(1, 7, 3, dtype=torch.float64)
        with torch.no_grad():
            a, b = parts(layer.taps(7), Statistics.of(batch))
            assert (a == 0).all() and torch.allclose(b, layer.last(batch)[0].abs())

    def test_the_skip_is_a_tap(self):
        layer, batch = module(), torch.randn(4, 7, 3, dtype=torch.float64)
        with torch.no_grad():
            layer.C.zero_()
            found = tau(layer.taps(7), Statistics.of(batch))
            last = Statistics.of(batch)
            expected = (layer.D.abs() * (last.deviation[-1] + last.mean[-1].abs())).square()
        assert torch.allclose(found, expected)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: Statistics.of(torch.zeros(3, 4)), r"a batch \(m, T, d\) of at least one sequence, got \(3, 4\)"),
            (lambda: Statistics.of(torch.zeros(0, 4, 1)), r"at least one sequence, got \(0, 4, 1\)"),
            (lambda: Statistics(torch.zeros(3), torch.zeros(3)), r"two of \(T, d\)"),
            (lambda: tau(torch.zeros(1, 5), Statistics.of(torch.zeros(2, 4, 1))), "5 taps do not fit .* 4 times"),
            (lambda: penalty([]), "tau of no layer"),
        ],
    )
    def test_what_does_not_fit(self, call, message):
        with pytest.raises(DomainError, match=message):
            call()


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(module(3, 4, seed) for seed in range(3))

    def forward(self, u):
        for layer in self.layers:
            u = nn.functional.gelu(layer(u))
        return u[:, -1]


class TestOfAModel:
    BATCH = torch.randn(8, 20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))

    def test_tau_is_one_after_rescaling_in_forward_order(self):
        model = Deep()
        with watched(model) as seen:
            model(self.BATCH)
        before = [tau(layer.taps(20), statistics) for layer, statistics in seen]
        found = rescale_(model, self.BATCH)
        assert torch.allclose(found[0], before[0]) and not torch.allclose(found[1], before[1])
        with watched(model) as seen:
            model(self.BATCH)
        for layer, statistics in seen:
            assert torch.allclose(tau(layer.taps(20), statistics), torch.ones(3, dtype=torch.float64), atol=1e-12)
        assert penalty(seen).item() == pytest.approx(3, abs=1e-12)

    def test_a_silent_channel_is_left_alone(self):
        model = Deep()
        with torch.no_grad():
            model.layers[0].C[1], model.layers[0].D[1] = 0, 0
        (first, *_) = rescale_(model, self.BATCH)
        assert first[1] == 0 and (model.layers[0].C[1] == 0).all()
        assert all(value.isfinite().all() for value in model.state_dict().values())

    def test_the_penalty_moves_the_layers_and_not_what_they_are_given(self):
        """Statistics are detached: the gradient of the second layer's tau does not reach the first layer."""
        model = Deep()
        with watched(model) as seen:
            model(self.BATCH)
        tau(seen[1][0].taps(20), seen[1][1]).sum().backward()
        assert model.layers[0].C.grad is None and model.layers[1].C.grad.abs().sum() > 0
        assert model.layers[1].log_dt.grad.abs().sum() > 0

    def test_hooks_are_gone(self):
        model = Deep()
        rescale_(model, self.BATCH)
        with watched(model) as seen:
            model(self.BATCH)
        model(self.BATCH)
        assert len(seen) == 3 and not model.layers[0]._forward_pre_hooks
