"""Folders of one block on real inputs for which no bound by norms is stated, and where their prior is centred."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ssm_bounds
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.mamba.prior import prior
from tests.ssm_bounds.test_last_block import reals, written


@pytest.mark.parametrize("times", [0, 2])
def test_a_map_of_dependent_columns_keeps_what_needs_no_norms(tmp_path, times):
    first = files.tensors(written(tmp_path / "first", V=None, c=1, layers=1))
    (name,) = (name for name in first if name.endswith("input_proj.bias"))
    first[name] = times * first[name.replace("bias", "weight")][:, 0]
    folder = written(tmp_path / "real", moved=("none",), like=first, V=None, c=1, layers=1)
    data = reals()
    asked = ssm_bounds.ask(folder, data=replace(data, test=data.train))
    claimed = ssm_bounds.certify(asked)
    assert [rung.name for rung in claimed.rungs] == ["holdout"]
    assert any("columns that are not independent" in note for note in asked.notes)


@pytest.mark.parametrize("mixer", ["mamba", "mamba2"])
def test_the_standard_centre_has_small_steps_and_no_map(tmp_path, mixer):
    found = files.read(written(tmp_path / "real", V=None, c=1, layers=1, mixer=mixer))
    start, _, said = prior(replace(found, start=None))
    assert said == "the standard centre" and not start["L"].any() and (np.asarray(start["p"]) < -4).all()
