"""Reads the file of one linear S4D layer and its readout, under the names of its public code. A file is data.

github.com/state-spaces/s4, ``models/s4/s4d.py``: ``kernel.C`` holds complex numbers as two reals, and B is folded into
it. The readout W (k, d) is ours: what follows the layer there is no linear map, and is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssm_bounds.models.files import small
from ssm_bounds.models.files.container import CheckpointError, Tensor, parse, quote, read_bytes
from ssm_bounds.models.files.tensors import located, open_tensors
from ssm_bounds.models.s4d.weights import S4D, SHAPES

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
_AXES = {name: SHAPES[block] for block, name in NAMES.items()}
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
        tensors, sha256 = small.opened(path, _SAVE)
        _require_names(tensors.keys())
        return File(path, sha256, _weights(tensors))


def _require_names(names: Iterable[str]) -> None:
    found = sorted(names)
    layers = [name for name in found if name.endswith(_MARKS[0])]
    if len(layers) != 1:
        raise CheckpointError(f"holds {len(layers)} S4D layers, expected one linear layer with its readout; {_SAVE}")
    if after := [name for name in found if "output_linear." in name]:
        raise CheckpointError(
            f"tensor {quote(after[0])}: an activation and a mixing layer follow this S4D layer, which no bound of a "
            "linear readout covers; expected a readout W (k, d) in their place, or measure it: ssm-bounds measure FILE "
            "--data ROWS"
        )
    if missing := [name for name in NAMES.values() if name not in found and name != "W"]:
        raise CheckpointError(f"lacks {', '.join(map(quote, missing))}, expected in the s4d format; {_SAVE}")
    if unknown := [name for name in found if name not in NAMES.values()]:
        raise CheckpointError(f"also holds {', '.join(map(quote, unknown[:8]))}, unknown to the s4d format; {_SAVE}")


def _weights(tensors: Mapping[str, Tensor]) -> S4D:
    given = {name: tensors[name] for name in NAMES.values() if name in tensors}
    small.require_shapes(given, _AXES, "float32 or float64 (a complex number as two)")
    d, N, _ = given[NAMES["C"]].shape
    if d * N > MOST_MODES:
        raise CheckpointError(f"tensor {NAMES['C']!r}: has {d * N:,} modes, expected at most {MOST_MODES:,}")
    if NAMES["W"] not in given and d > 1:
        raise CheckpointError(f"lacks 'W', expected a readout (k, {d}) of {d} channels; {_SAVE}")
    values = {NAMES["W"]: np.ones((1, 1))} | small.values(given)
    return S4D(**{block: values[name] for block, name in NAMES.items()})
