"""The rungs: reference numbers on the authors' models, verdicts, kinds, and what must not change a bound."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest

from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment, coefficients, output_entropy
from ssm_bounds.bounds.architectures.selective_ssm.groups import item_decays, measured_groups
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.gaps.chaining import dudley
from ssm_bounds.bounds.gaps.inversion import binomial_upper, kl_inv
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.ladder.rung import OF_A_CLASS, Hypothesis, Rung, Setting, Verdict
from ssm_bounds.bounds.notation import R_1, kappa
from ssm_bounds.bounds.selection.splits import Split
from ssm_bounds.bounds.values import DomainError, Sample
from tests import oracle
from tests import rungs as ladder
from tests.bounds.selection.test_selection import MODEL
from tests.rungs import published, repaired, sharp

SETTING = Setting(MODEL, Sample(10**6, 50), Ramp(1), 1, embedding="fixed")


def climb(setting: Setting) -> dict[str, Rung]:
    """All rungs by norms, by name."""
    return {found.name: found for found in (make(setting) for make in (published, repaired, sharp, *ladder.SELECTED))}


@pytest.fixture(scope="module")
def imdb(shared):
    from ssm_bounds.models.files.checkpoint import read
    from ssm_bounds.models.selective_ssm.measure import measure

    weights = read(shared / "checkpoints" / "imdb_T500_m25000_seed1.pth").weights
    measured = measure(weights, gate="softplus")  # with the constants that vocabulary inputs need
    setting = Setting(measured, Sample(25000, 500), Ramp(1), 1, embedding="fixed")
    return setting, climb(setting)


class TestImdb:
    """theory 6.5 and the numbers to reach: m = 25000, T = 500, ramp, margin 1, ball, embedding fixed."""

    def test_published_does_not_apply_and_is_negative(self, imdb):
        found = imdb[1]["published"]
        assert found.verdict is Verdict.REFUSED
        assert found.value.upper < -1e14
        assert "negative" in found.refusal

    @pytest.mark.parametrize(
        ("name", "before", "ceiling"),
        [
            ("scale", 0.337, 0.345),
            ("margin", 0.294, 0.305),
            ("scale-groups", 0.309, 0.315),
            ("margin-groups", 0.262, 0.268),
        ],
    )
    def test_reference_values(self, imdb, name, before, ceiling):
        found = imdb[1][name]
        assert round(found.before_selection.float_upper(), 3) == before
        assert found.before_selection.upper < found.value.upper < ceiling
        assert found.value.relative_width() < 1e-9

    def test_the_best_at_its_share_of_delta(self, imdb):
        setting, found = imdb
        best = min(
            (found[make.__name__.replace("_", "-")] for make in ladder.SELECTED), key=lambda r: r.value.float_upper()
        )
        assert best.name == "margin-groups" and best.argument.selected.constants.parameters == 3 * 64 + 16 + 17
        assert ladder.margin_groups(setting, setting.delta / 4).value.upper > best.value.upper

    def test_two_decay_groups_before_any_price(self, imdb):
        """theory 6.5: about 0.264 with one slow entry, row and column (a box of A by ceilings adds a little)."""
        setting, _ = imdb
        labels = {name: tuple(int(s < -0.01) for s in decays) for name, decays in item_decays(setting.measured).items()}
        splits = [Split(name, found, 2, name == "rows") for name, found in labels.items()]
        assert [split.sizes for split in splits] == [(1, 63), (1, 3), (1, 15)]
        plain = replace(setting.measured_class(), M_A=None, M_B=None, M_C=None, M_q=None, M_w=None)
        constants = replace(plain, groups=measured_groups(splits, setting.measured))
        H = output_entropy(constants, coefficients(constants, 500)).log_covering(0.5).float_upper()
        assert math.sqrt((H + math.log(20)) / 50000) == pytest.approx(0.264, abs=0.0015)

    def test_vocabulary_constants(self, imdb):
        """theory 5.3 on top of 5.2: kappa falls from 5700 to 1160."""
        found = ladder.margin_groups(replace(imdb[0], vocabulary=True))
        assert found.argument.selected.constants.norms == "vocabulary"
        assert found.value.upper < 0.252 < imdb[1]["margin-groups"].value.upper

    def test_comparison_rungs_are_vacuous(self, imdb):
        for name in ("repaired", "sharp"):
            assert imdb[1][name].vacuous and imdb[1][name].comparison and imdb[1][name].refusal is None

    def test_longer_sequences_cost_nothing_for_stable_models(self, imdb):
        """Length independence: between T = 2000 and T = 10^6 the excess grows by less than 1e-3."""
        far = [ladder.margin(replace(imdb[0], sample=Sample(25000, T))).value.float_upper() for T in (2000, 10**6)]
        assert far[0] - imdb[1]["margin"].value.float_upper() < 2e-3
        assert far[1] - far[0] < 1e-3


def test_sharp_dudley_bounds_the_exact_complexity():
    """theory 9: on the constant input of norm B_u the ball class has Rad = Z E|sum sigma|/m, Z = kappa R_1."""
    for s_A in (-0.1, 0.0, 0.05):
        constants = replace(SETTING, measured=replace(MODEL, s_A=s_A)).measured_class()
        m, T = 1000, 50
        Z = enclose(kappa * R_1, assignment(constants, T))
        entropy = output_entropy(constants, coefficients(constants, T))
        found = dudley(entropy, lipschitz=Enclosure.point(1), c=2 * Z.float_upper(), m=m).rademacher
        exact = oracle.rademacher_of_interval(Z.float_upper(), m)
        assert exact <= found.float_upper() <= 600 * exact


@pytest.mark.parametrize("function", [repaired, sharp, *ladder.SELECTED], ids=lambda make: make.__name__)
def test_bounds_shrink_with_the_sample_and_grow_with_confidence(function):
    value = function(SETTING).value.upper
    assert function(replace(SETTING, sample=Sample(10**8, 50))).value.upper < value
    assert function(replace(SETTING, delta=Fraction(1, 10**6))).value.upper > value


def test_repaired_is_at_least_sharp():
    """On this model each coefficient of 5.1 is at most that of 5.5; for fast decay 5.5 can be smaller."""
    for s_A in (-2.0, -0.1, 0.0, 0.05):
        constants = replace(SETTING, measured=replace(MODEL, s_A=s_A)).measured_class()
        fine, coarse = (coefficients(constants, 50, chain) for chain in ("sharp", "repaired"))
        assert all(fine[name].lower <= coarse[name].upper for name in fine)


def test_values_are_enclosed():
    for found in climb(SETTING).values():
        assert found.value.lower <= found.value.upper
        assert found.value.relative_width() <= (2e-3 if found.name in ("repaired", "sharp") else 1e-9)


def test_published_applies_for_small_capacity():
    tame = replace(MODEL, B_w=1e-12, M_w=1e-12, B_B=1e-9, M_B=1e-9, M_A=0.4, B_A=0.1)
    found = published(replace(SETTING, measured=tame))
    assert found.refusal is None and found.value.upper > 0
    assert Hypothesis.MEASURED in found.rests_on


def test_published_applies_up_to_its_condition_and_no_further():
    """3 l C_F <= c sqrt m, decided within a factor of two of the limit."""
    ratio = published(SETTING).argument.capacity.ratio.float_upper()
    edge = ratio**2 * SETTING.sample.m
    for factor, applies in ((1.05, True), (0.95, False), (0.5, False)):
        found = published(replace(SETTING, sample=Sample(round(edge * factor), 50)))
        assert (found.refusal is None) == applies


def test_published_does_not_apply_above_an_abscissa_of_zero():
    """E.3 is false there, whatever the capacity."""
    tame = replace(MODEL, B_w=1e-12, M_w=1e-12, B_B=1e-9, M_B=1e-9, M_A=0.4, B_A=0.1, s_A=0.1)
    assert "E.3" in published(replace(SETTING, measured=tame)).refusal


def test_published_with_every_block_zero():
    still = replace(MODEL, B_w=0, M_w=0, B_B=0, M_B=0, B_C=0, M_C=0, B_q=0, M_q=0)
    found = published(replace(SETTING, measured=still))
    assert found.refusal is None
    assert found.value.float_upper() == pytest.approx(3 * math.sqrt(math.log(40) / 2e6))


def test_what_rungs_rest_on():
    """Only facts about the past, by name; whether they are known is not decided here."""
    for name, found in climb(replace(SETTING, embedding="trained")).items():
        assert found.conditions == ()
        assert set(OF_A_CLASS) <= set(found.rests_on)
        assert (
            (Hypothesis.MEASURED in found.rests_on) == found.comparison == (name in ("published", "repaired", "sharp"))
        )
    assert ladder.holdout(3, 100, Fraction(1, 20)).rests_on == (Hypothesis.TEST, Hypothesis.GATE)


def test_a_trained_embedding_is_a_block():
    found = ladder.margin(replace(SETTING, embedding="trained"))
    assert (
        found.argument.selected.constants.parameters == 3 * 12 + 4 + 5 + 20
        and "e" in found.argument.record()["by_block"]
    )


def test_vocabulary_and_trained_is_refused():
    with pytest.raises(DomainError, match="not convex"):
        replace(SETTING, embedding="trained", vocabulary=True)


def test_vocabulary_inputs_are_sharper():
    ball, words = ladder.margin(SETTING), ladder.margin(replace(SETTING, vocabulary=True))
    assert words.before_selection.upper < ball.before_selection.upper


def test_margin_of_the_ramp_rescales_the_readout():
    """margin g with W is margin 1 with W/g."""
    doubled = replace(MODEL, B_w=MODEL.B_w * 2, M_w=MODEL.M_w * 2)
    other = replace(SETTING, measured=doubled, margin=2, loss=Ramp(2))
    for make in ladder.SELECTED:
        assert make(SETTING).value == make(other).value


def test_clipped_cross_entropy():
    found = ladder.scale(replace(SETTING, loss=ClippedCrossEntropy(4)))
    assert found.kind == "gap" and found.ceiling == 4
    assert ladder.scale(SETTING).value.upper < found.value.upper


def test_no_gate():
    model = replace(MODEL, gate="none", p=0, B_q=0, M_q=0, logit_max=None)
    for make in (ladder.scale, ladder.margin):
        assert set(make(replace(SETTING, measured=model)).argument.record()["by_block"]) == {"A", "B", "C", "w"}


@pytest.mark.parametrize("s_A", [-1e-15, 0.0, 1e-15, 3.0])
def test_every_abscissa_gives_a_number(s_A):
    model = replace(MODEL, s_A=s_A)
    found = climb(replace(SETTING, measured=model, sample=Sample(1000, 10**6)))
    assert all(r.value.upper.is_finite() for r in found.values())


def test_the_risk_of_a_margin_rung():
    found = ladder.margin(SETTING)
    risk = ladder.margin_risk(found, 1000, 10**6)
    assert 1e-3 < risk.float_upper() < 1e-3 + found.value.float_upper()
    assert risk == kl_inv(Fraction(1000, 10**6), found.argument.exponent)


def test_the_holdout_is_clopper_and_pearson():
    found = ladder.holdout(10, 2000, SETTING.delta)
    assert found.kind == "risk" and found.value == binomial_upper(10, 2000, SETTING.delta)
