"""Conformance of every covering bound, and the combinators."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.covers.entropy import (
    EntropyBound,
    LipschitzImage,
    Minimum,
    Product,
    Projection,
    allocation,
    approximate_all,
    approximations,
)
from ssm_bounds.bounds.covers.lemmas import Box, GroupVolume, MatrixCover, Maurey, Strip, Volume
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.values import DomainError

POINT = Enclosure.point
RADII = [1.3e-6, 1.3e-3, 0.07, 0.3, 0.9, 1.0, 1.7, 40.0]


def image(part: EntropyBound, constant: float = 1.0) -> LipschitzImage:
    return LipschitzImage(part, POINT(constant), "output")


def mixed(radius: float = 1.0, size: int = 3) -> Product:
    return Product(
        {
            "A": image(Minimum((Volume(size, radius, "max"), Projection(Maurey(size, 2 * radius), "max"))), 3.0),
            "B": image(Volume(2 * size, radius, "spectral"), 0.5),
            "p": image(Box(1, radius), 2.0),
        }
    )


@dataclass(frozen=True)
class Case:
    """A bound of unit radius, the same at another radius or dimension, and the set it covers, if small."""

    bound: EntropyBound
    scaled: EntropyBound  # twice the radius
    larger: EntropyBound  # one more dimension
    ball: str | None  # norm of the covered ball in the plane, covered in the bound's metric


CASES = {
    "Maurey": Case(Maurey(2, 1.0), Maurey(2, 2.0), Maurey(3, 1.0), "l1"),
    "Maurey with inputs": Case(Maurey(2, 0.5, 2.0), Maurey(2, 0.5, 4.0), Maurey(3, 0.5, 2.0), None),
    "Volume": Case(Volume(2, 1.0, "l2"), Volume(2, 2.0, "l2"), Volume(3, 1.0, "l2"), "l2"),
    "GroupVolume": Case(GroupVolume(2, 1.0, "l2"), GroupVolume(2, 2.0, "l2"), GroupVolume(3, 1.0, "l2"), "l2"),
    "Box": Case(Box(2, 1.0), Box(2, 2.0), Box(3, 1.0), "max"),
    "Strip": Case(Strip(2, 1.0), Strip(2, 2.0), Strip(4, 1.0), None),
    "MatrixCover": Case(MatrixCover(2, 2, 1.0, 1.0), MatrixCover(2, 2, 2.0, 1.0), MatrixCover(3, 2, 1.0, 1.0), None),
    "Projection": Case(Projection(Maurey(2, 1.0)), Projection(Maurey(2, 2.0)), Projection(Maurey(3, 1.0)), "l1"),
    "Minimum": Case(
        Minimum((Volume(2, 1.0, "frobenius"), Projection(Maurey(2, 1.0)))),
        Minimum((Volume(2, 2.0, "frobenius"), Projection(Maurey(2, 2.0)))),
        Minimum((Volume(3, 1.0, "frobenius"), Projection(Maurey(3, 1.0)))),
        "l1",
    ),
    "LipschitzImage": Case(
        image(Volume(2, 1.0, "l2")), image(Volume(2, 1.0, "l2"), 2.0), image(Volume(3, 1.0, "l2")), "l2"
    ),
    "Product": Case(mixed(), mixed(2.0), mixed(size=4), None),
}


def test_every_bound_conforms():
    def concrete(cls: type) -> set[type]:
        return {c for sub in cls.__subclasses__() for c in concrete(sub) | {sub} if not c.__name__.startswith("_")}

    assert {type(case.bound).__name__ for case in CASES.values()} == {cls.__name__ for cls in concrete(EntropyBound)}


@pytest.mark.parametrize("name", CASES)
class TestConformance:
    def test_decreasing_and_nonnegative(self, name):
        values = [CASES[name].bound.log_covering(eps) for eps in RADII]
        assert all(later.upper <= earlier.upper for earlier, later in itertools.pairwise(values))
        assert all(value.lower >= 0 for value in values)
        assert values[0].upper > values[-1].upper

    @pytest.mark.parametrize("eps", [0, -1.0, Fraction(-1, 3)])
    def test_refuses_radius(self, name, eps):
        with pytest.raises(DomainError, match="radius is > 0"):
            CASES[name].bound.log_covering(eps)

    def test_scales(self, name):
        """A set twice as large is covered at twice the radius by as many points."""
        if name == "Strip":
            pytest.skip("one of its sides is pi, whatever the other is")
        for eps in RADII:
            once, twice = CASES[name].bound.log_covering(eps), CASES[name].scaled.log_covering(2 * eps)
            assert float(once.upper) == pytest.approx(float(twice.upper), rel=1e-7)

    def test_monotone_in_radius_and_dimension(self, name):
        case = CASES[name]
        for eps in RADII:
            least = case.bound.log_covering(eps).lower
            assert least <= case.scaled.log_covering(eps).upper
            assert least <= case.larger.log_covering(eps).upper

    def test_engines_agree(self, name):
        bound = CASES[name].bound
        for eps in (*RADII, 1e-120):
            exact, fast = float(bound.log_covering(eps).upper), bound.approximate(np.array([math.log(eps)]))[0]
            assert fast == pytest.approx(exact, rel=1e-9, abs=1e-9)

    def test_trace_names_its_rules(self, name):
        steps = CASES[name].bound.trace(0.3)
        assert all(step.rule and step.source.startswith("theory.md") for step in steps)
        assert float(steps[-1].value.upper) == pytest.approx(float(CASES[name].bound.log_covering(0.3).upper), rel=1e-6)

    def test_valid_against_packing(self, name):
        """Points of the set more than 2 eps apart need different centres: ln of their number is below the bound."""
        case = CASES[name]
        if case.ball is None:
            pytest.skip("no small set in the plane for this bound")
        axis = np.linspace(-1, 1, 41)
        points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        order = {"l1": 1, "l2": 2, "max": np.inf}[case.ball]
        points = points[np.linalg.norm(points, order, axis=1) <= 1 + 1e-12]
        metric = np.inf if case.ball == "max" else 2
        for eps in (0.06, 0.11, 0.3, 0.49, 0.9):
            chosen = points[:1]
            for point in points[1:]:
                if np.linalg.norm(chosen - point, metric, axis=1).min() > 2 * eps + 1e-9:
                    chosen = np.vstack([chosen, point])
            assert math.log(len(chosen)) <= case.bound.log_covering(eps).float_upper()


@given(st.floats(1e-3, 3), st.floats(1e-3, 10))
def test_box_is_exact_on_an_interval(eps, half_width):
    """An interval of length 2r needs exactly ceil(r/eps) closed intervals of length 2 eps: no constant can drop."""
    needed = math.ceil(Fraction(half_width) / Fraction(eps))
    assert Box(1, half_width).log_covering(eps).float_upper() == pytest.approx(math.log(max(1, needed)), rel=1e-8)


def test_ceiling_of_maurey_is_needed():
    """Just below the radius one atom is not enough: the bound without its ceiling would fall below ln 2."""
    eps = 0.999
    assert Maurey(1, 1.0).log_covering(eps).float_upper() == pytest.approx(2 * math.log(3))
    assert Maurey(1, 1.0).log_covering(1.0).float_upper() == 0


def test_volume_slack_is_recorded():
    """An interval needs ceil(r/eps) points and the volume bound gives 1 + 2r/eps: a factor 2 as eps -> 0."""
    slack = math.exp(Volume(1, 1.0, "l2").log_covering(1e-6).float_upper()) * 1e-6
    assert 1 < slack < 2.001


def test_large_ratios_do_not_overflow():
    huge = LipschitzImage(Volume(5, 1.0, "l2"), Enclosure.of(POINT(10).upper ** 500), "output")
    assert huge.log_covering(0.5).float_upper() == pytest.approx(5 * (500 * math.log(10) + math.log(4)), rel=1e-9)
    assert huge.approximate(np.array([math.log(0.5)]))[0] == pytest.approx(5 * (500 * math.log(10) + math.log(4)))


class TestCombinators:
    def test_minimum_refuses_other_conventions(self):
        with pytest.raises(DomainError, match="different conventions"):
            Minimum((Volume(2, 1.0, "l2"), Box(2, 1.0)))
        with pytest.raises(DomainError, match="different conventions"):
            Minimum((Volume(2, 1.0, "frobenius"), Maurey(2, 1.0)))

    def test_product_refuses_outside_centres(self):
        with pytest.raises(DomainError, match="from inside"):
            Product({"A": image(Maurey(2, 1.0))})

    def test_projection_needs_a_frobenius_cover(self):
        with pytest.raises(DomainError, match="Frobenius cover"):
            Projection(Box(2, 1.0))

    def test_shares_must_sum_to_one(self):
        with pytest.raises(DomainError, match="sum to 1"):
            replace(mixed(), shares={"A": Fraction(1, 2), "B": Fraction(1, 4), "p": Fraction(1, 5)})

    def test_blocks_of_radius_zero_cost_nothing(self):
        whole = Product(
            {"A": image(Volume(3, 1.0, "l2")), "B": image(Volume(3, 0, "l2")), "C": image(Box(2, 1.0), 0.0)}
        )
        alone = Volume(3, 1.0, "l2").log_covering(0.1)
        assert whole.log_covering(0.1).float_upper() == pytest.approx(alone.float_upper())
        assert whole.by_block(0.1)["B"].upper == 0

    @pytest.mark.parametrize("point", [Box(3, 0), Volume(3, 0, "max")])
    def test_a_block_that_is_a_point_takes_no_share(self, point):
        """Whatever its l1 radius: one of its covers says that it costs nothing."""
        both = Minimum((point, Projection(Maurey(3, 1.0), "max")))
        other = Volume(4, 1.0, "spectral")
        product = Product({"A": image(both, 3.0), "B": image(other)})
        assert product.split(0.1).shares == {"B": 1}
        alone = image(other).log_covering(0.1).float_upper()
        assert product.log_covering(0.1).float_upper() == pytest.approx(alone, rel=1e-14)
        assert product.approximate(np.log([0.1]))[0] == pytest.approx(other.log_covering(0.1).float_upper(), rel=1e-12)

    @pytest.mark.parametrize("eps", [1e-6, 1e-2, 1.0, 30.0])
    def test_the_split_is_nearly_the_best(self, eps):
        """No shift of radius between two blocks gains more than 1e-6 of the cost."""
        blocks = {str(i): image(Volume(2 + 3 * i, 1.0, "l2"), 10.0 ** (2 * i - 4)) for i in range(6)}
        product = Product(blocks)
        shares = {name: float(share) for name, share in product.split(eps).shares.items()}

        def cost(split):
            return sum(
                block.part.dimension * math.log1p(2 * block.constant.float_upper() / (eps * split[name]))
                for name, block in blocks.items()
            )

        best = cost(shares)
        for one, two in itertools.permutations(shares, 2):
            for part in (1e-3, 0.1, 0.5):
                moved = shares | {one: shares[one] * (1 - part), two: shares[two] + shares[one] * part}
                assert cost(moved) > best * (1 - 1e-6)

    def test_empty_product_of_points(self):
        still = Product({"A": image(Box(2, 0))})
        assert still.log_covering(0.1).upper == 0
        assert still.approximate(np.log([0.1, 1.0])).tolist() == [0.0, 0.0]

    @given(st.lists(st.floats(0.05, 1), min_size=3, max_size=3), st.sampled_from([1e-3, 0.1, 1.0, 5.0]))
    def test_no_other_split_is_better(self, weights, eps):
        shares = [Fraction(w) / sum(map(Fraction, weights)) for w in weights]
        other = replace(mixed(), shares=dict(zip("ABp", shares, strict=True)))
        assert mixed().log_covering(eps).lower <= other.log_covering(eps).upper + 1.0  # ceilings: at most one cell
        smooth = Product({k: b for k, b in mixed().blocks.items() if k != "p"})
        pair = replace(
            smooth, shares={"A": shares[0] / (shares[0] + shares[1]), "B": shares[1] / (shares[0] + shares[1])}
        )
        assert float(smooth.log_covering(eps).lower) <= float(pair.log_covering(eps).upper) * (1 + 1e-6)

    def test_power_blocks_reach_the_optimum_of_allocation(self):
        """C.9: far from the ceilings the product of Maurey blocks costs gamma^3/eps^2."""
        blocks = {name: (n, M, b) for name, n, M, b in (("A", 4, 3.0, 2.0), ("B", 9, 1.0, 5.0), ("C", 2, 7.0, 0.5))}
        whole = Product({name: image(Projection(Maurey(n, M), "max"), b) for name, (n, M, b) in blocks.items()})
        alphas = [sympy.log(2 * n + 1) * sympy.Rational(M) ** 2 for n, M, _ in blocks.values()]
        gamma = allocation(alphas, [sympy.Rational(b) for _, _, b in blocks.values()])
        optimum = enclose(gamma**3, {}).float_upper() / 1e-8
        assert whole.log_covering(1e-4).float_upper() == pytest.approx(optimum, rel=1e-5)

    def test_allocation_cannot_be_lowered(self):
        """A 3 % smaller gamma would promise less than any split can reach."""
        a, b = (2.0, 5.0, 0.3), (1.0, 0.2, 4.0)
        gamma = enclose(allocation([sympy.Rational(x) for x in a], [sympy.Rational(x) for x in b]), {}).float_upper()
        rng = np.random.default_rng(1)
        etas = rng.dirichlet(np.ones(3) * 2, size=200_000)
        costs = (np.array(a) * (np.array(b) / etas) ** 2).sum(axis=1)
        assert gamma**3 * (1 - 1e-12) <= costs.min() < 1.01 * gamma**3

    def test_lipschitz_image_is_not_linear_in_l(self):
        """D.4's inner step as printed, ``ln N(l o F, eps) <= l ln N(F, eps)``, fails for l = 1/10."""
        part = Volume(3, 1.0, "l2")
        scaled = LipschitzImage(part, POINT(0.1), "output").log_covering(0.01).float_lower()
        assert scaled > 0.1 * part.log_covering(0.01).float_upper()

    def test_frozen_split_is_valid_elsewhere(self):
        fixed = mixed().split(0.3)
        assert fixed.log_covering(0.1).upper >= mixed().log_covering(0.1).lower
        assert sum(fixed.shares.values()) == 1


def several() -> list[EntropyBound]:
    """Bounds of every class, of several sizes, images with a point among them."""
    plain = [bound for case in CASES.values() for bound in (case.bound, case.scaled, case.larger)]
    return [*plain, *(image(bound, constant) for bound in plain[:12] for constant in (0.0, 0.3, 7.0))]


def test_bounds_together_are_to_the_last_bit_what_each_is_alone():
    bounds = several()
    log_eps = np.random.default_rng(0).uniform(-30, 5, (len(bounds), 7))
    found = approximations(bounds, log_eps)
    for bound, row, values in zip(bounds, log_eps, found, strict=True):
        assert bound.approximate(row).tolist() == values.tolist(), bound


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.integers(1, 400)), min_size=2, max_size=9), st.sampled_from(RADII))
def test_products_at_one_radius_are_to_the_last_bit_what_each_is_alone(sizes, eps):
    """The search for the shares of one ends when its own are found, whatever the others still need."""
    products = [mixed(radius, size) for radius, size in sizes]
    products += [Product({"B": image(Volume(size, radius, "spectral"))}) for radius, size in sizes[:3]]
    products.append(Product({"B": image(Volume(3, 0, "spectral"))}))
    at = np.log(eps)
    assert approximate_all(products, at) == [float(product.approximate(np.array([at]))[0]) for product in products]


def test_products_with_fixed_shares_choose_none():
    with pytest.raises(DomainError, match="choose"):
        approximate_all([mixed().split(0.5)], 0.0)
