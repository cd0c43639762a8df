"""Labelled texts of a ``.jsonl`` file as a classifier's rows: by the 79 fixed symbols, ends filling rows up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.documents import read_entries
from ssm_bounds.models.tasks.groups import read_groups
from ssm_bounds.models.tasks.labels import Labelled, read_words
from ssm_bounds.models.tasks.symbols import END, English
from ssm_bounds.models.tasks.task import TaskError

SYMBOLS, PAD = English().size, END
_MOST = 1 << 28  # symbols of all rows


def read_reviews(path: Path, groups: str | None = None) -> Labelled:
    """Symbols (n,t) of each ``text``, t that of the longest, and each ``label``: a word, a number or a truth value.

    ``groups``: the key of each line's group. Raises: TaskError naming file and line; OSError.
    """
    entries = list(read_entries(path))
    labels, names = list[str](), list[str]()
    for number, entry in entries:
        if groups is not None:
            name = entry.get(groups)
            if not isinstance(name, str | int) or groups in ("text", "label"):
                raise TaskError(f"{path}: line {number} has no group {groups[:80]!r} that is a word or a number")
            names.append(str(name))
        label = entry.get("label")
        if not isinstance(label, str | int | float):
            raise TaskError(f"{path}: line {number} has no 'label': a word, a number, or true or false")
        labels.append(str(label))
    coded = English().encode([entry["text"] for _, entry in entries])
    for (number, _), symbols in zip(entries, coded, strict=True):
        if not len(symbols):
            raise TaskError(f"{path}: line {number} has an empty 'text', of which nothing can be said")
    x = np.full((len(coded), max(map(len, coded), default=0)), PAD, dtype=np.int32)
    if x.size > _MOST:
        raise TaskError(f"{path}: {len(coded)} texts of up to {x.shape[1]} symbols are too many; cut them")
    for row, symbols in zip(x, coded, strict=True):
        row[: len(symbols)] = symbols
    try:
        return Labelled(x, read_words(labels), None if groups is None else read_groups(np.array(names)))
    except TaskError as error:
        raise TaskError(f"{path}: {error}") from error


def padded(x: NDArray[np.integer], T: int) -> NDArray[np.integer]:
    """The rows (n,t) with ends on the right up to length T >= t."""
    return np.pad(x, ((0, 0), (0, T - x.shape[1])), constant_values=PAD)
