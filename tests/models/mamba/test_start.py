"""The seeded start: its bits, its order, its rules, written out a second time."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba.design import Design, lengths
from ssm_bounds.models.mamba.start import narrowed, parts, start

TWO = Design(V=5, layers=2, D=12, expand=2, N=3, k=3, outputs=4, final_norm=True)
HEADS = Design(c=2, layers=2, D=8, expand=2, N=3, k=4, P=4, G=2, mixer="mamba2")


def digest(tensors):
    return hashlib.sha256(b"".join(tensor.astype("<f8").tobytes() for tensor in tensors.values())).hexdigest()


def test_the_words_are_those_of_philox():
    first, second = np.random.Philox(key=0).random_raw(2).tolist()
    assert (first, second) == (0x2F4BA6408E4D89B, 0x3DD62B0B9CA8C5B2)
    found = start(Design(V=2, D=4), 0)["backbone.embeddings.weight"].ravel()[:2]
    # v = ((u >> 40) - 2^23 + 1/2) 2^-23, over sqrt 4
    assert found.tolist() == [((word >> 40) - 2**23 + 0.5) / 2**24 for word in (first, second)]


@pytest.mark.parametrize(
    ("design", "seed", "sha256"),
    [
        (TWO, 0, "10d7cfea3b6c74351a2bc8ef79a710fdc21b270e231c718c99bebf4052176a0c"),
        (TWO, 7, "6f42f4cc651991506cb2ec0ca492982fd6a5559bcc297c4a35bedd72f274ded6"),
        (HEADS, 0, "7402d03ff0ef69cd373eb31c05bf9c75fc31461e0cf32480333e5ef7099d0432"),
    ],
)
def test_its_bits_never_change(design, seed, sha256):
    assert digest(start(design, seed)) == sha256


def test_the_order_in_which_tensors_draw():
    one = """embeddings.weight
        norm.weight in_proj.weight conv1d.weight conv1d.bias x_proj.weight dt_proj.weight dt_proj.bias A_log D
        out_proj.weight norm_f.weight score.weight score.bias"""
    two = """input_proj.weight input_proj.bias
        norm.weight in_proj.weight conv1d.weight conv1d.bias dt_bias A_log D norm.weight out_proj.weight
        score.weight score.bias"""
    for design, names in ((replace(TWO, layers=1), one), (replace(HEADS, layers=1), two)):
        found = [re.sub(r"backbone\.(layers\.0\.(mixer\.)?)?", "", part.name) for part in parts(design)]
        assert found == names.split()
    layers = [part.name.split(".")[2] for part in parts(TWO) if ".layers." in part.name]
    assert layers == ["0"] * 10 + ["1"] * 10


@pytest.mark.parametrize("design", [TWO, HEADS], ids=["mamba", "mamba2"])
def test_the_rule_of_each_tensor(design):
    """All of it once more, from the words, in Python's own floats and libm's functions."""
    words = iter(np.random.Philox(key=3).random_raw(10**5).tolist())
    fans = {
        "embeddings.weight": design.D,
        "input_proj.weight": 2,
        "in_proj.weight": design.D,
        "conv1d.weight": design.k,
        "x_proj.weight": design.d,
        "dt_proj.weight": design.R,
        "out_proj.weight": design.d * design.layers,
    }
    for name, tensor in start(design, 3).items():
        fan = next((fan for suffix, fan in fans.items() if name.endswith(suffix)), None)
        bias_of_step = name.endswith(("dt_proj.bias", "dt_bias"))
        if fan is not None or bias_of_step:
            v = [((next(words) >> 40) - 2**23 + 0.5) / 2**23 for _ in range(tensor.size)]
            assert max(map(abs, v)) < 1
        if fan is not None:
            expected = [value / math.sqrt(fan) for value in v]
        elif bias_of_step:
            steps = [math.exp(math.log(0.003) + (value + 1) / 2 * math.log(100)) for value in v]
            expected = [math.log(math.expm1(step)) for step in steps]
            assert 0.003 < min(steps) <= max(steps) < 0.3
        elif name.endswith("A_log"):
            expected = np.broadcast_to(np.log(np.arange(1, tensor.shape[-1] + 1)), tensor.shape).ravel()
        else:
            ones = name.endswith(("norm.weight", "norm_f.weight", "mixer.D"))
            expected = np.full(tensor.size, float(ones))
        assert np.allclose(tensor.ravel(), expected, rtol=1e-12, atol=1e-13), name


def test_the_numbers_of_a_training_are_float32():
    exact, rounded = start(TWO, 0), narrowed(start(TWO, 0))
    for name, tensor in exact.items():
        assert (rounded[name] == rounded[name].astype(np.float32)).all() and tensor.dtype == np.float64
        assert (np.abs(rounded[name] - tensor) <= 2.0**-24 * np.abs(tensor)).all()
    assert any((rounded[name] != tensor).any() for name, tensor in exact.items())


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_outside_the_range(seed):
    with pytest.raises(DomainError, match="seed: expected a whole number from 0 to"):
        start(TWO, seed)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"V": None}, "expected tokens"),
        ({"c": 2}, "expected tokens"),
        ({"mixer": "mamba3"}, "mixer: expected one of mamba, mamba2"),
        ({"pooling": "max"}, "pooling: expected one of last, mean"),
        ({"layers": 0}, "layers: expected a whole number >= 1, got 0"),
        ({"V": 0}, "V: expected"),
        ({"eps": 0.0}, "eps"),
        ({"mixer": "mamba2", "P": 3}, "16 channels do not divide into heads of 3"),
        ({"mixer": "mamba2", "P": 8, "G": 4}, "2 heads do not divide into 4 groups"),
        ({"pool_before_norm": True}, "needs both"),
        ({"pool_before_norm": True, "pooling": "mean"}, "needs both"),
        ({"pad": 2}, "padding token 2: expected one of the tokens, 0 to 1"),
    ],
)
def test_designs_that_are_none(sizes, message):
    with pytest.raises(DomainError, match=message):
        Design(**({"V": 2} | sizes))


def test_lengths_of_rows():
    assert lengths(np.ones((3, 4, 2)), None).tolist() == [4, 4, 4]
    with pytest.raises(DomainError, match="row 1 is padding alone"):
        lengths(np.array([[1, 0], [0, 0]]), 0)
    with pytest.raises(DomainError, match=r"row 0 has padding .* before another token"):
        lengths(np.array([[0, 1, 1]]), 0)
