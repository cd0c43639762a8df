"""Linear CDEs against values made with other libraries, exact rationals, and cases where the bounds are attained."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import Enclosure, bits, exact
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.linear_cde.cde import LinearCDE
from ssm_bounds.models.linear_cde.chain import chained, equation
from ssm_bounds.models.linear_cde.signature import nilpotent, signature, words

SIZES = st.integers(-8, 8).map(lambda n: Fraction(n, 4))


def reference(shared, name):
    return json.loads((shared / "reference" / f"{name}.json").read_text(encoding="utf-8"))


def distance(state: tuple[Enclosure, ...], value: tuple[Fraction, ...]) -> Enclosure:
    """The l2 distance."""
    with bits(256):
        parts = [end.ball() - exact(v) for end, v in zip(state, value, strict=True)]
        low, high = (
            sum((end(part) ** 2 for part in parts if end(part) != 0), arb(0)).sqrt()
            for end in (arb.abs_lower, arb.abs_upper)
        )
        return Enclosure(low.lower(), high.upper())


def holds(enclosure: Enclosure, decimal: str) -> None:
    """The decimals are those of a number in the enclosure."""
    with bits(256):
        off = abs(enclosure.ball() - exact(Fraction(decimal)))
        assert off <= abs(exact(Fraction(decimal))) * arb("1e-18") + arb("1e-28")


def moves(*steps: tuple[int, float], letters: int = 3) -> list[tuple[float, ...]]:
    """A path along axes from 0."""
    point = [0.0] * letters
    path = [tuple(point)]
    for letter, size in steps:
        point[letter] += size
        path.append(tuple(point))
    return path


class TestFlow:
    def test_the_state_is_that_of_another_library(self, shared):
        known = reference(shared, "linear_cde")
        for end, decimal in zip(LinearCDE.of(known["A"], known["Z0"]).flow(known["path"]), known["Z_T"], strict=True):
            holds(end, decimal)

    def test_another_order_of_the_factors_is_another_state(self, shared):
        known = reference(shared, "linear_cde")
        equation_, path = LinearCDE.of(known["A"], known["Z0"]), np.array(known["path"])
        backwards = np.vstack([path[:1], path[:1] + np.cumsum(np.diff(path, axis=0)[::-1], axis=0)])
        assert abs(equation_.flow(backwards.tolist())[0].float_upper() - float(known["Z_T"][0])) > 0.1

    def test_only_increments_enter(self, shared):
        known = reference(shared, "linear_cde")
        moved = [[a + 3, b - 7] for a, b in known["path"]]
        equation_ = LinearCDE.of(known["A"], known["Z0"])
        assert [(e.lower, e.upper) for e in equation_.flow(moved)] == [
            (e.lower, e.upper) for e in equation_.flow(known["path"])
        ]

    def test_forcing_is_an_equation_of_one_more_state(self):
        """``z -> e^a z + b (e^a - 1)/a`` where omega and xi move by one together, and the order counts."""
        a, b = (0.5, -0.75), (1.0, 2.0)
        found = LinearCDE.forced([[[a[0]]], [[a[1]]]], [[b[0], b[1]]], [0.5])
        ends = []
        for order in ((0, 1), (1, 0)):
            z, path = 0.5, [(0, 0, 0, 0)]
            for i in order:
                z = math.exp(a[i]) * z + b[i] * math.expm1(a[i]) / a[i]
                path.append(tuple(x + (j % 2 == i) for j, x in enumerate(path[-1])))
            state = found.flow(path)
            assert state[0].float_upper() == pytest.approx(z, rel=1e-14) and state[1].lower == state[1].upper == 1
            ends.append(z)
        assert abs(ends[0] - ends[1]) > 1  # theory 15.8 needs B = 0

    def test_one_clock_sees_words_of_one_letter_and_then_clock_letters(self):
        """``Z = sum_n a^n S^{j 0^n}``, the clock first in the path; S^{0^n j} in its place is far off."""
        path, a = [(0, 0), (1, 2), (Fraction(3, 2), -1), (2, 3)], Fraction(1, 16)
        state = LinearCDE.forced([[[a]]], [[1]], [0]).flow(path)[0].float_upper()
        words_ = signature(path, 6)
        assert state == pytest.approx(float(sum(a**n * words_[1, *[0] * n] for n in range(6))), abs=1e-6)
        assert abs(state - float(sum(a**n * words_[*[0] * n, 1] for n in range(6)))) > 0.1

    @given(st.lists(SIZES, min_size=2, max_size=2), st.permutations([(0, 1), (1, Fraction(1, 2)), (0, -2), (1, 3)]))
    def test_one_diagonal_layer_without_forcing_is_blind_to_order(self, exponents, steps):
        matrices = [[[exponents[0], 0], [0, 1]], [[exponents[1], 0], [0, -1]]]
        found, known = (
            LinearCDE.of(matrices, [1, 2]).flow(moves(*order, letters=2)) for order in (steps, sorted(steps))
        )
        for end, other in zip(found, known, strict=True):
            assert end.lower <= other.upper and other.lower <= end.upper

    def test_large_exponentials_are_enclosed_all_the_same(self):
        (end,) = LinearCDE.of([[[1]]], [1]).flow([(0,), (400,), (-300,)])
        with bits(256):
            assert end.lower <= arb(-300).exp() <= end.upper and end.relative_width() < 1e-15


class TestTruncated:
    def test_against_another_library(self, shared):
        known = reference(shared, "linear_cde")
        equation_, path = LinearCDE.of(known["A"], known["Z0"]), known["path"]
        assert float(equation_.variation(path)) == pytest.approx(float(known["l"]), rel=1e-13)
        for row in known["truncation"]:
            value, remainder = equation_.truncated(path, row["M"])
            off = distance(equation_.flow(path), value)
            assert off.float_upper() == pytest.approx(float(row["error"]), rel=1e-3 if row["M"] == 24 else 1e-6)
            assert float(remainder) == pytest.approx(float(row["remainder"]), rel=1e-12)
            assert off.upper <= remainder

    @given(st.lists(SIZES, min_size=8, max_size=8), st.lists(SIZES, min_size=6, max_size=6), st.integers(0, 9))
    def test_the_remainder_is_never_exceeded(self, entries, steps, level):
        A = np.array(entries, dtype=object).reshape(2, 2, 2).tolist()
        path = np.cumsum([0, 0, *steps], dtype=object).reshape(-1, 2).tolist()
        equation_ = LinearCDE.of(A, [1, Fraction(-1, 2)])
        value, remainder = equation_.truncated(path, level)
        assert distance(equation_.flow(path), value).lower <= remainder

    @pytest.mark.parametrize("level", [0, 1, 5, 40])
    def test_scalars_of_one_sign_attain_it(self, level):
        equation_, path = LinearCDE.of([[[0.75]]], [-2]), [(0,), (1,), (1.5,), (3,)]
        value, remainder = equation_.truncated(path, level)
        off = distance(equation_.flow(path), value)
        if level < 40:  # there the difference is below the enclosure
            assert remainder >= off.lower and off.upper >= remainder * (1 - arb("1e-12"))
        assert remainder.is_finite() and remainder > 0

    def test_a_long_path_costs_what_a_short_one_does(self):
        _, remainder = LinearCDE.of([[[1]]], [1]).truncated([(0,), (10**6,)], 3)
        assert remainder >= arb(10**6).exp() * (1 - arb("1e-9"))


class TestSignature:
    def test_they_are_the_exact_rationals(self, shared):
        cases = reference(shared, "signatures")["cases"]
        assert len(cases) == 7
        for case in cases.values():
            path = [[Fraction(value) for value in point] for point in case["path"]]
            found = signature(path, case["depth"])
            assert ["".join(str(i + 1) for i in word) for word in found] == case["words"]
            assert list(map(str, found.values())) == case["signature"]

    def test_the_state_of_the_nilpotent_equation_encloses_them(self):
        path = [(0, 0), (1, Fraction(1, 3)), (Fraction(-1, 2), 2)]
        for end, value in zip(nilpotent(2, 3).flow(path), signature(path, 3).values(), strict=True):
            with bits(256):
                assert end.lower <= exact(value) <= end.upper and end.upper - end.lower < arb("1e-17")

    def test_shuffles(self):
        """``S^i S^j = S^{ij} + S^{ji}``, which a signature with one wrong factorial breaks."""
        found = signature([(0, 0), (1, 2), (Fraction(7, 3), -1), (0, 5)], 2)
        for i, j in itertools.product(range(2), repeat=2):
            assert found[i,] * found[j,] == found[i, j] + found[j, i]

    def test_words_come_by_levels(self):
        assert list(words(2, 2)) == [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1)]


class TestChain:
    def test_against_another_library(self, shared):
        known = reference(shared, "chain")
        assert len(known["records"]) == 48
        for record in known["records"]:
            path, word = known["paths"][record["path"]], [int(letter) - 1 for letter in record["word"]]
            value, bound = chained(path, word, Fraction(record["eps"]))
            holds(value, record["value"])
            assert float(bound) == pytest.approx(float(record["bound"]), rel=1e-9)
            integral = signature(path, len(word))[tuple(word)]
            assert distance((value,), (integral,)).lower <= bound

    @pytest.mark.parametrize("eps", [1.0, Fraction(1, 10), Fraction(1, 1000)])
    @pytest.mark.parametrize("word", [(0, 1), (2, 0, 1), (0, 1, 2)])
    def test_axis_paths_attain_the_bound(self, word, eps):
        path = moves(*((letter, 1.5) for letter in word))
        value, bound = chained(path, word, eps)
        off = distance((value,), (signature(path, len(word))[word],))
        assert off.lower <= bound and off.upper >= bound * (1 - arb("1e-9")) > 0

    @given(st.lists(st.tuples(st.integers(0, 2), SIZES), max_size=8), st.permutations([0, 1, 2]))
    def test_on_every_path(self, steps, word):
        path = moves(*steps)
        value, bound = chained(path, word, 0.25)
        assert distance((value,), (signature(path, 3)[tuple(word)],)).lower <= bound

    def test_a_layer_is_two_diagonal_units_forced_by_the_layer_before(self):
        found = [np.array(A.tolist()).astype(float) for A in equation((0, 1, 0), 0.5, 2).A]
        assert sum(found)[1:, 1:].diagonal().tolist() == [0.5, -0.5, 0.5, -0.5]
        assert not any(np.triu(A, 1).any() for A in found)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: LinearCDE.of([[[1, 2]]], [1]), r"A\[0\] has to be \(1, 1\)"),
        (lambda: LinearCDE.of([], [1]), "a state and a coordinate"),
        (lambda: LinearCDE.of([[[math.nan]]], [1]), r"LinearCDE.A\[0\]: expected a finite"),
        (lambda: LinearCDE.of([[[1]]], [math.inf]), "LinearCDE.Z_0: expected a finite"),
        (lambda: LinearCDE.of([[[1]]], [1]).flow([]), "needs a point"),
        (lambda: LinearCDE.of([[[1]]], [1]).flow([(0, 1)]), "needs 1 coordinates"),
        (lambda: LinearCDE.of([[[1]]], [1]).truncated([(0,)], -1), "level: expected"),
        (lambda: LinearCDE.of([[[10**200]]], [1]).variation([(0,), (10**200,)]), "exceeds 2"),
        (lambda: LinearCDE.forced([[[1]]], [[1, 2], [3]], [1]), "B has to be"),
        (lambda: signature([(0, 0)], 40), "more than 4096"),
        (lambda: signature([], 2), "at least one point"),
        (lambda: chained([(0,)], [0], 1), "at least two letters"),
        (lambda: chained([(0,)], [0, 1], 1), "letters lie in 0..0"),
        (lambda: chained([(0, 0)], [0, 1], 0), "above 0"),
    ],
)
def test_what_does_not_fit_is_said(call, said):
    with pytest.raises(DomainError, match=said):
        call()
