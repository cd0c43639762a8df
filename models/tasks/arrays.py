"""Labelled sequences from a NumPy archive."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files.atomic import replacing
from ssm_bounds.models.tasks.groups import read_groups
from ssm_bounds.models.tasks.labels import Labelled, read_labels
from ssm_bounds.models.tasks.task import Task, TaskError

MAX_BYTES = 1 << 32  # of all arrays together, as declared by the archive before anything is unpacked


def read_arrays(path: Path | str, groups: str | None = None) -> tuple[dict[str, Labelled], str | None]:
    """The sets of an ``.npz`` file, ``"train"`` from x_train, y_train and ``"test"`` from x_test, y_test, if there,
    and its ``shift`` (one string: see :class:`Task`), if it has one.

    Shapes: x as in :class:`Split`, or reals (n,T), which become (n,T,1); labels of any layout in ``tasks.labels``.
    ``groups``: the array that holds the group of each training row. Other arrays are ignored.
    Nothing is unpickled, and no array larger than its own bytes in the file is allocated.
    Raises: TaskError naming the file and the array, whatever is wrong with what the file holds; OSError.
    """
    path, known = Path(path), (*(f"{name}_{split}" for name in "xy" for split in ("train", "test")), "shift")
    if groups in known:
        raise TaskError(f"{path}: array {groups!r} holds no groups; name the one that does")
    with path.open("rb") as stream, located(path):
        with zipfile.ZipFile(stream) as archive:
            arrays = read_known(archive, known if groups is None else (*known, groups))
        shift, named = _sentence(arrays.pop("shift", None)), arrays.pop(groups or "", None)
        found = _sets(arrays)
        if groups is not None and "train" in found:
            found["train"] = found["train"]._replace(groups=_groups(groups, named, found["train"]))
        return found, shift


@contextmanager
def located(path: Path) -> Iterator[None]:
    """What goes wrong in an archive is a TaskError that names its file."""
    try:
        yield
    except (TaskError, DomainError) as error:
        raise TaskError(f"{path}: {error}") from error
    except Exception as error:  # zipfile raises what its many parts raise, OSError for a seek among them
        raise TaskError(f"{path}: not an .npz archive ({_one_line(error)}); save it with numpy.savez") from error


def _sets(arrays: dict[str, NDArray]) -> dict[str, Labelled]:
    found = {}
    for name in ("train", "test"):
        x, y = f"x_{name}", f"y_{name}"
        if x not in arrays and y not in arrays:
            continue
        if missing := {x, y} - arrays.keys():
            raise TaskError(f"array {missing.pop()!r} is missing; the file has {', '.join(sorted(arrays))}")
        try:
            found[name] = Labelled(_sequences(arrays[x]), read_labels(arrays[y]))
        except TaskError as error:
            raise TaskError(f"{y}: {error}") from error
    if not found:
        raise TaskError("expected arrays x_train and y_train (or x_test and y_test), found neither")
    return found


def _groups(name: str, names: NDArray | None, train: Labelled) -> NDArray[np.int64]:
    if names is None:
        raise TaskError(f"array {name[:80]!r} of the groups is missing")
    try:
        groups = read_groups(names)
    except TaskError as error:
        raise TaskError(f"array {name!r}: {error}") from error
    if len(groups) != len(train.labels.values):
        raise TaskError(f"array {name!r}: has {len(groups)} entries, for {len(train.labels.values)} training rows")
    return groups


def _sequences(x: NDArray) -> NDArray:
    """Reals (n,T) are sequences of one real each."""
    return x[:, :, None] if x.ndim == 2 and x.dtype.kind == "f" else x


def read_known(archive: zipfile.ZipFile, names: Iterable[str]) -> dict[str, NDArray]:
    """Those of these arrays that an archive has. Raises: TaskError naming the array, and what zipfile raises."""
    members = {f"{name}.npy" for name in names}
    infos = [info for info in archive.infolist() if info.filename in members]
    declared = sum(info.file_size for info in infos)
    if declared > MAX_BYTES:
        raise TaskError(f"the arrays unpack to {declared} bytes, more than the {MAX_BYTES} that are read")
    arrays = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        try:
            with warnings.catch_warnings(action="ignore"), archive.open(info) as member:
                _check_header(member, info.file_size)
            with warnings.catch_warnings(action="ignore"), archive.open(info) as member:
                arrays[name] = npy.read_array(member, allow_pickle=False)
        except Exception as error:  # zipfile, zlib, lzma and numpy's header parser each have their own
            raise TaskError(f"array {name!r} cannot be read: {_one_line(error)}") from error
    return arrays


def _check_header(member: IO[bytes], size: int) -> None:
    """Raise ValueError unless the array's shape and dtype account for the bytes that follow its header."""
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(member))
    if read_header is None:
        raise ValueError("expected a .npy header of version 1.0 or 2.0")
    shape, _, dtype = read_header(member)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not loaded; save plain numbers")
    if not dtype.itemsize:
        raise ValueError("its entries have no bytes, so that any number of them would fit")
    wanted, found = math.prod(shape) * dtype.itemsize, size - member.tell()
    if wanted != found:
        raise ValueError(f"its header announces {wanted} bytes of data, the file has {found}")


def _sentence(shift: NDArray | None) -> str | None:
    if shift is None:
        return None
    if shift.dtype.kind != "U" or shift.shape:
        raise TaskError(f"shift: expected one string, found {shift.dtype} of shape {shift.shape}")
    if not (sentence := str(shift)).isprintable():
        raise TaskError("shift: expected one line of printable characters")
    return sentence


def _one_line(error: Exception) -> str:
    """What went wrong, on one line."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def write_arrays(path: Path | str, task: Task) -> None:
    """Write the task as an ``.npz`` file, its labels as numbers; atomically. Raises: OSError."""
    splits = {"train": task.train, "test": task.test}
    arrays = {f"{name}_{key}": part for key, s in splits.items() if s for name, part in (("x", s.x), ("y", s.y))}
    if task.groups is not None:
        arrays["groups"] = task.groups
    if task.shift is not None:
        arrays["shift"] = np.array(task.shift)
    with replacing(Path(path)) as temporary, temporary.open("xb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
