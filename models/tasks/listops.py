"""ListOps: nested MIN, MAX, MED and SM (sum modulo 10) of digits. Drawn afresh, or read from the authors' files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.task import Split, Task, TaskError
from ssm_bounds.models.tasks.text import reading

VOCABULARY = (*"0123456789", "[MIN", "[MAX", "[MED", "[SM", "]", "<pad>")
OUTPUTS = 10
_CODE = {token: code for code, token in enumerate(VOCABULARY)}
_HEADER = "Source\tTarget"
_MAX_TOKENS = 1 << 32  # of a file, padding included

# Long Range Arena's listops.py with its default arguments
_VALUE_P = 0.25  # an expression above the largest depth is an operation with this probability, else a digit
_MAX_DEPTH = 10
_ARGUMENTS = range(2, 11)
_WINDOW = 5


def _median(values: Sequence[int]) -> int:
    """Rounded down."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


_OPERATIONS: tuple[tuple[str, Callable[[Sequence[int]], int]], ...] = (
    ("[MIN", min),
    ("[MAX", max),
    ("[MED", _median),
    ("[SM", lambda values: sum(values) % 10),
)


def listops(m: int, T: int, *, seed: int) -> Task:
    """m training and m test expressions of T - 4 to T + 4 tokens, padded on the right to T + 4; labels 0..9.

    The distribution is that of Long Range Arena's generator (operations of 2 to 10 arguments, depth at most 10)
    given a length strictly between T - 5 and T + 5, which is its rule and what the authors' files hold. All rows are
    i.i.d.; the original instead keeps each expression once. Training and test rows come from independent streams of
    ``seed``. Cost: under 10 microseconds a token. Raises: ValueError.
    """
    if m < 1 or T < _WINDOW:
        raise ValueError(f"listops: expected m >= 1 and T >= {_WINDOW}, got m = {m}, T = {T}")
    lengths = _Lengths(T + _WINDOW - 1)
    train, test = (
        _draw(np.random.default_rng(stream), lengths, m, T) for stream in np.random.SeedSequence(seed).spawn(2)
    )
    return Task("listops", train, test, k=OUTPUTS, V=len(VOCABULARY))


class _Lengths:
    """Law of the number of tokens of an expression, by depth, and of several expressions in a row.

    Fewer than one expression in 500 has a length in the window, so lengths are drawn first, exactly, and expressions
    given their lengths; trying until one fits would take minutes.
    """

    def __init__(self, longest: int) -> None:
        digit, none = np.eye(longest + 1)[1], np.eye(longest + 1)[0]
        self.one = [digit] * (_MAX_DEPTH + 1)  # depth -> probability of each length
        # depth -> the same for 0, 1, 2, ... expressions in a row
        self.many: list[list[NDArray[np.float64]]] = [[]] * (_MAX_DEPTH + 1)
        # depth -> for 1, 2, ... expressions in a row of each length together, how likely the first one is a digit
        self.digit: list[list[list[float]]] = [[]] * (_MAX_DEPTH + 1)
        # depth -> length -> numbers of arguments of an operation whose arguments are that deep, cumulated
        self.arguments: list[NDArray[np.float64]] = [none] * (_MAX_DEPTH + 1)
        for depth in range(_MAX_DEPTH, 0, -1):
            one = self.one[depth]
            many = list(accumulate([one] * _ARGUMENTS[-1], lambda p, q: np.convolve(p, q)[: longest + 1], initial=none))
            self.many[depth] = many
            self.digit[depth] = [
                np.divide(one[1] * np.r_[0, fewer[:-1]], more, out=np.zeros_like(more), where=more > 0).tolist()
                for fewer, more in pairwise(many)
            ]
            self.arguments[depth] = np.cumsum([many[n] for n in _ARGUMENTS], axis=0).T.copy()
            self.one[depth - 1] = (1 - _VALUE_P) * digit
            # the operator and the closing bracket are the two further tokens
            self.one[depth - 1][2:] += _VALUE_P * self.arguments[depth][:-2, -1] / len(_ARGUMENTS)


def _draw(rng: np.random.Generator, lengths: _Lengths, m: int, T: int) -> Split:
    x = np.full((m, T + _WINDOW - 1), _CODE["<pad>"], dtype=np.int8)
    y = np.empty(m, dtype=np.int64)
    shortest = T - _WINDOW + 1
    window = np.cumsum(lengths.one[1][shortest:])
    for row in range(m):
        tokens: list[int] = []
        y[row] = _expression(rng.random, lengths, 1, shortest + _choose(rng.random, window), tokens)
        x[row, : len(tokens)] = tokens
    return Split(x, y)


def _expression(random: Callable[[], float], lengths: _Lengths, depth: int, length: int, tokens: list[int]) -> int:
    """Append an expression of this length to ``tokens``; its value."""
    if length == 1:
        tokens.append(int(random() * 10))
        return tokens[-1]
    rest = length - 2
    arguments = _ARGUMENTS[_choose(random, lengths.arguments[depth + 1][rest])]
    operator, value = _OPERATIONS[int(random() * len(_OPERATIONS))]
    tokens.append(_CODE[operator])
    values = []
    one, many, digit = lengths.one[depth + 1], lengths.many[depth + 1], lengths.digit[depth + 1]
    for left in range(arguments - 1, -1, -1):
        size = 1  # most arguments are digits, and to try that first costs no pass over the lengths
        if random() >= digit[left][rest]:
            size = 2 + _choose(random, (one[2 : rest + 1] * many[left][rest - 2 :: -1]).cumsum())
        values.append(_expression(random, lengths, depth + 1, size, tokens))
        rest -= size
    tokens.append(_CODE["]"])
    return value(values)


def _choose(random: Callable[[], float], cumulated: NDArray[np.float64]) -> int:
    """An index with probability in proportion to its weight; never one of weight 0."""
    return int(cumulated.searchsorted(random() * cumulated[-1], side="right"))


def read_listops(path: Path | str, T: int | None = None) -> Split:
    """Tokens (n,T) and labels 0..9 of a file with the columns ``Source`` and ``Target``.

    Parentheses are dropped; rows are padded on the right with ``<pad>`` to length T, or to the longest row of the file
    (what the authors do, split by split: :func:`padded` brings two files to one length). Raises: TaskError naming the
    file and the line; OSError.
    """
    path = Path(path)
    rows, labels = list[NDArray[np.int8]](), list[int]()
    with reading(path) as lines:
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
            rows.append(np.array([_CODE[token] for token in tokens], dtype=np.int8))
            labels.append(int(target))
    if not rows:
        raise TaskError(f"{path}: expected at least one row after the header, found none")
    length = T or max(map(len, rows))
    try:
        _check_tokens(len(rows), length)
    except TaskError as error:
        raise TaskError(f"{path}: {error}") from error
    x = np.full((len(rows), length), _CODE["<pad>"], dtype=np.int8)
    for row, codes in zip(x, rows, strict=True):
        row[: len(codes)] = codes
    return Split(x, np.array(labels))


def padded(x: NDArray[np.integer], T: int) -> NDArray[np.integer]:
    """The rows (n,t) with ``<pad>`` on the right up to length T >= t. Raises: TaskError."""
    _check_tokens(len(x), T)
    return np.pad(x, ((0, 0), (0, T - x.shape[1])), constant_values=_CODE["<pad>"])


def _check_tokens(rows: int, length: int) -> None:
    if rows * length > _MAX_TOKENS:
        raise TaskError(f"{rows} rows padded to {length} tokens are more than the {_MAX_TOKENS} that are read")
