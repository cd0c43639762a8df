"""Every format: it names every block of the weights once, and says which axes its tensors have."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ssm_bounds.models.selective_ssm.weights import SHAPES, Weights
from tests.lists import FORMATS

pytestmark = pytest.mark.parametrize("form", FORMATS, ids=lambda form: f"{form.name}-{form.readout}")


def test_it_names_every_block_once(form):
    assert set(form.names) == {field.name for field in fields(Weights)}
    assert len(set(form.names.values())) == len(form.names)
    assert form.optional <= set(form.names)


def test_its_axes_are_letters_of_the_weights(form):
    assert form.axes.keys() == set(form.names.values())
    for block, name in form.names.items():
        if block not in ("p", "W"):
            assert form.axes[name] == SHAPES[block]


def test_no_two_formats_are_told_apart_by_nothing(form):
    alike = [other for other in FORMATS if other is not form and set(other.names.values()) == set(form.names.values())]
    assert all(other.readout != form.readout for other in alike)
