"""Blocks before their last product rounds: the order of every sum and product, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssm_bounds.models.mamba.weights import GatedNorm
from ssm_bounds.models.program import blocks
from ssm_bounds.models.program.blocks import block, convolution
from tests.models.program import oracle
from tests.models.program.models import stack

SHAPES = {
    "mamba1": {"N": 5, "R": 3, "k": 4},
    "mamba2": {
        "N": 5,
        "H": 8,
        "G": 2,
        "k": 3,
        "gated": GatedNorm(np.linspace(-1, 2, 24), 1e-5, 3),
        "limits": (0.02, 0.09),
    },
    "mamba2, no norm": {"N": 3, "H": 2, "G": 1, "k": 1, "gated": None},
}


@pytest.mark.parametrize("at_once", [1, 50, 1 << 15])
@pytest.mark.parametrize("name", SHAPES)
def test_what_goes_into_out_proj_equals_the_second_writing(monkeypatch, name, at_once):
    monkeypatch.setattr(blocks, "STATES_AT_ONCE", at_once)
    layer = stack(4, name.split(",")[0], D=12, **SHAPES[name]).layers[0]
    seen = []

    def out(w):
        seen.append(w.copy())
        return w[:12], np.ones(w.shape[1:], dtype=bool)

    h = np.random.default_rng(0).normal(size=(12, 7, 3))
    ours = replace(block(layer), out=out)
    memory = ours.start(3)
    for part in (h[:, :2], h[:, 2:3], h[:, 3:]):
        memory, _, ok = ours(memory, part)
        assert ok.all()
    w = np.concatenate(seen, axis=1)
    for b in range(3):
        theirs = oracle.Block(layer)
        mixer = theirs.mamba1 if name == "mamba1" else theirs.mamba2
        for t in range(7):
            v = oracle.rms(h[:, t, b].tolist(), layer.norm.gamma.tolist(), layer.norm.eps)
            assert w[:, t, b].tolist() == mixer(v)


def test_a_convolution_adds_the_oldest_position_first():
    rng = np.random.default_rng(0)
    x, K, b = rng.normal(size=(2, 6, 1)), rng.normal(size=(2, 3)), rng.normal(size=2)
    found, tail = convolution(K, b)(np.zeros((2, 2, 1)), x)
    past = []
    for t in range(6):
        past.append(x[:, t, 0].tolist())
        assert found[:, t, 0].tolist() == oracle.convolved(past, K.tolist(), b.tolist())
    assert np.array_equal(tail, x[:, 4:])
