"""--margin auto: as good as every candidate, on the edges of the cells, the same for the same data."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_bounds.bounds.gaps import losses
from ssm_bounds.bounds.ladder import pac_bayes as mpb
from ssm_bounds.bounds.ladder.margin_choice import _between, _candidates, _product, choose_margin
from ssm_bounds.bounds.ladder.margin_rows import with_margins
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.values import DomainError, Sample
from ssm_bounds.models.files.checkpoint import read
from ssm_bounds.models.selective_ssm.measure import measure
from tests import rungs as ladder
from tests.bounds.ladder.test_pac_bayes import random_weights


def setting_of(weights, m: int, T: int, *, kind="fixed", vocabulary=False) -> Setting:
    measured = measure(weights, gate="softplus", vocabulary=vocabulary)
    loss = losses.make("ramp", margin=1)
    return Setting(measured, Sample(m, T), loss, 1, Fraction(1, 20), vocabulary, kind)


def risks(setting: Setting, margins: np.ndarray, g: float, parts: int) -> list[float]:
    errors = int((margins <= g).sum())
    at = replace(setting, margin=g)
    return [
        ladder.margin_risk(rung(at, setting.delta / parts), errors, len(margins)).float_upper()
        for rung in (ladder.margin, ladder.margin_groups)
    ]


SETTING = setting_of(random_weights(0), 4000, 6)
MARGINS = np.random.default_rng(0).normal(6.0, 2.0, 4000)


@pytest.mark.parametrize(("kind", "vocabulary"), [("fixed", False), ("trained", False), ("fixed", True)])
def test_no_candidate_is_better(kind, vocabulary):
    setting = setting_of(random_weights(0), 4000, 6, kind=kind, vocabulary=vocabulary)
    found = min(risks(setting, MARGINS, choose_margin(setting, MARGINS), 2))
    ordered = np.sort(MARGINS)
    candidates = {g for groups in (False, True) for g in _candidates(_product(setting, groups), ordered)}
    assert len(candidates) >= 20
    assert found == min(min(risks(setting, MARGINS, g, 2)) for g in candidates)
    assert found <= min(min(risks(setting, MARGINS, g, 2)) for g in (0.5, 1, 2, 4, 8))


@pytest.mark.parametrize(("kind", "vocabulary"), [("fixed", False), ("trained", False), ("fixed", True)])
@pytest.mark.parametrize("groups", [False, True])
def test_candidates_are_the_least_of_their_cells(kind, vocabulary, groups):
    setting = setting_of(random_weights(0), 4000, 6, kind=kind, vocabulary=vocabulary)

    def cell(g: float):
        return setting.classes(g, groups=groups)[0].cells[0]

    for g in _candidates(_product(setting, groups), np.array([0.5, 3.0])):
        assert cell(math.nextafter(g, 0)).value > cell(g).value
        assert cell(g * 1.08).position == cell(g).position


def test_the_rung_that_wins_decides():
    """pac-bayes is best here, and at another g than the margin rungs."""
    family = mpb.fit(random_weights(0), gate="softplus", T=6, g=1)
    chosen = choose_margin(SETTING, MARGINS, family)
    bound = with_margins(family, 4000, SETTING.delta / 3, MARGINS)
    assert chosen == float(bound.g)
    assert bound.risk.float_upper() < 0.7 * min(risks(SETTING, MARGINS, chosen, 3))
    assert choose_margin(replace(SETTING, margin=7), MARGINS, family) == chosen
    hopeless = replace(family, drafts=())
    assert choose_margin(SETTING, MARGINS, hopeless) == choose_margin(SETTING, MARGINS)


@given(st.lists(st.floats(-5, 50), min_size=5, max_size=60), st.integers(0, 100))
@settings(max_examples=10)
def test_a_function_of_the_margins_as_a_set(margins, seed):
    if max(margins) < 2 * mpb.LEAST_MARGIN:
        return
    setting = replace(SETTING, sample=Sample(len(margins), 6))
    shuffled = np.random.default_rng(seed).permutation(margins)
    assert choose_margin(setting, np.array(margins)) == choose_margin(setting, shuffled)


def test_what_is_no_number_is_an_error():
    broken = MARGINS.copy()
    broken[:400] = np.nan
    broken[400:800] = np.inf
    errors = np.where(np.isfinite(broken), broken, -1.0)
    assert choose_margin(SETTING, broken) == choose_margin(SETTING, errors)


@pytest.mark.parametrize("margins", [[-1.0, 0.0], [-math.inf, math.nan]])
def test_needs_a_positive_margin(margins):
    with pytest.raises(DomainError, match="no training row has a positive margin"):
        choose_margin(SETTING, np.array(margins))


@pytest.mark.parametrize("tiny", [1.54131582115184e-304, 5e-324, 2.0**-300])
def test_margins_below_the_range_are_named(tiny):
    with pytest.raises(DomainError, match="every positive margin lies outside"):
        choose_margin(SETTING, np.array([0.0, 0.0, tiny]))
    beside = np.array([tiny, 3.0, 3.0])
    assert choose_margin(replace(SETTING, sample=Sample(3, 6)), beside) > 1


@pytest.mark.parametrize("end", [2.0**-299, 2.0**299])
def test_margins_at_the_ends_of_the_range(end):
    assert choose_margin(replace(SETTING, sample=Sample(3, 6)), np.full(3, end)) == pytest.approx(end, rel=0.1)


def test_one_margin_and_margins_far_apart():
    for margins in (np.full(50, 3.0), np.geomspace(1e-12, 1e12, 50)):
        chosen = choose_margin(replace(SETTING, sample=Sample(50, 6)), margins)
        assert 0 < chosen < 1e13


def test_lines():
    assert _between({0: 1.0, 2: 2.0, 5: 5.0}) == [1.0, 1.5, 2.0, 3.0, 4.0, 5.0]
    assert _between({0: 1.0}) == [1.0]


def test_imdb_takes_seconds(shared):
    weights = read(shared / "checkpoints" / "imdb_T500_m25000_seed1.pth").weights
    setting = setting_of(weights, 25000, 500)
    rng = np.random.default_rng(0)
    margins = np.where(rng.random(25000) < 0.04, -1, 1) * rng.gamma(4, 1, 25000)
    family = mpb.fit(weights, gate="softplus", T=500, g=1)
    started = time.process_time()
    assert choose_margin(setting, margins, family) == pytest.approx(2**-0.5)
    assert time.process_time() - started < 6
