"""Majority: does a binary sequence hold more ones than zeros?"""

from __future__ import annotations

import numpy as np

from ssm_bounds.models.tasks.task import Split, Task


def majority(
    m: int, T: int, *, seed: int, paper_noise: float = 0.0, ties: bool = False, test: int | None = None
) -> Task:
    """m training and ``test`` (None: m, 0: no) test sequences of T bits; label 1 if ``2 * ones > T``, else 0.

    The number of ones is uniform on {0..T} without T/2 (at an even T a tie has no majority), their positions uniform.
    Training and test rows are i.i.d. from one distribution, drawn from independent streams of ``seed``.

    ``ties``: uniform on all of {0..T}, a tie labelled 0. So are rows that each have a p of their own, uniform on
    [0, 1], and T bits that are 1 with probability p, for ``int_0^1 C(T,n) p^n (1 - p)^(T-n) dp = 1/(T+1)``.

    ``paper_noise`` = f in [0, 1) sets every one of x_train to zero with probability f, after labelling, and leaves
    x_test alone, as the paper does (0.10 in its text, 0.25 in the authors' code: theory 2, "experiments"). The two
    sets then differ in distribution, which every bound here excludes: ``Task.shift`` says so. Raises: ValueError.
    """
    if m < 1 or T < 1:
        raise ValueError(f"majority: expected m >= 1 and T >= 1, got m = {m}, T = {T}")
    if not 0 <= paper_noise < 1:
        raise ValueError(f"paper_noise: expected a fraction in [0, 1), got {paper_noise}")
    if test is not None and test < 0:
        raise ValueError(f"test: expected a number of rows >= 0, got {test}")
    train_rng, test_rng, noise_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    train, fresh = _draw(train_rng, m, T, ties), None
    if test != 0:
        fresh = _draw(test_rng, m if test is None else test, T, ties)
    shift = None
    if paper_noise:
        keep = noise_rng.random((m, T)) >= paper_noise
        train = Split(train.x * keep, train.y)
        shift = f"{paper_noise:.0%} of the ones of x_train were set to zero after labelling, and none of x_test"
    return Task("majority", train, fresh, k=1, V=2, shift=shift)


def _draw(rng: np.random.Generator, m: int, T: int, ties: bool) -> Split:
    without = T % 2 == 0 and not ties
    ones = rng.integers(T + 1 - without, size=m)
    if without:
        ones += ones >= T // 2
    ranks = rng.random((m, T)).argsort(axis=1)  # a uniform permutation in every row
    return Split((ranks < ones[:, None]).astype(np.int8), (2 * ones > T).astype(np.int64))
