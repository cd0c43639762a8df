"""Norms of linear time-invariant systems: the reference file, closed forms, attained by an input, and controls."""

from __future__ import annotations

import functools
import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_bounds.bounds.architectures.lti.norms import MOST_TAPS, h2, hinf, l1
from ssm_bounds.bounds.architectures.lti.systems import Channel, Dense
from ssm_bounds.bounds.evaluate.balls import bits
from ssm_bounds.bounds.values import DomainError

NAMES = ("first_order", "first_order_negative_pole", "two_real_cancelling", "rotation_0.95_pi/5", "jordan_nonnormal",
         "mimo_2x2", "hold_a-1_dt0.1")  # fmt: skip


@pytest.fixture(autouse=True)
def enough_bits():
    """For what the tests compute of balls themselves."""
    with bits(256):
        yield


def ball(value) -> arb:
    exact = Fraction(value)
    return arb(fmpq(exact.numerator, exact.denominator))


@pytest.fixture(scope="module")
def reference(shared):
    systems = json.loads((shared / "reference" / "lti_norms.json").read_text())["systems"]
    assert set(systems) == set(NAMES)
    return systems


def dense(entry) -> Dense:
    return Dense(*(arb_mat(entry[name]) for name in "ABCD"))


@pytest.mark.parametrize("name", NAMES)
class TestReference:
    @pytest.mark.parametrize(("norm", "key"), [(h2, "h2"), (l1, "l1")])
    def test_series(self, reference, name, norm, key):
        """25 digits, the last of them rounded: less one unit of it they are below the norm."""
        digits = reference[name][key]
        unit = Fraction(1, 10 ** len(digits.partition(".")[2]))
        found = norm(dense(reference[name]))
        assert found.upper >= ball(Fraction(digits) - unit) and found.lower <= ball(Fraction(digits) + unit)
        assert found.upper <= ball(Fraction(digits) * (1 + Fraction(1, 10**9)))

    def test_gain(self, reference, name):
        entry, found = reference[name], hinf(dense(reference[name]))
        # a grid of angles in float64 is below the norm but for its rounding, control's search within 1e-6 of it
        assert found.upper >= entry["hinf_grid_lower"] * (1 - 1e-14)
        assert found.upper <= entry["hinf_control"] * (1 + 1e-6) and found.lower >= entry["hinf_control"] * (1 - 1e-6)

    def test_order(self, reference, name):
        system = dense(reference[name])
        if system.shape == (1, 1):
            assert h2(system).lower <= l1(system).upper and hinf(system).lower <= l1(system).upper
        assert h2(system, 20).upper <= h2(system).upper and l1(system, 20).upper <= l1(system).upper


class TestClosedForms:
    """x+ = a x + b u, y = c x + d u: |d| + |bc|/(1-|a|), sqrt(d^2 + (bc)^2/(1-a^2)), the gain at one or minus one."""

    @pytest.mark.parametrize("a", [0.5, -0.75, 0.0, 127 / 128])
    @pytest.mark.parametrize(("gain", "skip"), [(1.5, 0.0), (-2.0, 0.25)])
    def test_one_pole(self, a, gain, skip):
        matrices = Dense(arb_mat([[a]]), arb_mat([[1]]), arb_mat([[gain]]), arb_mat([[skip]]))
        a, gain, skip = map(Fraction, (a, gain, skip))
        total = abs(skip) + abs(gain) / (1 - abs(a))
        square = skip**2 + gain**2 / (1 - a**2)
        peak = max(abs(skip + gain / (1 - a)), abs(skip - gain / (1 + a)))
        slack = Fraction(10**10 + 1, 10**10)
        assert ball(total) <= l1(matrices).upper <= ball(total * slack)
        assert ball(square) <= h2(matrices).upper ** 2 <= ball(square * slack**2)
        # the peak is at an end of the circle, between two cells
        assert ball(peak) <= hinf(matrices).upper <= ball(peak * Fraction(10**6 + 1, 10**6))

    def test_first_taps_are_exact_rationals(self):
        A, B, C, D = [[0.5, 0.25], [-0.25, 1.25]], [[1.0, 0.5], [0.0, -1.0]], [[1.0, 2.0]], [[0.5, 0.0]]
        taps, state = [[[Fraction(x) for x in row] for row in D]], [[Fraction(x) for x in row] for row in B]

        def times(X, Y):
            return [[sum(Fraction(x) * y for x, y in zip(row, column, strict=True)) for column in zip(*Y, strict=True)]
                    for row in X]  # fmt: skip

        for _ in range(11):
            taps.append(times(C, state))
            state = times(A, state)
        system = Dense(*map(arb_mat, (A, B, C, D)))
        assert l1(system, 12).lower <= ball(sum(abs(x) for tap in taps for x in tap[0])) <= l1(system, 12).upper
        square = ball(sum(x**2 for tap in taps for x in tap[0]))
        assert h2(system, 12).lower ** 2 <= square <= h2(system, 12).upper ** 2
        with pytest.raises(DomainError, match="no power of A"):
            l1(system)  # not stable: only the first taps have a sum

    def test_two_outputs_and_two_inputs(self):
        """Of a static system hinf is the spectral norm, h2 the Frobenius norm, l1 the largest row sum."""
        zero = arb_mat(1, 1)
        system = Dense(zero, arb_mat(1, 2), arb_mat(2, 1), arb_mat([[3, 4], [0, 5]]))
        assert h2(system).lower ** 2 <= 50 <= h2(system).upper ** 2 and l1(system).lower == 7
        assert hinf(system).lower ** 2 <= 45 <= hinf(system).upper ** 2 <= 45.00001

    def test_the_tail_counts_every_input(self):
        """A = 1/2, B = (1, 1, 1, 1): with the spectral norm of one column in its place the tail would be half of it."""
        system = Dense(arb_mat([[0.5]]), arb_mat([[1, 1, 1, 1]]), arb_mat([[1]]), arb_mat(1, 4))
        for lag in (1, 3, 8):
            left = Fraction(8, 2 ** (lag - 1))  # of the row of four
            assert ball(left) <= 2 * system.tail(lag) <= ball(left * Fraction(1001, 1000))
        assert l1(system).lower <= 8 <= l1(system).upper


poles = st.builds(complex, *(st.floats(-0.68, 0.68) for _ in range(2)))
weights = st.builds(complex, *(st.floats(-2, 2) for _ in range(2)))


class TestChannel:
    @settings(max_examples=12)
    @given(st.lists(st.tuples(poles, weights), min_size=1, max_size=3), st.floats(-1, 1))
    def test_it_is_its_realisation(self, modes, skip):
        """[[a, -b], [b, a]] turns and shrinks as a + ib does; the first tap is the skip and the residues."""
        n = 2 * len(modes)
        A, B, C = [[0.0] * n for _ in range(n)], [[0.0] for _ in range(n)], [[0.0] * n]
        for i, (z, g) in enumerate(modes):
            A[2 * i][2 * i], A[2 * i][2 * i + 1] = z.real, -z.imag
            A[2 * i + 1][2 * i], A[2 * i + 1][2 * i + 1] = z.imag, z.real
            B[2 * i][0], B[2 * i + 1][0] = z.real, z.imag
            C[0][2 * i], C[0][2 * i + 1] = g.real, -g.imag
        first = sum((arb(g.real) for _, g in modes), arb(skip))
        matrices = Dense(arb_mat(A), arb_mat(B), arb_mat(C), arb_mat([[first]]))
        channel = Channel([z for z, _ in modes], [g for _, g in modes], skip)
        for norm in (functools.partial(h2, T=9), functools.partial(l1, T=9), h2, l1, hinf):
            one, other = norm(channel), norm(matrices)
            assert one.upper >= other.lower and other.upper >= one.lower

    def test_one_mode_in_closed_form(self):
        """h_l = 3 (9/10)^l: 30 and 3/sqrt(1 - 81/100) of the pole as a double."""
        pole = Fraction(0.9)
        channel = Channel([0.9], [3.0])
        assert ball(3 / (1 - pole)) <= l1(channel).upper <= ball(3 / (1 - pole) * Fraction(10**10 + 1, 10**10))
        assert ball(9 / (1 - pole**2)) <= h2(channel).upper ** 2
        assert hinf(channel).lower <= ball(3 / (1 - pole)) <= hinf(channel).upper

    def test_modes_that_cancel(self):
        """Nothing is left of them: hinf is 0, and no more is claimed than cells show."""
        found = hinf(Channel([complex(0.6, 0.6), complex(0.6, -0.6)], [1.0, -1.0]))
        assert found.lower == 0 and found.upper < 1e-3

    @pytest.mark.parametrize("pole", [1.0, -1.0, complex(0.6, 0.8), 1.5])
    def test_no_sum_over_all_times_without_decay(self, pole):
        channel = Channel([pole], [1.0])
        for norm in (h2, l1, hinf):
            with pytest.raises(DomainError, match="inside the unit circle"):
                norm(channel)
        assert l1(channel, 4).upper >= abs(pole) ** 2 + 1

    def test_what_decays_too_slowly_is_said(self):
        with pytest.raises(DomainError, match="decay too slowly"):
            l1(Channel([1 - 2.0**-50], [1.0]))
        with pytest.raises(DomainError, match="T from 1 to"):
            l1(Channel([0.5], [1.0]), MOST_TAPS + 1)


class TestAttained:
    """l1 and h2 are gains: an input reaches them, so that 1 % less is refuted."""

    SYSTEM = Channel([complex(0.6, 0.7), -0.8], [complex(1.0, -0.5), 0.75], 0.3)
    TAPS = np.array([float(tap[0, 0].mid()) for tap in itertools.islice(SYSTEM.taps(), 400)])

    def test_signs_reach_the_largest_output(self):
        reached = sum(tap * np.sign(tap) for tap in self.TAPS)  # the output at inputs of modulus 1
        assert reached > 0.99 * float(l1(self.SYSTEM).upper) and reached <= float(l1(self.SYSTEM).upper)

    def test_the_taps_reach_the_largest_output_of_inputs_in_l2(self):
        reached = float(self.TAPS @ self.TAPS / np.sqrt(self.TAPS @ self.TAPS))
        assert reached > 0.99 * float(h2(self.SYSTEM).upper)

    def test_a_wave_reaches_the_gain(self):
        """A long wave of the best frequency comes out larger by nearly hinf."""
        angles = np.linspace(0, np.pi, 4001)
        best = angles[np.argmax([abs(np.sum(self.TAPS * np.exp(-1j * angle * np.arange(400)))) for angle in angles])]
        wave = np.cos(best * np.arange(40_000))
        gain = np.linalg.norm(np.convolve(wave, self.TAPS)) / np.linalg.norm(wave)
        assert 0.99 * float(hinf(self.SYSTEM).upper) < gain <= float(hinf(self.SYSTEM).upper)

    def test_another_opinion(self):
        """scipy's frequency response of the realisation, on a grid, is below hinf and comes near."""
        signal = pytest.importorskip("scipy.signal", reason="scipy is not installed: no second opinion")
        _, response = signal.freqz(self.TAPS, worN=8192)
        largest = float(np.abs(response).max())
        assert largest * (1 - 1e-12) <= float(hinf(self.SYSTEM).upper) <= largest * (1 + 1e-5)
