"""Two layers are the recurrence run twice, and outside of what one layer is under."""

from __future__ import annotations

import pytest
import torch

from ssm_bounds.models.selective_ssm.two_layers import TwoLayers


def model(**options):
    generator = torch.Generator().manual_seed(0)
    return TwoLayers(d=3, N=2, V=5, k=2, generator=generator, dtype=torch.float64, **options)


def by_hand(two, tokens):
    """Theory 1 token by token, in both layers."""
    u = two.first.embedding.weight[tokens]
    x, y = torch.zeros(2, 3, 2, dtype=torch.float64), u.new_zeros(3)
    for token in u:
        inputs = token
        for at, layer in enumerate((two.first, two.second)):
            delta = torch.log1p(torch.exp(inputs @ layer.q + layer.p))
            x[at] = torch.exp(delta * layer.A) * x[at] + delta * inputs[:, None] * (layer.W_B @ inputs)
            y = x[at] @ (layer.W_C @ inputs)
            inputs = inputs + layer.W @ y if at == 0 else inputs
    return two.second.W @ y


def test_it_is_the_recurrence_twice():
    two, tokens = model(), torch.randint(0, 5, (4, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for row, z in zip(tokens, two(tokens), strict=True):
            assert z.tolist() == pytest.approx(by_hand(two, row).tolist(), rel=1e-10, abs=1e-10)


def test_it_breaks_the_four_point_identity():
    """Of one layer these four add up to 0."""
    two = model(s_A=-0.1)
    tokens = torch.tensor([[q, 2, 3, 4] if p else [q, 3, 2, 4] for q in (0, 1) for p in (0, 1)])
    with torch.no_grad():
        z = two(tokens)
    assert (z[0] - z[1] - z[2] + z[3]).abs().max() > 1e-3 * z.abs().max()
