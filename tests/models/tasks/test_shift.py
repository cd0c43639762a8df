"""Two samples of one distribution are told from two of different ones, at the stated false-alarm rate."""

from __future__ import annotations

import numpy as np
import pytest

from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.shift import LEVEL, shift
from ssm_bounds.models.tasks.task import Split


def sample(rng, n=300, p=0.5, positive=0.5):
    return Split((rng.random((n, 20)) < p).astype(np.int64), (rng.random(n) < positive).astype(np.int64))


def test_false_alarms_are_rare():
    rng = np.random.default_rng(0)
    alarms = sum(shift(sample(rng), sample(rng)) is not None for _ in range(500))
    assert alarms <= 3 and LEVEL <= 1e-3


@pytest.mark.parametrize(("change", "what"), [({"p": 0.3}, "token 1|token 0"), ({"positive": 0.2}, "label")])
def test_shifts_are_found_and_named(change, what):
    rng = np.random.default_rng(1)
    found = shift(sample(rng), sample(rng, **change))
    assert found is not None and any(name in found for name in what.split("|"))


def test_real_inputs_are_compared_by_their_labels():
    rng = np.random.default_rng(2)
    splits = [Split(rng.normal(size=(400, 3, 2)), (rng.random(400) < p).astype(np.int64)) for p in (0.5, 0.1)]
    assert "label" in (shift(*splits) or "")


def test_the_flips_of_the_paper_are_found(shared):
    flipped = read_task(shared / "data" / "majority_T200_seed1.npz")
    assert "token" in (shift(flipped.train, flipped.test) or "")
    fair = majority(1000, 50, seed=0)
    assert shift(fair.train, fair.test) is None
