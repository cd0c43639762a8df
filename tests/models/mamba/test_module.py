"""The torch classifier against the NumPy program, transformers' models, and logits known in advance."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssm_bounds.models.files.classifier import read, write
from ssm_bounds.models.mamba import module
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.forward import logits
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.mamba.scan import states
from ssm_bounds.models.mamba.start import parts

DESIGNS = {
    "one block": Design(V=5, pad=0),
    "deep": Design(V=5, layers=3, D=20, N=3, k=3, outputs=4, final_norm=True, pooling="mean", pad=0),
    "mean first": Design(c=2, layers=2, k=2, final_norm=True, pooling="mean", pool_before_norm=True),
    "no convolution": Design(V=5, k=1, expand=1, outputs=3, pooling="mean", pad=0),
    "heads": Design(mixer="mamba2", c=3, layers=2, P=4, outputs=3, final_norm=True),
    "groups": Design(mixer="mamba2", V=5, layers=2, P=4, G=2, N=3, pooling="mean", eps=0.02, pad=0),
}


def scattered(design, seed=0):
    """Tensors that tell every one of the parameters apart, in float32 numbers."""
    rng = np.random.default_rng(seed)
    found = {}
    for part in parts(design):
        norm = part.name.endswith(("norm.weight", "norm_f.weight"))
        found[part.name] = (float(norm) + 0.5 * rng.normal(size=part.shape)).astype(np.float32)
    return found


def batch(design, n=4, T=9, seed=1):
    """Inputs filled up on the right, and their lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, T + 1, n)
    lengths[0], lengths[1] = T, 1
    if design.c is not None:
        return rng.normal(size=(n, T, design.c)), lengths
    return np.where(np.arange(T) < lengths[:, None], rng.integers(1, design.V, (n, T)), 0), lengths


def saved(folder, design, tensors):
    folder.mkdir(exist_ok=True)
    labels = tuple(map(str, range(max(design.outputs, 2))))
    write(folder, design, tensors, labels=labels, seed=0, training={})
    return folder


@pytest.fixture(params=DESIGNS)
def design(request):
    return DESIGNS[request.param]


def worst(design, folder, changed=lambda model: None):
    """Largest difference of our two programs on a batch, the NumPy one reading the file."""
    tensors = scattered(design)
    classifier = read(saved(folder, design, tensors))
    model = MambaClassifier.from_tensors(design, tensors, dtype=torch.float64)
    changed(model)
    x, lengths = batch(design)
    with torch.no_grad():
        found = model(torch.from_numpy(x), torch.from_numpy(lengths)).numpy()
    expected = np.array([logits(classifier, row, length) for row, length in zip(x, lengths, strict=True)])
    assert np.abs(expected).max() > 0.1
    return np.abs(found - expected).max()


def test_equals_the_numpy_program(design, tmp_path):
    assert worst(design, tmp_path) < 1e-12


def test_a_wrong_module_is_seen(tmp_path, monkeypatch):
    """Controls: taps in the other order, no skip, no residual, B for C, a norm left out, the other order of pooling."""
    plain, mean = DESIGNS["deep"], DESIGNS["mean first"]

    def flipped(model):
        for block in model.backbone.layers:
            block.mixer.conv1d.weight.data = block.mixer.conv1d.weight.data.flip(-1)

    def skipless(model):
        model.backbone.layers[-1].mixer.D.data.zero_()

    def swapped(model):
        N, weight = plain.N, model.backbone.layers[0].mixer.x_proj.weight
        weight.data[-2 * N :] = weight.data[-2 * N :].roll(N, 0)

    def unnormed(model):
        model.backbone.norm_f = None

    def reordered(model):
        model.design = replace(mean, pool_before_norm=False)

    for change in (flipped, skipless, swapped, unnormed):
        assert worst(plain, tmp_path / "plain", change) > 1e-3, change.__name__
    assert worst(mean, tmp_path / "mean", reordered) > 1e-3
    monkeypatch.setattr(module.Block, "forward", lambda block, h: block.mixer(block.norm(h)))
    assert worst(plain, tmp_path / "plain") > 1e-3


def test_padding_and_lengths_change_nothing_else(design):
    model = MambaClassifier.from_tensors(design, scattered(design), dtype=torch.float64)
    x, lengths = (torch.from_numpy(array) for array in batch(design))
    other = x.clone()
    other[torch.arange(x.shape[1]) >= lengths[:, None]] = 4 if design.c is None else 1e3
    assert torch.equal(model(x, lengths), model(other, lengths))
    assert torch.equal(model(x), model(x, torch.full((4,), 9)))
    assert not torch.allclose(model(x), model(x, lengths), atol=1e-6)


def test_the_logits_of_a_known_model(tmp_path):
    """Two layers, one real input, three outputs, mean: hexadecimal logits that were computed elsewhere, in an integer
    program within 4e-8 of real arithmetic; tensors by formula, in the order in which they draw."""
    design = Design(c=1, outputs=3, layers=2, D=4, N=2, k=3, final_norm=True, pooling="mean")
    tensors = {}
    for number, part in enumerate(parts(design)):
        flat = ((37 * np.arange(np.prod(part.shape)) + 11 * number) % 101 - 50) / 128
        tensors[part.name] = flat.reshape(part.shape) + float("norm" in part.name)
    x = ((7 * np.arange(2)[:, None] + 3 * np.arange(5)) % 11 - 5)[..., None] / 4
    expected = [
        ["0x1.257c958p-4", "0x1.88df80dp-2", "-0x1.72da81ep-3"],
        ["-0x1.a529824p-4", "0x1.9dc09b7p-2", "-0x1.21e7647p-2"],
    ]
    expected = np.array([[float.fromhex(value) for value in row] for row in expected])
    model = MambaClassifier.from_tensors(design, tensors, dtype=torch.float64)
    with torch.no_grad():
        found = model(torch.from_numpy(x), torch.tensor([5, 3])).numpy()
    assert np.abs(found - expected).max() < 1e-7
    classifier = read(saved(tmp_path, design, {name: tensor.astype(np.float32) for name, tensor in tensors.items()}))
    ours = np.array([logits(classifier, row, length) for row, length in zip(x, (5, 3), strict=True)])
    assert np.abs(ours - expected).max() < 1e-7


@pytest.mark.parametrize("shape", [(5, 2, 3, 4), (5, 2, 3, 1), (1, 2, 3, 4)])
def test_the_recurrence_and_its_derivative(shape):
    generator = torch.Generator().manual_seed(0)
    decay = torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()
    update = torch.randn(shape[0], 2, 3, 4, generator=generator, dtype=torch.float64).requires_grad_()
    h, expected = torch.zeros(2, 3, 4, dtype=torch.float64), []
    for a, x in zip(decay, update, strict=True):
        h = a * h + x
        expected.append(h)
    assert torch.allclose(states(decay, update), torch.stack(expected), rtol=0, atol=1e-14)
    assert torch.autograd.gradcheck(states, (decay, update))


def test_nothing_is_drawn_from_torch():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    MambaClassifier.from_tensors(DESIGNS["deep"], scattered(DESIGNS["deep"]))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.filterwarnings("ignore")  # those of transformers while it is imported
@pytest.mark.parametrize("name", ["one block", "deep", "groups"])
def test_transformers_reads_the_backbone_and_gives_the_same(tmp_path, caplog, name):
    transformers = pytest.importorskip(
        "transformers", reason="the extra [test] brings transformers", exc_type=ImportError
    )
    caplog.set_level(logging.ERROR)
    design = DESIGNS[name]
    model = MambaClassifier.from_tensors(design, scattered(design))
    folder = saved(tmp_path, design, model.tensors())
    theirs, loading = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    theirs.eval()
    assert set(loading["missing_keys"]) == (set() if design.final_norm else {"norm_f.weight"})
    assert type(theirs).__name__ == ("MambaModel" if design.mixer == "mamba" else "Mamba2Model")
    assert loading["mismatched_keys"] == set() and theirs.config.pooling == design.pooling
    x, lengths = (torch.from_numpy(array) for array in batch(design))
    mask = (torch.arange(x.shape[1]) < lengths[:, None]).long()
    with torch.no_grad():
        h = theirs(x, attention_mask=mask, use_cache=False, output_hidden_states=True)
        ours = model.hidden(x)
        normed = theirs.norm_f(ours)
    valid = mask.bool()
    scale = max(1.0, h.last_hidden_state.abs().max().item())
    assert (normed - h.last_hidden_state)[valid].abs().max() < 1e-5 * scale
    assert h.hidden_states[0].shape == ours.shape
