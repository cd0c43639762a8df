"""Named tensors out of untrusted bytes: zip and legacy files of ``torch.save``, and safetensors.

A file is data: nothing in it is ever run, and sizes are checked before anything is unpacked.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import pickletools
import stat
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import safetensors

MAX_BYTES = 2**30
"""Largest file, and largest unpacked archive. The models of theory 1 are far smaller."""
MAX_OPCODES = 50_000
"""Longest pickle; a tensor takes about 30. Bounds nesting too: hashing a tuple nested 10^6 deep ends the process."""


MAX_PICKLE = 2**26
"""Largest ``data.pkl``: far fewer opcodes are refused in any case."""
SAVE = "save it with torch.save(model.state_dict(), path)"
_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch.serialization.MAGIC_NUMBER, pickled
_NAMES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}
_NUMPY = {element: np.dtype("uint16" if name == "bfloat16" else name) for element, name in _NAMES.items()}
"""How the numbers of a storage lie in the file; numpy has no bfloat16, whose bits are kept: ``tensors.widened``."""
_GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    *(f"torch {element}Storage" for element in _NAMES),
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
    place: object = None  # equal for tensors that are the same numbers in the file


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
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if (size := sum(record.file_size for record in archive.infolist())) > MAX_BYTES:
            raise CheckpointError(f"unpacks to {size:,} bytes, expected at most {MAX_BYTES:,}; {SAVE}")
        folder, views = zip_views(archive)
        bodies = {key: archive.read(f"{folder}data/{key}") for key in {view.storage.key for view in views.values()}}
        return {name: _tensor(name, view, bodies[view.storage.key], len(data)) for name, view in views.items()}, {}


def zip_views(archive: zipfile.ZipFile) -> tuple[str, dict[str, View]]:
    """The folder inside a file of torch.save, and its tensors by name; no storage is read. Raises: CheckpointError."""
    names = [record.filename for record in archive.infolist()]
    pickles = [name for name in names if name.endswith("/data.pkl")]
    if any(name.endswith("/constants.pkl") for name in names):
        raise CheckpointError(f"is a TorchScript program, expected a state dict; {SAVE}")
    if len(pickles) != 1 or len(set(names)) != len(names):
        raise CheckpointError(f"is a zip file that torch.save did not write, expected one data.pkl; {SAVE}")
    folder = pickles[0].removesuffix("data.pkl")
    for name, most in ((f"{folder}byteorder", 16), (pickles[0], MAX_PICKLE)):
        if name in names and (size := archive.getinfo(name).file_size) > most:
            raise CheckpointError(f"its {quote(name)} has {size:,} bytes, expected at most {most:,}; {SAVE}")
    if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
        raise CheckpointError(f"was saved on a big-endian machine, expected little-endian numbers; {SAVE}")
    program = archive.read(pickles[0])
    _inspect(io.BytesIO(program))
    return folder, _views(_StateDict(io.BytesIO(program)).load())


def _legacy(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not data.startswith(_LEGACY_MAGIC):
        raise CheckpointError(f"is a pickle that torch.save did not write, expected a state dict; {SAVE}")
    stream = io.BytesIO(data)
    parts = []
    for _ in ("magic number", "protocol", "system", "state dict", "storage keys"):
        start = stream.tell()
        _inspect(stream)
        parts.append(_StateDict(io.BytesIO(data[start : stream.tell()])))
    machine, state, keys = (parts[index].load() for index in (2, 3, 4))
    if not machine["little_endian"]:
        raise CheckpointError(f"was saved on a big-endian machine, expected little-endian numbers; {SAVE}")
    bodies = {}
    for key in keys:
        size = int.from_bytes(stream.read(8), "little") * parts[3].element_bytes(key)
        if size > len(data):
            raise ValueError(f"storage {key!r} announces {size} bytes")
        bodies[key] = stream.read(size)
    return {name: _tensor(name, view, bodies[view.storage.key], len(data)) for name, view in _views(state).items()}, {}


class Storage(NamedTuple):
    """A storage the pickle refers to: its element type in torch's words, its key, and how many elements it has."""

    element: str
    key: str
    elements: int


class View(NamedTuple):
    """A tensor as the pickle describes it: a window on a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    negated: bool

    @property
    def dtype(self) -> str:
        return _NAMES[self.storage.element]

    @property
    def storage_bytes(self) -> int:
        return self.storage.elements * _NUMPY[self.storage.element].itemsize

    def values(self, body: bytes) -> np.ndarray:
        """The numbers, as they lie in the bytes of the storage. Raises: ValueError where they do not lie in it."""
        code = _NUMPY[self.storage.element]
        storage = np.frombuffer(body, code)
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
        outside = min((self.offset, *self.stride, *self.shape)) < 0 or (0 not in self.shape and last >= len(storage))
        if len(storage) != self.storage.elements or outside:
            raise ValueError("does not fit its storage")
        strides = [step * code.itemsize for step in self.stride]
        window = np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides, writeable=False)
        if not self.negated:
            return window
        return window ^ 0x8000 if self.dtype == "bfloat16" else -window  # its sign is a bit of the integer


class _StateDict(pickle.Unpickler):
    """Unpickles names and descriptions of tensors, and nothing else: whatever a pickle calls is one of two methods
    here, or OrderedDict. Faster to start than torch, which would only be needed for this.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self._elements: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return self._parameter
        if module == "torch" and name.removesuffix("Storage") in _NUMPY:
            return name.removesuffix("Storage")
        raise CheckpointError(f"its pickle asks for {quote(f'{module}.{name}')}, expected only dense tensors; {SAVE}")

    def persistent_load(self, identifier: Any) -> Storage:
        kind, element, key, _, elements = identifier[:5]
        if kind != "storage" or element not in _NUMPY or not isinstance(key, str) or any(identifier[5:]):
            raise ValueError(f"unknown storage {quote(identifier)}")
        self._elements[key] = element
        return Storage(element, key, elements)

    def element_bytes(self, key: str) -> int:
        return _NUMPY[self._elements[key]].itemsize

    def _tensor(
        self, storage: Storage, offset: int, shape: Any, stride: Any, _grad: Any, _hooks: Any, bits: Any = None
    ) -> View:
        bits = bits or {}
        if bits.get("conj"):
            raise CheckpointError(f"holds a lazily conjugated tensor, expected real ones; {SAVE}")
        return View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, stride)), bool(bits.get("neg")))

    def _parameter(self, tensor: View, _grad: Any, _hooks: Any) -> View:
        return tensor


def _inspect(stream: IO[bytes]) -> None:
    """Read the opcodes of one pickle without running them; refuse all that a plain state dict does not need.

    Inert constructors are not enough: containers that share their parts take exponential time to hash or to print, and
    a tuple nested 10^6 deep ends the process.
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
        if opcode.name in ("PUT", "LONG_BINPUT") and argument > MAX_OPCODES:  # the memo is an array
            raise CheckpointError(f"its pickle has a memo entry {argument:,}, expected one small model; {SAVE}")
        if opcode.name in ("BINPUT", "LONG_BINPUT"):
            (containers.add if previous in _CONTAINER_OPCODES else containers.discard)(argument)
        if opcode.name in ("BINGET", "LONG_BINGET") and argument in containers:
            raise CheckpointError(f"its pickle shares one tuple or list between places, expected a state dict; {SAVE}")
        previous = opcode.name


def _views(loaded: Any) -> dict[str, View]:
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        raise CheckpointError(f"holds an object of type {_type(loaded)}, expected a state dict; {SAVE}")
    for name, value in loaded.items():
        if not isinstance(name, str):
            raise CheckpointError(f"has the key {quote(name)}, expected names of tensors; {SAVE}")
        if not isinstance(value, View):
            raise CheckpointError(f"{quote(name)} is of type {_type(value)}, expected a tensor; {SAVE}")
    return dict(loaded)


def _tensor(name: str, view: View, body: bytes, limit: int) -> Tensor:
    size = math.prod(view.shape)
    if size * _NUMPY[view.storage.element].itemsize > limit:  # stride 0 repeats one number any number of times
        raise CheckpointError(
            f"tensor {quote(name)}: has {size:,} elements, expected no more than the file holds; {SAVE}"
        )
    try:
        window = view.values(body)
    except ValueError as error:
        raise ValueError(f"tensor {quote(name)} {error}") from None
    return Tensor(view.dtype, view.shape, lambda: window, (view.storage.key, *view[1:4]))


def _type(value: object) -> str:
    return "Tensor" if isinstance(value, View) else type(value).__name__


def printable(text: str) -> str:
    """One line that no terminal obeys: what a file says may hold line breaks and escapes."""
    return "".join(c if c.isprintable() else "?" for c in text)


def quote(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
