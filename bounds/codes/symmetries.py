"""Symmetric codewords share one prior mass: the push-forward of a prior under a choice of representatives.

**Claim.** Let p be a prior over codewords (a codebook and its integers) of sum at most 1, and R a map from codewords to
codewords, both fixed before the data. If only ``R(w)`` is ever run, theory.md 8.1 holds with the prior
``pi(theta) = sum of p(w) over all w with R(w) = theta``. For the R below and a code that gives the members of an orbit
equal masses, ``pi(theta) = p(theta) d!/prod a! n!/prod b! 2^r`` over d coded channels and n coded states: a, b count
the channels and states that R cannot tell apart, and r is the number of independent changes of sign. Inputs that are
not embedded fix the channels: there the factor of d is 1.

**Derivation.** The union bound of 8.1 is over the functions that can be run, one for each theta in the image of R, and
``sum_theta pi(theta) = sum_w p(w) <= 1``: every w counts once. No symmetry of the function enters: R is fixed, and that
is all.

R sorts, then flips. Channels are sorted by keys that neither signs nor the order of states change, then states by keys
that signs do not change, both stably and in decreasing order; a step of a row goes with its row. The signs:

- ``s_j``, with an embedding: column j of the embedding, of q, W_B, W_C and W;
- ``t_n``: row n of W_B and W_C;
- ``g``: W and W_C.

Each is a vector over GF(2) in the exponents of (s, t, g), and so is each weight: its sign is the parity of what flips
it. R goes through the weights that are not zero in a fixed order, keeps those that are independent of the ones kept
before (r of them, whatever the signs are), and flips so that the kept ones are positive. If two flips agree there they
agree on every weight, so the orbit of signs has ``2^r`` members, of which R picks one.

Which w have ``R(w) = theta``: those that sort to a change of signs of theta. Keys are invariant, so w arises from theta
by flips and by permutations that keep equal keys in order. Two different arrangements of the keys are two words, and so
are two of the ``2^r`` changes of signs: multinomials times ``2^r``. Channels that are copies of each other have equal
keys and count once; channels of equal keys that are not copies are counted once too, and their other order may be
another fixed point of R, with its own mass.

Which flips and permutations preserve the mass: all, for codes of ``|z|`` alone. The mass of ``Counts`` depends on
signs, so there R only sorts: r = 0.

**Not claimed.** That the members of an orbit answer alike: in float64 a permutation changes the order of sums (flips
are exact). The certificate is about the representative, and only it may be run. Powers of two that move between blocks
are symmetries as well; they change the mass, and no sum over them is taken.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Values = Mapping[str, NDArray[np.float64]]
Exponents = Mapping[str, Sequence[int]]
Table = TypeVar("Table", NDArray[np.float64], NDArray[np.int64])

_STATES = ("W_B", "W_C")  # blocks with a row for each state; A has a row for each channel
_CHANNELS = ("W_B", "W_C", "q", "W", "embedding")  # blocks with a column for each channel


def order(values: Values, exponents: Exponents) -> tuple[list[int], list[int]]:
    """Channels and states in the order that R gives them, those without weights last.

    Inputs that are not embedded fix the channels. Shapes: coded blocks (rows, columns) of weights, and the exponent of
    the step of each of their rows.
    """
    channels = list(range(len(values["A"])))
    if "embedding" in values:
        channels = _sorted(_channel_keys(values, exponents))
    first = permuted(values, channels, range(values["A"].shape[1]))
    return channels, _sorted(_state_keys(first, exponents))


def permuted(blocks: Mapping[str, Table], channels: Sequence[int], states: Sequence[int]) -> dict[str, Table]:
    """The blocks with channels and states in the given order."""
    found = dict(blocks)
    found["A"] = blocks["A"][np.ix_(channels, states)]
    for name in _CHANNELS:
        if name in blocks:
            rows = states if name in _STATES else range(len(blocks[name]))
            found[name] = blocks[name][np.ix_(rows, channels)]
    return found


def permuted_rows(exponents: Exponents, channels: Sequence[int], states: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The exponents of rows that are moved as :func:`permuted` moves them."""
    moves = {"A": channels} | dict.fromkeys(_STATES, states)
    return {name: tuple(rows[i] for i in moves.get(name, range(len(rows)))) for name, rows in exponents.items()}


def positive(blocks: Mapping[str, Table]) -> dict[str, Table]:
    """The blocks with signs flipped so that the weights that determine the others' signs are positive."""
    channels, states = blocks["A"].shape
    flips = 0
    rows: list[tuple[int, int]] = []
    for mask, name, i, j in _independent(blocks):
        odd = int(blocks[name][i, j] < 0)
        for known, value in rows:
            if mask ^ known < mask:
                mask, odd = mask ^ known, odd ^ value
        rows = sorted([*rows, (mask, odd)], reverse=True)
    for mask, odd in reversed(rows):  # highest bits differ: the lowest first
        if ((flips & mask).bit_count() & 1) != odd:
            flips |= 1 << (mask.bit_length() - 1)
    sign = np.array([1 - 2 * (flips >> bit & 1) for bit in range(channels + states + 1)])
    s, t, g = sign[:channels], sign[channels:-1, None], sign[-1]
    factors = {"W_B": t * s, "W_C": t * s * g, "q": s[None], "W": s[None] * g, "embedding": s[None]}
    found = dict(blocks)
    for name, factor in factors.items():
        if name in blocks:
            found[name] = blocks[name] * factor.astype(blocks[name].dtype)
    return found


def orbit(values: Values, exponents: Exponents, *, signs: bool) -> int:
    """How many words R maps to one: those that share their mass. ``signs``: whether R flips signs. Exact."""
    count = _arrangements(_state_keys(values, exponents))
    if "embedding" in values:
        count *= _arrangements(_channel_keys(values, exponents))
    return count << sum(1 for _ in _independent(values)) if signs else count


def _sorted(keys: Sequence[Any]) -> list[int]:
    return sorted(range(len(keys)), key=keys.__getitem__, reverse=True)  # stable: equal keys keep their order


def _arrangements(keys: Sequence[Any]) -> int:
    equal = Counter(keys).values()
    return math.factorial(len(keys)) // math.prod(map(math.factorial, equal))


def _channel_keys(values: Values, exponents: Exponents) -> list[Any]:
    """What no change of signs and no order of the states changes; first whether there is any weight."""
    size = {name: np.abs(values[name]).T.tolist() for name in _CHANNELS if name in values}
    decays = values["A"].tolist()
    keys = []
    for j, step in enumerate(exponents["A"]):
        alone = [size[name][j] for name in ("embedding", "W", "q") if name in size]
        states = sorted(zip(size["W_B"][j], size["W_C"][j], decays[j], strict=True), reverse=True)
        some = any(map(any, alone)) or any(map(any, states))
        keys.append((some, *map(tuple, alone), tuple(states), step))
    return keys


def _state_keys(values: Values, exponents: Exponents) -> list[Any]:
    """What no change of signs changes, for channels in a given order; first whether there is any weight."""
    parts = (np.abs(values["W_B"]), np.abs(values["W_C"]), values["A"].T)
    rows = [tuple(row) for row in np.concatenate(parts, axis=1).tolist()]
    steps = zip(*(exponents[name] for name in _STATES), strict=True)
    return [(any(row), row, step) for row, step in zip(rows, steps, strict=True)]


def _independent(blocks: Mapping[str, NDArray[Any]]) -> Iterator[tuple[int, str, int, int]]:
    """Weights that are not zero, each with the generators that flip it, as bits, if it is independent of those before.

    Bits: channels (with an embedding), then states, then g. Basis: highest bit to mask.
    """
    channels, states = blocks["A"].shape
    basis: dict[int, int] = {}
    full = states + 1 + (channels if "embedding" in blocks else 0)
    for mask, name, i, j in _flipped(blocks):
        rest = mask
        while rest and rest.bit_length() in basis:
            rest ^= basis[rest.bit_length()]
        if rest:
            basis[rest.bit_length()] = rest
            yield mask, name, i, j
            if len(basis) == full:
                return


def _flipped(blocks: Mapping[str, NDArray[Any]]) -> Iterable[tuple[int, str, int, int]]:
    """Weights that are not zero with the generators that flip them; of a column with one generator, the first."""
    channels, states = blocks["A"].shape
    s = [1 << j if "embedding" in blocks else 0 for j in range(channels)]
    g = 1 << (channels + states)
    for name, extra in (("embedding", 0), ("q", 0), ("W", g)):
        if name in blocks:
            used = blocks[name] != 0
            for j in np.flatnonzero(used.any(0)).tolist():
                yield s[j] ^ extra, name, int(used[:, j].argmax()), j
    for name, extra in (("W_B", 0), ("W_C", g)):
        for n, j in np.argwhere(blocks[name]).tolist():
            yield s[j] ^ (1 << (channels + n)) ^ extra, name, n, j
