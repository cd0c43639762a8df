"""Bounds of linear time-invariant models: averages against all signs, attained; rungs written a second time."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.classes import by_rate, parametrised
from ssm_bounds.bounds.architectures.lti.constants import Measured, Standardised, Taps
from ssm_bounds.bounds.architectures.lti.table import AVERAGES, DEFINITIONS
from ssm_bounds.bounds.evaluate.balls import enclose
from ssm_bounds.bounds.gaps.chaining import AVERAGE_GAP
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.ladder.argument import shares
from ssm_bounds.bounds.ladder.lti import LtiSetting, lti_geometric, lti_h2, lti_l1
from ssm_bounds.bounds.ladder.lti_cover import lti_cover
from ssm_bounds.bounds.ladder.tau_class import tau_class
from ssm_bounds.bounds.values import DomainError, Sample
from ssm_bounds.models.s4d.measure import measure
from ssm_bounds.models.s4d.weights import S4D
from ssm_bounds.report.document import plain
from tests.s4d import layer

RUNGS = {
    "lti-h2": lti_h2,
    "lti-l1": lti_l1,
    "lti-geometric": lti_geometric,
    "lti-cover": lti_cover,
    "tau-class": tau_class,
}
DELTA = Fraction(1, 20)


def average(norm: str, **values) -> float:
    named = {sym.NOTATION[name].symbol: value for name, value in values.items()}
    return enclose(AVERAGES[norm], {**DEFINITIONS, **named}).float_upper()


def exact(u: np.ndarray, sup) -> float:
    """``E sup (1/m) sum_i sigma_i z(u_i)`` of sequences u (m, T, d): over all signs, ``sup`` of the sum of them."""
    m = len(u)
    found = [sup(np.tensordot(np.array(signs), u, axes=1)) for signs in itertools.product((1.0, -1.0), repeat=m)]
    return math.fsum(found) / len(found) / m


def geometric(rho: float):
    """Of taps K rho^l: each lag by itself, K = 1."""
    return lambda total: math.fsum(rho**lag * np.linalg.norm(row) for lag, row in enumerate(total[::-1]))


SUPREMA = {"h2": np.linalg.norm, "l1": lambda total: np.abs(total).max(), "geometric": geometric(0.75)}
CONSTANTS = {"h2": {"K_2": 1}, "l1": {"K_1": 1}, "geometric": {"K_rho": 1, "s_lambda": math.log(0.75)}}


class TestAverages:
    @given(
        st.sampled_from(sorted(SUPREMA)), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99)
    )
    def test_never_below_the_exact_one(self, norm, m, T, d, seed):
        rng = np.random.default_rng(seed)
        u = rng.normal(size=(m, T, d)) * (rng.random((m, T, 1)) < 0.8)
        B_u = float(np.linalg.norm(u, axis=2).max())
        bound = average(norm, **CONSTANTS[norm], B_u=B_u * (1 + 1e-12), m=m, T=T, d=d)
        assert exact(u, SUPREMA[norm]) <= bound

    HADAMARD = np.array([[(-1.0) ** (i & j).bit_count() for j in range(8)] for i in range(8)])

    def test_h2_is_attained(self):
        """Orthogonal sequences of full norm: with 1 % less the bound is refuted."""
        u = self.HADAMARD[:, :, None]
        assert exact(u, np.linalg.norm) > 0.99 * average("h2", K_2=1, B_u=1, m=8, T=8, d=1)

    def test_geometric_is_attained(self):
        """Tokens of different sequences are orthogonal, lag by lag."""
        u = np.tile(self.HADAMARD[:, None, :] / math.sqrt(8), (1, 5, 1))
        bound = average("geometric", **CONSTANTS["geometric"], B_u=1, m=8, T=5, d=8)
        assert exact(u, SUPREMA["geometric"]) > 0.99 * bound

    @pytest.mark.parametrize("m", [1, 2, 6])
    def test_l1_on_all_signs(self, m):
        """Every pattern of signs is an input in some place: R = K_1, and the slack is sqrt(2 ln 2)."""
        patterns = np.array(list(itertools.product((1.0, -1.0), repeat=m)))[: 2 ** (m - 1)]
        u = patterns.T[:, :, None]
        ratio = exact(u, SUPREMA["l1"]) / average("l1", K_1=1, B_u=1, m=m, T=2 ** (m - 1), d=1)
        assert ratio == pytest.approx(1 / math.sqrt(2 * math.log(2)), rel=1e-9) and ratio > 0.84

    def test_reference(self, shared):
        """Exact averages of a file that others computed, in rationals."""
        found = json.loads((shared / "reference" / "rademacher.json").read_text())["lti"]
        u = np.array(found["u"])
        m, T, d = u.shape
        sizes = {"B_u": float(np.linalg.norm(u, axis=2).max()), "m": m, "T": T, "d": d}
        bounds = {
            "i": average("h2", K_2=found["K"], **sizes),
            "ii": average("l1", K_1=found["K"], **sizes),
            "iii": average("geometric", K_rho=found["K"], s_lambda=math.log(found["rho"]), **sizes),
        }
        for name, bound in bounds.items():
            assert float(Fraction(found[f"{name}_exact"])) <= bound
            assert float(Fraction(found[f"{name}_exact"])) == pytest.approx(
                found["K"] * exact(u, dict(zip(bounds, SUPREMA.values(), strict=True))[name]), rel=1e-9
            )
        assert bounds["iii"] == pytest.approx(found["iii_bound"], rel=1e-12)
        assert bounds["ii"] < 1.25 * found["ii_bound"] and bounds["i"] < 2 * found["i_bound"]

    @pytest.mark.parametrize("T", [100, 500, 2000])
    def test_the_gap_of_a_table_of_architectures(self, T):
        """K = 1, rho = e^-0.1, m = 25000, delta = 0.05, ramp: 0.1415 whatever T is, before anything is paid."""
        R = average("geometric", K_rho=1, s_lambda=Fraction(-1, 10), B_u=1, m=25000, T=T, d=16)
        values = {sym.rademacher: R, sym.l: 1, sym.c: 1, sym.m: 25000, sym.delta: DELTA, sym.price: 0}
        assert enclose(AVERAGE_GAP, values).float_upper() == pytest.approx(0.1415, rel=2e-3)


def setting(weights: S4D, *, m=25000, T=60, loss=None, margin=1, input_bound=1.5, delta=DELTA) -> LtiSetting:
    measured = measure(weights, T=T, input_bound=input_bound)
    of_rows = (
        None if measured.taps is None else Standardised(measured.taps.l1, input_bound**2 / 3, measured.taps.l1 / 8)
    )
    return LtiSetting(measured, Sample(m, T), loss or Ramp(margin), margin, delta, of_rows)


def index(value: mpmath.mpf) -> int:
    """j of the least 2^(j/8) that is at least the value; 0 for 0."""
    return int(mpmath.ceil(8 * mpmath.log(value, 2))) if value > 0 else 0


def weight(j: int) -> mpmath.mpf:
    return mpmath.mpf(1) / (2 * (abs(j) + 1) * (abs(j) + 2))


def point(j: int) -> mpmath.mpf:
    return mpmath.mpf(2) ** (mpmath.mpf(j) / 8)


class TestLineByLine:
    """Every rung again, by hand and in another arithmetic: from what was measured to the number."""

    SETTING = setting(layer(1, d=4, N=3), margin=Fraction(1, 2))

    @pytest.fixture(autouse=True)
    def digits(self):
        with mpmath.workdps(40):
            yield

    def gap(self, R, nats):
        return 2 * R + mpmath.sqrt((nats + mpmath.log(40)) / (2 * 25000))

    @pytest.mark.parametrize(("rung", "norm"), [(lti_h2, "h2"), (lti_l1, "l1")])
    def test_one_norm(self, rung, norm):
        j = index(mpmath.mpf(getattr(self.SETTING.measured.taps, norm)) / mpmath.mpf("0.5"))
        factor = mpmath.sqrt(60) if norm == "h2" else mpmath.sqrt(2 * mpmath.log(2 * 60 * 4))
        value = self.gap(point(j) * 1.5 * factor / mpmath.sqrt(25000), -mpmath.log(weight(j)))
        found = rung(self.SETTING).value
        assert value <= mpmath.mpf(found.float_upper()) and found.float_upper() == pytest.approx(float(value), rel=1e-9)

    def test_geometric(self):
        """The smallest over a grid of rates, and no rate."""
        sizes = [mpmath.mpf(size) for size in self.SETTING.measured.taps.sizes.tolist()]
        values = []
        for rate, paid in [(mpmath.mpf(0), mpmath.mpf(1) / 4)] + [(point(i), weight(i) / 4) for i in range(-140, 40)]:
            j = index(max(size * mpmath.exp(rate * lag) for lag, size in enumerate(sizes)) / mpmath.mpf("0.5"))
            S = mpmath.fsum(mpmath.exp(-rate * lag) for lag in range(60))
            R = point(j) * 1.5 * S / mpmath.sqrt(25000)
            values.append(self.gap(R, -mpmath.log(weight(j)) - mpmath.log(paid)))
        found = lti_geometric(self.SETTING).value.float_upper()
        assert found == pytest.approx(float(min(values)), rel=1e-9) and min(values) <= mpmath.mpf(found)

    @pytest.mark.parametrize("psi_2", [None, 0.3, 0.0])
    def test_tau(self, psi_2):
        """One cell, or two; the deviation is twice that of an average that holds on every sample."""
        asked = replace(self.SETTING, standardised=Standardised(2.3, 0.75, psi_2))
        js = [index(mpmath.mpf("4.6"))] + ([] if psi_2 is None else [index(2 * mpmath.mpf(psi_2))])
        R = point(js[0]) * mpmath.sqrt(2 * mpmath.log(2 * 60 * 4) * mpmath.mpf("0.75") / 25000)
        if psi_2 is not None:
            signs = mpmath.binomial(25000, 12500) * 12500 / mpmath.mpf(2) ** 24999 / 25000
            R += point(js[1]) * signs
        nats = -mpmath.fsum(mpmath.log(weight(j)) for j in js)
        value = 2 * R + mpmath.sqrt(2 * (nats + mpmath.log(40)) / 25000)
        found = tau_class(asked).value
        assert value <= mpmath.mpf(found.float_upper()) and found.float_upper() == pytest.approx(float(value), rel=1e-9)

    @pytest.mark.parametrize("T", [60, 3000])
    def test_cover(self, T):
        """The entropy of the four blocks at the radius and the shares of the rung, and the price of its cells."""
        asked = setting(layer(1, d=4, N=3), margin=Fraction(1, 2), T=T)
        argument, measured = lti_cover(asked).argument, asked.measured
        C_1 = mpmath.mpf(measured.C_1)
        js = [index(mpmath.mpf(measured.b)), index(mpmath.mpf(measured.D) / C_1),
              index(mpmath.mpf(measured.B_w) * C_1 / mpmath.mpf("0.5"))]  # fmt: skip
        b, D, B_w = map(point, js)
        i = index(-mpmath.mpf(measured.s)) - 1  # the decay is rounded down; on short sequences 0 is as good
        s, paid = (mpmath.mpf(0), mpmath.mpf(1) / 4) if T == 60 else (-point(i), weight(i) / 4)
        nats = -sum(mpmath.log(weight(j)) for j in js) - mpmath.log(paid)
        S_1 = mpmath.fsum(mpmath.exp(s * lag) for lag in range(T))
        S_2 = mpmath.fsum(lag * mpmath.exp(s * lag) for lag in range(T))
        eps = mpmath.mpf(argument.radius.float_upper())
        own = {name: mpmath.mpf(share.numerator) / share.denominator for name, share in argument.entropy.shares.items()}
        radius = {"lambda": eps * own["lambda"] / (1.5 * 2 * B_w * S_2), "c": eps * own["c"] / (1.5 * 2 * B_w * S_1),
                  "D": eps * own["D"] / (1.5 * B_w), "w": eps * own["w"] / (1.5 * (2 * S_1 + D))}  # fmt: skip
        r = (b + s) / 2
        cells = (
            mpmath.ceil(mpmath.sqrt(2) * r / radius["lambda"]),
            mpmath.ceil(mpmath.pi / mpmath.sqrt(2) / radius["lambda"]),
        )
        H = 12 * mpmath.log(max(1, cells[0])) + 12 * mpmath.log(max(1, cells[1]))
        H += 24 * mpmath.log(1 + 2 / radius["c"]) + 4 * mpmath.log(max(1, mpmath.ceil(D / radius["D"])))
        H += 4 * mpmath.log(1 + 2 * B_w / radius["w"])
        value = 2 * eps + mpmath.sqrt((H + nats + mpmath.log(40)) / (2 * 25000))
        found = lti_cover(asked).value.float_upper()
        assert sum(own.values()) == 1 and argument.parameters == 24 + 24 + 4 + 4
        assert found == pytest.approx(float(value), rel=1e-9)


@pytest.mark.parametrize("name", RUNGS)
class TestRungs:
    def test_what_it_says(self, name):
        rung = RUNGS[name](setting(layer()))
        assert (rung.name, rung.kind, rung.two_sided, rung.ceiling, rung.comparison) == (name, "gap", True, 1, False)
        assert rung.value.lower <= rung.value.upper and rung.rests_on
        assert rung.before_selection.upper < rung.value.upper < 3 * rung.before_selection.upper
        argument = rung.argument
        assert argument.sentence().strip() and "\n" not in argument.sentence()
        json.dumps(plain(argument.record()), allow_nan=False)
        assert all(step.source.startswith("theory.md ") and step.rule for step in argument.steps())
        assert argument.steps()[-1].value.upper == rung.value.upper
        for formula in argument.formulas():
            assert formula.expression.free_symbols <= formula.where.keys()
            again = enclose(formula.expression, {part: each.upper for part, each in formula.where.items()})
            assert again.float_upper() == pytest.approx(formula.value.float_upper(), rel=1e-6)
        assert sum(shares(argument.costs())) == pytest.approx(1)

    def test_more_confidence_costs_more_and_more_rows_less(self, name):
        asked = setting(layer())
        assert RUNGS[name](asked, DELTA / 100).value.upper > RUNGS[name](asked).value.upper
        assert RUNGS[name](replace(asked, sample=Sample(10**8, 60))).value.upper < RUNGS[name](asked).value.upper

    def test_a_margin_is_a_unit(self, name):
        """W and g by the same factor: the same number; g is free."""
        weights = layer(5)
        scaled = S4D(**{block: getattr(weights, block) for block in ("C", "log_dt", "log_A_real", "A_imag", "D")},
                     W=4 * weights.W)  # fmt: skip
        one, four = RUNGS[name](setting(weights)), RUNGS[name](setting(scaled, margin=4))
        assert one.value.upper == four.value.upper and one.value.lower == four.value.lower

    def test_symmetries(self, name):
        """c and D against W, and the order of channels."""
        weights = layer(6, d=4)
        blocks = {block: getattr(weights, block) for block in ("C", "log_dt", "log_A_real", "A_imag", "D")}
        moved = blocks | {"C": weights.C / 8, "D": weights.D / 8}
        turned = {block: value[::-1] for block, value in blocks.items()}
        value = RUNGS[name](setting(weights)).value.upper
        assert RUNGS[name](setting(S4D(**moved, W=8 * weights.W))).value.upper == value
        assert RUNGS[name](setting(S4D(**turned, W=weights.W[:, ::-1]))).value.upper == value

    def test_larger_inputs_cost_more(self, name):
        assert RUNGS[name](setting(layer(), input_bound=3)).value.upper > RUNGS[name](setting(layer())).value.upper

    def test_another_loss(self, name):
        loss = ClippedCrossEntropy(3)
        rung = RUNGS[name](setting(layer(), loss=loss))
        assert rung.ceiling == 3 and rung.value.upper > RUNGS[name](setting(layer())).value.upper

    def test_a_model_of_nothing(self, name):
        """All zeros: the cells of 0 are paid, and the bound is a number."""
        zero = S4D(C=np.zeros((2, 2, 2)), log_dt=np.zeros(2), log_A_real=np.zeros((2, 2)), A_imag=np.zeros((2, 2)),
                   D=np.zeros(2), W=np.zeros((1, 2)))  # fmt: skip
        assert math.isfinite(RUNGS[name](setting(zero)).value.float_upper())

    @pytest.mark.parametrize("T", [1, 2, 10**6, 10**18])
    def test_lengths(self, name, T):
        value = RUNGS[name](setting(layer(), T=T, m=10**18)).value.float_upper()
        assert 0 < value < math.inf


class TestLengths:
    def test_geometric_does_not_grow(self):
        """Taps that fall by e^-0.05 a step; h2 grows as sqrt T, l1 as sqrt ln T."""

        def values(T):
            sizes = np.exp(-0.05 * np.arange(min(T, 5000)))
            taps = Taps(sizes, float(np.linalg.norm(sizes)), float(sizes.sum()), T, math.exp(-250.0), 0.05)
            own = Measured(1, 1, 1, 1.0, -0.05, 1.0, 0.0, 1.0, 1.0, taps)
            asked = LtiSetting(own, Sample(10**6, T), Ramp(1), 1)
            return [rung(asked).value.float_upper() for rung in (lti_h2, lti_l1, lti_geometric)]

        short, long = values(1000), values(10**6)
        assert long[2] == pytest.approx(short[2], rel=1e-6)
        assert long[0] > 20 * short[0] and short[1] < long[1] < 2 * short[1]


class TestClasses:
    def test_every_rate_contains_the_model(self):
        """In every pair of cells the taps lie, and a grid point less they do not."""
        taps = setting(layer(2)).measured.taps
        found = list(by_rate(taps, 2))
        assert len(found) > 50 and found[-1].constants[sym.s_lambda] == 0
        for selected in found:
            K, s = (mpmath.mpf(float(selected.constants[symbol])) for symbol in (sym.K_rho, sym.s_lambda))
            largest = max(mpmath.mpf(size) / 2 * mpmath.exp(-s * lag) for lag, size in enumerate(taps.sizes.tolist()))
            assert largest <= K * (1 + mpmath.mpf(10) ** -12)
            assert largest > K / 1.1
            assert selected.weight == math.prod(cell.weight for cell in selected.cells)

    def test_weights_are_of_two_grids(self):
        (first, *_) = by_rate(setting(layer(2)).measured.taps, 1)
        bound, rate = first.cells
        assert (bound.name, rate.name) == ("K_rho", "s_lambda") and rate.weight < Fraction(1, 16)

    def test_the_box_of_exponents_is_not_inverted(self):
        for seed in range(20):
            for selected in parametrised(setting(layer(seed, N=1)).measured, 1):
                assert selected.constants[sym.b_lambda] + selected.constants[sym.s_lambda] >= 0


class TestDomain:
    def test_tau_needs_rows(self):
        with pytest.raises(DomainError, match="tau-class uses the mean squares of the training rows: give --data FILE"):
            tau_class(replace(setting(layer()), standardised=None))

    @pytest.mark.parametrize("rung", [lti_h2, lti_l1, lti_geometric, tau_class])
    def test_one_output(self, rung):
        with pytest.raises(DomainError, match="is about one output, and this model has 3"):
            rung(setting(layer(k=3)))

    def test_several_outputs_are_covered(self):
        rung = lti_cover(setting(layer(k=3)))
        assert rung.argument.parameters == 12 + 12 + 3 + 9 and 0 < rung.value.float_upper() < 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [({"delta": Fraction(1)}, "delta is a failure"), ({"margin": 0}, "margin must be > 0"),
         ({"sample": Sample(10, 7)}, "taps are those of another length")],
    )  # fmt: skip
    def test_settings(self, change, message):
        with pytest.raises(DomainError, match=message):
            replace(setting(layer()), **change)
