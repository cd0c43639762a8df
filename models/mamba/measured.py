"""What the layers of a model did on given tokens: extremes of what ``ssm-bounds inspect`` bounds, and no bounds.

Float64, by the program of :mod:`ssm_bounds.models.mamba.forward`, many rows at a time. The names are those of the
certified numbers, so that each can be held against its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.mamba.forward import block
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Vocabulary
from ssm_bounds.models.tasks.tokens import Tokens

_NUMBERS = 2**22  # of one array that are made at once, where rows allow it

_NORMED = {"u": "u_l2", "scan": "scan_sup", "out": "out_sup"}

Each = Callable[[Sequence[int]], Iterable[int]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Extremes over ``tokens`` tokens of ``rows`` rows; where lengths are given, over what stands before them.

    Each is as its namesake in ``inspect``: l2 norms, except ``u_max``.
    """

    rows: int
    tokens: int
    u_max: float
    u_l2: float
    delta_min: float
    delta_max: float
    decay_min: float
    decay_max: float
    state_sup: float
    scan_sup: float
    out_sup: float


class _Seen:
    """Takes the extremes of one layer, call after call; ``inside`` (m,T): the tokens of the call that count."""

    def __init__(self) -> None:
        names = ("u_max", "u_l2", "state_sup", "scan_sup", "out_sup")
        self.largest: dict[str, float] = dict.fromkeys(names, 0.0)
        self.inside, self.token = np.zeros((0, 0), dtype=bool), 0
        self.slowest: Array | float = np.inf
        self.fastest: Array | float = 0.0

    def __call__(self, name: str, value: Array) -> None:
        if name == "state":
            inside = self.inside[:, self.token]
            self.token += 1
            self._raise("state_sup", np.sqrt(np.square(value[inside]).sum(axis=-1)))
            return
        if name == "step":
            self.token = 0
            steps = value[self.inside]
            self.slowest = np.minimum(self.slowest, steps.min(axis=0))
            self.fastest = np.maximum(self.fastest, steps.max(axis=0))
            return
        self._raise(_NORMED[name], np.sqrt(np.square(value).sum(axis=-1))[self.inside])
        if name == "u":
            self._raise("u_max", np.abs(value[self.inside]))

    def _raise(self, name: str, values: Array) -> None:
        self.largest[name] = float(np.maximum(self.largest[name], values.max(initial=0.0)))

    def measured(self, layer: Layer, rows: int, tokens: int) -> Measured:
        rates = np.exp(layer.mixer.A_log).reshape(len(layer.mixer.A_log), -1)
        least, most = (rates * np.asarray(steps)[:, None] for steps in (self.slowest, self.fastest))
        return Measured(
            rows=rows,
            tokens=tokens,
            delta_min=float(np.min(self.slowest)),
            delta_max=float(np.max(self.fastest)),
            decay_min=float(np.exp(-most.max())),
            decay_max=float(np.exp(-least.min())),
            **self.largest,
        )


@np.errstate(all="ignore")
def measured(layers: Sequence[Layer], vocabulary: Vocabulary, tokens: Tokens, each: Each = iter) -> list[Measured]:
    """Of every one of ``layers``, causal, one direction, which must be all that tokens pass, from the first on.

    ``each``: told the numbers of the batches of rows, gives them one by one. What overflows is infinite, or no number.
    Raises: TaskError for a token that the vocabulary lacks, naming its row.
    """
    tokens.require_below(vocabulary.size)
    used, places = np.unique(tokens.x, return_inverse=True)
    table, places = _rows(vocabulary, used, len(layers[0].mixer.W_o)), places.reshape(tokens.x.shape)
    inside = np.arange(tokens.x.shape[1]) < tokens.lengths[:, None]
    found = [_Seen() for _ in layers]
    size = _at_once(layers[0], tokens.x.shape[1])
    for i in each(range(-(-len(places) // size))):
        batch = slice(i * size, (i + 1) * size)
        longest = int(tokens.lengths[batch].max())
        h = table[places[batch, :longest]]
        for seen, layer in zip(found, layers, strict=True):  # a layer is read anew for every batch
            seen.inside = inside[batch, :longest]
            h = h + block(layer, h, see=seen)
    return [
        seen.measured(layer, len(places), int(tokens.lengths.sum())) for seen, layer in zip(found, layers, strict=True)
    ]


def _at_once(layer: Layer, T: int) -> int:
    """Rows of one batch."""
    mixer = layer.mixer
    N = mixer.A_log.shape[1] if isinstance(mixer, Mamba1) else len(mixer.R_B) // mixer.groups
    states = N * len(mixer.R_x)
    return max(1, _NUMBERS // max(states, T * len(mixer.R_x)))


def _rows(vocabulary: Vocabulary, used: NDArray[np.int64], D: int) -> Array:
    """The rows (n,D) of the tokens that occur, in increasing order."""
    found, start = [], 0
    for rows in vocabulary.blocks(max(1, _NUMBERS // D)):
        found.append(rows[used[(start <= used) & (used < start + len(rows))] - start])
        start += len(rows)
    return np.concatenate(found)
