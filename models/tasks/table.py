"""Labelled sequences of tokens from a comma-separated table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.groups import read_groups
from ssm_bounds.models.tasks.labels import Labelled, read_words
from ssm_bounds.models.tasks.task import LARGEST, TaskError
from ssm_bounds.models.tasks.text import reading

_LONGEST = 200  # characters of a label, spaces around it included


def read_table(path: Path | str, groups: str | None = None, *, needed: bool = False) -> Labelled:
    """Tokens (n,T) and labels of a ``.csv`` file: a header whose first column is ``y``, then one row a sequence.

    Each row is a label (an integer, or a word: see ``tasks.labels``) and T tokens, integers >= 0; real-valued
    inputs need three axes, so an ``.npz`` archive. ``groups``: a column that holds no tokens but the row's group, if
    the header has it; ``needed``: it has to. Raises: TaskError naming the file and the line; OSError.
    """
    path = Path(path)
    rows, labels, names = list[NDArray[np.int32]](), list[str](), list[str]()
    try:
        with reading(path) as stream:
            lines = csv.reader(stream)
            header = next(lines, [])
            if [name.strip() for name in header[:1]] != ["y"] or len(header) < 2:
                raise TaskError(
                    f"{path}: expected a header 'y,x1,...,xT' (the label, then a column for each token), "
                    f"found {','.join(header)[:80]!r}"
                )
            grouped = _column(path, [name.strip() for name in header], groups)
            if needed and grouped is None:  # before its cells are read as tokens
                raise TaskError(f"{path}: has no column {str(groups)[:80]!r} for the groups of its rows")
            for cells in lines:
                if cells:
                    where = f"{path}, line {lines.line_num}"
                    if len(cells) != len(header):
                        raise TaskError(f"{where}: expected {len(header)} cells as in the header, found {len(cells)}")
                    if len(cells[0]) > _LONGEST:
                        raise TaskError(f"{where}: expected a label, found {len(cells[0])} characters")
                    if grouped is not None:
                        names.append(_group(cells.pop(grouped), where))
                    labels.append(cells[0].strip())
                    rows.append(np.array(_tokens(cells[1:], where), dtype=np.int32))
    except csv.Error as error:
        raise TaskError(f"{path}: not a table of text ({error})") from error
    if not rows:
        raise TaskError(f"{path}: expected at least one row after the header, found none")
    try:
        found = read_words(labels)
    except TaskError as error:
        raise TaskError(f"{path}: y: {error}") from error
    try:
        return Labelled(np.array(rows), found, read_groups(np.array(names)) if names else None)
    except TaskError as error:
        raise TaskError(f"{path}: column {groups!r}: {error}") from error


def _column(path: Path, header: list[str], groups: str | None) -> int | None:
    """Where the groups stand, if anywhere."""
    if groups is None or groups not in header:
        return None
    if groups == "y" or header.count(groups) > 1 or len(header) < 3:
        raise TaskError(
            f"{path}: column {groups[:80]!r} holds no groups; name the one beside label and tokens that does"
        )
    return header.index(groups)


def _group(cell: str, where: str) -> str:
    name = cell.strip()
    if not 0 < len(name) <= _LONGEST:
        raise TaskError(f"{where}: expected a group of 1 to {_LONGEST} characters, found {len(name)}")
    return name


def _tokens(cells: list[str], where: str) -> list[int]:
    values = []
    for cell in cells:
        try:
            value = int(cell)
        except ValueError:
            raise TaskError(
                f"{where}: expected integers, found {cell[:40]!r}; real-valued inputs go in an .npz archive"
            ) from None
        if not 0 <= value < LARGEST:
            raise TaskError(f"{where}: expected integers in 0..{LARGEST - 1}, found {cell.strip()[:40]}")
        values.append(value)
    return values
