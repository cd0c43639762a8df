"""Every bound: what it says of itself is what its rung says, and its argument can be printed."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest

from ssm_bounds.bounds.architectures.selective_ssm.examples import LISTOPS, LISTOPS_SAMPLE
from ssm_bounds.bounds.gaps.losses import Ramp
from ssm_bounds.bounds.ladder.argument import shares
from ssm_bounds.bounds.ladder.pac_bayes import fit
from ssm_bounds.bounds.ladder.registry import Asked
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.proofs import chapters
from ssm_bounds.report.document import plain
from tests.bounds.ladder.test_pac_bayes import random_weights
from tests.conftest import ROOT
from tests.lists import BOUNDS

SETTING = Setting(LISTOPS, LISTOPS_SAMPLE, Ramp(1), 1, embedding="fixed")
ASKED = Asked(SETTING, fit(random_weights(0), gate="softplus", T=6, g=1))
HEADINGS = {label for text in chapters.read(ROOT / "docs" / "theory").values() for label in chapters.labels(text)}
DELTA = Fraction(1, 20)

pytestmark = pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.name)


def test_its_rung_is_what_it_says(bound):
    assert bound.supports(ASKED) is None
    rung = bound(ASKED, DELTA)
    assert (rung.name, rung.kind, rung.two_sided) == (bound.name, bound.kind, bound.two_sided)
    assert rung.comparison is not bound.paid
    assert rung.value.lower <= rung.value.upper and rung.ceiling > 0 and rung.rests_on


def test_its_source_is_a_heading(bound):
    cited = re.fullmatch(r"theory\.md (.*)", bound.source)[1].split(", ")
    assert cited and set(cited) <= HEADINGS


def test_what_is_missing_is_said_in_one_line(bound):
    missing = bound.supports(Asked(SETTING))
    assert missing is None or (missing.strip() and "\n" not in missing)


def test_more_confidence_costs_more(bound):
    wide, narrow = (bound(ASKED, delta).value.upper for delta in (DELTA, DELTA / 1000))
    assert narrow >= wide


def test_its_argument_is_printable(bound):
    argument = bound(ASKED, DELTA).argument
    assert argument.sentence().strip() and "\n" not in argument.sentence()
    json.dumps(plain(argument.record()), allow_nan=False)
    for step in argument.steps():
        assert step.rule and step.source.startswith("theory.md ") and step.value.lower <= step.value.upper
    for formula in argument.formulas():
        assert formula.expression.free_symbols <= formula.where.keys()
    parts = argument.costs()
    assert not parts or sum(shares(parts)) == pytest.approx(1)
