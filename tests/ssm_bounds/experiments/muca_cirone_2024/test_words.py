"""The experiment ``words`` in its quick preset: each number where it must be, and criteria that a broken one fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.order import volume
from ssm_bounds.experiments.experiment import Row
from ssm_bounds.experiments.muca_cirone_2024.words import EXPERIMENT, paths


@pytest.fixture(scope="module")
def rows():
    return [Row(job, EXPERIMENT.measure(job)) for job in EXPERIMENT.asked("quick")]


def test_every_number_is_where_it_must_be(rows):
    found = EXPERIMENT.criteria(rows)
    assert [criterion for criterion in found if not criterion.met] == []
    assert len(found) == 6 and sum(criterion.control for criterion in found) == 3


def test_one_forced_layer_is_above_what_is_proved_of_the_law_less_what_a_sample_may_do(rows):
    least = volume(19, reads_last=False).lower
    assert 0.677 < float(least) < 0.678
    for row in rows:
        if row.settings["layer"] == "forced":
            assert 0.65 <= row.numbers["S123"] <= 0.95  # and a readout is no worse than a guess


@pytest.mark.parametrize(
    ("layer", "number", "value"),
    [
        ("forced", "S12", 0.7),
        ("unforced", "S12", 0.1),
        ("forced", "S123", 0.3),
        ("dense", "S123", 0.9),
        ("chain", "S123", 0.7),
        ("chain", "S123", np.nan),
    ],
)
def test_a_broken_layer_is_seen(rows, layer, number, value):
    broken = [
        replace(row, numbers={**row.numbers, number: value}) if row.settings["layer"] == layer else row for row in rows
    ]
    assert any(not criterion.met for criterion in EXPERIMENT.criteria(broken))


def test_paths_have_a_clock_and_steps_of_whole_twentieths():
    found = paths(50, np.random.default_rng(0))
    assert found.shape == (50, 20, 4)
    assert (found[:, 0, 0] == 0).all() and (found[:, -1, 0] == 1).all()
    steps = 20 * np.diff(found[..., 1:], axis=1)
    assert np.abs(steps - steps.round()).max() < 1e-12 and 0.9 < steps.std() < 1.2
    assert found[:, 0, 1:].std() > 0.03  # the path begins at its first step
