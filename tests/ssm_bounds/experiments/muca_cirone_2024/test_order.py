"""The experiment ``order`` in its quick preset, its controls, and criteria that a broken one fails."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssm_bounds.experiments.experiment import Row
from ssm_bounds.experiments.muca_cirone_2024.order import EXPERIMENT, quadruples
from ssm_bounds.experiments.muca_cirone_2024.tokens import V, drawn


@pytest.fixture(scope="module")
def rows():
    return [Row(job, EXPERIMENT.measure(job)) for job in EXPERIMENT.asked("quick")]


def row(rows, **settings):
    (found,) = [row for row in rows if settings.items() <= row.settings.items()]
    return found


def test_every_number_is_where_it_must_be(rows):
    found = EXPERIMENT.criteria(rows)
    assert [criterion for criterion in found if not criterion.met] == []
    assert len(found) == 18 and sum(criterion.control for criterion in found) == 7


def test_one_layer_had_every_start_and_two_layers_break_what_it_cannot(rows):
    one = row(rows, part="trained", layers=1, target="product").numbers
    assert one["starts"] == 4 and one["solved"] == 0 and 0 <= one["excess"] < 0.01 and one["accuracy"] <= 0.55
    two = row(rows, part="trained", layers=2).numbers
    assert two["solved"] == 40 and two["excess"] < -0.1
    for target in ("context", "order"):
        easy = row(rows, part="trained", layers=1, target=target).numbers
        assert easy["accuracy"] == 1 and easy["excess"] < -0.1


@pytest.mark.parametrize(
    ("settings", "number", "value"),
    [
        ({"layer": "forced"}, "product error", 0.99),
        ({"layer": "forced"}, "context accuracy", 0.5),
        ({"layer": "forced"}, "order accuracy", 0.5),
        ({"layer": "dense"}, "product accuracy", 0.5),
        ({"layer": "chain"}, "product accuracy", 0.5),
        ({"layers": 1, "target": "product"}, "excess", -1e-8),
        ({"layers": 1, "target": "product"}, "solved", 1.0),
        ({"layers": 1, "target": "context"}, "perfect", math.nan),
        ({"layers": 1, "target": "order"}, "perfect", 301.0),
        ({"layers": 2}, "perfect", math.nan),
        ({"part": "A5"}, "good", 481.0),
        ({"part": "A5"}, "orbits", 7199.0),
        ({"part": "A5"}, "T = 20", 0.144),
    ],
)
def test_a_broken_number_is_seen(rows, settings, number, value):
    chosen = row(rows, **settings)
    broken = [replace(each, numbers={**each.numbers, number: value}) if each is chosen else each for each in rows]
    assert len([criterion for criterion in EXPERIMENT.criteria(broken) if not criterion.met]) == 1


def test_quadruples_of_tokens_are_complete():
    found = drawn(20, torch.Generator().manual_seed(0))
    tokens = found.tokens.reshape(20, 4, 10)
    assert (tokens[:, :, 1:7] == tokens[:, :1, 1:7]).all() and (tokens[:, :, -1] == V - 1).all()
    assert tokens[:, :, 1:7].unique().tolist() == [4, 5, 6, 7]
    assert tokens[0, :, 0].tolist() == [0, 0, 1, 1] and tokens[0, :, 7:9].tolist() == [[2, 3], [3, 2]] * 2
    assert found.labels("product").reshape(20, 4).tolist() == [[0, 1, 1, 0]] * 20


def test_quadruples_of_paths_are_complete():
    found, targets = quadruples(10, np.random.default_rng(0))
    steps = (3 * np.diff(found[..., 1:], axis=1)).round(9).reshape(10, 4, 7, 3)
    assert (np.abs(steps).sum(-1) == 1).all() and (steps[:, :, 1:5] == steps[:, :1, 1:5]).all()
    assert steps[0, :, 0, 0].tolist() == [1, 1, -1, -1]
    assert targets[:4].tolist() == [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
    assert len(np.unique(steps[:, 0, 1:5].reshape(10, -1), axis=0)) > 5
