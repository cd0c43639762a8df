"""A Mamba-1 under foreign names: the map says which tensor is which, and what no name says of its block."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.files.mamba import open_model
from ssm_bounds.models.mamba.forward import block
from tests.conftest import ROOT
from tests.models.files.formats.models import FAMILIES, N, R, d, random, save

BLOCK = {"convolution": '"causal"', "directions": "1", "step_offset": "0", "norm": '"rms"', "eps": "1e-5"}
NAMES = {
    "blk{i}/a": '{ to = "A", negate_exp = true }',
    "blk{i}/skip": '"D"',
    "blk{i}/conv": '{ to = "conv1d.weight", transpose = true }',
    "blk{i}/conv_bias": '"conv1d.bias"',
    "blk{i}/step": '"dt_proj.weight"',
    "blk{i}/step_bias": '"dt_proj.bias"',
    "blk{i}/gate_and_in": '{ to = "in_proj.weight", split = ["z", "x"] }',
    "blk{i}/C": '{ to = "x_proj.weight", split = ["C"] }',
    "blk{i}/step_and_B": '{ to = "x_proj.weight", transpose = true, split = ["dt", "B"] }',
    "blk{i}/out": '{ to = "out_proj.weight", transpose = true }',
    "blk{i}/g": '"norm.weight"',
}


def foreign(tensors):
    """The tensors of a Mamba under other names, in other layouts."""
    found = {}
    for i in range(2):
        own = {name.split(f"layers.{i}.")[1]: x for name, x in tensors.items() if f"layers.{i}." in name}
        rows, X = own["mixer.in_proj.weight"], own["mixer.x_proj.weight"]
        new = {"a": own["mixer.A_log"], "skip": own["mixer.D"], "conv": own["mixer.conv1d.weight"][:, 0].T}
        new |= {"conv_bias": own["mixer.conv1d.bias"], "g": own["norm.weight"], "out": own["mixer.out_proj.weight"].T}
        new |= {"step": own["mixer.dt_proj.weight"], "step_bias": own["mixer.dt_proj.bias"]}
        new |= {"gate_and_in": np.vstack([rows[d:], rows[:d]]), "C": X[R + N :], "step_and_B": X[: R + N].T}
        found |= {f"blk{i}/{name}": np.ascontiguousarray(array) for name, array in new.items()}
    return found


def written(path, names=NAMES, block=BLOCK):
    lines = ["[names]", *(f'"{theirs}" = {value}' for theirs, value in names.items())]
    lines += ["[block]", *(f"{key} = {value}" for key, value in block.items())]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def pair(tmp_path):
    """A Mamba under its own names, and the same under others."""
    tensors = random(FAMILIES["mamba"][0])
    return save(tmp_path / "own", tensors, FAMILIES["mamba"][1]), save(tmp_path / "foreign", foreign(tensors))


def test_the_same_model_under_other_names(pair, tmp_path):
    own, other = open_model(pair[0]), open_model(pair[1], mapping=written(tmp_path / "map.toml"))
    assert other.format == "mapped" and [layer.name for layer in other.layers] == ["blk0", "blk1"]
    assert other.assumed == ("by the map: convolution causal, directions 1, step offset 0, norm rms",)
    for one, two in zip(own.layers, other.layers, strict=True):
        assert np.array_equal(one.norm.gamma, two.norm.gamma)
        for field in fields(one.mixer):
            assert np.array_equal(getattr(one.mixer, field.name), getattr(two.mixer, field.name))


def test_what_the_map_says_of_the_block_reaches_it(pair, tmp_path):
    stated = BLOCK | {"convolution": '"same"', "directions": "2", "step_offset": "0.25", "norm": '"layer"'}
    layer = open_model(pair[1], mapping=written(tmp_path / "map.toml", block=stated)).layers[1]
    assert (layer.mixer.convolution, layer.mixer.directions, layer.mixer.step_offset) == ("same", 2, 0.25)
    assert layer.norm.kind == "layer" and not layer.norm.beta.any()
    h = np.random.default_rng(0).normal(size=(6, 4))
    assert not np.allclose(block(layer, h), block(open_model(pair[0]).layers[1], h))


def test_a_file_may_hold_A_itself(pair, tmp_path):
    tensors = foreign(random(FAMILIES["mamba"][0]))
    held = tensors | {f"blk{i}/a": -np.exp(tensors[f"blk{i}/a"].astype(float)) for i in range(2)}
    names = NAMES | {"blk{i}/a": '"A"'}
    model = open_model(save(tmp_path / "A", held), mapping=written(tmp_path / "map.toml", names))
    assert "rounded to nearest" in " ".join(model.assumed)
    assert np.allclose(model.layers[0].mixer.A_log, open_model(pair[0]).layers[0].mixer.A_log, rtol=0, atol=1e-14)
    held["blk1/a"][0, 0] = 0.0
    with pytest.raises(CheckpointError, match="'blk1/a': A has entries from 0 on"):
        list(open_model(save(tmp_path / "A", held), mapping=tmp_path / "map.toml").layers)


def test_without_eps_it_is_assumed(pair, tmp_path):
    less = {key: value for key, value in BLOCK.items() if key != "eps"}
    model = open_model(pair[1], mapping=written(tmp_path / "map.toml", block=less))
    assert "eps of the block norm 1e-05: the map has none" in model.assumed and model.layers[0].norm.eps == 1e-5


def test_without_a_norm_a_radius_is_stated(pair, tmp_path):
    tensors = {name: x for name, x in foreign(random(FAMILIES["mamba"][0])).items() if not name.endswith("/g")}
    folder = save(tmp_path / "bare", tensors)
    mapping = written(tmp_path / "map.toml", {key: value for key, value in NAMES.items() if not key.endswith("/g")})
    with pytest.raises(CheckpointError, match="state --input-radius R"):
        open_model(folder, mapping=mapping)
    assert open_model(folder, mapping=mapping, input_radius=3.0).layers[0].radius == 3.0


CHANGED = [
    ({"blk{i}/a": '"A_log"'}, {}, "'A_log' is none of ours"),
    ({"blk{i}/a": '{ to = "A", transpose = 1 }'}, {}, "are true or false"),
    ({"blk{i}/skip": '{ to = "D", negate_exp = true }'}, {}, "the second for A alone"),
    ({"blk{i}/skip": '{ to = "D", split = ["x"] }'}, {}, "expected some of no parts"),
    ({"blk{i}/skip": '{ to = "D", flip = true }'}, {}, "expected our name or"),
    ({"blk{i}/C": '{ to = "x_proj.weight", split = ["B"] }'}, {}, "into other parts than dt, B, C"),
    ({"blk{i}/C": '{ to = "x_proj.weight", split = ["C", "C"] }'}, {}, "expected some of dt, B, C"),
    ({"blk{i}/step_and_B": '{ to = "x_proj.weight", split = ["dt", "B"] }'}, {}, "its rows are not those parts"),
    ({"blk{i}/conv": '"conv1d.weight"'}, {}, "expected (6, 1, 6)"),
    ({"blk{i}/conv_bias": '"D"'}, {}, "twice"),
    ({"blk{i}/none": '"in_proj.bias"'}, {}, "lacks tensor 'blk0/none'"),
    ({"blk/none": '"in_proj.bias"'}, {}, "expected {i} once"),
    ({}, {"norm": '"rms"', "expand": "2"}, "the map says expand = 2"),
    ({}, {"convolution": '"valid"'}, "[block] convolution: expected 'causal' or 'same'"),
    ({}, {"directions": "3"}, "[block] directions: expected 1 or 2"),
    ({}, {"directions": "true"}, "[block] directions: expected 1 or 2"),
    ({}, {"step_offset": "-1"}, "[block] step_offset: expected a number from 0 on"),
    ({}, {"eps": "0"}, "[block] eps: expected a number above 0"),
    ({}, {"eps": "nan"}, "[block] eps: expected a number above 0"),
    ({}, {"gate": '"silu"'}, "[block] has 'gate', which means nothing there"),
    ({"blk{i}/g": '"norm.bias"'}, {"norm": '"layer"'}, "beside a norm.weight"),
    ({"blk{i}/conv_bias": '"norm.bias"'}, {}, "which only a LayerNorm has"),
]


@pytest.mark.parametrize(("names", "stated", "says"), CHANGED)
def test_a_map_that_does_not_fit_is_refused(pair, tmp_path, names, stated, says):
    mapping = written(tmp_path / "map.toml", NAMES | names, BLOCK | stated)
    with pytest.raises(CheckpointError) as caught:
        list(open_model(pair[1], mapping=mapping).layers)
    assert says in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize("left", list(NAMES))
def test_a_tensor_that_the_map_leaves_out_is_another_block(pair, tmp_path, left):
    """Else a bias that nobody mapped would be taken for zero."""
    mapping = written(tmp_path / "map.toml", {name: value for name, value in NAMES.items() if name != left})
    with pytest.raises(CheckpointError, match="which the map leaves out"):
        open_model(pair[1], mapping=mapping)


@pytest.mark.parametrize("key", ["convolution", "directions", "step_offset", "norm"])
def test_the_block_is_stated_not_assumed(pair, tmp_path, key):
    less = {name: value for name, value in BLOCK.items() if name != key}
    with pytest.raises(CheckpointError, match=rf"\[block\] {key}: expected"):
        open_model(pair[1], mapping=written(tmp_path / "map.toml", block=less))


@pytest.mark.parametrize("text", ["[names", "", "[names]\n[block]\n[more]", "\xff", "names = 3\nblock = 4"])
def test_a_map_is_toml(pair, tmp_path, text):
    (tmp_path / "map.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"map 'map\.toml': "):
        open_model(pair[1], mapping=tmp_path / "map.toml")
    with pytest.raises(CheckpointError, match="no such file"):
        open_model(pair[1], mapping=tmp_path / "other.toml")


def test_the_map_of_typeseg(shared):
    """Six blocks, with what the names alone do not tell."""
    path = shared / "checkpoints" / "typeseg" / "mamba_al.npz"
    model = open_model(path, mapping=ROOT / "docs" / "examples" / "typeseg.toml")
    assert model.parameters == 1364035 and len(model.layers) == 6
    assert "Embed_0__embedding" in model.not_analysed
    layer = model.layers[5]
    assert layer.norm.kind == "layer" and layer.norm.eps == 1e-6 and layer.norm.beta.any() and layer.mixer.c_B.any()
    assert (layer.mixer.convolution, layer.mixer.directions, layer.mixer.step_offset) == ("same", 2, 1e-4)
    with np.load(path) as archive:
        kernel = archive["CheckpointMambaBlock1D_5__Conv_0__kernel"]
        assert np.array_equal(layer.mixer.K, kernel[::-1, 0].T)
