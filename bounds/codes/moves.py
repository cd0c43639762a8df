"""How the integers of a word move weights, bit for bit the same everywhere: one rounded operation a step (theory 8.12).

Multiplications, additions and conversions of float64 arrays, one at a time; sums of integers below 2^53 in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.codes.families import DIMENSIONS
from ssm_bounds.bounds.codes.symbols import Integers
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.values import require

STEPS = tuple(Fraction(1, 2 ** (j // 2)) * (Fraction(181, 256) if j % 2 else 1) for j in range(36))
"""``s_j = 2^{-j/2}``, with 181/256 for the square root of 1/2."""
LARGEST = 2**45  # times 181 below 2^53
_BITS = 2**20  # signs in one block


def scaled(z: Integers, step: int) -> Floats:
    """``z s_j``, exact. Raises: DomainError for an integer of 2^45 or more."""
    require(bool(((z > -LARGEST) & (z < LARGEST)).all()), "decode: an integer is 2^45 or more")
    return np.asarray(z.astype(np.float64) * float(STEPS[step]))


def moved(start: Floats, z: Integers, step: int) -> Floats:
    """``w_0 + z s_j``, rounded once.

    >>> moved(np.array([1.0, 0.1]), np.array([1, -2]), 1).tolist()
    [1.70703125, -1.3140625]
    """
    require(start.shape == z.shape, f"decode: weights {start.shape} are moved by integers {z.shape}")
    return np.asarray(start + scaled(z, step))


def lora(start: Floats, first: Floats, second: Floats) -> Floats:
    """``w_0 + B_1 A_1 + B_2 A_2 + ...``, added in this order. Shapes: (n,m), A (r,m), B (n,r)."""
    fits = start.ndim == 2 and first.shape == (second.shape[1], start.shape[1]) and len(second) == len(start)
    require(fits, f"lora: (n,m), (r,m), (n,r) expected, got {start.shape}, {first.shape}, {second.shape}")
    found = start
    for row, column in zip(first, second.T, strict=True):
        found = found + column[:, None] * row
    return found


def subspace(
    start: Mapping[str, Floats], z: Integers, step: int, scales: Mapping[str, float], seed: int = 0
) -> dict[str, Floats]:
    """``w_0 + c (P z) s_j`` of every tensor, P of signs, ``P z`` in integers; ``scales``: c of each tensor.

    The signs of a weight are the bits of ``Philox(key=seed)``, lowest first, one of each entry of z, 1 for +; weights
    in order, tensors in order, each from a new number on. c is fixed before the data. Raises: DomainError.
    """
    require(z.shape in {(size,) for size in DIMENSIONS}, f"subspace: needs 2^4..2^13 integers, got {z.shape}")
    numbers = np.random.Philox(key=seed)
    found = {}
    for name, weights in start.items():
        move = scaled(_signed_sums(numbers, z, weights.size), step)
        found[name] = weights + (scales[name] * move).reshape(weights.shape)
    return found


def signs(numbers: np.random.Philox, rows: int, size: int) -> Iterator[NDArray[np.uint8]]:
    """The next rows of P, block after block (block,size): 1 for +, 0 for -."""
    block = _BITS // size
    for at in range(0, rows, block):
        count = min(block, rows - at) * size
        raw = numbers.random_raw(-(-count // 64)).astype("<u8").view(np.uint8)
        yield np.unpackbits(raw, bitorder="little")[:count].reshape(-1, size)


def _signed_sums(numbers: np.random.Philox, z: Integers, rows: int) -> Integers:
    """``P z`` for the next signs: sums of floats that are integers below 2^53, in whatever order."""
    values = z.astype(np.float64)
    require(float(np.abs(values).sum()) < LARGEST, "subspace: the integers add up to 2^45 or more")
    sums = [2 * (each.astype(np.float64) @ values) - values.sum() for each in signs(numbers, rows, z.size)]
    return np.concatenate(sums).astype(np.int64)


def uniform(numbers: np.random.Philox, count: int) -> Floats:
    """``((u >> 40) - 2^23 + 1/2) 2^-23`` of the next raw numbers u: exact, between -1 and 1. Source: theory 8.12."""
    raw = (numbers.random_raw(count) >> np.uint64(40)).astype(np.float64)
    return np.asarray((raw - 2.0**23 + 0.5) * 2.0**-23)
