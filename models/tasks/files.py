"""Tasks from files, told apart by their suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from models.tasks.arrays import read_arrays
from models.tasks.listops import OUTPUTS, VOCABULARY, read_listops
from models.tasks.task import Split, Task, TaskError


def read_task(data: Path | str, test: Path | str | None = None, *, T: int | None = None) -> Task:
    """The task in ``data``: an ``.npz`` archive (with its own test set, perhaps) or the authors' ListOps ``.tsv``.

    ``test`` is a file with the test set (of an archive: its x_test, y_test). T pads ListOps rows. An archive does not
    say k and V: they are the smallest that fit its labels and tokens. Raises: TaskError, OSError.
    """
    splits = _read(Path(data), "train", T)
    if test is not None:
        if "test" in splits:
            raise TaskError(f"{data}: has a test set of its own; give no second one ({test})")
        splits["test"] = _read(Path(test), "test", T)["test"]
    train, name = splits["train"], Path(data).stem
    if Path(data).suffix == ".tsv":
        return Task(name, train, splits.get("test"), k=OUTPUTS, V=len(VOCABULARY))
    labels = 1 + max(split.y.max().item() for split in splits.values())
    tokens = 1 + max(split.x.max().item() for split in splits.values())
    return Task(name, train, splits.get("test"), k=labels if labels > 2 else 1, V=tokens if train.x.ndim == 2 else None)


def _read(path: Path, needed: Literal["train", "test"], T: int | None) -> dict[str, Split]:
    """The splits of one file, the needed one among them."""
    if path.suffix == ".tsv":
        return {needed: read_listops(path, T)}
    if path.suffix != ".npz":
        raise TaskError(f"{path}: expected a .npz archive or a ListOps .tsv file, found suffix {path.suffix!r}")
    splits = read_arrays(path)
    if needed not in splits:
        raise TaskError(f"{path}: expected x_{needed} and y_{needed}, found only {next(iter(splits))} data")
    return splits
