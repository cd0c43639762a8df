"""Named tensors of a model of any size, each read only when it is asked for, as float64 and exactly.

A folder of Hugging Face (``config.json`` beside one file or shards), or one file: safetensors, a zip of ``torch.save``
or a NumPy archive is read by offsets, so that memory does not grow with the number of layers; a legacy pickle of
``torch.save`` is held whole (``container.MAX_BYTES``). A file is data: nothing in it is ever run.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ssm_bounds.models.files.container import (
    MAX_BYTES,
    CheckpointError,
    Tensor,
    parse,
    printable,
    quote,
    read_bytes,
    zip_views,
)

MAX_ELEMENTS = 2**29
"""Largest tensor that is read: 4 GiB as float64, above the in_proj of every released model."""
MAX_TEXT = 2**26
"""Largest config.json, index, or header of a safetensors file."""
FLOATS = ("float16", "bfloat16", "float32", "float64")
"""What widens to float64 exactly. Anything else is another architecture (complex) or rounded (integers, 8-bit)."""
WEIGHTS = (
    "model.safetensors.index.json",
    "model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)
"""What a folder may hold, in the order in which transformers looks for it."""

_SAFETENSORS = {
    "F64": ("float64", "<f8"),
    "F32": ("float32", "<f4"),
    "F16": ("float16", "<f2"),
    "BF16": ("bfloat16", "<u2"),
}
_BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "I32": 4, "U32": 4, "I64": 8, "U64": 8, "C64": 8, "C128": 16}
_WRAPPERS = ("module.", "_orig_mod.", "_forward_module.")
_OTHER_FILES = {
    b"GGUF": "a GGUF file: its weights are quantised; name the model it was made from",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; run git lfs pull",
    b"<!DOCTYPE": "a web page, not a checkpoint; download the file itself",
    b"<html": "a web page, not a checkpoint; download the file itself",
}


@dataclass(frozen=True, slots=True, eq=False)
class Tensors:
    """The tensors of a model by name, and its ``config.json``, or None. Nothing is read before ``array``."""

    path: Path
    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any] | None

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """Raises: CheckpointError where the file has no such tensor."""
        if name not in self.tensors:
            raise CheckpointError(f"lacks tensor {quote(name)}; save the whole state dict")
        return self.tensors[name].shape

    def array(self, name: str) -> NDArray[np.float64]:
        """All of one tensor, exactly. Raises: CheckpointError naming it, for NaN and infinite values too."""
        values, dtype = self._held(name)
        return finite(name, widened(values, dtype))

    def blocks(self, name: str, rows: int) -> Iterator[NDArray[np.float64]]:
        """The same, at most ``rows`` rows at a time: only what the file holds is in memory at once."""
        values, dtype = self._held(name)
        for start in range(0, len(values), rows):
            yield finite(name, widened(values[start : start + rows], dtype))

    def _held(self, name: str) -> tuple[np.ndarray, str]:
        """In the type of the file."""
        shape = self.shape(name)
        tensor = self.tensors[name]
        if tensor.dtype not in FLOATS:
            raise CheckpointError(
                f"tensor {quote(name)}: has dtype {tensor.dtype}, expected one of {', '.join(FLOATS)}"
            )
        if (size := math.prod(shape)) > MAX_ELEMENTS:
            raise CheckpointError(f"tensor {quote(name)}: has {size:,} elements, expected at most {MAX_ELEMENTS:,}")
        return _values(name, tensor), tensor.dtype

    @property
    def parameters(self) -> int:
        """How many numbers the file holds; tensors that are the same numbers (tied weights) count once."""
        places = {tensor.place or name: math.prod(tensor.shape) for name, tensor in self.tensors.items()}
        return sum(places.values())


def finite(name: str, values: np.ndarray) -> np.ndarray:
    """The same. Raises: CheckpointError naming the tensor."""
    if bad := values.size - int(np.count_nonzero(np.isfinite(values))):
        raise CheckpointError(
            f"tensor {quote(name)}: has {bad} NaN or infinite values among {values.size}, expected none; "
            "use a checkpoint from before training diverged"
        )
    return values


def widened(values: np.ndarray, dtype: str) -> NDArray[np.float64]:
    """Every 16- and 32-bit float is a float64. The upper half of a float32 is its bfloat16.

    >>> widened(np.array([0x3F80, 0xC049], dtype=np.uint16), "bfloat16")
    array([ 1.      , -3.140625])
    """
    if dtype == "bfloat16":
        values = (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    with warnings.catch_warnings(action="ignore"):  # a signalling NaN; it is refused by the tensor's name
        return values.astype(np.float64)


def _values(name: str, tensor: Tensor) -> np.ndarray:
    try:
        return tensor.values()
    except CheckpointError:
        raise
    except Exception as error:  # zipfile, zlib and numpy each have their own, and the file may change while it is read
        raise CheckpointError(f"tensor {quote(name)}: cannot be read ({_line(error)}); copy the file again") from None


def open_tensors(path: str | os.PathLike[str]) -> Tensors:
    """The tensors of a folder or file. Raises: CheckpointError, one line that says what was wrong and where."""
    path = Path(path)
    with located(path):
        main = _main(path)
        files = _shards(main) if main.name.endswith(".index.json") else {main.name: set()}
        tensors: dict[str, Tensor] = {}
        for name, expected in files.items():
            for key, tensor in _stripped(_in_shard(main, name)).items():
                if key in tensors:
                    raise CheckpointError(
                        f"{quote(name)} holds tensor {quote(key)} a second time; copy the shards again"
                    )
                tensors[key] = tensor
            if missing := sorted(expected - tensors.keys()):
                raise CheckpointError(f"{quote(name)} lacks tensor {quote(missing[0])} that the index puts there")
        # a file alone is a file alone, except under the names that only transformers and mamba_ssm give
        known = path.is_dir() or path.name in WEIGHTS
        return Tensors(path, tensors, _config(main.parent / "config.json") if known else None)


@contextmanager
def located(path: Path) -> Iterator[None]:
    """Puts the file's name before what was wrong with it."""
    try:
        yield
        return
    except CheckpointError as error:
        problem = str(error)
    except OSError as error:
        problem = f"cannot be opened ({error.strerror}); check the path and its permissions"
    raise CheckpointError(problem if problem.startswith(f"{path}: ") else printable(f"{path}: {problem}"))


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object; infinities as transformers 5 writes them. Raises: CheckpointError."""
    try:
        text = _regular(path, MAX_TEXT).read_bytes()
        value = json.loads(text, object_hook=_number)
    except OSError as error:
        raise CheckpointError(f"{quote(path.name)} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise CheckpointError(f"{quote(path.name)} is not JSON, expected one object; copy it again") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{quote(path.name)} holds {type(value).__name__}, expected one object; copy it again")
    return value


def _number(value: dict[str, Any]) -> Any:
    if set(value) == {"__float__"} and value["__float__"] in ("Infinity", "-Infinity", "NaN"):
        return float(value["__float__"])
    return value


def _config(path: Path) -> dict[str, Any] | None:
    return read_json(path) if path.exists() else None


def _main(path: Path) -> Path:
    """The one file, or the index of several, that ``path`` is or holds."""
    if not path.is_dir():
        return _regular(path, None)
    for name in WEIGHTS:
        if (path / name).exists():
            return _regular(path / name, None)
    raise CheckpointError(f"holds none of {', '.join(WEIGHTS)}; name the file inside it")


def _regular(path: Path, most: int | None) -> Path:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise CheckpointError(f"no such file, {quote(path.name)}; check the path") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot be opened ({_line(error)}); check the path and its permissions") from None
    if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device may never end
        raise CheckpointError(
            f"{quote(path.name)} is not a regular file, expected a checkpoint; copy it to a file first"
        )
    if most is not None and status.st_size > most:
        raise CheckpointError(f"{quote(path.name)} has {status.st_size:,} bytes, expected at most {most:,}")
    return path


def _shards(index: Path) -> dict[str, set[str]]:
    """Shard to the tensors that the index puts there, under their stripped names."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(shard, str) for shard in places.values()):
        raise CheckpointError(f"{quote(index.name)}: expected an object 'weight_map' of names; copy the index again")
    shards: dict[str, set[str]] = {}
    for name, shard in places.items():
        if Path(shard).name != shard or "\\" in shard or shard in (".", "..") or "\0" in shard:
            raise CheckpointError(f"{quote(index.name)}: shard {quote(shard)} is outside the folder; correct the index")
        shards.setdefault(shard, set()).add(_short(name))
    return dict(sorted(shards.items()))


def _in_shard(main: Path, name: str) -> Mapping[str, Tensor]:
    path = _regular(main.parent / name, None)
    try:
        return _in_file(path)
    except CheckpointError as error:
        problem = str(error)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); check the path and its permissions"
    raise CheckpointError(problem if path == main else f"shard {quote(name)}: {problem}")


def _in_file(path: Path) -> Mapping[str, Tensor]:
    with path.open("rb") as file:
        start = file.read(32)
    for mark, what in _OTHER_FILES.items():
        if start.startswith(mark):
            raise CheckpointError(f"is {what}")
    if start[8:9] == b"{":
        return _safetensors(path)
    if not start.startswith(b"PK"):
        held = parse(read_bytes(path))[0]
        return {name: replace(tensor, place=(path.name, tensor.place)) for name, tensor in held.items()}
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = any(name.endswith(".npy") for name in archive.namelist())
            return _numpy(path, archive) if arrays else _torch(path, archive)
    except (CheckpointError, OSError):
        raise
    except Exception as error:  # as in container.parse
        raise CheckpointError(f"is damaged, expected a complete zip file ({_line(error)}); copy it again") from None


def _stripped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    short = {_short(name): tensor for name, tensor in tensors.items()}
    if len(short) < len(tensors):
        raise CheckpointError("holds a tensor twice, with and without a wrapper's prefix; save the model alone")
    return short


def _short(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.split(".", 1)[1]
    return name.replace("._orig_mod.", ".")


def _safetensors(path: Path) -> dict[str, Tensor]:
    """By the header alone: names, dtypes, shapes, and where the numbers lie, which must tile the rest of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(MAX_TEXT, size - 8):
            raise CheckpointError(
                f"is damaged: its header announces {length:,} bytes, the file has {size:,}; copy it again"
            )
        try:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            entries = []
            for name, entry in header.items():
                start, stop = entry["data_offsets"]
                entries.append((start, stop, name, entry["dtype"], entry["shape"]))
            entries.sort()
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise CheckpointError("is damaged: its header is not that of a safetensors file; copy it again") from None
    tensors, end = {}, 0
    for start, stop, name, code, shape in entries:
        numbers = (start, stop, *shape) if isinstance(shape, list) else (None,)
        if not all(type(number) is int and number >= 0 for number in numbers) or not isinstance(code, str):
            raise CheckpointError(
                f"tensor {quote(name)}: its entry in the header is not one of safetensors; copy it again"
            )
        dtype, layout = _SAFETENSORS.get(code, (code, ""))
        width = np.dtype(layout).itemsize if layout else _BYTES.get(code)
        if start != end or (width and stop - start != width * math.prod(shape)):
            raise CheckpointError(
                f"tensor {quote(name)}: its bytes do not fit its shape {tuple(shape)}; copy the file again"
            )
        end = stop
        tensors[name] = Tensor(dtype, tuple(shape), _from_offset(path, 8 + length + start, layout, tuple(shape)))
    if 8 + length + end != size:
        raise CheckpointError(f"is truncated: its header announces {8 + length + end:,} bytes, the file has {size:,}")
    return tensors


def _from_offset(path: Path, offset: int, layout: str, shape: tuple[int, ...]) -> Callable[[], np.ndarray]:
    return lambda: np.fromfile(path, layout, math.prod(shape), offset=offset).reshape(shape)


def _torch(path: Path, archive: zipfile.ZipFile) -> dict[str, Tensor]:
    folder, views = zip_views(archive)
    records = {record.filename: record for record in archive.infolist()}
    tensors = {}
    for name, view in views.items():
        member, wanted = f"{folder}data/{view.storage.key}", view.storage_bytes
        found = _unpacked(records[member], name) if member in records else 0
        if found != wanted:
            raise CheckpointError(
                f"tensor {quote(name)}: announces {wanted:,} bytes, the file has {found:,}; save it again"
            )
        if math.prod(view.shape) > view.storage.elements:  # stride 0 repeats one number any number of times
            raise CheckpointError(f"tensor {quote(name)}: has more elements than its storage; save it again")

        def values(view: Any = view, member: str = member) -> np.ndarray:
            with zipfile.ZipFile(path) as again:
                return view.values(again.read(member))

        tensors[name] = Tensor(view.dtype, view.shape, values, (path.name, view.storage.key, *view[1:4]))
    return tensors


def _numpy(path: Path, archive: zipfile.ZipFile) -> dict[str, Tensor]:
    tensors = {}
    for record in archive.infolist():
        name = record.filename.removesuffix(".npy")
        with warnings.catch_warnings(action="ignore"), archive.open(record) as member:
            version = npy.read_magic(member)
            if version not in ((1, 0), (2, 0)):
                raise CheckpointError(f"array {quote(name)}: expected a .npy header of version 1.0 or 2.0")
            shape, _, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(member)
            wanted, found = math.prod(shape) * dtype.itemsize, _unpacked(record, name) - member.tell()
        if dtype.hasobject or wanted != found:
            raise CheckpointError(
                f"array {quote(name)}: its header ({dtype}, {shape}) does not account for {found:,} bytes"
            )

        def values(record: zipfile.ZipInfo = record) -> np.ndarray:
            with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path) as again, again.open(record) as member:
                return npy.read_array(member, allow_pickle=False)

        tensors[name] = Tensor(dtype.name, tuple(shape), values)
    return tensors


def _unpacked(record: zipfile.ZipInfo, name: str) -> int:
    """Bytes of a member; packed, a few bytes can announce any number of them."""
    if record.compress_type != zipfile.ZIP_STORED and record.file_size > MAX_BYTES:
        raise CheckpointError(
            f"tensor {quote(name)}: unpacks to {record.file_size:,} bytes, expected at most {MAX_BYTES:,}"
        )
    return record.file_size


def _line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error))[:120] or type(error).__name__
