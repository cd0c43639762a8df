"""The constants written out are those of the files, measured again where the files are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssm_bounds.bounds.architectures.selective_ssm import examples
from ssm_bounds.models.files.checkpoint import read
from ssm_bounds.models.selective_ssm.measure import measure


@pytest.mark.parametrize(
    ("name", "file"), [("IMDB", "imdb_T500_m25000_seed1.pth"), ("LISTOPS", "listops_T100_m1000_seed1.pth")]
)
def test_constants_are_those_of_the_released_model(name, file, shared):
    measured = measure(read(shared / "checkpoints" / file).weights, gate="softplus", vocabulary=False)
    assert getattr(examples, name) == replace(measured, decays=None)
    sample = getattr(examples, f"{name}_SAMPLE")
    assert f"_T{sample.T}_m{sample.m}_" in file
