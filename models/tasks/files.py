"""Tasks from files, told apart by their suffix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ssm_bounds.models.tasks import reviews
from ssm_bounds.models.tasks.arrays import read_arrays
from ssm_bounds.models.tasks.labels import Labelled, Labels, number
from ssm_bounds.models.tasks.listops import OUTPUTS, VOCABULARY, padded, read_listops
from ssm_bounds.models.tasks.reviews import SYMBOLS, read_reviews
from ssm_bounds.models.tasks.table import read_table
from ssm_bounds.models.tasks.task import Split, Task, TaskError

Set = Literal["train", "test"]
_PADDED = {".tsv": padded, ".jsonl": reviews.padded}
"""Files that say what fills rows up, and how."""


def read_task(
    data: Path | str,
    test: Path | str | None = None,
    *,
    T: int | None = None,
    groups: str | None = None,
    column: str | None = None,
) -> Task:
    """The task in ``data``: an ``.npz`` archive (with its own test set, perhaps), a ``.csv`` table, texts with labels
    in ``.jsonl``, or the authors' ListOps ``.tsv``.

    ``test`` is a file with the test set (of an archive: its x_test, y_test). Both sets have one length, and one map
    from their labels to 0..k-1, which the training labels decide. ListOps rows are padded to length T, or to the
    longest row of the two files, texts to the latter; no other file says what its padding is, so that there two
    lengths are refused.
    Archives and tables do not say k and V: they are the smallest that fit labels and tokens. ``groups``: the array,
    the column, or the key of each line, that holds the group of each training row; ``column``: one of a table that
    holds no tokens, if it is there, and is not asked for.
    Raises: TaskError in one line that names the file, whatever the file holds; OSError.
    """
    data, source = Path(data), Path(data if test is None else test)
    left_out = groups is None and data.suffix == ".csv"
    found, shift = _read(data, "train", T, column if left_out else groups, named=groups is not None)
    if test is not None:
        if "test" in found:
            raise TaskError(f"{data}: has a test set of its own; give no second one ({test})")
        column = groups if source.suffix == ".csv" else None
        found["test"] = _read(source, "test", T, column)[0]["test"]
    if data.suffix == source.suffix and data.suffix in _PADDED:
        longest, pad = max(each.x.shape[1] for each in found.values()), _PADDED[data.suffix]
        with _locating(source):
            found = {name: each._replace(x=pad(each.x, longest)) for name, each in found.items()}
    tested = found.get("test")
    with _locating(source):
        y, y_test, label_map = number(found["train"].labels, None if tested is None else tested.labels)
    with _locating(data, "the training set: "):
        train = Split(found["train"].x, y)
    with _locating(source, "the test set: "):
        fresh = None if tested is None or y_test is None else Split(tested.x, y_test)
    k, V = OUTPUTS, len(VOCABULARY)
    if data.suffix != ".tsv":
        splits = [train] if fresh is None else [train, fresh]
        k = max(len(label_map), *(1 + int(split.y.max()) for split in splits))
        V = SYMBOLS if data.suffix == ".jsonl" else 1 + max(int(split.x.max()) for split in splits)
    with _locating(source):
        return Task(
            data.stem,
            train,
            fresh,
            k=k if k > 2 else 1,
            V=V if train.x.ndim == 2 else None,
            shift=shift,
            label_map=label_map,
            source=str(source),
            padded=data.suffix in _PADDED and (T is None or data.suffix == ".jsonl"),
            groups=None if left_out else found["train"].groups,
        )


@contextmanager
def _locating(path: Path, what: str = "") -> Iterator[None]:
    try:
        yield
    except TaskError as error:
        raise TaskError(f"{path}: {what}{error}") from error


def _read(
    path: Path, needed: Set, T: int | None, groups: str | None, *, named: bool = False
) -> tuple[dict[str, Labelled], str | None]:
    """The sets of one file, the needed one among them, and how they are shifted. ``named``: a table has the groups."""
    if path.suffix == ".tsv":
        if groups is not None:
            raise TaskError(f"{path}: ListOps rows have no groups; leave --groups out")
        split = read_listops(path, T)
        return {needed: Labelled(split.x, Labels("integers", split.y))}, None
    if path.suffix == ".csv":
        return {needed: read_table(path, groups, needed=named)}, None
    if path.suffix == ".jsonl":
        return {needed: read_reviews(path, groups)}, None
    if path.suffix != ".npz":
        raise TaskError(
            f"{path}: expected a .npz archive, a .csv table or a .jsonl of texts, or a ListOps .tsv file, found suffix "
            f"{path.suffix!r}"
        )
    found, shift = read_arrays(path, groups)
    if needed not in found:
        raise TaskError(f"{path}: expected x_{needed} and y_{needed}, found only {next(iter(found))} data")
    return found, shift
