"""The file of a linear S4D layer: exact values from every container, and one clear line for every other file."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import safetensors.numpy
import torch

import ssm_bounds
from ssm_bounds.models.files import s4d
from ssm_bounds.models.files.container import CheckpointError
from tests.s4d import layer, tensors


def save(path, found, **options):
    """``found`` as torch.save or safetensors writes it, by the suffix of the path."""
    if path.suffix == ".safetensors":
        safetensors.numpy.save_file({name: np.ascontiguousarray(value) for name, value in found.items()}, path)
    else:
        torch.save({name: torch.tensor(value) for name, value in found.items()}, path, **options)
    return path


@pytest.mark.parametrize("name", ["s4d.pth", "s4d.safetensors", "legacy.pth", "wrapped.pth"])
def test_values_are_kept(tmp_path, name):
    weights = layer(d=5, N=3, k=2)
    found = tensors(weights)
    if name == "wrapped.pth":
        found = {f"module.{key}": value for key, value in found.items()}
    path = save(
        tmp_path / name, found, **({"_use_new_zipfile_serialization": False} if name.startswith("legacy") else {})
    )
    read = s4d.read(path)
    assert s4d.is_s4d(path) and (read.path, read.format) == (path, "s4d")
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (read.weights.d, read.weights.N, read.weights.k) == (5, 3, 2)
    for block in s4d.NAMES:
        assert np.array_equal(getattr(read.weights, block), getattr(weights, block))
        assert not getattr(read.weights, block).flags.writeable


def test_one_channel_needs_no_readout(tmp_path):
    found = tensors(layer(d=1))
    del found["W"]
    assert s4d.read(save(tmp_path / "s4d.pth", found)).weights.W.tolist() == [[1.0]]


def _without(name):
    return lambda found: found.pop(name)


BAD = {
    "no readout": (_without("W"), r"lacks 'W', expected a readout \(k, 3\) of 3 channels"),
    "no skip": (_without("D"), r"lacks 'D', expected in the s4d format"),
    "no phases": (_without("kernel.C"), r"lacks 'kernel.C'"),
    "more": (lambda found: found.update(bias=np.zeros(1)), r"also holds 'bias', unknown to the s4d format"),
    "activation": (
        lambda found: found.update({"output_linear.0.weight": np.zeros((6, 3, 1))}),
        r"tensor 'output_linear.0.weight': an activation and a mixing layer follow this S4D layer",
    ),
    "two layers": (
        lambda found: found.update({f"second.{name}": value for name, value in list(found.items())}),
        r"holds 2 S4D layers, expected one linear layer",
    ),
    "another name": (
        lambda found: found.update({"layer.kernel.log_A_real": found.pop("kernel.log_A_real")}),
        r"lacks 'kernel.log_A_real'",
    ),
    "twice": (lambda found: found.update({"module.D": found["D"]}), r"holds tensor 'D' twice"),
    "complex": (
        lambda found: found.update({"kernel.C": np.zeros((3, 2), complex)}),
        r"tensor 'kernel.C': has dtype complex128, expected float32 or float64 \(a complex number as two\)",
    ),
    "half": (lambda found: found.update(D=found["D"].astype(np.float16)), r"'D': has dtype float16"),
    "shape": (
        lambda found: found.update({"kernel.A_imag": np.zeros((3, 4), np.float32)}),
        r"tensor 'kernel.A_imag': expected shape \(d, N\) with d = 3 as in 'kernel.C', N = 2 as in 'kernel.C'",
    ),
    "reals": (
        lambda found: found.update({"kernel.C": np.zeros((3, 2, 3), np.float32)}),
        r"tensor 'kernel.C': expected shape \(d, N, 2\)",
    ),
    "nan": (lambda found: found.update(D=np.full(3, np.nan)), r"tensor 'D': has 3 NaN or infinite values among 3"),
    "infinite": (
        lambda found: found.update({"kernel.log_dt": np.full(3, np.inf)}),
        r"tensor 'kernel.log_dt': has 3 NaN or infinite",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_another_file_is_refused_in_one_line(tmp_path, case):
    change, message = BAD[case]
    found = tensors(layer())
    change(found)
    path = save(tmp_path / "s4d.pth", found)
    with pytest.raises(CheckpointError, match=message) as caught:
        s4d.read(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_too_many_modes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(s4d, "MOST_MODES", 5)
    with pytest.raises(CheckpointError, match="has 6 modes, expected at most 5"):
        s4d.read(save(tmp_path / "s4d.pth", tensors(layer(d=3, N=2))))


def test_other_files_are_not_s4d(tmp_path):
    (tmp_path / "text.pth").write_text("text")
    assert not s4d.is_s4d(tmp_path / "text.pth") and not s4d.is_s4d(tmp_path / "absent.pth")
    assert not s4d.is_s4d(save(tmp_path / "other.pth", {"A": np.zeros((2, 2))}))


def test_the_public_file_of_two_layers(shared):
    path = shared / "field" / "s4d_flat.pth"
    assert s4d.is_s4d(path)
    with pytest.raises(CheckpointError, match="holds 2 S4D layers"):
        s4d.read(path)


def test_readers_of_other_models_say_whose_it_is(tmp_path):
    path = save(tmp_path / "s4d.pth", tensors(layer()))
    with pytest.raises(CheckpointError, match="is S4D, which selects nothing"):
        ssm_bounds.read(path)
    with pytest.raises(CheckpointError, match="is S4D, which has no layer of Mamba to inspect"):
        ssm_bounds.inspect(path)
