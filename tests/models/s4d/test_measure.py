"""Constants and taps of a linear S4D model: never below the exact ones, near to them, and the same on every machine."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_bounds.bounds.architectures.lti import norms
from ssm_bounds.bounds.architectures.lti.systems import Channel
from ssm_bounds.bounds.architectures.lti.tau import Units
from ssm_bounds.bounds.evaluate.balls import bits
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.s4d import measure as measured
from ssm_bounds.models.s4d.measure import kernel, measure, modes, standardised
from ssm_bounds.models.s4d.weights import S4D
from tests.s4d import layer


@pytest.fixture(autouse=True)
def enough_bits():
    """For what the tests compute of balls themselves."""
    with bits(300):
        yield


def exponents(weights: S4D, j: int) -> tuple[list[acb], list[acb]]:
    """lambda and c of a channel, as theory 14.1 writes them."""
    step, found = arb(weights.log_dt[j]).exp(), ([], [])
    for n in range(weights.N):
        A = acb(-arb(weights.log_A_real[j, n]).exp(), arb(weights.A_imag[j, n]))
        found[0].append(step * A)
        found[1].append(acb(*weights.C[j, n].tolist()) * ((step * A).exp() - 1) / A)
    return found


def channel(weights: S4D, j: int, scale: float = 1.0) -> Channel:
    """The channel, times ``scale``."""
    exponent, c = exponents(weights, j)
    return Channel(
        [each.exp() for each in exponent], [2 * arb(scale) * each for each in c], arb(scale) * arb(weights.D[j])
    )


def exact_taps(weights: S4D, T: int) -> list[list[arb]]:
    """k_jl of each channel."""
    found = []
    for j in range(weights.d):
        exponent, c = exponents(weights, j)
        taps = [2 * sum((g * (l * x).exp() for g, x in zip(c, exponent, strict=True)), acb(0)).real for l in range(T)]  # noqa: E741
        taps[0] += arb(weights.D[j])
        found.append(taps)
    return found


def ratio(upper: float, exact: arb) -> float:
    """How far above an exact number; the number must not be above it."""
    assert exact <= upper
    return float((arb(upper) / exact).upper())


LAYERS = {
    "as it begins": (layer(d=3, N=4), 70),
    "slow": (layer(1, d=2, N=2, steps=(1e-6, 1e-5)), 50),
    "fast": (layer(2, d=2, N=3, steps=(5.0, 60.0)), 30),
    "one of everything": (layer(3, d=1, N=1), 1),
    "two taps": (layer(4, d=1, N=2), 2),
}


@pytest.mark.parametrize("name", LAYERS)
class TestTaps:
    def test_moduli_are_enclosed(self, name):
        weights, T = LAYERS[name]
        found = modes(weights)
        above = kernel(found, weights.D, T)
        assert above.shape == (weights.d, T)
        for j, taps in enumerate(exact_taps(weights, T)):
            for lag, tap in enumerate(taps):
                decayed = (
                    sum((abs(g) for g in exponents(weights, j)[1]), arb(0)) * (-lag * arb(found.slow[j].min())).exp()
                )
                slack = arb(above[j, lag]) - abs(tap)
                assert slack >= 0 and slack <= 1e-9 * decayed + 1e-12 * abs(arb(weights.D[j])) + 1e-280

    def test_norms_are_those_in_balls(self, name):
        """Of one channel alone; the readout multiplies it."""
        weights, T = LAYERS[name]
        one = S4D(**{block: getattr(weights, block)[:1] for block in ("C", "log_dt", "log_A_real", "A_imag", "D")},
                  W=weights.W[:, :1])  # fmt: skip
        taps = measure(one, T=T, input_bound=1.0).taps
        system = channel(one, 0, float(one.W[0, 0]))
        assert 1 <= ratio(taps.h2, norms.h2(system, T).lower) < 1 + 1e-8
        assert 1 <= ratio(taps.l1, norms.l1(system, T).lower) < 1 + 1e-8

    def test_norms_of_all_channels(self, name):
        weights, T = LAYERS[name]
        taps = measure(weights, T=T, input_bound=1.0).taps
        exact = exact_taps(weights, T)
        weighted = [[arb(w) * tap for tap in row] for w, row in zip(weights.W[0], exact, strict=True)]
        assert ratio(taps.l1, sum((abs(tap) for row in weighted for tap in row), arb(0))) < 1 + 1e-8
        assert ratio(taps.h2, sum((tap**2 for row in weighted for tap in row), arb(0)).sqrt()) < 1 + 1e-8
        for rate in (0.0, 1e-3, 0.05, 1.0):
            sizes = [sum((row[lag] ** 2 for row in weighted), arb(0)).sqrt() for lag in range(T)]
            largest = max((size * (arb(rate) * lag).exp() for lag, size in enumerate(sizes)), key=lambda x: x.mid())
            # taps fall below what rounding leaves of them where the rate is above all of the decays
            assert ratio(taps.envelope(rate), largest) < 1.001 or rate > float(modes(weights).slow.min())

    def test_what_is_left_of_many_taps(self, name, monkeypatch):
        """With a table of a few taps only: the norms stay above, by what the modes allow."""
        weights, T = LAYERS[name]
        monkeypatch.setattr(measured, "_MOST_TAPS", 8 * weights.d)
        cut = measure(weights, T=T, input_bound=1.0).taps
        assert len(cut.sizes) == min(T, 8) and cut.T == T
        rows = [[arb(w) * tap for tap in row] for w, row in zip(weights.W[0], exact_taps(weights, T), strict=True)]
        sizes = [sum((row[lag] ** 2 for row in rows), arb(0)).sqrt() for lag in range(T)]
        assert sum((size**2 for size in sizes), arb(0)).sqrt() <= cut.h2
        assert sum((abs(tap) for row in rows for tap in row), arb(0)) <= cut.l1
        for rate in (0.0, 1e-3, 0.05, 1.0):
            assert all(size * (arb(rate) * lag).exp() <= cut.envelope(rate) for lag, size in enumerate(sizes))
        longer = measure(weights, T=10**18, input_bound=1.0).taps
        assert longer.h2 >= cut.h2 and longer.l1 >= cut.l1 and math.isfinite(longer.l1)


def test_the_tail_of_one_slow_mode_is_attained(monkeypatch):
    """One real mode: the tap at lag l is c e^{-l/8}, and all that is said of the later ones holds with equality."""
    weights = S4D(C=[[[1.0, 0.0]]], log_dt=[0.0], log_A_real=[[math.log(0.125)]], A_imag=[[0.0]], D=[0.0], W=[[1.0]])
    whole = measure(weights, T=64, input_bound=1.0).taps
    monkeypatch.setattr(measured, "_MOST_TAPS", 8)
    cut = measure(weights, T=64, input_bound=1.0).taps
    assert cut.after == pytest.approx(whole.sizes[8], rel=1e-9)
    assert cut.envelope(0.1) == pytest.approx(whole.envelope(0.1), rel=1e-9)
    endless = measure(weights, T=10**6, input_bound=1.0).taps
    assert endless.l1 == pytest.approx(whole.sizes[0] / -math.expm1(-0.125), rel=1e-9)


def skips(w, D, *, C=0.0):
    """One mode A = -1 a channel, dt = 1."""
    d = len(w)
    return S4D(C=[[[C, 0.0]]] * d, log_dt=[0.0] * d, log_A_real=[[0.0]] * d, A_imag=[[0.0]] * d, D=D, W=[np.asarray(w)])


def _psi(weights, mean, deviation=1.0):
    """Of one token."""
    mean = np.asarray(mean)
    taps = measure(weights, T=1, input_bound=1.0).taps
    return standardised(weights, Units(mean, np.full_like(mean, deviation)), taps, np.zeros((3, *mean.shape)))


class TestStandardised:
    @pytest.mark.parametrize("name", LAYERS)
    @pytest.mark.parametrize("centred", [True, False])
    def test_psi_in_balls(self, name, centred):
        """The sums over reversed taps, each at least the exact one and near to it."""
        weights, T = LAYERS[name]
        rng = np.random.default_rng(1)
        mean = np.zeros((T, weights.d)) if centred else rng.normal(size=(T, weights.d))
        units = Units(mean, 0.1 + rng.random((T, weights.d)))
        taps = measure(weights, T=T, input_bound=1.0).taps
        found = standardised(weights, units, taps, np.ones((3, T, weights.d)))
        rows = [[arb(w) * tap for tap in row] for w, row in zip(weights.W[0], exact_taps(weights, T), strict=True)]
        at = [(row[T - 1 - s], s, j) for j, row in enumerate(rows) for s in range(T)]
        psi_1 = sum((abs(g) * arb(units.deviation[s, j]) for g, s, j in at), arb(0))
        assert ratio(found.psi_1, psi_1) < 1 + 1e-8
        if centred:
            assert found.psi_2 is None
            return
        psi_2 = abs(sum((g * arb(mean[s, j]) for g, s, j in at), arb(0)))
        assert psi_2 <= found.psi_2 <= psi_2 + 1e-8 * psi_1
        # forwards they would be others
        assert T == 1 or found.psi_1 != pytest.approx(
            float(sum((abs(g) * arb(units.deviation[T - 1 - s, j]) for g, s, j in at), arb(0))), rel=1e-6
        )

    def test_without_units_it_is_the_l1_norm(self):
        weights = layer(d=3, N=4)
        taps = measure(weights, T=70, input_bound=1.0).taps
        x = np.random.default_rng(0).normal(size=(20, 70, 3))
        found = standardised(weights, Units(), taps, x)
        assert (found.psi_1, found.psi_2) == (taps.l1, None)
        assert found.q_x == pytest.approx(np.square(x).mean(0).max(), rel=1e-12)

    @pytest.mark.parametrize(
        ("w", "C", "D", "mean"),
        [(1e-200, 1e-200, 0.0, 1e300), (1e-160, 0.0, 1e-164, 1e300), (1e-300, 0.0, 2.4e-24, 1e150),
         (1e-300, 0.0, 2e-24, 1e308), (1e-320, 1.0, 0.0, 1e300), (1.0, 1e-310, 0.0, 1e308)],
    )  # fmt: skip
    def test_what_underflows_before_a_large_mean(self, w, C, D, mean):
        weights = skips([w], [D], C=C)
        k = 2 * arb(C) * (1 - arb(-1).exp()) + arb(D)
        found = _psi(weights, [[mean]], deviation=mean)
        assert abs(arb(w) * k * arb(mean)) <= found.psi_2 and abs(arb(w) * k * arb(mean)) <= found.psi_1

    def test_a_sum_that_cancels(self):
        """Skips alone, so that taps are exact: the rounding of products and of their sum, and nothing else."""
        rng = np.random.default_rng(0)
        for _ in range(20):
            w, D, mean = rng.normal(size=(3, 33))
            mean[-1] = -float(np.sum(w[:-1] * D[:-1] * mean[:-1])) / (w[-1] * D[-1])
            terms = [Fraction(a) * Fraction(b) * Fraction(c) for a, b, c in zip(w, D, mean, strict=True)]
            found = Fraction(_psi(skips(w, D), [mean]).psi_2)
            assert abs(sum(terms)) <= found <= abs(sum(terms)) + sum(map(abs, terms)) * Fraction(1, 10**12)

    def test_how_far_taps_can_be_off_counts(self, monkeypatch):
        """The exact taps are at the end of what is enclosed."""
        rng = np.random.default_rng(0)
        w, mean, off = rng.normal(size=(3, 5))
        monkeypatch.setattr(measured, "enclosed", lambda *_: (np.zeros((5, 1)), np.abs(off)[:, None]))
        exact = sum(abs(Fraction(a) * Fraction(b) * Fraction(c)) for a, b, c in zip(w, off, mean, strict=True))
        found = Fraction(_psi(skips(w, np.zeros(5)), [mean]).psi_2)
        assert exact <= found <= exact * (1 + Fraction(1, 10**12))

    def test_units_of_more_lags_than_are_computed(self, monkeypatch):
        weights = layer(d=3, N=4)
        monkeypatch.setattr(measured, "_MOST_TAPS", 8 * weights.d)
        taps, units = measure(weights, T=9, input_bound=1.0).taps, Units(np.ones((9, 3)), np.ones((9, 3)))
        with pytest.raises(DomainError, match="units by time are for at most 8 tokens here, not T = 9"):
            standardised(weights, units, taps, np.ones((1, 9, 3)))


class TestReference:
    def test_the_kernel_of_the_public_code(self, shared):
        """Twenty digits of a kernel that nobody here computed."""
        found = json.loads((shared / "reference" / "tau_s4d.json").read_text())
        N, L = found["N"], found["L"]
        weights = S4D(
            C=[found["C"]],
            log_dt=[math.log(1 / 64)],
            log_A_real=[[math.log(0.5)] * N],
            A_imag=[(np.pi * np.arange(N)).tolist()],
            D=[0.0],
            W=[[1.0]],
        )
        above = kernel(modes(weights), weights.D, L)
        # dt = 1/64 and pi are rounded to doubles here
        assert above[0] == pytest.approx([float(x) for x in found["kernel"]], rel=1e-9)


class TestConstants:
    @settings(max_examples=10)
    @given(st.integers(0, 10**6))
    def test_they_contain_the_model(self, seed):
        weights = layer(seed, d=3, N=3, k=2)
        found = measure(weights, T=5, input_bound=2.0)
        assert found.taps is None and (found.d, found.N, found.k, found.B_u) == (3, 3, 2, 2.0)
        parts = [exponents(weights, j) for j in range(3)]
        fastest = max((-x.real for exponent, _ in parts for x in exponent), key=lambda x: x.mid())
        slowest = max((x.real for exponent, _ in parts for x in exponent), key=lambda x: x.mid())
        assert ratio(found.b, fastest) < 1 + 1e-13 and slowest <= found.s < 0
        assert found.s >= slowest and float((arb(found.s) / slowest).lower()) > 1 - 1e-13
        sums = [sum((abs(g) for g in c), arb(0)) for _, c in parts]
        assert all(each <= found.C_1 for each in sums)
        assert min(float((arb(found.C_1) / each).upper()) for each in sums) < 1 + 1e-11
        assert np.abs(weights.D).max() == found.D
        assert Fraction(found.B_w) ** 2 >= sum(Fraction(x) ** 2 for x in weights.W.ravel().tolist()) / 2

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"log_dt": [1e6]}, "mode 0 of channel 0: a step of 2\\^40 or more"),
            ({"A_imag": [[1e15]]}, "a step of 2\\^40 or more"),
            ({"C": [[[1e308, 1e308]]], "log_dt": [3.0]}, "beyond float64|exceeds float64"),
            ({"log_A_real": [[-1e308]], "A_imag": [[0.0]]}, "cannot be enclosed"),
        ],
    )
    def test_what_no_float64_holds_is_refused(self, change, message):
        plain = {"C": [[[1.0, 0.0]]], "log_dt": [0.0], "log_A_real": [[0.0]], "A_imag": [[1.0]], "D": [0.0],
                 "W": [[1.0]]}  # fmt: skip
        with pytest.raises(DomainError, match=message):
            measure(S4D(**(plain | change)), T=3, input_bound=1.0)

    def test_a_product_of_extremes_is_a_step_like_any_other(self):
        """e^{-10^30} e^{10^30} = 1: enclosed as closely as if neither factor was out of reach."""
        weights = S4D(C=[[[0.0, 0.0]]], log_dt=[-1e30], log_A_real=[[1e30]], A_imag=[[0.0]], D=[1.0], W=[[1.0]])
        found = measure(weights, T=3, input_bound=1.0)
        assert 1 <= found.b < 1 + 1e-14 and -1 <= found.s < -1 + 1e-14
