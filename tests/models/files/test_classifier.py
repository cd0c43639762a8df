"""The folder of a classifier: what is written is read, and what is not a classifier is refused in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy
import torch

from ssm_bounds.inspection import inspect
from ssm_bounds.models.files.classifier import CONFIG, DATA, STATE, WEIGHTS, read, require_own, write
from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.files.mamba import open_model
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.start import narrowed, start

MEAN = Design(V=3, layers=2, final_norm=True, pooling="mean", pool_before_norm=True, pad=0)
REAL = Design(c=2, mixer="mamba2", P=4, G=2, outputs=3)


def saved(folder, design, *, seed=4, labels=("no", "yes")):
    tensors = {name: tensor.astype(np.float32) for name, tensor in start(design, seed).items()}
    tensors["score.weight"] = tensors["score.weight"] + np.float32(0.1)
    write(folder, design, tensors, labels=labels, seed=seed, training={"task": "none"})
    return tensors


def test_what_is_written_is_read(tmp_path):
    tensors = saved(tmp_path, MEAN)
    found = read(tmp_path)
    assert (found.pooling, found.pool_before_norm, found.pad, found.labels) == ("mean", True, 0, ("no", "yes"))
    assert found.final_norm.eps == 1e-5 and (found.final_norm.gamma == 1).all()
    assert (found.embedding == tensors["backbone.embeddings.weight"]).all() and found.input_weight is None
    assert found.score.shape == (1, 8) and (found.score == tensors["score.weight"]).all() and found.bias == [0]
    assert found.score.dtype == found.embedding.dtype == np.float64
    assert [layer.index for layer in found.layers] == [0, 1]
    taps = tensors["backbone.layers.1.mixer.conv1d.weight"][:, 0, ::-1]
    assert (taps == found.layers[1].mixer.K).all()
    assert found.config["training"] == {"task": "none"}


@pytest.mark.parametrize("design", [MEAN, REAL], ids=["mamba", "mamba2"])
def test_the_start_is_computed_from_the_seed(tmp_path, design):
    labels = ("a", "b", "c")[: max(2, design.outputs)]
    tensors = saved(tmp_path, design, labels=labels)
    found = read(tmp_path)
    assert found.seed == 4 and found.start.keys() == tensors.keys()
    for name, value in narrowed(start(design, 4)).items():
        assert (found.start[name] == value).all()
        assert (value == tensors[name]).all() or name == "score.weight"
    assert (found.start["score.weight"] == 0).all()


def test_real_inputs_and_no_final_norm(tmp_path):
    tensors = saved(tmp_path, REAL, labels=("a", "b", "c"))
    found = read(tmp_path)
    assert found.embedding is None and found.final_norm is None and found.pad is None
    assert (found.input_weight == tensors["input_proj.weight"]).all() and (found.input_bias == 0).all()
    assert (found.layers[0].mixer.groups, found.layers[0].mixer.limits) == (2, (0, float("inf")))


def test_a_file_without_seed_or_biases_is_read_too(tmp_path):
    """Made elsewhere: the config says how tokens are pooled, and not where a training started."""
    tensors = saved(tmp_path, MEAN)
    del tensors["score.bias"]
    tensors["backbone.embedding.weight"] = tensors.pop("backbone.embeddings.weight")  # as mamba_ssm calls it
    (tmp_path / WEIGHTS).unlink()
    torch.save({name: torch.tensor(tensor) for name, tensor in tensors.items()}, tmp_path / "pytorch_model.bin")
    config = json.loads((tmp_path / CONFIG).read_text())
    kept = {key: config[key] for key in ("pooling", "pool_before_norm", "id2label")}
    (tmp_path / CONFIG).write_text(json.dumps(kept | {"d_model": 8, "n_layer": 2, "ssm_cfg": {}, "rms_norm": True}))
    found = read(tmp_path)
    assert (found.seed, found.start, found.bias.tolist()) == (None, None, [0.0])


def test_inspect_reads_it(tmp_path):
    for name, design in (("one", MEAN), ("two", REAL)):
        (tmp_path / name).mkdir()
        saved(tmp_path / name, design, labels=("a", "b", "c")[: max(2, design.outputs)])
        opened = open_model(tmp_path / name)
        assert opened.format == design.mixer and not opened.assumed and len(opened.layers) == design.layers
        assert inspect(tmp_path / name, T=5).layers


def changed(folder, tensors=None, **entries):
    """The folder of MEAN with other tensors (None: without it) or entries in its config (None: without it)."""
    found = saved(folder, MEAN) | (tensors or {})
    (folder / WEIGHTS).write_bytes(safetensors.numpy.save({n: t for n, t in found.items() if t is not None}))
    config = json.loads((folder / CONFIG).read_text()) | entries
    (folder / CONFIG).write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


ONE = np.ones(1, np.float32)


@pytest.mark.parametrize(
    ("tensors", "entries", "message"),
    [
        ({"score.weight": None}, {}, r"lacks tensor 'score.weight', the head that makes logits"),
        ({"score.weight": np.ones((1, 7), np.float32)}, {}, r"'score.weight': has shape \(1, 7\), expected \(1, 8\)"),
        ({"score.weight": np.ones((0, 8), np.float32)}, {}, "has no output"),
        ({"score.bias": np.ones(2, np.float32)}, {}, r"'score.bias': has shape \(2,\)"),
        ({"score.bias": ONE * np.nan}, {}, "'score.bias': has 1 NaN"),
        ({"backbone.embeddings.weight": None}, {}, r"lacks tensor 'backbone.embeddings.weight' \(or 'input_proj"),
        ({"backbone.embeddings.weight": np.ones((3, 9), np.float32)}, {}, r"expected \(3, 8\)"),
        ({"input_proj.weight": np.ones((8, 2), np.float32)}, {}, "expected one kind of inputs"),
        ({"backbone.norm_f.weight": None}, {}, "'final_norm': expected false, as the file has none, found True"),
        ({"backbone.norm_f.weight": None}, {"final_norm": None}, "lacks tensor 'backbone.norm_f.weight'; without a"),
        ({"backbone.norm_f.weight": ONE}, {}, r"'backbone.norm_f.weight': has shape \(1,\)"),
        ({"more": ONE}, {}, "also holds 'more', which no classifier of Mamba blocks reads"),
        ({}, {"final_norm": False}, "'final_norm': expected true, as the file has one"),
        ({}, {"pooling": None}, "config.json lacks 'pooling'"),
        ({}, {"pooling": "max"}, "'pooling': expected 'last' or 'mean', found 'max'"),
        ({}, {"pool_before_norm": None}, "config.json lacks 'pool_before_norm'"),
        ({}, {"pool_before_norm": 1}, "'pool_before_norm': expected true or false, found 1"),
        ({}, {"pooling": "last"}, "'pool_before_norm': expected false, found True"),
        ({}, {"id2label": None}, "config.json lacks 'id2label'"),
        ({}, {"id2label": {"0": "a"}}, "'id2label': expected names of 0 to 1"),
        ({}, {"id2label": ["a", "b"]}, "'id2label': expected names of 0 to 1"),
        ({}, {"pad_token_id": 3}, "'pad_token_id': expected one of the tokens"),
        ({}, {"pad_token_id": "0"}, "'pad_token_id': expected a whole number from 0 on, found '0'"),
        ({}, {"seed": -1}, "'seed': expected a whole number from 0 on, found -1"),
        ({}, {"seed": 2**64}, "'seed': expected a whole number from 0 to"),
        ({}, {"seed": True}, "'seed': expected a whole number"),
        ({}, {"state_size": 5}, r"x_proj.weight': has shape \(9, 16\), but \(11, 16\) by config"),
        ({}, {"expand": None}, "config.json lacks 'expand'"),
        ({}, {"hidden_size": 0}, "'hidden_size': expected a whole number from 1 on"),
    ],
)  # fmt: skip
def test_what_is_no_classifier(tmp_path, tensors, entries, message):
    changed(tmp_path, tensors, **entries)
    with pytest.raises(CheckpointError, match=message) as refused:
        read(tmp_path)
    assert str(refused.value).startswith(str(tmp_path)) and "\n" not in str(refused.value)


def test_weights_alone_or_in_shards(tmp_path):
    saved(tmp_path, MEAN)
    assert read(tmp_path / WEIGHTS).sha256 == read(tmp_path).sha256
    (tmp_path / CONFIG).unlink()
    with pytest.raises(CheckpointError, match=r"lacks config.json"):
        read(tmp_path)


def test_a_folder_of_others_is_left_alone(tmp_path):
    ours = tmp_path / "ours"
    require_own(ours)
    ours.mkdir()
    require_own(ours)
    saved(ours, MEAN)
    for name in (DATA, STATE):
        (ours / name).touch()
    require_own(ours)
    (ours / "notes.txt").touch()
    with pytest.raises(CheckpointError, match=r"holds 'notes.txt', which no training here wrote"):
        require_own(ours)
    (ours / "notes.txt").unlink()
    config = json.loads((ours / CONFIG).read_text())
    del config["training"]
    (ours / CONFIG).write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"config.json is of a model that was not trained here"):
        require_own(ours)
    (ours / CONFIG).write_text("{")
    with pytest.raises(CheckpointError, match=r"'config.json' is not JSON"):
        require_own(ours)
    (ours / CONFIG).unlink()
    with pytest.raises(CheckpointError, match=r"is not empty and has no config.json"):
        require_own(ours)
    with pytest.raises(CheckpointError, match="there is no directory"):
        require_own(tmp_path / "none" / "there")
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="is a file, expected a folder"):
        require_own(tmp_path / "file")


def test_the_hash_is_of_what_is_read(tmp_path):
    """Of weights and config; a folder with an index would read other files than the one that is hashed."""
    found = []
    for entries in ({}, {}, {"layer_norm_epsilon": 0.5}, {"training": {"task": "another"}}):
        changed(tmp_path, **entries)
        found.append(read(tmp_path).sha256)
    assert found[0] == found[1] == found[3] != found[2]
    index = {"weight_map": dict.fromkeys(saved(tmp_path, MEAN), WEIGHTS)}
    (tmp_path / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="without shards"):
        read(tmp_path)
