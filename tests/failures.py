"""How often a bound fails: draws that are the same everywhere, and how many failures a valid bound may have."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ssm_bounds.bounds.values import Draws


def allowed(runs: int, delta: Fraction) -> int:
    """The least number of failures that a bound of level ``delta`` exceeds with probability below 1e-6, exactly."""
    p, q = delta.numerator, delta.denominator
    beyond, more = q**runs, 0  # of q^runs; the tail grows from its thin end
    for k in range(runs, -1, -1):
        more += math.comb(runs, k) * p**k * (q - p) ** (runs - k)
        if more * 10**6 >= beyond:
            return k
    return 0


def whole(key: int, *shape: int) -> np.ndarray:
    """Uniform integers below 2^16."""
    count = math.prod(shape)
    raw = np.random.Philox(key=key).random_raw(-(-count // 4)).astype("<u8")
    return raw.view("<u2")[:count].reshape(shape).astype(np.int64)


def ranks(key: int, *shape: int) -> np.ndarray:
    """A random order of the last axis, for every index of the others."""
    raw = np.random.Philox(key=key).random_raw(math.prod(shape)).reshape(shape)
    return np.argsort(np.argsort(raw, axis=-1, kind="stable"), axis=-1, kind="stable")


def multiplicities(draws: Draws, key: int, runs: int, N: int, n: int) -> np.ndarray:
    """How often each of N = 2^k units is among n draws (runs,N); stratified: n/4 draws of each quarter of them."""
    if draws == "without-replacement":
        return (ranks(key, runs, N) < n).astype(np.int64)
    units = whole(key, runs, n) % N
    if draws == "stratified":
        units = units // 4 + N // 4 * (np.arange(n) // (n // 4))
    return np.stack([np.bincount(row, minlength=N) for row in units])
