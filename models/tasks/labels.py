"""Labels as people write them, and the numbers 0..k-1 that a model answers with.

Integers 0..k-1 stay what they are. -1 and 1 become 0 and 1, False and True too, one-hot rows the number of their
column, and words their place among the sorted words of the training set. A column (n,1) is read as (n,). Nothing else
is guessed: the labels 1 and 2 are two of three classes 0..2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssm_bounds.models.tasks.task import LARGEST, LabelMap, TaskError

_LONGEST = 100  # characters of a word


class Labels(NamedTuple):
    """The labels of one split: how they were written, in words; integers (n,); and, unless these were written, what
    was written for 0, 1, ..."""

    kind: str
    values: NDArray[np.int64]
    theirs: tuple[str, ...] = ()


class Labelled(NamedTuple):
    """Sequences x, as yet unchecked, with labels as a file has them; and the number of each row's group, where the file
    was asked for one."""

    x: NDArray
    labels: Labels
    groups: NDArray[np.int64] | None = None


def read_labels(y: ArrayLike) -> Labels:
    """The labels in an array of any usual layout.

    Shapes: (n,), (n,1), or one-hot (n,k). Strings: see :func:`read_words`. Raises: TaskError.

    >>> read_labels([[0.0, 1.0], [1.0, 0.0]])
    Labels(kind='one-hot rows of 2', values=array([1, 0]), theirs=('column 0', 'column 1'))
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.shape[1] and y.dtype.kind in "biuf":
        return _one_hot(y)
    if y.ndim != 1 or y.dtype.kind not in "biufU":
        raise TaskError(
            "expected integer labels of shape (n,) or (n,1), booleans, strings, or one-hot rows (n,k), "
            f"found {y.dtype} of shape {y.shape}"
        )
    if y.dtype.kind == "b":
        return Labels("booleans", y.astype(np.int64), ("False", "True"))
    if y.dtype.kind == "U":
        distinct, places = np.unique(y, return_inverse=True)
        return _strings(distinct.tolist(), places)
    return Labels("integers", _integers(y))


def read_words(words: Sequence[str]) -> Labels:
    """Labels that were written as text: numbers if all of them are, else words, and never both. Raises: TaskError.

    >>> read_words(["pos", "neg", "pos"])
    Labels(kind='words', values=array([1, 0, 1]), theirs=('neg', 'pos'))
    >>> read_words(["1", "0.0"])
    Labels(kind='integers', values=array([1, 0]), theirs=())
    """
    place = {word: number for number, word in enumerate(sorted(set(words)))}
    return _strings(list(place), np.array([place[word] for word in words], dtype=np.int64))


def _one_hot(y: NDArray) -> Labels:
    columns = y.shape[1]
    wrong = ((y != 0) & (y != 1)).any(axis=1) | ((y == 1).sum(axis=1) != 1)
    if wrong.any():
        raise TaskError(f"expected one-hot labels, a 1 and zeros in {columns} columns: row {wrong.argmax()} is not")
    theirs = tuple(f"column {column}" for column in range(columns))
    return Labels(f"one-hot rows of {columns}", y.argmax(axis=1).astype(np.int64), theirs)


def _strings(distinct: list[str], places: NDArray[np.int64]) -> Labels:
    wrong = next((word for word in distinct if not 0 < len(word) <= _LONGEST or not word.isprintable()), None)
    if wrong is not None:
        raise TaskError(f"expected labels of 1 to {_LONGEST} printable characters, found {wrong[:_LONGEST]!r}")
    numbers, others = [word for word in distinct if _is_number(word)], [w for w in distinct if not _is_number(w)]
    if not others:
        return Labels("integers", _integers(np.array(numbers, dtype=np.float64))[places])
    if numbers:
        raise TaskError(f"expected integer labels, or words alone, found {others[0]!r} beside {numbers[0]!r}")
    return Labels("words", places.astype(np.int64), tuple(distinct))


def _is_number(word: str) -> bool:
    """NaN is one."""
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def _integers(y: NDArray) -> NDArray[np.int64]:
    if y.dtype.kind == "f":
        y = y.astype(np.float64)
        wrong = y[~((y == np.round(y)) & (np.abs(y) < 2.0**53))]
        if wrong.size:
            raise TaskError(f"expected integer labels, found {wrong[0]}")
    if y.size and y.max() >= LARGEST:
        raise TaskError(f"labels are at most {LARGEST - 1}, found {y.max()}")
    return y.astype(np.int64)


def number(train: Labels, test: Labels | None) -> tuple[NDArray[np.int64], NDArray[np.int64] | None, LabelMap]:
    """The labels of both sets as numbers, by one map that the training labels decide; and that map.

    Integers from 0, booleans and one-hot rows are numbers beforehand, so that a test set may hold a class of which the
    training set has no row; of -1 and of words, that is an error. Raises: TaskError.

    >>> number(read_labels([1, -1, 1]), read_labels([-1.0, 1.0]))
    (array([1, 0, 1]), array([0, 1]), (('-1', 0), ('1', 1)))
    >>> number(read_words(["neg", "pos"]), read_words(["new"]))
    Traceback (most recent call last):
      ...
    ssm_bounds.models.tasks.task.TaskError: the test label 'new' is not among the training labels: 'neg', 'pos'
    """
    if test is not None and test.kind != train.kind:
        raise TaskError(f"the training labels are {train.kind}, the test labels {test.kind}: write both alike")
    if train.kind == "integers" and set(np.unique(train.values).tolist()) in ({-1}, {-1, 1}):
        train, test = Labels("words", (train.values + 1) // 2, ("-1", "1")), test and _as_words(test)
    y_test = None
    if test is not None:
        y_test = test.values if train.kind != "words" else _places(test.theirs, train.theirs)[test.values]
    return train.values, y_test, tuple((name, code) for code, name in enumerate(train.theirs))


def _as_words(integers: Labels) -> Labels:
    distinct, places = np.unique(integers.values, return_inverse=True)
    return Labels("words", places.astype(np.int64), tuple(map(str, distinct.tolist())))


def _places(words: Sequence[str], known: Sequence[str]) -> NDArray[np.int64]:
    place = {word: number for number, word in enumerate(known)}
    if (new := next((word for word in words if word not in place), None)) is not None:
        some = ", ".join(map(repr, known[:10])) + (", ..." if len(known) > 10 else "")
        raise TaskError(f"the test label {new!r} is not among the training labels: {some}")
    return np.array([place[word] for word in words], dtype=np.int64)
