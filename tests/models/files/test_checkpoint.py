"""Checkpoints and weights: exact values from every format, one clear line for every bad file."""

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssm_bounds.models.files import checkpoint, container
from ssm_bounds.models.files.checkpoint import CheckpointError, Metadata
from ssm_bounds.models.selective_ssm.weights import SHAPES, Weights, WeightsError
from tests.conftest import ROOT, SHARED

CHECKPOINTS = SHARED / "checkpoints"
SIZES = {"d": 3, "N": 2, "k": 2, "V": 5}

NAMES = {
    "native": ["A", "W_B", "W_C", "q", "p", "W"],
    "binary": [f"SSM.ssm.{name}" for name in ("A", "W_B", "W_C", "q_delta", "p_delta")] + ["SSM.w"],
    "ten-class": [f"ssm.{name}" for name in ("A", "W_B", "W_C", "q_delta", "p_delta")] + ["W"],
}


def state_dict(model="native"):
    """Random float32 tensors under the names of one model, embedding last."""
    generator = torch.Generator().manual_seed(0)
    axes = {name: SHAPES[block] or "1" for name, block in zip(NAMES[model], NAMES["native"], strict=True)}
    axes |= {"SSM.w": "d"} if model == "binary" else {}
    axes |= {"embedding.weight": "Vd"}
    return OrderedDict(
        (name, torch.randn([SIZES.get(axis, 1) for axis in letters], generator=generator))
        for name, letters in axes.items()
    )


def packed(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def legacy(content):
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def safe(content, **metadata):
    return safetensors.torch.save(dict(content), {"ssm_bounds": json.dumps(metadata)} if metadata else None)


CONTAINERS = [packed, legacy, safe]


def rezipped(data, change=None, extra=(), compression=zipfile.ZIP_STORED):
    """The archive with its pickle changed and records added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if change and name.endswith("data.pkl") else content)
        for name, content in extra:
            new.writestr(name, content)
    return buffer.getvalue()


def with_pickle(data):
    """A zip file of torch.save around any pickle."""
    return rezipped(packed(state_dict()), lambda _: data)


def saved(tmp_path, data, name="model.pth"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def weights(**changes):
    rng = np.random.default_rng(0)
    blocks = {name: rng.standard_normal([SIZES[axis] for axis in axes]) for name, axes in SHAPES.items()}
    return Weights(**(blocks | {"p": -1.5} | changes))


def assert_same(first, second):
    for name in SHAPES:
        one, other = getattr(first, name), getattr(second, name)
        assert np.array_equal(one, other) if one is not None else other is None, name
        assert one is None or np.array_equal(np.signbit(one), np.signbit(other)), name


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("model", NAMES)
def test_values_are_read_exactly(tmp_path, model, container):
    tensors = state_dict(model)
    result = checkpoint.read(saved(tmp_path, container(tensors), "model.any"))
    assert result.format == ("native" if model == "native" else "honarpisheh")
    for block, name in zip(NAMES["native"], NAMES[model], strict=True):
        expected = tensors[name].double().numpy()
        if block == "p":
            assert isinstance(result.weights.p, float)
        assert np.array_equal(
            getattr(result.weights, block), np.atleast_2d(expected) if block == "W" else expected.squeeze()
        )
    assert np.array_equal(result.weights.embedding, tensors["embedding.weight"].double().numpy())
    sizes = (result.weights.d, result.weights.N, result.weights.k, result.weights.V)
    assert sizes == (3, 2, 1 if model == "binary" else 2, 5)


@pytest.mark.parametrize(
    ("name", "sizes", "multiclass"),
    [
        ("majority_T200_m1000_seed1", (4, 4, 1, 2), False),
        ("listops_T100_m1000_seed1", (16, 4, 10, 16), True),
        ("imdb_T500_m25000_seed1", (16, 4, 1, 30522), False),
    ],
)
def test_the_authors_files(name, sizes, multiclass):
    path = CHECKPOINTS / f"{name}.pth"
    if not path.exists():
        pytest.skip(f"shared checkpoint {path.name} is not here")
    result = checkpoint.read(path)
    read = result.weights
    assert (result.format, (read.d, read.N, read.k, read.V)) == ("honarpisheh", sizes)
    loaded = torch.load(path, weights_only=True, map_location="cpu")
    expected = [loaded[key] for key in NAMES["ten-class" if multiclass else "binary"]] + [loaded["embedding.weight"]]
    for block, tensor in zip([*NAMES["native"], "embedding"], expected, strict=True):
        assert np.array_equal(np.float32(getattr(read, block)).ravel(), tensor.numpy().ravel())
        assert np.array_equal(np.float32(getattr(read, block)), getattr(read, block))


def test_the_hash_is_that_of_the_file(tmp_path):
    path = saved(tmp_path, packed(state_dict()))
    digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    assert checkpoint.read(path).sha256 == digest


def test_arrays_are_read_only(tmp_path):
    read = checkpoint.read(saved(tmp_path, packed(state_dict()))).weights
    with pytest.raises(ValueError, match="read-only"):
        read.A[0, 0] = 0


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_wrapper_prefixes_are_stripped(tmp_path, prefix, container):
    tensors = {prefix + name: tensor for name, tensor in state_dict("binary").items()}
    assert checkpoint.read(saved(tmp_path, container(tensors))).format == "honarpisheh"


@pytest.mark.parametrize("container", [packed, legacy])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: {"state_dict": tensors, "epoch": 3, "best": 0.9},
        lambda tensors: {name: torch.nn.Parameter(tensor) for name, tensor in tensors.items()},
        lambda tensors: tensors | {"W_B": tensors["W_B"].T.contiguous().T},
        lambda tensors: tensors | {"W_B": tensors["W_C"]},
        lambda tensors: tensors | {"q": torch.complex(torch.zeros(3), torch.ones(3)).conj().imag},
        lambda tensors: tensors | {"A": torch.full((1, 1), -1.0).expand(3, 2)},
        lambda tensors: {name: tensor.double() for name, tensor in tensors.items()},
    ],
    ids=["wrapped", "parameters", "transposed", "shared", "negative view", "expanded", "float64"],
)
def test_what_torch_saves(tmp_path, container, wrap):
    content = wrap(state_dict())
    read = checkpoint.read(saved(tmp_path, container(content))).weights
    tensors = content.get("state_dict", content)
    for block in ("A", "W_B", "W_C", "q", "W"):
        assert np.array_equal(getattr(read, block), tensors[block].detach().double().resolve_neg().numpy())


def test_a_module_state_dict_loads(tmp_path):
    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(5, 3)
            for name, tensor in state_dict().items():
                if "." not in name:
                    self.register_parameter(name, torch.nn.Parameter(tensor))

    model = Classifier()
    read = checkpoint.read(saved(tmp_path, packed(model.state_dict()))).weights
    assert np.array_equal(read.embedding, model.embedding.weight.detach().double().numpy())


@pytest.mark.parametrize("container", [packed, legacy])
def test_a_model_saved_on_a_gpu_loads(tmp_path, container):
    def to_gpu(data):
        assert b"X\x03\x00\x00\x00cpu" in data
        return data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")

    data = container(state_dict())
    data = rezipped(data, to_gpu) if container is packed else to_gpu(data)
    assert_same(
        checkpoint.read(saved(tmp_path, data)).weights, checkpoint.read(saved(tmp_path, packed(state_dict()))).weights
    )


def test_a_link_is_followed(tmp_path):
    link = tmp_path / "link.pth"
    link.symlink_to(saved(tmp_path, packed(state_dict())))
    assert checkpoint.read(link).path == link


def test_nothing_imports_torch_before_a_torch_file_is_read(tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.write(path, weights())
    code = (
        "import sys\n"
        "from ssm_bounds.models.files.checkpoint import read\n"
        "from ssm_bounds.models.selective_ssm.measure import measure\n"
        f"measure(read({str(path)!r}).weights, gate='softplus')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


METADATA = Metadata("imdb", 25000, 500, "softplus", "code", "trained", {"note": "two\nlines", "seed": "1"})

values = st.one_of(st.floats(-1e300, 1e300), st.floats(width=32, allow_nan=False, allow_infinity=False))


@settings(deadline=None, max_examples=50)
@given(
    st.builds(
        Weights,
        **{
            name: arrays(float, [SIZES[axis] for axis in axes], elements=values)
            for name, axes in SHAPES.items()
            if name != "p"
        },
        p=values,
    ),
    st.builds(
        Metadata,
        task=st.none() | st.text(),
        m=st.none() | st.integers(1, 10**18),
        T=st.none() | st.integers(1, 10**18),
        gate=st.sampled_from([None, "softplus", "none"]),
        convention=st.sampled_from([None, "code", "paper"]),
        embedding=st.sampled_from([None, "trained", "fixed"]),
        extra=st.dictionaries(st.text(), st.text(), max_size=3),
    ),
)
def test_write_then_read_gives_identical_values(tmp_path_factory, written, metadata):
    path = tmp_path_factory.mktemp("written") / "model.safetensors"
    checkpoint.write(path, written, metadata)
    result = checkpoint.read(path)
    assert_same(result.weights, written)
    assert (result.metadata, result.format) == (metadata, "native")


def test_equal_models_have_equal_files(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    checkpoint.write(first, weights(), METADATA)
    code = (
        "from ssm_bounds.models.files import checkpoint\n"
        f"found = checkpoint.read({str(first)!r})\ncheckpoint.write({str(second)!r}, found.weights, found.metadata)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)  # a new process orders its hashes anew
    assert first.read_bytes() == second.read_bytes()
    checkpoint.write(second, weights(), replace(METADATA, extra=dict(reversed(METADATA.extra.items()))))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("length", [0x80, 0x4B50])
def test_a_safetensors_header_as_long_as_a_pickle_or_zip_mark(tmp_path, length):
    """The length comes first in the file: 80 and 50 4B are also how a pickle and a zip file begin."""
    data = safe(state_dict())
    size = int.from_bytes(data[:8], "little")
    padding = (length - size) % 256 if length == 0x80 else length - size
    padded = (size + padding).to_bytes(8, "little") + data[8 : 8 + size] + b" " * padding + data[8 + size :]
    assert padded[:2] == length.to_bytes(2, "little") or padded[:1] == b"\x80"
    assert checkpoint.read(saved(tmp_path, padded)).format == "native"


def test_float32_is_written_where_it_loses_nothing(tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.write(path, weights(A=np.full((3, 2), -0.5), q=np.full(3, 1e300), embedding=None))
    dtypes = {name: tensor.dtype for name, tensor in safetensors.torch.load_file(path).items()}
    single = {name for name, dtype in dtypes.items() if dtype is torch.float32}
    assert single == {"A", "p"}
    assert set(dtypes) - single == {"W_B", "W_C", "q", "W"}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = saved(tmp_path, b"old", "model.safetensors")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be written \(No space left on device\)"):
        checkpoint.write(path, weights())
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert path.read_bytes() == b"old"


def test_write_into_a_missing_directory(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be written \(No such file or directory\); check the directory"):
        checkpoint.write(tmp_path / "missing" / "model.safetensors", weights())


def test_write_refuses_metadata_that_contradicts_the_weights(tmp_path):
    with pytest.raises(CheckpointError, match="hold no embedding, expected what metadata 'embedding' says, 'trained'"):
        checkpoint.write(tmp_path / "model.safetensors", weights(embedding=None), Metadata(embedding="trained"))
    assert not list(tmp_path.iterdir())


def test_foreign_metadata_is_kept_as_extra(tmp_path):
    data = safetensors.torch.save(dict(state_dict()), {"format": "pt", "ssm_bounds": '{"m": 7, "extra": {"a": "b"}}'})
    assert checkpoint.read(saved(tmp_path, data)).metadata == Metadata(m=7, extra={"format": "pt", "a": "b"})


def test_torch_files_say_nothing_about_their_origin(tmp_path):
    assert checkpoint.read(saved(tmp_path, packed(state_dict()))).metadata == Metadata()


class Payload:
    """Runs code when unpickled: creates a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


class Unreadable(torch.nn.Module):
    """A whole model, pickled."""


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()  # one line, no control characters
    assert "; " in message  # what to do
    assert len(message) < len(str(path)) + 700
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return message.removeprefix(f"{path}: ")


def change(name, value):
    return lambda: state_dict() | {name: value}


def without(*names):
    return lambda: OrderedDict((name, tensor) for name, tensor in state_dict().items() if name not in names)


def spoiled(name, value):
    def tensors():
        content = state_dict()
        content[name].view(-1)[0] = value
        return content

    return tensors


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        (without("W_C"), "lacks 'W_C', expected in the native format"),
        (without("q", "p"), "lacks 'p', 'q', expected in the native format"),
        (lambda: OrderedDict(list(state_dict("binary").items())[1:]), "lacks 'SSM.ssm.A', expected in the honarpisheh"),
        (change("W_D", torch.ones(2)), "also holds 'W_D', unknown to the native format"),
        (change("a\nb\x1b[31m", torch.ones(2)), r"also holds 'a\nb\x1b[31m', unknown"),
        (lambda: {"weight": torch.ones(2)}, "holds 'weight', expected 'A', 'W', 'W_B'"),
        (dict, "holds no tensors, expected 'A', 'W', 'W_B'"),
        (lambda: {f"layer{i}": torch.ones(1) for i in range(99)}, "and 91 more, expected"),
        (change("module.A", torch.ones(3, 2)), "holds tensor 'A' twice"),
        (change("A", torch.ones(3)), "tensor 'A': expected shape (d, N); found (3,)"),
        (
            change("W_B", torch.ones(3, 2)),
            "'W_B': expected shape (N, d) with N = 2 as in 'A', d = 3 as in 'A'; found (3, 2)",
        ),
        (
            change("W_C", torch.ones(2, 4)),
            "'W_C': expected shape (N, d) with N = 2 as in 'A', d = 3 as in 'A'; found (2, 4)",
        ),
        (change("q", torch.ones(4)), "tensor 'q': expected shape (d,) with d = 3 as in 'A'; found (4,)"),
        (change("p", torch.ones(2)), "tensor 'p': expected shape (1,); found (2,)"),
        (change("p", torch.tensor(1.0)), "tensor 'p': expected shape (1,); found ()"),
        (change("A", torch.tensor(1.0)), "tensor 'A': expected shape (d, N); found ()"),
        (change("A", torch.ones(0, 2)), "tensor 'A': expected shape (d, N) with every size at least 1; found (0, 2)"),
        (
            change("W", torch.ones(0, 3)),
            "tensor 'W': expected shape (k, d) with d = 3 as in 'A', every size at least 1; found (0, 3)",
        ),
        (change("W", torch.ones(3)), "tensor 'W': expected shape (k, d) with d = 3 as in 'A'; found (3,)"),
        (
            change("embedding.weight", torch.ones(5, 4)),
            "'embedding.weight': expected shape (V, d) with d = 3 as in 'A'",
        ),
        (spoiled("W_B", torch.nan), "tensor 'W_B': has 1 NaN or infinite values among 6, expected none"),
        (spoiled("embedding.weight", torch.inf), "tensor 'embedding.weight': has 1 NaN or infinite values among 15"),
        (spoiled("p", -torch.inf), "tensor 'p': has 1 NaN or infinite values among 1"),
        (change("A", torch.ones(3, 2).half()), "tensor 'A': has dtype f"),
        (change("q", torch.ones(3).bfloat16()), "tensor 'q': has dtype b"),
        (change("W", torch.ones(2, 3, dtype=torch.int64)), "tensor 'W': has dtype i"),
        (change("W", torch.ones(2, 3, dtype=torch.bool)), "tensor 'W': has dtype b"),
        (change("W_B", torch.ones(2, 3, dtype=torch.complex64)), "tensor 'W_B': has dtype c"),
        (
            lambda: {"backbone.layers.0.mixer.A_log": torch.ones(3, 2), "lm_head.weight": torch.ones(5, 3)},
            "tensor 'backbone.layers.0.mixer.A_log': belongs to a Mamba layer, expected a classifier with one",
        ),
        (lambda: {"layers.3.mamba.in_proj.weight": torch.ones(3).half()}, "belongs to a Mamba layer"),
    ],
)
def test_wrong_tensors_are_refused(tmp_path, tensors, expected, container):
    assert expected.lower() in refusal(saved(tmp_path, container(tensors()))).lower()


@pytest.mark.parametrize("container", [packed, legacy])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (lambda: state_dict() | {"epoch": 3}, "'epoch' is of type int, expected a tensor"),
        (lambda: {"model": state_dict(), "epoch": 3}, "'model' is of type OrderedDict, expected a tensor"),
        (lambda: {"state_dict": {"inner": state_dict()}}, "'inner' is of type OrderedDict, expected a tensor"),
        (lambda: {1: torch.ones(2)}, "has the key 1, expected names of tensors"),
        (lambda: [torch.ones(2)], "holds an object of type list, expected a state dict"),
        (lambda: torch.ones(2), "holds an object of type Tensor, expected a state dict"),
        (lambda: None, "holds an object of type NoneType, expected a state dict"),
        (Unreadable, f"its pickle asks for '{__name__}.Unreadable', expected only plain dense tensors"),
        (torch.nn.Linear(2, 2).double, "asks for 'torch.nn.modules.linear.Linear'"),
        (lambda: state_dict() | {"A": torch.eye(3, 2).to_sparse()}, "asks for 'torch._utils._rebuild_sparse_tensor'"),
        (lambda: state_dict() | {"A": torch.empty(3, 2, device="meta")}, "_rebuild_meta_tensor_no_storage'"),
        (lambda: state_dict() | {"A": np.ones((3, 2))}, "reconstruct', expected only plain dense tensors"),
        (lambda: state_dict() | {"A": torch.ones(1).expand(10**5, 10**5)}, "'A': has 10,000,000,000 elements"),
        (lambda: {"betas": [shared := (0.9, 0.999), shared]}, "shares one tuple or list between places"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, content, expected, container):
    found = refusal(saved(tmp_path, container(content())))
    assert expected in found
    assert "torch.save(model.state_dict(), path)" in found


DOUBLED = b")\x85q\x00" + b"".join(b"h%c\x86q%c" % (i, i + 1) for i in range(60))
"""A tuple of two equal tuples of two equal tuples ..., whose hash takes 2^60 steps."""


def truncated(data, part):
    return data[: int(len(data) * part)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty (0 bytes)"),
        (b"broken", "starts with b'broken', expected a file of torch.save or safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\n", "starts with b'version '"),
        (b"\x80", "is a pickle that torch.save did not write"),
        (b"PK", "is damaged, expected a complete zip file of torch.save"),
        (pickle.dumps({"A": [1.0]}), "is a pickle that torch.save did not write"),
        (truncated(packed(state_dict()), 0.5), "is damaged, expected a complete zip file of torch.save"),
        (truncated(packed(state_dict()), 0.99), "is damaged, expected a complete zip file of torch.save"),
        (truncated(legacy(state_dict()), 0.5), "is damaged, expected a complete legacy file of torch.save"),
        (truncated(legacy(state_dict()), 0.99), "is damaged, expected a complete legacy file of torch.save"),
        (truncated(safe(state_dict()), 0.2), "is damaged, expected a complete safetensors file"),
        (truncated(safe(state_dict()), 0.99), "is damaged, expected a complete safetensors file"),
        (b"\xff" * 7 + b"\x7f{" + b"}" * 99, "is damaged, expected a complete safetensors file"),
        (rezipped(packed(state_dict()), extra=[("x/constants.pkl", b"")]), "is a TorchScript program"),
        (rezipped(packed(state_dict()), extra=[("x/data.pkl", b"")]), "expected one data.pkl"),
        (rezipped(packed(state_dict()), lambda data: data + b"\n"), None),
        (with_pickle(b"garbage"), "is damaged, expected a complete zip file"),
        (with_pickle(pickle.dumps({"A": 1}, protocol=4)), "uses pickle protocol 4, expected 2"),
        (with_pickle(b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x01\x85R."), "'builtins.bytearray'"),
        (with_pickle(b"\x80\x02}(" + b")" + b"\x85" * 10**6 + b"K\x01u."), "has over 50,000 opcodes"),
        (with_pickle(b"\x80\x02}(" + DOUBLED + b"K\x01u."), "shares one tuple or list between places"),
        (with_pickle(b"\x80\x02(ios\nsystem\n."), "its pickle asks for 'os.system'"),
    ],
)
def test_files_that_are_something_else_are_refused(tmp_path, data, expected):
    path = saved(tmp_path, data)
    if expected is None:
        assert checkpoint.read(path).format == "native"  # what follows the end of a pickle is not part of it
    else:
        assert expected in refusal(path)


@pytest.mark.parametrize("container", [packed, legacy])
def test_a_payload_is_not_run(tmp_path, container):
    marker = tmp_path / "executed"
    data = container(state_dict() | {"A": Payload(marker)})
    torch.load(io.BytesIO(data), weights_only=False)
    assert marker.is_dir()  # the payload works
    marker.rmdir()
    assert "mkdir', expected only plain dense tensors" in refusal(saved(tmp_path, data))
    assert not marker.exists()


def test_a_payload_outside_torch_is_not_run(tmp_path):
    marker = tmp_path / "executed"
    for protocol in range(5):
        refusal(saved(tmp_path, pickle.dumps(Payload(marker), protocol)))
    assert not marker.exists()


@pytest.mark.parametrize("container", [packed, legacy])
def test_a_storage_of_another_size_than_claimed_is_refused(tmp_path, container):
    def enlarge(data):
        assert data.count(b"K\x06") >= 3
        return data.replace(b"K\x06", b"J\x00\x00\x00\x7f")

    data = container(state_dict())
    data = rezipped(data, enlarge) if container is packed else enlarge(data)
    assert "is damaged" in refusal(saved(tmp_path, data))


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    data = rezipped(packed(state_dict()), extra=[("archive/data/9", bytes(10**6))], compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(container, "MAX_BYTES", 10**5)
    assert len(data) < container.MAX_BYTES
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("a record was unpacked"))
    assert "bytes, expected at most 100,000; save it with" in refusal(saved(tmp_path, data))


def test_a_large_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "MAX_BYTES", 100)
    assert "is larger than 100 bytes" in refusal(saved(tmp_path, bytes(101)))


def test_a_missing_file(tmp_path):
    assert "no such file, expected a .pth, .pt or .safetensors checkpoint" in refusal(tmp_path / "missing.pth")


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    assert "no such file" in refusal(tmp_path / "link")


def test_a_directory(tmp_path):
    assert "is a directory, expected a checkpoint file" in refusal(tmp_path)


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refusal(tmp_path / "pipe")


def test_a_file_that_may_not_be_opened(tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    path = saved(tmp_path, packed(state_dict()))
    monkeypatch.setattr(Path, "open", denied)
    assert "cannot be opened (Permission denied)" in refusal(path)


def test_a_path_with_a_line_break_gives_one_line(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(tmp_path / "a\nb")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"m": 0}, "metadata 'm': expected an integer from 1 to 10^18, found 0"),
        ({"m": True}, "metadata 'm': expected an integer from 1 to 10^18, found True"),
        ({"T": "500"}, "metadata 'T': expected an integer from 1 to 10^18, found '500'"),
        ({"T": 2.5}, "metadata 'T': expected an integer from 1 to 10^18, found 2.5"),
        ({"m": float("nan")}, "metadata 'm': expected an integer from 1 to 10^18, found nan"),
        ({"task": 1}, "metadata 'task': expected a string, found 1"),
        ({"gate": "sigmoid"}, "metadata 'gate': expected one of softplus, none, found 'sigmoid'"),
        ({"convention": ["code"]}, "metadata 'convention': expected one of code, paper, found ['code']"),
        ({"embedding": "learned"}, "metadata 'embedding': expected one of trained, fixed, none, found 'learned'"),
        ({"embedding": "none"}, "tensor 'embedding.weight': the weights hold an embedding, expected what metadata"),
        ({"extra": {"a": 1}}, "metadata 'extra': expected an object of strings, found {'a': 1}"),
        ({"extra": ["a"]}, "metadata 'ssm_bounds': expected a JSON object with fields of files.checkpoint.Metadata"),
        ({"unknown": 1}, "metadata 'ssm_bounds': expected a JSON object with fields of files.checkpoint.Metadata"),
    ],
)
def test_bad_metadata_is_refused(tmp_path, metadata, expected):
    assert expected in refusal(saved(tmp_path, safe(state_dict(), **metadata)))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 10**5, '{"m": 1' + "0" * 5000 + "}"])
def test_metadata_that_is_no_json_object_is_refused(tmp_path, text):
    data = safetensors.torch.save(dict(state_dict()), {"ssm_bounds": text})
    assert "metadata 'ssm_bounds': expected a JSON object" in refusal(saved(tmp_path, data))


FILES = [container(state_dict()) for container in CONTAINERS]


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(FILES), st.data())
def test_no_damage_gives_anything_but_weights_or_one_line(tmp_path_factory, data, draw):
    path = tmp_path_factory.getbasetemp() / "damaged"
    cut = draw.draw(st.integers(1, len(data)), label="length")
    damaged = bytearray(data[:cut])
    for place in draw.draw(st.lists(st.integers(0, min(cut, 1500) - 1), max_size=2), label="places"):
        damaged[place] = draw.draw(st.integers(0, 255), label="byte")
    path.write_bytes(damaged)
    try:
        checkpoint.read(path)
        assert cut == len(data)
    except CheckpointError as error:
        assert str(error).startswith(f"{path}: ")
        assert str(error).isprintable()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"A": np.ones(3)}, r"^A: expected shape \(d, N\); found \(3,\)$"),
        ({"W_B": np.ones((3, 2))}, r"^W_B: expected shape \(N, d\) with N = 2 as in A, d = 3 as in A; found \(3, 2\)$"),
        ({"p": np.ones(1)}, r"^p: expected shape \(\); found \(1,\)$"),
        (
            {"W": np.ones((0, 3))},
            r"^W: expected shape \(k, d\) with d = 3 as in A, every size at least 1; found \(0, 3\)$",
        ),
        ({"embedding": np.ones((5, 2))}, r"^embedding: expected shape \(V, d\) with d = 3 as in A; found \(5, 2\)$"),
        ({"q": np.ones(3, dtype=int)}, r"^q: expected float32 or float64 values, found dtype int64$"),
        ({"q": ["a", "b", "c"]}, r"^q: expected float32 or float64 values, found dtype <U1$"),
        ({"q": np.array([1.0, np.nan, np.inf])}, r"^q: expected finite values, found 2 NaN or inf$"),
        ({"p": np.inf}, r"^p: expected finite values, found 1 NaN or inf$"),
        ({"A": None}, r"^A: expected float32 or float64 values, found dtype object$"),
    ],
)
def test_weights_that_do_not_fit_are_refused(changes, expected):
    with pytest.raises(WeightsError, match=expected):
        weights(**changes)


def test_weights_are_a_copy():
    A = np.full((3, 2), -1.0, dtype=np.float32, order="F")
    held = weights(A=A)
    A[0, 0] = 5
    assert held.A[0, 0] == -1
    assert held.A.dtype == np.float64
    assert held.A.flags.c_contiguous
    assert not held.A.flags.writeable


def test_a_huge_memo_entry_is_refused_before_it_is_allocated(tmp_path):
    """An unpickler keeps its memo in an array as long as the largest index a pickle names."""
    bomb = b"\x80\x02}r\xff\xff\xff\x3f."
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("model/data.pkl", bomb)
    with pytest.raises(CheckpointError, match="memo entry 1,073,741,823"):
        checkpoint.read(saved(tmp_path, archive.getvalue()))


def test_reading_never_imports_torch(tmp_path):
    for layout in (packed, legacy):
        path = saved(tmp_path, layout(state_dict()))
        code = (
            f"import sys, ssm_bounds.models.files.checkpoint\nssm_bounds.models.files.checkpoint.read({str(path)!r})\n"
            "assert not {'torch', 'sympy'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def small() -> Weights:
    ones = np.ones((2, 3))
    return Weights(A=-ones.T, W_B=ones, W_C=ones, q=ones[0], p=0.0, W=ones[:1])


@pytest.mark.parametrize("path", [".", "a\0b"])
def test_a_place_that_is_no_file_is_refused_in_one_line(path):
    with pytest.raises(CheckpointError):
        checkpoint.write(path, small())


def test_a_link_and_a_pipe_stay_what_they_are(tmp_path):
    target, link, pipe = (tmp_path / name for name in ("target.safetensors", "link.safetensors", "pipe"))
    target.write_bytes(b"old")
    link.symlink_to(target)
    checkpoint.write(link, small())
    assert link.is_symlink() and checkpoint.read(target).format == "native"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    checkpoint.write(pipe, small())
    assert os.read(reader, 1 << 16) == checkpoint.encoded(small()) and pipe.is_fifo()
    os.close(reader)
