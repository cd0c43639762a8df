"""Named tensors of a model of any size: exact, lazy, and one clear line for whatever is wrong with a file."""

from __future__ import annotations

import gc
import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from ssm_bounds.models.files import tensors
from ssm_bounds.models.files.container import CheckpointError
from ssm_bounds.models.files.tensors import open_tensors, widened
from tests.models.files.formats.models import random, save, shard

SMALL = random({"a": (3, 2), "b": (4,), "c.weight": (2, 1, 2)})


def problem(path):
    with pytest.raises(CheckpointError) as caught:
        file = open_tensors(path)
        for name in file.tensors:
            file.array(name)
    assert str(caught.value).isprintable()
    return str(caught.value)


def written(path, kind, content):
    weights = {name: torch.from_numpy(np.asarray(array)) for name, array in content.items()}
    if kind == "safetensors":
        safetensors.torch.save_file(weights, path)
    elif kind == "npz":
        with path.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **content)
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=kind == "zip")
    return path


lazy = pytest.mark.parametrize("kind", ["safetensors", "zip", "npz"])  # a legacy pickle is held whole
kinds = pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy", "npz"])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_all_16_bit_numbers_are_read_exactly(tmp_path, dtype, kind):
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    finite = bits[torch.isfinite(bits)]
    path = tmp_path / "model"
    if kind == "safetensors":
        safetensors.torch.save_file({"a": finite}, path)
    else:
        torch.save({"a": finite}, path, _use_new_zipfile_serialization=kind == "zip")
    values = open_tensors(path).array("a")
    assert values.dtype == np.float64 and np.array_equal(values, finite.double().numpy())
    assert np.array_equal(np.signbit(values), np.signbit(finite.double().numpy()))


def test_views_of_a_storage(tmp_path):
    """Transposed, cut, negated without being written anew, and in 16 bits."""
    base = torch.arange(12, dtype=torch.bfloat16).reshape(3, 4)
    imaginary = torch.complex(torch.zeros(2), torch.tensor([1.5, -2.0]))
    views = {"t": base.T, "cut": base[1:, ::2], "neg": torch._neg_view(base), "negative": imaginary.conj().imag}
    for zipped in (True, False):
        torch.save(views, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
        file = open_tensors(tmp_path / "model.pt")
        for name, view in views.items():
            assert np.array_equal(file.array(name), view.double().numpy())


@lazy
def test_memory_is_that_of_one_tensor(tmp_path, kind):
    content = {f"layers.{i}.weight": np.ones((256, 512), np.float32) for i in range(40)}  # 0.5 MiB each, 20 in all
    path = written(tmp_path / "model", kind, content)
    del content
    gc.collect()
    tracemalloc.start()
    file = open_tensors(path)
    for name in file.tensors:
        assert file.array(name).shape == (256, 512)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


@kinds
def test_no_cut_and_no_flip_of_a_byte_escapes(tmp_path, kind):
    """Whatever happens to a file, it is read or there is one line that names it."""
    data = written(tmp_path / "model", kind, SMALL).read_bytes()
    generator = np.random.default_rng(0)
    cuts = [data[:end] for end in generator.integers(0, len(data), 60)]
    flips = []
    for _ in range(200):
        changed = bytearray(data)
        for place in generator.integers(0, len(data), generator.integers(1, 4)):
            changed[place] = generator.integers(256)
        flips.append(bytes(changed))
    path = tmp_path / "other"
    for i, other in enumerate(cuts + flips):
        path.write_bytes(other)
        try:
            file = open_tensors(path)
            for name in file.tensors:
                file.array(name)
            assert i >= len(cuts)  # no part of a file is taken for the whole
        except CheckpointError as error:
            assert str(error).isprintable() and (str(path) in str(error) or "tensor" in str(error))


@lazy
def test_a_file_that_changes_while_it_is_read(tmp_path, kind):
    path = written(tmp_path / "model", kind, SMALL)
    file = open_tensors(path)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be read"):
        file.array("a")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, "do not fit its shape"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, "do not fit its shape"),
        ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, "not one of safetensors"),
        ({"a": {"dtype": "F32", "shape": "12", "data_offsets": [0, 4]}}, "not one of safetensors"),
        ({"a": {"dtype": 3, "shape": [1], "data_offsets": [0, 4]}}, "not"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, "not"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, "is truncated"),
        ({"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}, "has dtype F8_E4M3"),
        ({"a": {"dtype": "I32", "shape": [1], "data_offsets": [0, 4]}}, "has dtype I32"),
        ({"a": []}, "not that of a safetensors file"),
        ([], "starts with"),
    ],
)
def test_a_header_of_safetensors_is_checked(tmp_path, header, says):
    text = json.dumps(header).encode()
    (tmp_path / "model").write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 4)
    assert says in problem(tmp_path / "model")


def test_sizes_are_limited(tmp_path, monkeypatch):
    path = written(tmp_path / "model", "safetensors", SMALL)
    monkeypatch.setattr(tensors, "MAX_ELEMENTS", 5)
    assert "has 6 elements, expected at most 5" in problem(path)
    monkeypatch.setattr(tensors, "MAX_BYTES", 10)
    with (tmp_path / "packed").open("wb") as stream:
        np.savez_compressed(stream, a=np.zeros(1000))
    assert "unpacks to" in problem(tmp_path / "packed")


def test_a_stride_of_zero_repeats_nothing(tmp_path):
    torch.save({"a": torch.zeros(1).expand(10**9)}, tmp_path / "model.pt")
    assert "more elements than its storage" in problem(tmp_path / "model.pt")


def test_objects_in_an_archive_are_not_loaded(tmp_path):
    np.savez(tmp_path / "model.npz", a=np.array([print], dtype=object))
    assert "does not account for" in problem(tmp_path / "model.npz")


@pytest.mark.parametrize(
    ("index", "says"),
    [
        (lambda m: {"weight_map": m | {"a": "../secret.safetensors"}}, "is outside the folder"),
        (lambda m: {"weight_map": m | {"a": "/etc/passwd"}}, "is outside the folder"),
        (lambda m: {"weight_map": m | {"a": ".."}}, "is outside the folder"),
        (lambda m: {"weight_map": m | {"a": "no.safetensors"}}, "no such file, 'no.safetensors'"),
        (lambda m: {"weight_map": m | {"new": m["a"]}}, "lacks tensor 'new' that the index puts there"),
        (lambda m: {"weight_map": {}}, "expected an object 'weight_map'"),
        (lambda m: {"weight_map": {"a": 3}}, "expected an object 'weight_map'"),
        (lambda m: [], "holds list"),
        (lambda m: {}, "expected an object 'weight_map'"),
    ],
)
def test_an_index_is_checked(tmp_path, index, says):
    assert says in problem(shard(tmp_path / "model", SMALL, index))


def test_shards(tmp_path):
    folder = shard(tmp_path / "model", SMALL)
    assert np.array_equal(open_tensors(folder).array("a"), SMALL["a"])
    assert np.array_equal(open_tensors(folder / "model.safetensors.index.json").array("b"), SMALL["b"])
    both = folder / "model-00001-of-00002.safetensors", folder / "model-00002-of-00002.safetensors"
    both[1].write_bytes(both[0].read_bytes())
    assert "a second time" in problem(folder) or "lacks tensor" in problem(folder)
    both[1].unlink()
    assert "no such file, 'model-00002-of-00002.safetensors'" in problem(folder)
    both[0].write_bytes(both[0].read_bytes()[:-1])
    assert "shard 'model-00001-of-00002.safetensors': is truncated" in problem(folder)


def test_a_config_belongs_to_a_folder(tmp_path):
    """A file alone is a file alone, whatever lies beside it; the names of transformers mean its folder."""
    folder = save(tmp_path / "model", SMALL, {"model_type": "mamba"})
    (folder / "mine.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert open_tensors(folder).config == open_tensors(folder / "model.safetensors").config == {"model_type": "mamba"}
    assert open_tensors(folder / "mine.safetensors").config is None


def test_names_with_and_without_a_wrapper(tmp_path):
    written(tmp_path / "one", "zip", {f"module.{name}": array for name, array in SMALL.items()})
    assert set(open_tensors(tmp_path / "one").tensors) == set(SMALL)
    written(tmp_path / "two", "zip", SMALL | {"module.a": SMALL["a"]})
    assert "holds a tensor twice" in problem(tmp_path / "two")


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"GGUF\3\0\0\0", "is a GGUF file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"", "is empty"),
    ],
)
def test_other_files_are_named(tmp_path, start, says):
    (tmp_path / "model").write_bytes(start)
    assert says in problem(tmp_path / "model")


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    assert "is not a regular file" in problem(tmp_path / "model.safetensors")
    assert "is not a regular file" in problem(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "holds none of" in problem(tmp_path / "empty")
    assert "no such file" in problem(tmp_path / "no\nsuch")
    assert "cannot be opened" in problem(tmp_path / ("x" * 5000)) and problem(tmp_path / "a\0b")


def test_nothing_in_a_pickle_is_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("touch " + str(tmp_path / "run"),)

    torch.save({"a": Evil()}, tmp_path / "model.pt")
    assert "its pickle asks for" in problem(tmp_path / "model.pt")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x03\x00" + b"\0" * 100)
    (tmp_path / "model.npz").write_bytes(buffer.getvalue())
    assert "version 1.0 or 2.0" in problem(tmp_path / "model.npz") and not (tmp_path / "run").exists()


def test_infinities_are_kept_for_whoever_names_the_tensor():
    assert widened(np.array([0x7F80, 0xFF80, 0x0001], np.uint16), "bfloat16").tolist() == [np.inf, -np.inf, 2.0**-133]
