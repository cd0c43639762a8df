"""A whole model by the operations of theory 8.13, rows side by side and a piece of time after another.

How many rows and positions go together changes no bit: no operation mixes columns, and pieces follow one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssm_bounds.bounds.values import require
from ssm_bounds.models.mamba.weights import Norm
from ssm_bounds.models.program.blocks import Affine, Block1, Block2, affine, block
from ssm_bounds.models.program.primitives import Array, Flags, rms
from ssm_bounds.models.program.stack import Embedding, Pooling, Stack

NAME, VERSION = "ssm-bounds 8.13", 1
"""What files call this program: a change that moves a bit of any model's logits is another version."""
ROWS, POSITIONS = 128, 1 << 11
"""Rows, and positions of all of them, that go through the model together."""
MOST_STATES = 1 << 15
"""States of a block, of all rows that go together."""

Ints = NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A stack with its matrices as integers: once for each theta."""

    entry: Affine | Array  # or the embedding's columns (D,V)
    blocks: tuple[Block1 | Block2, ...]
    norm: Norm | None
    head: Affine
    pooling: Pooling
    pool_before_norm: bool

    @property
    def outputs(self) -> int:
        return len(self.head.W.q)


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """What the head sees of n rows, and which of them are ok."""

    h: Array  # (D,n)
    ok: Flags  # (n,)


def prepared(stack: Stack) -> Program:
    """Raises: DomainError for weights of 2^500 and above."""
    entry = stack.entry
    return Program(
        entry=np.ascontiguousarray(entry.E.T) if isinstance(entry, Embedding) else affine(entry.W, entry.b),
        blocks=tuple(map(block, stack.layers)),
        norm=stack.norm,
        head=affine(stack.head, stack.bias),
        pooling=stack.pooling,
        pool_before_norm=stack.pool_before_norm,
    )


def run(program: Program, x: NDArray, lengths: ArrayLike | None = None) -> Array:
    """Logits (n,V), or of a language model those of each row's positions in order, (sum of lengths,V).

    x: tokens (n,T) or real inputs (n,T,i), each row from the left; what stands behind a row's length is not looked at.
    NaN for an example that has a position that is not ok; in a language model for that position and those behind it.
    Raises: DomainError for inputs that are not the model's.
    """
    if program.pooling != "none":
        return headed(program.head, pooled(program, x, lengths))
    lengths = checked(program, x, lengths)
    starts = np.cumsum(lengths) - lengths
    out = np.empty((int(lengths.sum()), program.outputs))
    for rows in _batches(program, lengths):
        with np.errstate(all="ignore"):
            _together(program, x[rows, : lengths[rows[-1]]], lengths[rows], starts[rows], out)
    return out


def along(program: Program, x: NDArray, positions: int) -> Iterator[Array]:
    """What :func:`run` gives of one row (1,T) of a language model, so many positions after another: (t,V) each.

    Whatever T, no more is held than a piece of the activations and ``positions`` logits. Raises: as :func:`run`.
    """
    checked(program, x, None)
    whole, pieces = np.ones(1, dtype=bool), _pieces(program, x)
    while True:
        with np.errstate(all="ignore"):  # never across a yield: it would be whoever reads that has it
            piece = next(pieces, None)
        if piece is None:
            return
        _, h, good = piece
        good = whole & np.logical_and.accumulate(good)
        whole = good[-1]
        for first in range(0, h.shape[1], positions):
            part = slice(first, first + positions)
            yield _read_out(program, h[:, part], good[part])


@np.errstate(all="ignore")
def _read_out(program: Program, h: Array, good: Flags) -> Array:
    """Logits (t,V) of the positions h (D,t,1) of one row."""
    z, ok = program.head(np.ascontiguousarray(h))
    z[:, ~(good & ok)] = np.nan
    return np.ascontiguousarray(z[:, :, 0].T)


def pooled(program: Program, x: NDArray, lengths: ArrayLike | None = None) -> Pooled:
    """What stands before the head of a model that pools: logits are :func:`headed` of it. Raises: as :func:`run`."""
    require(program.pooling != "none", "pooled: this model has logits at every position")
    lengths = checked(program, x, lengths)
    found = Pooled(np.empty((_width(program), len(x))), np.empty(len(x), dtype=bool))
    for rows in _batches(program, lengths):
        with np.errstate(all="ignore"):
            one = _pooled(program, x[rows, : lengths[rows[-1]]], lengths[rows])
        found.h[:, rows], found.ok[rows] = one.h, one.ok
    return found


def streams(
    program: Program, x: NDArray, lengths: ArrayLike | None = None
) -> Iterator[tuple[NDArray[np.int64], Array, Flags]]:
    """Rows, what leaves the last block at each of their positions (D,T,b), before any norm, and which rows are ok (b,),
    as many rows at a time as go together; behind a row's length stands anything. Raises: as :func:`run`."""
    require(program.norm is None, "streams: of a program without a last norm")
    lengths = checked(program, x, lengths)
    for rows in _batches(program, lengths):
        with np.errstate(all="ignore"):
            parts = list(_pieces(program, x[rows, : lengths[rows[-1]]]))
        h = np.concatenate([part for _, part, _ in parts], axis=1)
        good = np.concatenate([part for _, _, part in parts])
        behind = np.arange(len(good))[:, None] >= lengths[rows]
        yield rows, h, np.logical_and.reduce(good | behind)


def headed(head: Affine, rows: Pooled) -> Array:
    """Logits (n,V); NaN for a row that is not ok."""
    if not rows.ok.size:
        return np.empty((0, len(head.W.q)))
    with np.errstate(all="ignore"):
        z, ok = head(rows.h[:, None])
        z[:, 0, ~(rows.ok & ok[0])] = np.nan
    return np.ascontiguousarray(z[:, 0].T)


def _batches(program: Program, lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows that go together, the shortest first."""
    order = np.argsort(lengths, kind="stable")
    sizes = (one.start(1).state.size for one in program.blocks)
    size = min(ROWS, max(1, MOST_STATES // max(sizes, default=1)))
    for first in range(0, len(lengths), size):
        yield order[first : first + size]


def checked(program: Program, x: NDArray, lengths: ArrayLike | None) -> NDArray[np.int64]:
    """The lengths. Raises: DomainError for inputs that are not the model's, and lengths outside 1..T."""
    if isinstance(program.entry, np.ndarray):
        wanted, fits = "tokens (n, T)", x.ndim == 2 and x.dtype.kind in "iu"
    else:
        width = program.entry.W.q.shape[1]
        wanted, fits = f"real inputs (n, T, {width})", x.ndim == 3 and x.shape[2] == width and x.dtype.kind in "iuf"
    require(fits, f"x: expected {wanted}, found {x.dtype} of shape {x.shape}")
    n, T = x.shape[:2]
    found = np.full(n, T) if lengths is None else np.asarray(lengths)
    require(
        found.shape == (n,) and found.dtype.kind in "iu",
        f"lengths: expected {n} integers, found {found.dtype} of shape {found.shape}",
    )
    require(bool(((found >= 1) & (found <= T)).all()), f"lengths have to lie in 1..{T}, found {_ends(found)}")
    if isinstance(program.entry, np.ndarray):
        V, seen = program.entry.shape[1], x[np.arange(T) < found[:, None]]
        require(bool(((seen >= 0) & (seen < V)).all()), f"tokens have to lie in 0..{V - 1}, found {_ends(seen)}")
    return found.astype(np.int64)


def _ends(values: NDArray) -> str:
    return f"{values.min()} to {values.max()}" if values.size else "none"


def _together(program: Program, x: NDArray, lengths: NDArray[np.int64], starts: NDArray[np.int64], out: Array) -> None:
    """Logits of every position of rows of lengths that do not fall, written to their places in ``out``."""
    whole = np.ones(len(x), dtype=bool)
    for t, h, good in _pieces(program, x):
        z, ok = program.head(h)
        good = whole & np.logical_and.accumulate(good)
        whole = good[-1]
        z[:, ~(good & ok)] = np.nan
        valid, places = t[:, None] < lengths, t[:, None] + starts
        out[places[valid]] = z[:, valid].T


def _pooled(program: Program, x: NDArray, lengths: NDArray[np.int64]) -> Pooled:
    """Of rows of lengths that do not fall."""
    whole, pool = np.ones(len(x), dtype=bool), np.zeros((_width(program), len(x)))
    for t, h, good in _pieces(program, x):
        whole &= (good | ~(t[:, None] < lengths)).all(axis=0)
        if program.pooling == "last":
            ends = np.flatnonzero((lengths > t[0]) & (lengths <= t[-1] + 1))
            pool[:, ends] = h[:, lengths[ends] - 1 - t[0], ends]
        else:
            for i, now in enumerate(t):
                still = np.searchsorted(lengths, now, side="right")  # rows that are longer
                pool[:, still:] += h[:, i, still:]
    if program.pooling == "mean":
        pool /= lengths
    if program.norm is not None and program.pool_before_norm:
        pool, ok = rms(pool, program.norm.gamma, program.norm.eps)
        whole &= ok
    return Pooled(pool, whole)


def _pieces(program: Program, x: NDArray) -> Iterator[tuple[NDArray[np.int64], Array, Flags]]:
    """Positions t, what stands there before pooling and head (D,t,b), and which are ok (t,b), piece after piece."""
    b, T = x.shape[:2]
    memories = [one.start(b) for one in program.blocks]
    size = max(1, POSITIONS // b)
    for first in range(0, T, size):
        t = np.arange(first, min(first + size, T))
        h, good = _entered(program.entry, x[:, t])
        for i, one in enumerate(program.blocks):
            memories[i], added, ok = one(memories[i], h)
            h += added
            good &= ok
        if program.norm is not None and not program.pool_before_norm:
            h, ok = rms(h, program.norm.gamma, program.norm.eps)
            good &= ok
        yield t, h, good


def _width(program: Program) -> int:
    return program.head.W.q.shape[1]


def _entered(entry: Affine | Array, x: NDArray) -> tuple[Array, Flags]:
    """(b,t) or (b,t,i) -> (D,t,b)."""
    if isinstance(entry, np.ndarray):
        h = entry.take(x.T, axis=1, mode="clip")  # a token behind a row's end may be any
        return h, np.ones(h.shape[1:], dtype=bool)
    return entry(np.ascontiguousarray(x.transpose(2, 1, 0), dtype=np.float64))
