"""Theory.md 9: the exact complexity against exhaustive sums, the upper bound against the text, and the gap between."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from sympy import Eq, Le, Rational, Sum, binomial, pi, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment, coefficients, output_entropy
from ssm_bounds.bounds.architectures.selective_ssm.family import measured_class
from ssm_bounds.bounds.architectures.selective_ssm.lower import (
    ABSOLUTE_SUM,
    RATIOS,
    absolute_sum,
    ball_class,
    ball_class_upper,
    largest_output,
    scaled_entropy,
)
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose, enclose_all
from ssm_bounds.bounds.gaps.chaining import dudley
from ssm_bounds.bounds.values import DomainError, Sample
from ssm_bounds.models.files.checkpoint import read
from ssm_bounds.models.selective_ssm.measure import measure
from ssm_bounds.proofs import check
from ssm_bounds.proofs.ours.lower_bounds import constant_input as t9_1
from ssm_bounds.proofs.papers.honarpisheh2025 import theorem_4_1
from ssm_bounds.proofs.solvers import Induction
from tests.bounds.ladder.test_line_by_line import PLAIN, betas, sums

BALL = replace(PLAIN, k=1)
CLASSES = {
    "decaying": BALL,
    "neutral": replace(BALL, s_A=0.0),
    "growing": replace(BALL, s_A=0.1),
    "no gate": replace(BALL, gate="none", B_q=0, p_lo=0, p_hi=0),
    "one entry": replace(BALL, d=1, N=1),
}
MANY = 10**7  # so many sequences that the Dudley integral is below the trivial bound Z


@pytest.mark.parametrize("m", range(1, 13))
def test_absolute_sum_is_the_mean_over_all_signs(m):
    total = sum(abs(sum(signs)) for signs in itertools.product((-1, 1), repeat=m))
    assert absolute_sum(m) == Fraction(total, 2**m) == Fraction(str(ABSOLUTE_SUM.subs(sym.m, m)))


@pytest.mark.parametrize("m", [1, 2, 3, 50, 1001])
def test_the_complexity_is_z_times_the_absolute_sum(m):
    exact, Z = ball_class(BALL, Sample(m, 20)), largest_output(BALL, 20)
    share = arb(absolute_sum(m).numerator) / arb(absolute_sum(m).denominator * m)
    assert (exact.ball() / Z.ball()).overlaps(share)
    assert exact.relative_width() < 1e-9
    _, R_1, _ = sums(BALL)
    assert largest_output(BALL, 50).float_upper() == pytest.approx(BALL.B_w * BALL.B_B * BALL.B_C * 1.5**3 * R_1)


def test_sqrt_half_m_is_attained_at_two_and_cannot_be_raised():
    ratios = [absolute_sum(m) ** 2 / Fraction(m, 2) for m in range(1, 200)]
    assert min(ratios) == 1 == ratios[1]
    assert absolute_sum(2) ** 2 < Fraction(103, 100) * Fraction(2, 2)


class TestPaperLowerBound:
    def test_its_step_holds_for_odd_m_and_fails_for_every_even_m(self):
        for m in range(1, 200):
            square = arb(absolute_sum(m).numerator) ** 2 / arb(absolute_sum(m).denominator) ** 2
            assert square > 2 * m / arb.pi() if m % 2 else square < 2 * m / arb.pi()

    @staticmethod
    def claimed_over_exact(s_A, m, T):
        constants = replace(theorem_4_1.UNIT_BALLS, s_A=s_A, B_A=5)
        claimed = enclose(
            theorem_4_1.claimed.subs(pi, sym.r),
            {sym.r: arb.pi(), sym.B_w: 1, sym.s_A: s_A, sym.m: m, sym.T: T},
        )
        exact = ball_class(constants, Sample(m, T))
        return claimed.lower / exact.upper, claimed.upper / exact.lower

    @pytest.mark.parametrize("T", [1, 2, 7])
    def test_at_zero_it_fails_for_every_even_m_only(self, T):
        for m in range(1, 12):
            low, high = self.claimed_over_exact(0, m, T)
            assert high < 1 if m % 2 else low > 1

    def test_for_odd_m_it_needs_decays_above_minus_one(self):
        for s_A in (-1, Fraction(-1, 2), Fraction(1, 3)):
            assert self.claimed_over_exact(s_A, 3, 5)[1] < 1
        assert self.claimed_over_exact(-3, 1, 3)[0] > 2  # (1 + s_A)^T grows where e^{s_A} decays


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("T", [1, 50])
def test_the_ratios_are_those_of_the_text(name, T):
    """r_i beta_i/Z with beta of 5.1, and R_2/R_1 <= 1/|s_A|, <= (T-1) M."""
    c = CLASSES[name]
    found = enclose_all(RATIOS, assignment(c, T))
    ratio = found["A"].float_upper() / ((c.B_A + c.s_A) / 2)
    M, R_1, R_2 = sums(c)
    assert ratio <= (T - 1) * M * (1 + 1e-12)
    assert c.s_A >= 0 or ratio <= -1 / c.s_A
    if T == 50:  # the sums of test_line_by_line are those of T = 50
        assert ratio == pytest.approx(R_2 / R_1)
        radii = {"A": (c.B_A + c.s_A) / 2, "B": c.B_B, "C": c.B_C, "w": c.B_w, "g": 0.5 + c.B_q * c.B_u}
        Z = largest_output(c, T).float_upper()
        for block, beta in betas(c).items():
            assert found[block].float_upper() == pytest.approx(radii[block] * beta / Z), block


@pytest.mark.parametrize("name", CLASSES)
def test_upper_bound_against_the_text(name):
    """9.2 at alpha = 0 with the proportional split: never below the computed bound, and at most 4 % above it."""
    c, T = CLASSES[name], 50
    sizes = {"A": c.d * c.N, "B": c.d * c.N, "C": c.d * c.N, "w": c.d} | ({"g": c.d + 1} if c.gate != "none" else {})
    assert sum(sizes.values()) == c.parameters
    g = {block: enclose(RATIOS[block], assignment(c, T)).float_upper() for block in sizes}
    y = (np.arange(20000) + 0.5) / 20000  # x = y^2 tames the logarithm at 0
    H = sum(n * np.log1p(2 * g[block] * c.parameters / (n * y**2)) for block, n in sizes.items())
    Z = largest_output(c, T).float_upper()
    text = 12 * Z / math.sqrt(MANY) * float(np.mean(2 * y * np.sqrt(H)))
    upper = ball_class_upper(c, Sample(MANY, T))
    assert upper.relative_width() < 2e-3
    assert upper.float_lower() <= text
    assert text <= 1.04 * upper.float_upper()


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("T", [1, 50, 2000])
def test_lower_is_below_upper_and_the_slack_is_known(name, T):
    c, sample = CLASSES[name], Sample(MANY, T)
    lower, upper = ball_class(c, sample), ball_class_upper(c, sample)
    assert lower.upper <= upper.lower
    assert 50 < upper.float_upper() / lower.float_lower() < 600


def test_slack_is_near_that_of_the_ladder():
    """The blocks of the ladder (a box for A, two blocks for the gate) give nearly the same bound."""
    Z = largest_output(BALL, 50)
    entropy = output_entropy(BALL, coefficients(BALL, 50))
    ladder = dudley(entropy, lipschitz=Enclosure.point(1), c=2 * Z.float_upper(), m=MANY).rademacher
    assert ladder.float_upper() == pytest.approx(ball_class_upper(BALL, Sample(MANY, 50)).float_upper(), rel=0.05)


def test_small_samples_give_a_multiple_of_the_trivial_bound():
    """Where ln N at radius Z exceeds m/9 no alpha below Z helps: 4 alpha."""
    assert ball_class_upper(BALL, Sample(5, 50)).upper <= 4 * largest_output(BALL, 50).upper * (1 + arb(2) ** -40)


def test_zero_class():
    zero = replace(BALL, B_w=0)
    assert ball_class(zero, Sample(4, 9)).upper == 0 == ball_class_upper(zero, Sample(4, 9)).upper


@pytest.mark.parametrize("file", ["imdb_T500_m25000_seed1", "majority_T200_m1000_seed1", "listops_T100_m1000_seed1"])
def test_slack_on_trained_models(shared, file):
    """theory 9.2: a factor 240 to 510 on the examples, with k = 1 (T of each file's name)."""
    measured = measure(read(shared / "checkpoints" / f"{file}.pth").weights, gate="softplus", vocabulary=False)
    constants = replace(measured_class(measured, embedding_in_class=False, vocabulary=False), k=1)
    sample = Sample(MANY, int(file.split("_")[1][1:]))
    ratio = ball_class_upper(constants, sample).float_upper() / ball_class(constants, sample).float_lower()
    assert 240 < ratio < 520


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 2}, "one output"),
        ({"V": 7}, "embedding"),
        ({"M": 0.5}, "without a cap"),
    ],
)
def test_ball_class_only(changes, message):
    for bound in (ball_class, ball_class_upper):
        with pytest.raises(DomainError, match=message):
            bound(replace(BALL, **changes), Sample(10, 5))


@pytest.mark.parametrize("name", ["M_A", "M_B", "M_C", "M_q", "M_w"])
def test_an_l1_radius_that_binds_is_refused_below_and_harmless_above(name):
    least = {"M_A": 0.2 * 12, "M_B": 2.0, "M_C": 1.2, "M_q": 0.7, "M_w": 3.0}[name]
    free, sample = ball_class(BALL, Sample(10, 5)), Sample(10, 5)
    enough = replace(BALL, **{name: math.nextafter(least, 9)})
    assert ball_class(enough, sample) == free
    with pytest.raises(DomainError, match=f"needs {name} >="):
        ball_class(replace(BALL, **{name: 0.99 * least}), sample)
    assert ball_class_upper(replace(BALL, **{name: 0.99 * least}), sample) == ball_class_upper(BALL, sample)
    assert ball_class(replace(BALL, s_A=0.1, M_A=0.1), sample).lower > 0
    with pytest.raises(DomainError, match=r"M_A >= 0\.1"):
        ball_class(replace(BALL, s_A=0.1, M_A=0.09), sample)


def test_no_signs():
    with pytest.raises(DomainError, match="m >= 1"):
        absolute_sum(0)


class TestStatements:
    def test_mutation_a_larger_constant_is_not_proved(self):
        """sqrt(j) <= E_m cannot be raised: at j = 1 it is attained, and nothing that grows faster follows it."""
        induction = t9_1.GrowthInduction(t9_1.j, 1)
        assert induction.decide(Le(sqrt(t9_1.j), t9_1.absolute_sum), ()).holds
        for factor in (Rational(103, 100), 2 / sqrt(Rational(22, 7))):
            assert not induction.decide(Le(factor * sqrt(t9_1.j), t9_1.absolute_sum), ()).holds
        assert not induction.decide(Le(t9_1.j, t9_1.absolute_sum), ()).holds
        assert not replace(induction, start=2).decide(Le(sqrt(t9_1.j), t9_1.absolute_sum), ()).holds

    def test_mutation_the_half_sum_and_the_rounding(self):
        terms = binomial(sym.m, t9_1.k) * (sym.m - 2 * t9_1.k)
        total = Sum(terms, (t9_1.k, 0, t9_1.n - 1))
        assert Induction(t9_1.n).decide(Eq(total, t9_1.half), ()).holds
        assert not Induction(t9_1.n).decide(Eq(total, Rational(97, 100) * t9_1.half), ()).holds
        statement = check.statements()["9.1"]
        rounding = next(step for step in statement.derivation if step.name == "rounding m up to 2j")
        assert rounding.by.decide(rounding.claim, statement.hypotheses).holds
        assert not rounding.by.decide(rounding.claim, ()).holds

    def test_mutation_no_ratio_of_9_2_can_be_lowered(self):
        statement = check.statements()["9.2"]
        ratios = [step for step in statement.derivation if step.name.startswith("ratio ")]
        assert {step.name for step in ratios} == {f"ratio {block}" for block in RATIOS}
        for step in ratios:
            assert step.by.decide(step.claim, ()).holds
            assert not step.by.decide(Eq(step.claim.lhs, Rational(97, 100) * step.claim.rhs), ()).holds

    def test_mutation_dudley_is_needed_at_the_alpha_of_the_proof(self):
        statement = check.statements()["9.2"]
        steps = {step.name: step for step in statement.derivation}
        last = steps["alpha = 0"]
        assert last.by.decide(last.claim, (steps["Dudley at one alpha"].claim,)).holds
        assert not last.by.decide(last.claim, ()).holds


def test_the_entropy_is_that_of_the_scaled_outputs():
    entropy = scaled_entropy(BALL, 50)
    assert set(entropy.blocks) == set(RATIOS)
    with pytest.raises(DomainError):
        scaled_entropy(BALL, 50).log_covering(0)
