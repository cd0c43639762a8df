"""Mean and deviation of inputs by time and channel, from a NumPy archive: in what units a sample is read."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from ssm_bounds.bounds.architectures.lti.tau import Units
from ssm_bounds.models.tasks.arrays import located, read_known
from ssm_bounds.models.tasks.task import TaskError

NAMES = ("mean", "deviation")


def read_units(path: Path) -> tuple[Units, str]:
    """The arrays mean and deviation (T,d), float32 or float64, of an ``.npz`` file, and its SHA-256; nothing is
    unpickled.

    Raises: TaskError naming the file and the array, OSError.
    """
    with path.open("rb") as stream, located(path):
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        with zipfile.ZipFile(stream) as archive:
            arrays = read_known(archive, NAMES)
        for name in NAMES:
            if name not in arrays:
                raise TaskError(f"array {name!r} is missing; expected mean and deviation, each (T, d)")
            if arrays[name].dtype.kind != "f" or arrays[name].dtype.itemsize > 8:
                raise TaskError(f"{name}: expected float32 or float64 values, found {arrays[name].dtype}")
        return Units(*(arrays[name].astype(np.float64) for name in NAMES)), sha256
