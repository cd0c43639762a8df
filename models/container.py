"""Named tensors out of untrusted bytes: zip and legacy files of ``torch.save``, and safetensors.

A file is data: nothing in it is ever run, and sizes are checked before anything is unpacked.
"""

from __future__ import annotations

import io
import json
import os
import pickletools
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import numpy as np
import safetensors

MAX_BYTES = 2**30
"""Largest file, and largest unpacked archive. The models of theory.md 1 are far smaller."""
MAX_OPCODES = 50_000
"""Longest pickle; a tensor takes about 30. Bounds nesting too: hashing a tuple nested 10^6 deep ends the process."""


SAVE = "save it with torch.save(model.state_dict(), path)"
_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch.serialization.MAGIC_NUMBER, pickled
_FLOATS = ("Float", "Double", "Half", "BFloat16", "ComplexFloat", "ComplexDouble")
_INTEGERS = ("Long", "Int", "Short", "Char", "Byte", "Bool")
_GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    *(f"torch {element}Storage" for element in _FLOATS + _INTEGERS),
}
_CONTAINER_OPCODES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"}


class CheckpointError(ValueError):
    """A file that is not a checkpoint this package can read, or metadata it cannot accept. The message is one line."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a container says about one tensor; ``values`` is called only once dtype and shape are accepted."""

    dtype: str
    shape: tuple[int, ...]
    values: Callable[[], np.ndarray]


def read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise CheckpointError("is a directory, expected a checkpoint file; name the file inside it")
        if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device may never end
            raise CheckpointError("is not a regular file, expected a checkpoint; copy it to a file first")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CheckpointError("no such file, expected a .pth, .pt or .safetensors checkpoint; check the path") from None
    except OSError as error:
        raise CheckpointError(f"cannot be opened ({error.strerror}); check the path and its permissions") from None
    if not data:
        raise CheckpointError("is empty (0 bytes), expected a checkpoint; copy or save it again")
    if len(data) > MAX_BYTES:
        raise CheckpointError(
            f"is larger than {MAX_BYTES:,} bytes, expected a single selective SSM classifier; save its state dict alone"
        )
    return data


def parse(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name and metadata entries, from the bytes of any of the three containers."""
    if data[8:9] == b"{":  # first: the eight bytes before it are a length, which may look like the marks below
        kind, reader = "safetensors file", _safetensors
    elif data.startswith(b"PK"):
        kind, reader = "zip file of torch.save", _zip
    elif data.startswith(b"\x80"):
        kind, reader = "legacy file of torch.save", _legacy
    else:
        raise CheckpointError(
            f"starts with {data[:8]!r}, expected a file of torch.save or safetensors; check that it was copied in full"
        )
    try:
        return reader(data)
    except CheckpointError:
        raise
    except Exception as error:  # three parsers fed with bytes from anywhere: whatever they raise, the file is at fault
        reason = (str(error).splitlines() or [""])[0][:120]
        raise CheckpointError(
            f"is damaged, expected a complete {kind} ({type(error).__name__}: {reason}); save or copy it again"
        ) from None


def _safetensors(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    def tensor(dtype: str, shape: list[int], data: bytearray) -> Tensor:
        name, code = {"F32": ("float32", "<f4"), "F64": ("float64", "<f8")}.get(dtype, (dtype, ""))
        return Tensor(name, tuple(shape), lambda: np.frombuffer(data, code).reshape(shape))

    tensors = {name: tensor(**entry) for name, entry in safetensors.deserialize(data)}
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return tensors, header.get("__metadata__", {})


def _zip(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """``torch.load`` gets a copy of the archive as checked here: zip readers can disagree about crafted files."""
    checked = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(checked, "w") as target:
        records = source.infolist()
        names = [record.filename for record in records]
        pickles = [name for name in names if name.endswith("/data.pkl")]
        if any(name.endswith("/constants.pkl") for name in names):
            raise CheckpointError(f"is a TorchScript program, expected a state dict; {SAVE}")
        if len(pickles) != 1 or len(set(names)) != len(names):
            raise CheckpointError(f"is a zip file that torch.save did not write, expected one data.pkl; {SAVE}")
        if (size := sum(record.file_size for record in records)) > MAX_BYTES:
            raise CheckpointError(f"unpacks to {size:,} bytes, expected at most {MAX_BYTES:,}; {SAVE}")
        _inspect(io.BytesIO(source.read(pickles[0])))
        for record in records:
            target.writestr(record.filename, source.read(record))
    return _load(checked), {}


def _legacy(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not data.startswith(_LEGACY_MAGIC):
        raise CheckpointError(f"is a pickle that torch.save did not write, expected a state dict; {SAVE}")
    stream = io.BytesIO(data)
    for _ in ("magic number", "protocol", "system", "state dict", "storage keys"):
        _inspect(stream)
    return _load(io.BytesIO(data)), {}


def _inspect(stream: IO[bytes]) -> None:
    """Read the opcodes of one pickle without running them; refuse all that a plain state dict does not need.

    ``torch.load(weights_only=True)`` runs no foreign code, but allows constructors that take any amount of memory, and
    containers that share their parts, so that hashing or printing them takes exponential time.
    """
    containers: set[int] = set()
    previous = ""
    argument: Any
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if count > MAX_OPCODES:
            raise CheckpointError(f"its pickle has over {MAX_OPCODES:,} opcodes, expected one small model; {SAVE}")
        if opcode.name == "PROTO" and argument != 2:
            raise CheckpointError(f"uses pickle protocol {argument}, expected 2, the default of torch.save; {SAVE}")
        if opcode.name == "GLOBAL" and argument not in _GLOBALS:
            wanted = quote(argument.replace(" ", "."))
            raise CheckpointError(f"its pickle asks for {wanted}, expected only plain dense tensors; {SAVE}")
        if opcode.name in ("BINPUT", "LONG_BINPUT"):
            (containers.add if previous in _CONTAINER_OPCODES else containers.discard)(argument)
        if opcode.name in ("BINGET", "LONG_BINGET") and argument in containers:
            raise CheckpointError(f"its pickle shares one tuple or list between places, expected a state dict; {SAVE}")
        previous = opcode.name


def _load(stream: IO[bytes]) -> dict[str, Tensor]:
    import torch

    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    try:
        loaded = torch.load(stream, map_location="cpu", weights_only=True, mmap=False)
    except UnpicklingError:  # its message recommends weights_only=False
        raise CheckpointError(f"its pickle does more than store tensors, expected a state dict; {SAVE}") from None
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        raise CheckpointError(f"holds an object of type {type(loaded).__name__}, expected a state dict; {SAVE}")
    tensors = {}
    for name, value in loaded.items():
        if not isinstance(name, str):
            raise CheckpointError(f"has the key {quote(name)}, expected names of tensors; {SAVE}")
        if not isinstance(value, torch.Tensor):
            raise CheckpointError(f"{quote(name)} is of type {type(value).__name__}, expected a tensor; {SAVE}")
        if value.numel() * value.element_size() > size:  # stride 0 repeats one number any number of times
            raise CheckpointError(
                f"tensor {quote(name)}: has {value.numel():,} elements, expected no more than the file holds; {SAVE}"
            )
        dtype = str(value.dtype).removeprefix("torch.")
        tensors[name] = Tensor(dtype, tuple(value.shape), value.detach().resolve_neg().numpy)
    return tensors


def quote(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
