"""Measured gaps against certified ones: trainings drawn at random, a model that memorises noise, a broken bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssm_bounds.experiments.honarpisheh2025.comparison import MEASURED, Bound, climb
from ssm_bounds.models.selective_ssm.evaluate import score
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.models.training.caps import Caps
from ssm_bounds.models.training.train import Settings, train
from tests.questions import asked

TOO_SMALL = 16
"""A bound divided by this is caught by a model that memorises noise."""


def compare(task, options):
    """The gaps as in ``Record.gaps``, and the ladder."""
    torch.set_num_threads(1)
    model = train(task, options).model
    found, test = score(model, task.train), score(model, task.test)
    gaps = {"ramp": test.ramp - found.ramp, "margin": test.error - found.low_margins, "error": test.error - found.error}
    bounds = climb(asked(model.weights(), {"m": task.train.m, "T": task.train.T, "gate": options.gate}))
    return gaps, bounds


def certified(bounds):
    return [bound for bound in bounds if bound.verdict == "CERTIFIED"]


def noisy_majority(m, T, seed, noise, tests=2000):
    """Labels are flipped with probability ``noise`` in both sets, so that they stay i.i.d."""
    rng = np.random.default_rng(seed)
    splits = [majority(n, T, seed=seed + offset).train for n, offset in ((m, 0), (tests, 10**6))]
    found, test = (Split(each.x, each.y ^ (rng.random(each.m) < noise)) for each in splits)
    return Task("noisy majority", found, test, k=1, V=2)


def pure_noise(m, T, V, seed=0, tests=2000):
    rng = np.random.default_rng(seed)
    found, test = (Split(rng.integers(0, V, (n, T)), rng.integers(0, 2, n)) for n in (m, tests))
    return Task("noise", found, test, k=1, V=V)


@settings(max_examples=20)
@given(
    d=st.integers(1, 5),
    N=st.integers(1, 4),
    T=st.integers(1, 24),
    m=st.sampled_from([4, 16, 64, 512, 4096]),
    s_A=st.floats(-0.5, 0.3),
    seed=st.integers(0, 10**5),
    noise=st.floats(0, 0.5),
    lr=st.sampled_from([0.003, 0.03, 0.1]),
    gate=st.sampled_from(["softplus", "none"]),
    stable=st.booleans(),
)
@example(d=5, N=4, T=8, m=4, s_A=0.3, seed=0, noise=0.5, lr=0.1, gate="none", stable=False)
@example(d=1, N=1, T=1, m=4096, s_A=-0.5, seed=0, noise=0.0, lr=0.03, gate="softplus", stable=True)
def test_the_measured_gap_is_below_the_certified_one(d, N, T, m, s_A, seed, noise, lr, gate, stable):
    """Each certificate may fail with probability 1/20, so a failure here asks for a look at how many draws fail."""
    caps = Caps(s_A=max(s_A, 0.0)) if stable else Caps()
    epochs = 25 if m <= 64 else 4 if m <= 512 else 1
    options = Settings(
        d=d, N=N, s_A=s_A, seed=seed, lr=lr, gate=gate, caps=caps, epochs=epochs, batch=min(m, 256), weight_decay=0.0
    )
    gaps, bounds = compare(noisy_majority(m, T, seed, noise), options)
    assert len(certified(bounds)) >= 2
    for bound in certified(bounds):
        assert bound.holds(gaps) is not False, (bound, gaps)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_where_the_bound_says_something_it_holds(noise):
    """m large enough for bounds below 1: the same comparison, with nothing that passes for being infinite."""
    gaps, bounds = compare(noisy_majority(8000, 10, 3, noise), Settings(d=2, N=2, epochs=3))
    for bound in certified(bounds):
        assert 0 < bound.upper < 0.75
        assert bound.holds(gaps) is True


@pytest.mark.parametrize(
    ("sizes", "model", "epochs"),
    [((8, 20, 2), {"d": 6, "N": 2, "lr": 0.05}, 150), ((300, 4, 400), {"d": 4, "N": 2, "lr": 0.05}, 100)],
)
def test_memorised_noise_has_a_gap_that_a_smaller_bound_would_miss(sizes, model, epochs):
    m, T, V = sizes
    gaps, bounds = compare(pure_noise(m, T, V), Settings(**model, epochs=epochs, batch=m, weight_decay=0.0))
    assert gaps["ramp"] > 0.45 and gaps["error"] > 0.45
    for bound in certified(bounds):
        assert bound.holds(gaps) is True
        assert bound.upper < 20 * gaps["ramp"]
    if m == 300:
        for bound in certified(bounds):
            assert bound.holds(gaps, divided_by=TOO_SMALL) is False, bound


def test_a_comparison_takes_the_gap_that_the_rung_bounds():
    two_sided, one_sided = (
        Bound("scale", "gap", True, 0.5, "CERTIFIED"),
        Bound("margin", "excess", False, 0.5, "CERTIFIED"),
    )
    assert [MEASURED[bound.kind] for bound in (two_sided, one_sided)] == ["ramp", "margin"]
    gaps = {"ramp": -0.6, "margin": -0.6}
    assert (two_sided.holds(gaps), one_sided.holds(gaps)) == (False, True)
    assert (two_sided.holds({"ramp": 0.5}), two_sided.holds({"ramp": 0.5}, divided_by=1.01)) == (True, False)
    assert two_sided.holds({}) is None and two_sided.holds({"ramp": float("nan")}) is None
