"""The forward pass of a block against mamba.py, typeseg's block written a second time, and torch's convolutions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d

from ssm_bounds.models.files.mamba import open_model
from ssm_bounds.models.mamba.forward import block, convolved
from tests.conftest import ROOT


@pytest.mark.parametrize("inner", [False, True], ids=["plain", "inner norms"])
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
def test_equals_mambapy(tmp_path, inner, bias):
    mambapy = pytest.importorskip("mambapy.mamba", reason="the extra [test] brings mambapy")
    config = mambapy.MambaConfig(d_model=12, n_layers=2, dt_rank=3, d_state=4, inner_layernorms=inner, bias=bias)
    model = scattered(mambapy.Mamba(config))
    torch.save(model.float().state_dict(), tmp_path / "model.pt")
    opened = open_model(tmp_path / "model.pt")
    assert opened.format == ("mambapy" if inner else "mamba_minimal")
    h = torch.randn(1, 9, 12, dtype=torch.float64)
    for layer, part in zip(opened.layers, model.double().layers, strict=True):
        assert_equal(block(layer, h[0].numpy()), part(h) - h)


def test_equals_mambapy_in_two_directions(tmp_path):
    vim = pytest.importorskip("mambapy.vim", reason="the extra [test] brings mambapy")
    config = vim.MambaConfig(d_model=12, n_layers=2, dt_rank=3, d_state=4, bidirectional=True, divide_output=False)
    model = scattered(vim.VMamba(config))
    torch.save(model.float().state_dict(), tmp_path / "model.pt")
    opened = open_model(tmp_path / "model.pt")
    assert opened.format == "vision_mamba" and opened.layers[0].mixer.directions == 2
    h = torch.randn(1, 9, 12, dtype=torch.float64)
    for layer, part in zip(opened.layers, model.double().layers, strict=True):
        assert_equal(block(layer, h[0].numpy()), part(h) - h)


def scattered(model):
    """The same model with numbers that tell every one of its parameters apart."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return model.eval()


def assert_equal(ours, theirs):
    theirs = theirs.detach().squeeze(0).numpy()
    assert np.abs(ours - theirs).max() <= 1e-6 * max(1.0, np.abs(theirs).max())


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # where torch pads by one more on the right, it says so
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_convolutions_are_those_of_torch(k):
    generator = np.random.default_rng(k)
    x, weight, bias = generator.normal(size=(9, 3)), generator.normal(size=(3, 1, k)), generator.normal(size=3)
    tensors = torch.tensor(x.T[None]), torch.tensor(weight), torch.tensor(bias)
    taps = weight[:, 0, ::-1]
    same = conv1d(*tensors, padding="same", groups=3)[0].T.numpy()
    causal = conv1d(*tensors, padding=k - 1, groups=3)[0, :, :9].T.numpy()
    assert np.allclose(convolved(x, taps, bias, same=True), same, atol=1e-12)
    assert np.allclose(convolved(x, taps, bias), causal, atol=1e-12)


def test_equals_typeseg(shared):
    """Its block written out a second time, from its Flax program: every line is another name for a line of M0."""
    path = shared / "checkpoints" / "typeseg" / "mamba_al.npz"
    if not path.is_file():
        pytest.skip("no trained typeseg blocks")
    opened = open_model(path, mapping=ROOT / "docs" / "examples" / "typeseg.toml")
    assert len(opened.layers) == 6 and opened.layers[3].name == "CheckpointMambaBlock1D_3"
    with np.load(path) as archive:
        for i in (0, 5):
            start = f"CheckpointMambaBlock1D_{i}__"
            theirs = {key.removeprefix(start): archive[key].astype(float) for key in archive if key.startswith(start)}
            h = np.random.default_rng(i).normal(size=(7, 256))
            out = typeseg_block(theirs, h)
            assert np.abs(block(opened.layers[i], h) - out).max() <= 1e-10 * np.abs(out).max()


def typeseg_block(w, h):
    def dense(x, number):
        return x @ w[f"Dense_{number}__kernel"] + w[f"Dense_{number}__bias"]

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    v = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-6)
    x, gate = np.split(dense(v * w["LayerNorm_0__scale"] + w["LayerNorm_0__bias"], 0), 2, axis=1)
    padded = np.pad(x, ((1, 2), (0, 0)))
    u = sum(padded[j : j + len(x)] * w["Conv_0__kernel"][j, 0] for j in range(4)) + w["Conv_0__bias"]
    u = u * sigmoid(u)
    low, B, C = np.split(dense(u, 1), (16, 32), axis=1)
    steps = np.log1p(np.exp(dense(low, 2))) + 1e-4

    def scan(order):
        y, state = np.zeros_like(u), np.zeros((256, 16))
        for t in order:
            decay = np.exp(-steps[t][:, None] * np.exp(w["A_log"]))
            state = decay * state + u[t][:, None] * steps[t][:, None] * B[t]
            y[t] = (state * C[t]).sum(1) + u[t] * w["D"]
        return y

    return dense((scan(range(len(u))) + scan(reversed(range(len(u))))) * gate * sigmoid(gate), 3)
