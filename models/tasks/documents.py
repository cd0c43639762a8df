"""Documents of a text as a language model meets them: each alone from the start, cut, and with its end (theory 8.7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.symbols import Symbols
from ssm_bounds.models.tasks.task import TaskError
from ssm_bounds.models.tasks.text import reading

LONGEST = 2**17 - 1
"""T is at most this, so that with the end a document has at most 2^17 symbols."""
_UNSTATED = 2**15
"""Where nobody says T: the largest that a word can pay for (theory 8.12)."""
_MOST = 1 << 28  # symbols of all documents, with what fills rows up


@dataclass(frozen=True, slots=True, eq=False)
class Documents:
    """m documents, cut to their first T symbols; each is scored on its symbols and on one end.

    Shapes: x (m,t) what the model is given, the end first, y (m,t) what is to be foretold, ends behind it, t at most
    T + 1; lengths (m,) symbols of each with its end. ``cut``: how many were longer; ``distinct``: different documents;
    ``symbols``: the name of their list; ``source``: for messages; ``sha256``: of the file.
    """

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    lengths: NDArray[np.int64]
    T: int
    cut: int
    distinct: int
    V: int
    symbols: str
    source: str = "the text"
    sha256: str = ""

    @property
    def m(self) -> int:
        return len(self.lengths)

    @property
    def n(self) -> int:
        """Symbols that are foretold, ends included."""
        return int(self.lengths.sum())

    def rows(self, first: int, last: int) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        """x, lengths, and the symbols to foretell, one document after another, of some documents."""
        lengths = self.lengths[first:last]
        longest = int(lengths.max())
        valid = np.arange(longest) < lengths[:, None]
        return self.x[first:last, :longest], lengths, self.y[first:last, :longest][valid].astype(np.int64)

    def some(self, step: int) -> Documents:
        """Every ``step``-th document."""
        kept = slice(step // 2, None, step)
        return replace(self, x=self.x[kept], y=self.y[kept], lengths=self.lengths[kept])


def of_texts(
    texts: Sequence[str], symbols: Symbols, T: int | None = None, *, source: str = "the text", sha256: str = ""
) -> Documents:
    """The documents, cut to T symbols; without T, to the length of the longest, at most 2^15. Raises: TaskError.

    >>> from ssm_bounds.models.tasks.symbols import English
    >>> found = of_texts(["ab", "a"], English(), 1)
    >>> found.x.tolist(), found.y.tolist(), found.lengths.tolist(), found.cut
    ([[0, 3], [0, 3]], [[3, 0], [3, 0]], [2, 2], 1)
    """
    if not texts:
        raise TaskError(f"{source}: has no document")
    coded = symbols.encode(texts)
    longest = max(map(len, coded))
    if T is None:
        T = min(longest, _UNSTATED)
    if not 1 <= T <= LONGEST:
        raise TaskError(f"{source}: documents are cut to 1 to {LONGEST} symbols, found T = {T}")
    width = 1 + min(T, longest)
    if len(coded) * width > _MOST:
        raise TaskError(
            f"{source}: {len(coded)} documents of up to {width} symbols are too many at once; cut them (--T)"
        )
    x = np.full((len(coded), width), symbols.end, dtype=np.int32)
    y = x.copy()
    lengths = np.empty(len(coded), dtype=np.int64)
    for i, each in enumerate(coded):
        kept = each[:T]
        x[i, 1 : 1 + len(kept)] = kept
        y[i, : len(kept)] = kept
        lengths[i] = len(kept) + 1
    cut = sum(len(each) > T for each in coded)
    distinct = len({row.tobytes() for row in y})
    return Documents(x, y, lengths, T, cut, distinct, symbols.size, symbols.name, source, sha256)


def read_texts(path: Path) -> tuple[list[str], str]:
    """The ``text`` of every line of a ``.jsonl`` file, in order, and the SHA-256 of the file.

    Raises: TaskError naming file and line; OSError.
    """
    texts = [entry["text"] for _, entry in read_entries(path)]
    with path.open("rb") as file:
        return texts, hashlib.file_digest(file, "sha256").hexdigest()


def read_documents(path: Path, symbols: Symbols, T: int | None = None) -> Documents:
    """The documents of a ``.jsonl`` file. Raises: TaskError; OSError."""
    texts, sha256 = read_texts(path)
    return of_texts(texts, symbols, T, source=str(path), sha256=sha256)


def read_entries(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every line of a ``.jsonl`` file that is not blank, and its number: objects whose ``text`` is a string.

    Raises: TaskError naming file and line; OSError.
    """
    with reading(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield number, _entry(f"{path}: line {number}", line)


def _entry(where: str, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{where} is not JSON; write one object with 'text' on each line") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
        found = "no object" if not isinstance(entry, dict) else f"the keys {', '.join(map(repr, list(entry)[:5]))}"
        raise TaskError(f"{where} has no 'text' that is a string: it has {found}")
    return entry
