"""ListOps from the tab-separated files of the paper's authors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.tasks.task import Split, TaskError

VOCABULARY = (*"0123456789", "[MIN", "[MAX", "[MED", "[SM", "]", "<pad>")
OUTPUTS = 10
_CODE = {token: code for code, token in enumerate(VOCABULARY)}
_HEADER = "Source\tTarget"


def read_listops(path: Path | str, T: int | None = None) -> Split:
    """Tokens (n,T) and labels 0..9 of a file with the columns ``Source`` and ``Target``.

    Parentheses are dropped; rows are padded on the right with ``<pad>`` to length T, or to the longest row of the file
    (what the authors do, split by split). Raises: TaskError naming the line; OSError.
    """
    path = Path(path)
    rows, labels = [], []
    with path.open(encoding="utf-8") as lines:
        header = lines.readline().rstrip("\r\n")
        if header != _HEADER:
            raise TaskError(f"{path}: expected the header {_HEADER!r}, found {header[:80]!r}")
        for number, line in enumerate(lines, start=2):
            source, tab, target = line.rstrip("\r\n").partition("\t")
            tokens = [token for token in source.split() if token not in ("(", ")")]
            unknown = next((token for token in tokens if token not in _CODE), None)
            if unknown is not None:
                raise TaskError(f"{path}, line {number}: unknown token {unknown[:40]!r}; known: {' '.join(VOCABULARY)}")
            if not tab or target not in VOCABULARY[:OUTPUTS]:
                raise TaskError(f"{path}, line {number}: expected a label 0..9 after a tab, found {target[:40]!r}")
            if not tokens or (T is not None and len(tokens) > T):
                raise TaskError(
                    f"{path}, line {number}: expected 1 to {T or 'any number of'} tokens, found {len(tokens)}"
                )
            rows.append([_CODE[token] for token in tokens])
            labels.append(int(target))
    if not rows:
        raise TaskError(f"{path}: expected at least one row after the header, found none")
    x = np.full((len(rows), T or max(map(len, rows))), _CODE["<pad>"], dtype=np.int8)
    for row, codes in zip(x, rows, strict=True):
        row[: len(codes)] = codes
    return Split(x, np.array(labels))
