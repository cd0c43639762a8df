"""Whether two samples can come from one distribution: a hold-out set says nothing about another one's risk."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.task import Split

LEVEL = 1e-3


def shift(train: Split, test: Split) -> str | None:
    """What tells the two apart, at a false-alarm probability of at most ``LEVEL``; None where nothing does.

    Means of numbers in [0, 1] per row, the frequency of each token and the indicator of each label, are compared:
    two means of m and n i.i.d. rows differ by more than t with probability at most ``2 exp(-2 t^2/(1/m + 1/n))``
    (Hoeffding 1963), and the union bound is over all tokens and labels. Passing proves nothing.
    """
    labels, tokens = _top(train.y, test.y), _top(train.x, test.x)
    pairs = [("label", _indicators(train.y, labels), _indicators(test.y, labels))]
    if train.x.ndim == test.x.ndim == 2:
        pairs.append(("token", _frequencies(train.x, int(tokens)), _frequencies(test.x, int(tokens))))
    statistics = sum(len(first) for _, first, _ in pairs)
    least = math.sqrt((1 / train.m + 1 / test.m) * math.log(2 * statistics / LEVEL) / 2)
    for name, first, second in pairs:
        worst = int(np.abs(first - second).argmax())
        if abs(first[worst] - second[worst]) > least:
            return f"{name} {worst} has frequency {first[worst]:.3f} in training and {second[worst]:.3f} in test rows"
    return None


def _top(first: NDArray, second: NDArray) -> int:
    return 1 + int(max(first.max(), second.max()))


def _indicators(labels: NDArray, count: int) -> NDArray[np.float64]:
    return np.bincount(labels, minlength=count) / len(labels)


def _frequencies(tokens: NDArray, count: int) -> NDArray[np.float64]:
    """Mean over the rows of each token's share of the row."""
    return np.bincount(tokens.ravel(), minlength=count) / tokens.size
