"""tau of every S4D layer of a file on given rows: a measure, not a bound (theory 16.1, 16.2)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ssm_bounds.bounds.values import require
from ssm_bounds.data import read_data
from ssm_bounds.models.files import s4d_layers
from ssm_bounds.models.s4d.tally import Progress, Tally, tally
from ssm_bounds.models.tasks.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class MeasureReport:
    """``between``: what is taken to stand between the layers, in words; ``layers``: in their order."""

    file: s4d_layers.File
    source: str
    m: int
    T: int
    between: str
    layers: tuple[Tally, ...]


def measure(
    path: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | Task,
    prenorm: bool = False,
    progress: Progress = lambda done, total: None,
) -> MeasureReport:
    """The training rows of ``data`` through the S4D layers in ``path``. ``prenorm``: norms stand before their layers.

    Raises: ValueError (a file that cannot be read, rows that are not the model's), OSError.
    """
    file = s4d_layers.read(Path(path))
    require(not prenorm or file.residual, f"{path}: has no norms; leave --prenorm out")
    task = data if isinstance(data, Task) else read_data(data)
    x = task.train.x
    where = f"{task.source}: the training rows"
    fits = x.ndim == 3 and x.shape[2] == file.width
    require(fits, f"{where}: expected real inputs (n, T, {file.width}), found shape {x.shape}")
    layers = tally(file, x, prenorm=prenorm, progress=progress)
    return MeasureReport(file, task.source, task.train.m, task.train.T, _between(file, prenorm), layers)


def _between(file: s4d_layers.File, prenorm: bool) -> str:
    """In words: tensors do not show it."""
    mixed = any(layer.mixing is not None for layer in file.layers)
    inner = "GELU, the mixing layer and GLU" if mixed else "nothing"
    if file.residual:
        order = "a norm before each layer" if prenorm else "a norm behind each sum (--prenorm says otherwise)"
        return f"{inner} behind each layer, its input added, {order}; the encoder before the first"
    if len(file.layers) == 1:
        return "the rows are the inputs of the layer"
    return f"{inner} behind each layer but the last, and the next one reads what comes out"
