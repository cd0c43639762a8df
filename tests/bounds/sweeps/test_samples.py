"""How many samples: certified at the number found, and not one below."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from ssm_bounds.bounds.gaps.losses import Ramp
from ssm_bounds.bounds.ladder.registry import Asked
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.sweeps.samples import RUNGS, samples_needed
from ssm_bounds.bounds.values import DomainError, Sample
from tests.bounds.selection.test_selection import MODEL

SETTING = Setting(MODEL, Sample(1000, 50), Ramp(1), 1, embedding="fixed")


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("level", [1, Fraction(1, 2), 0.1])
def test_certified_there_and_not_one_below(rung, level):
    m = samples_needed(SETTING, level, rung)
    here, below = (
        RUNGS[rung](Asked(replace(SETTING, sample=Sample(n, 50))), SETTING.delta).value.upper for n in (m, m - 1)
    )
    assert float(here) <= float(level) < float(below)


def test_it_does_not_depend_on_where_the_search_starts():
    found = {samples_needed(replace(SETTING, sample=Sample(m, 50)), 0.25) for m in (1, 10**4, 10**12)}
    assert len(found) == 1


@pytest.mark.parametrize("start", [1, 30, 10**9])
def test_a_search_that_begins_far_away_arrives(monkeypatch, start):
    """Both directions, by steps that double; the first guess is put off."""
    monkeypatch.setattr("ssm_bounds.bounds.sweeps.samples.round", lambda x: start, raising=False)
    m = samples_needed(SETTING, 0.25)
    monkeypatch.undo()
    assert m == samples_needed(SETTING, 0.25)


def test_a_loose_level_needs_one_sample():
    assert samples_needed(SETTING, 10**6) == 1


@pytest.mark.parametrize(
    ("level", "rung", "message"),
    [
        (0, "margin", "the level is a number from"),
        (float("inf"), "margin", "the level is a number from"),
        (1, "sharp", "unknown rung"),
        (1e-12, "margin", "every m up to"),
    ],
)
def test_what_is_refused(level, rung, message):
    with pytest.raises(DomainError, match=message):
        samples_needed(SETTING, level, rung)
