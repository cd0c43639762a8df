"""The page about Mamba checkpoints: its numbers are those of the file that it names."""

from __future__ import annotations

import math
import re

import pytest

import ssm_bounds
from ssm_bounds.report.plots.layers import layers
from tests.conftest import ROOT

PAGE = " ".join((ROOT / "docs" / "mamba.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def reports(shared):
    path = shared / "checkpoints" / "typeseg" / "mamba_al.npz"
    if not path.is_file():
        pytest.skip("typeseg's trained blocks (../shared/checkpoints/typeseg) are not here")
    mapping = ROOT / "docs" / "examples" / "typeseg.toml"
    return {T: ssm_bounds.inspect(path, mapping=mapping, T=T).layers for T in (1, 1000, 100_000)}


def test_the_numbers_of_typeseg(reports):
    assert {len(found) for found in reports.values()} == {6} and "six trained blocks" in PAGE
    assert all(layer.undecided == 1 for layer in reports[1000]) and "At T = 1,000 all states" in PAGE
    assert all(layer.always_forgets == 1 for layer in reports[100_000]) and "At T = 100,000 all states" in PAGE
    ((least, most),) = re.findall(r"ceilings lie between ([\d,]+) and ([\d,]+) tokens", PAGE)
    ceilings = [layer.horizon_ceiling for layer in reports[1000]]
    assert [f"{math.ceil(end):,}" for end in (min(ceilings), max(ceilings))] == [least, most]
    ((low, high),) = re.findall(r"steps up to (\d+) to (\d+) are not excluded", PAGE)
    steps = [layer.delta_max for layer in reports[1000]]
    assert [math.floor(min(steps)), math.ceil(max(steps))] == [int(low), int(high)]
    (offset,) = re.findall(r"steps of at least ([\d.]+\d)", PAGE)
    assert min(layer.delta_min for layer in reports[1000]) == pytest.approx(float(offset), rel=1e-12)


def test_a_saturated_bound_is_no_memory_that_was_lost(reports):
    """E = 0 where nothing is known to forget: what the page warns of occurs."""
    for layer in reports[1]:
        assert (layer.doubling_exponent, layer.always_forgets, layer.undecided) == (0, 0, 1)
    assert "E(T) is 0 at T = 1 already" in PAGE


def test_its_figure_has_a_place_for_every_block(reports):
    places = layers(reports[1000]).axes[0].get_xticklabels()
    assert [label.get_text() for label in places] == [str(i) for i in range(6)]
