"""The rungs: reference numbers on the authors' models, verdicts, kinds, and what must not change a bound."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest

from bounds import ladder
from bounds.blocks import assignment, coefficients, output_entropy
from bounds.chaining import dudley
from bounds.constants import DomainError, Sample
from bounds.enclose import Enclosure, enclose
from bounds.groups import item_decays, measured_groups
from bounds.inversion import binomial_upper, kl_inv
from bounds.ladder import Setting, Tally, Verdict, certify
from bounds.losses import ClippedCrossEntropy, Ramp
from bounds.notation import R_1, kappa
from bounds.selection import Split
from tests import oracle
from tests.test_selection import MODEL

SETTING = Setting(MODEL, Sample(10**6, 50), Ramp(1), 1, embedding="fixed", evidence="assumed")


def rung(certificate: ladder.Certificate, name: str) -> ladder.Rung:
    return next(r for r in certificate.rungs if r.name == name)


@pytest.fixture(scope="module")
def imdb(shared):
    from models.checkpoint import read
    from models.norms import measure

    weights = read(shared / "checkpoints" / "imdb_T500_m25000_seed1.pth").weights
    measured = measure(weights, gate="softplus")  # with the constants that vocabulary inputs need
    return certify(Setting(measured, Sample(25000, 500), Ramp(1), 1, embedding="fixed"))


class TestImdb:
    """theory.md 6.5 and the numbers to reach: m = 25000, T = 500, ramp, margin 1, ball, embedding fixed."""

    def test_published_does_not_apply_and_is_negative(self, imdb):
        published = rung(imdb, "published")
        assert not published.applies
        assert published.value.upper < -1e14
        assert "negative" in published.why

    @pytest.mark.parametrize(
        ("name", "before", "ceiling"),
        [
            ("scale", 0.337, 0.345),
            ("margin", 0.294, 0.305),
            ("scale-groups", 0.309, 0.315),
            ("margin-groups", 0.263, 0.268),
        ],
    )
    def test_reference_values(self, imdb, name, before, ceiling):
        found = rung(imdb, name)
        assert round(found.before_selection.float_upper(), 3) == before
        assert found.before_selection.upper < found.value.upper < ceiling
        assert found.value.relative_width() < 1e-9

    def test_verdict_and_best(self, imdb):
        assert imdb.verdict is Verdict.CONDITIONAL
        assert imdb.best.name == "margin-groups"
        assert imdb.best.value.upper > rung(imdb, "margin-groups").value.upper  # at delta/4
        assert imdb.best.details["parameter_count"] == 3 * 64 + 16 + 17

    def test_two_decay_groups_before_any_price(self, imdb):
        """theory.md 6.5: about 0.264 with one slow entry, row and column (a box of A by ceilings adds a little)."""
        setting = imdb.setting
        labels = {name: tuple(int(s < -0.01) for s in decays) for name, decays in item_decays(setting.measured).items()}
        splits = [Split(name, found, 2, name == "rows") for name, found in labels.items()]
        assert [split.sizes for split in splits] == [(1, 63), (1, 3), (1, 15)]
        plain = replace(setting.measured_class(), M_A=None, M_B=None, M_C=None, M_q=None, M_w=None)
        constants = replace(plain, groups=measured_groups(splits, setting.measured))
        H = output_entropy(constants, coefficients(constants, 500)).log_covering(0.5).float_upper()
        assert math.sqrt((H + math.log(20)) / 50000) == pytest.approx(0.264, abs=0.0015)

    def test_vocabulary_constants(self, imdb):
        """theory.md 5.3 on top of 5.2: kappa falls from 5700 to 1160."""
        found = ladder.margin_groups(replace(imdb.setting, vocabulary=True))
        assert found.selected.constants.norms == "vocabulary"
        assert found.value.upper < 0.252 < rung(imdb, "margin-groups").value.upper

    def test_comparison_rungs_are_vacuous(self, imdb):
        for name in ("repaired", "sharp"):
            assert rung(imdb, name).vacuous and rung(imdb, name).applies

    def test_longer_sequences_cost_nothing_for_stable_models(self, imdb):
        """Length independence: between T = 2000 and T = 10^6 the excess grows by less than 1e-3."""
        far = [ladder.margin(replace(imdb.setting, sample=Sample(25000, T))).value.float_upper() for T in (2000, 10**6)]
        assert far[0] - rung(imdb, "margin").value.float_upper() < 2e-3
        assert far[1] - far[0] < 1e-3


def test_sharp_dudley_bounds_the_exact_complexity():
    """theory.md 9: on the constant input of norm B_u the ball class has Rad = Z E|sum sigma|/m, Z = kappa R_1."""
    for s_A in (-0.1, 0.0, 0.05):
        constants = replace(SETTING, measured=replace(MODEL, s_A=s_A)).measured_class()
        m, T = 1000, 50
        Z = enclose(kappa * R_1, assignment(constants, T))
        entropy = output_entropy(constants, coefficients(constants, T))
        found = dudley(entropy, lipschitz=Enclosure.point(1), c=2 * Z.float_upper(), m=m).rademacher
        exact = oracle.rademacher_of_interval(Z.float_upper(), m)
        assert exact <= found.float_upper() <= 600 * exact


@pytest.mark.parametrize("name", ["repaired", "sharp", "scale", "margin", "scale_groups", "margin_groups"])
def test_bounds_shrink_with_the_sample_and_grow_with_confidence(name):
    function = getattr(ladder, name)
    value = function(SETTING).value.upper
    assert function(replace(SETTING, sample=Sample(10**8, 50))).value.upper < value
    assert function(replace(SETTING, delta=Fraction(1, 10**6))).value.upper > value


def test_repaired_is_at_least_sharp():
    """On this model each coefficient of 5.1 is at most that of 5.5; for fast decay 5.5 can be smaller."""
    for s_A in (-2.0, -0.1, 0.0, 0.05):
        constants = replace(SETTING, measured=replace(MODEL, s_A=s_A)).measured_class()
        sharp, repaired = (coefficients(constants, 50, chain) for chain in ("sharp", "repaired"))
        assert all(sharp[name].lower <= repaired[name].upper for name in sharp)


def test_values_are_enclosed():
    certificate = certify(SETTING)
    for found in certificate.rungs:
        assert found.value.lower <= found.value.upper
        assert found.value.relative_width() <= (2e-3 if found.name in ("repaired", "sharp") else 1e-9)


def test_published_applies_for_small_capacity():
    tame = replace(MODEL, B_w=1e-12, M_w=1e-12, B_B=1e-9, M_B=1e-9, M_A=0.4, B_A=0.1)
    found = ladder.published(replace(SETTING, measured=tame))
    assert found.applies and found.value.upper > 0
    assert found.verdict is Verdict.CONDITIONAL


def test_published_with_every_block_zero():
    still = replace(MODEL, B_w=0, M_w=0, B_B=0, M_B=0, B_C=0, M_C=0, B_q=0, M_q=0)
    found = ladder.published(replace(SETTING, measured=still))
    assert found.applies
    assert found.value.float_upper() == pytest.approx(3 * math.sqrt(math.log(40) / 2e6))


class TestVerdicts:
    def test_trained_embedding_in_the_class_is_certified(self):
        certificate = certify(replace(SETTING, embedding="trained"))
        assert certificate.verdict is Verdict.CERTIFIED
        assert certificate.best.details["parameter_count"] == 3 * 12 + 4 + 5 + 20
        assert "e" in certificate.best.details["by_block"]

    def test_fixed_embedding_is_certified_only_when_recorded(self):
        assert certify(SETTING).verdict is Verdict.CONDITIONAL
        assert certify(replace(SETTING, evidence="stated")).verdict is Verdict.CONDITIONAL
        assert certify(replace(SETTING, evidence="recorded")).verdict is Verdict.CERTIFIED

    def test_comparison_rungs_are_never_certified_nor_best(self):
        certificate = certify(replace(SETTING, embedding="trained"))
        for name in ("published", "repaired", "sharp"):
            assert rung(certificate, name).verdict is Verdict.CONDITIONAL
        assert certificate.best.name in ("scale", "margin", "scale-groups", "margin-groups")

    def test_any_condition_keeps_from_certified(self):
        conditional = replace(SETTING, embedding="trained", conditions=("the gate is softplus",))
        certificate = certify(conditional)
        assert certificate.verdict is Verdict.CONDITIONAL
        assert "if the gate is softplus" in rung(certificate, "margin").why
        real = replace(SETTING, measured=replace(MODEL, V=None, logit_max=None), embedding="none")
        assert certify(real).verdict is Verdict.CONDITIONAL

    def test_a_shifted_training_set_makes_the_holdout_conditional(self):
        found = rung(certify(replace(SETTING, shifted=True), test=Tally(100, 0.1, 3)), "holdout")
        assert found.verdict is Verdict.CONDITIONAL and "differ in distribution" in found.why

    def test_vocabulary_and_trained_is_refused(self):
        with pytest.raises(DomainError, match="not convex"):
            replace(SETTING, embedding="trained", vocabulary=True)


def test_vocabulary_inputs_are_sharper():
    ball, words = ladder.margin(SETTING), ladder.margin(replace(SETTING, vocabulary=True))
    assert words.before_selection.upper < ball.before_selection.upper


def test_margin_of_the_ramp_rescales_the_readout():
    """margin g with W is margin 1 with W/g."""
    doubled = replace(MODEL, B_w=MODEL.B_w * 2, M_w=MODEL.M_w * 2)
    one = certify(SETTING)
    two = certify(replace(SETTING, measured=doubled, margin=2, loss=Ramp(2)))
    for name in ("scale", "margin", "scale-groups", "margin-groups"):
        assert rung(one, name).value == rung(two, name).value


def test_clipped_cross_entropy():
    found = ladder.scale(replace(SETTING, loss=ClippedCrossEntropy(4)))
    assert found.kind == "gap" and found.ceiling == 4
    assert ladder.scale(SETTING).value.upper < found.value.upper


def test_no_gate():
    model = replace(MODEL, gate="none", p=0, B_q=0, M_q=0, logit_max=None)
    certificate = certify(replace(SETTING, measured=model))
    assert set(certificate.best.details["by_block"]) == {"A", "B", "C", "w"}


@pytest.mark.parametrize("s_A", [-1e-15, 0.0, 1e-15, 3.0])
def test_every_abscissa_gives_a_number(s_A):
    model = replace(MODEL, s_A=s_A)
    certificate = certify(replace(SETTING, measured=model, sample=Sample(1000, 10**6)))
    assert all(r.value.upper.is_finite() for r in certificate.rungs)


class TestData:
    TRAIN = Tally(10**6, 0.1, 500, 1000)

    def test_certified_risk(self):
        certificate = certify(SETTING, train=self.TRAIN, test=Tally(2000, 0.1, 10))
        excess = rung(certificate, "margin").value.float_upper()
        assert 1e-3 < certificate.train_risk.float_upper() < 1e-3 + excess
        assert rung(certificate, "holdout").kind == "risk"
        assert 0.005 < rung(certificate, "holdout").value.float_upper() < 0.01
        assert certificate.best.name != "holdout"
        assert rung(certificate, "holdout").value == binomial_upper(10, 2000, SETTING.delta)
        halves = [f(replace(SETTING, delta=SETTING.delta / 2)) for f in (ladder.margin, ladder.margin_groups)]
        risks = {half.name: kl_inv(Fraction(1000, 10**6), half.details["exponent"]) for half in halves}
        assert certificate.train_risk == risks[certificate.risk_rung]
        assert certificate.train_risk.upper == min(risk.upper for risk in risks.values())

    def test_rows_must_be_the_sample(self):
        with pytest.raises(DomainError, match="20 rows but m = 1000000"):
            certify(SETTING, train=Tally(20, 0.1, 1, 1))
