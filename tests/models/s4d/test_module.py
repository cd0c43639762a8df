"""The S4D layer in torch: the kernel that others computed, and one output in two ways."""

from __future__ import annotations

import numpy as np
import torch

from ssm_bounds.models.s4d.measure import kernel, modes
from ssm_bounds.models.s4d.module import STEPS, S4DLayer
from tests.s4d import layer


def test_taps_are_those_that_are_enclosed():
    weights = layer(3, d=4, N=3)
    found = S4DLayer.of(weights).taps(40).detach().abs().numpy()
    above = kernel(modes(weights), weights.D, 40)
    assert (found <= above * (1 + 1e-12)).all()
    assert np.abs(found - above).max() < 1e-12


def test_the_last_output_of_the_convolution_is_the_dot_product():
    module = S4DLayer.initial(3, 4, generator=torch.Generator().manual_seed(0))
    u = torch.randn(5, 17, 3, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(module(u)[:, -1], module.last(u), rtol=1e-13, atol=1e-13)
        later = u.clone()
        later[:, 9:] += 1
        assert torch.allclose(module(u)[:, :9], module(later)[:, :9], atol=1e-12)


def test_it_begins_as_the_public_code_does():
    module = S4DLayer.initial(2000, 3, generator=torch.Generator().manual_seed(1))
    steps = module.log_dt.detach().exp()
    assert STEPS[0] <= steps.min() < 0.0011 and 0.09 < steps.max() <= STEPS[1]
    assert abs(module.C.detach().square().sum(-1).mean() - 1) < 0.05  # a complex normal
    assert {*module.log_A_real.detach().exp().unique().numpy().round(12)} == {0.5}
    assert torch.equal(module.A_imag[0].detach(), torch.pi * torch.arange(3, dtype=torch.float64))
