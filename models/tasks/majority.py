"""Majority: does a binary sequence hold more ones than zeros?"""

from __future__ import annotations

import numpy as np

from ssm_bounds.models.tasks.task import Split, Task


def majority(m: int, T: int, *, seed: int, paper_noise: float = 0.0) -> Task:
    """m training and m test sequences of T bits; label 1 if ``2 * ones > T``, else 0.

    The number of ones is uniform on {0..T} without T/2 (at an even T a tie has no majority), their positions uniform.
    Training and test rows are i.i.d. from one distribution, drawn from independent streams of ``seed``.

    ``paper_noise`` = f in [0, 1) sets every one of x_train to zero with probability f, after labelling, and leaves
    x_test alone, as the paper does (0.10 in its text, 0.25 in the authors' code: theory 2, "experiments"). The two
    sets then differ in distribution, which every bound here excludes: ``Task.shift`` says so. Raises: ValueError.
    """
    if m < 1 or T < 1:
        raise ValueError(f"majority: expected m >= 1 and T >= 1, got m = {m}, T = {T}")
    if not 0 <= paper_noise < 1:
        raise ValueError(f"paper_noise: expected a fraction in [0, 1), got {paper_noise}")
    train_rng, test_rng, noise_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    train, test = _draw(train_rng, m, T), _draw(test_rng, m, T)
    shift = None
    if paper_noise:
        keep = noise_rng.random((m, T)) >= paper_noise
        train = Split(train.x * keep, train.y)
        shift = f"{paper_noise:.0%} of the ones of x_train were set to zero after labelling, and none of x_test"
    return Task("majority", train, test, k=1, V=2, shift=shift)


def _draw(rng: np.random.Generator, m: int, T: int) -> Split:
    ones = rng.integers(T + T % 2, size=m)  # T + 1 counts, less the tie of an even T
    if T % 2 == 0:
        ones += ones >= T // 2
    ranks = rng.random((m, T)).argsort(axis=1)  # a uniform permutation in every row
    return Split((ranks < ones[:, None]).astype(np.int8), (2 * ones > T).astype(np.int64))
