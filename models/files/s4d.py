"""Reads the file of one linear S4D layer and its readout, under the names of its public code. A file is data.

github.com/state-spaces/s4, ``models/s4/s4d.py``: ``kernel.C`` holds complex numbers as two reals, and B is folded into
it. The readout W (k, d) is ours: what follows the layer there is no linear map, and is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssm_bounds.models.files.container import CheckpointError, Tensor, parse, quote, read_bytes
from ssm_bounds.models.files.tensors import located, open_tensors
from ssm_bounds.models.s4d.weights import S4D, SHAPES
from ssm_bounds.models.selective_ssm.weights import WeightsError, check_shapes

MOST_MODES = 2**20
"""Of all channels together: 32 times those of the largest S4D layers in use."""
NAMES: Mapping[str, str] = {
    "C": "kernel.C",
    "log_dt": "kernel.log_dt",
    "log_A_real": "kernel.log_A_real",
    "A_imag": "kernel.A_imag",
    "D": "D",
    "W": "W",
}
_MARKS = ("kernel.log_A_real", "kernel.A_imag")
_SAVE = "save the layer's own state dict with its readout as W (k, d)"


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """One file, read: ``sha256`` is the hex digest of the bytes that were read."""

    path: Path
    sha256: str
    weights: S4D
    format: str = "s4d"


def recognises(names: Iterable[str]) -> bool:
    """Whether the tensors of a file are, or hold, S4D layers."""
    return all(any(name.endswith(mark) for name in names) for mark in _MARKS)


def is_s4d(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds S4D layers, by its names alone; False where they cannot be read."""
    with suppress(CheckpointError):
        return recognises(open_tensors(path).tensors.keys())
    with suppress(CheckpointError):  # what is not read by offsets, as a tensor whose entries are one number
        return recognises(parse(read_bytes(Path(path)))[0].keys())
    return False


def read(path: str | os.PathLike[str]) -> File:
    """The layer in a .pt, .pth or .safetensors file. Values are kept exactly, dimensions come from shapes.

    Raises: CheckpointError, one line naming the file, the tensor, what was expected and found, and what to do.
    """
    path = Path(path)
    with located(path):
        data = read_bytes(path)
        tensors = _stripped(parse(data)[0])
        _require_names(tensors.keys())
        return File(path, hashlib.sha256(data).hexdigest(), _weights(tensors))


def _stripped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefixes of wrappers."""
    short: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        own = name
        while own.startswith(("module.", "_orig_mod.")):
            own = own.partition(".")[2]
        if own in short:
            raise CheckpointError(f"holds tensor {quote(own)} twice, with and without a wrapper's prefix; {_SAVE}")
        short[own] = tensor
    return short


def _require_names(names: Iterable[str]) -> None:
    found = sorted(names)
    layers = [name for name in found if name.endswith(_MARKS[0])]
    if len(layers) != 1:
        raise CheckpointError(f"holds {len(layers)} S4D layers, expected one linear layer with its readout; {_SAVE}")
    if after := [name for name in found if "output_linear." in name]:
        raise CheckpointError(
            f"tensor {quote(after[0])}: an activation and a mixing layer follow this S4D layer, which no bound of a "
            "linear readout covers; expected a readout W (k, d) in their place"
        )
    if missing := [name for name in NAMES.values() if name not in found and name != "W"]:
        raise CheckpointError(f"lacks {', '.join(map(quote, missing))}, expected in the s4d format; {_SAVE}")
    if unknown := [name for name in found if name not in NAMES.values()]:
        raise CheckpointError(f"also holds {', '.join(map(quote, unknown[:8]))}, unknown to the s4d format; {_SAVE}")


def _weights(tensors: Mapping[str, Tensor]) -> S4D:
    given = {block: tensors[name] for block, name in NAMES.items() if name in tensors}
    for block, tensor in given.items():
        if tensor.dtype not in ("float32", "float64"):
            raise CheckpointError(
                f"tensor {NAMES[block]!r}: has dtype {tensor.dtype}, expected float32 or float64 (a complex number as "
                "two); convert the model with .float() and save it again"
            )
    shapes = {repr(NAMES[block]): tensor.shape for block, tensor in given.items()}
    try:
        check_shapes(shapes, {repr(NAMES[block]): SHAPES[block] for block in given})
    except WeightsError as error:
        raise CheckpointError(f"tensor {error}; check which model this file was saved from") from None
    d, N, _ = given["C"].shape
    if d * N > MOST_MODES:
        raise CheckpointError(f"tensor {NAMES['C']!r}: has {d * N:,} modes, expected at most {MOST_MODES:,}")
    if "W" not in given and d > 1:
        raise CheckpointError(f"lacks 'W', expected a readout (k, {d}) of {d} channels; {_SAVE}")
    arrays = {block: tensor.values() for block, tensor in given.items()}
    for block, array in arrays.items():
        if bad := int(np.count_nonzero(~np.isfinite(array))):
            raise CheckpointError(
                f"tensor {NAMES[block]!r}: has {bad} NaN or infinite values among {array.size}, expected none; "
                "use a checkpoint from before training diverged"
            )
    return S4D(**({"W": np.ones((1, 1))} | arrays))
