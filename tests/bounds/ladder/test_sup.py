"""Margin PAC-Bayes on a box that moves no output by half a margin (theory M5.4, sup form)."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from flint import arb

from ssm_bounds.bounds.architectures.mamba.heads import BLOCKS2, OF_READOUT, Fixed
from ssm_bounds.bounds.architectures.mamba.windows import Windows
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.ladder import one_block
from ssm_bounds.bounds.ladder.sup import Block2, certified2, fitted2
from ssm_bounds.bounds.ladder.telescope import Family
from tests.one_block2 import derivatives2, output2, shapes2

DELTA, M, T = Fraction(1, 20), 4000, 4


def points(values: dict[str, np.ndarray]) -> dict:
    return {name: (value, value) for name, value in values.items()}


@pytest.fixture(scope="module")
def block() -> Block2:
    rng = np.random.default_rng(0)
    center = {name: rng.normal(size=shape) for name, shape in shapes2(2, 2, 2, 1, 2, 2).items()}
    start = {name: np.zeros_like(value) for name, value in center.items()}
    fixed = Fixed(1, (0.0, 2.0), 1e-5)
    return Block2(points(center), start, Windows.of(2, 2, T), T, Enclosure.point(0), fixed=fixed)


@pytest.fixture(scope="module")
def family(block) -> Family:
    return Family(block)


@pytest.fixture
def margins() -> np.ndarray:
    return np.abs(np.random.default_rng(5).normal(size=M)) * 40 - 1


def test_it_is_the_claim_evaluated_by_hand(family, margins):
    found = family.risk(margins, M, DELTA)
    q, g = found.posterior, float(found.posterior.g)
    assert q.never_above and q.tail.float_upper() == 0
    even = q.even.float_upper()
    assert 0.49 < even < 0.5  # the box is as wide as half a margin lets it be
    mean = np.mean(margins / g - 0.5 <= even)
    assert mean <= float(found.mean) <= mean + 0.01  # margins are rounded down to a grid
    level = (q.divergence.float_upper() + q.price.float_upper() + math.log(math.sqrt(math.pi * M / 2) / 0.05)) / M
    by_hand = kl_inv(found.mean, Enclosure.point(level)).float_upper()
    assert found.risk.float_upper() == pytest.approx(by_hand, rel=1e-3)


def test_a_box_too_wide_says_nothing(block):
    own = block.over(Fraction(1))
    width = {name: 1.1 * h for name, h in fitted2(own).items()}
    q = certified2(own, width, Fraction(1))
    assert q.even.float_lower() > 0.5 and q.tail.float_upper() == 1
    assert q.risk(Fraction(0), M, DELTA).float_upper() == 1


@pytest.mark.parametrize("name", ["A_log", "K"])
def test_a_centre_beyond_float64_has_no_widths(block, name):
    far = replace(block, center=block.center | points({name: np.full(block.center[name][0].shape, -1e200)}))
    assert fitted2(far) is None and far.posteriors(Fraction(1)) == ()


def test_no_draw_from_the_box_moves_by_half_the_margin(block):
    """Nor does ascent to its corners; far wider boxes do."""
    own = block.over(Fraction(1))
    width = fitted2(own)
    center = {name: low for name, (low, _) in own.center.items()}

    def furthest(scale: float) -> float:
        reached, rng = 0.0, np.random.default_rng(0)
        for tokens in ([0], [1, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1]):
            z = output2({name: torch.tensor(x) for name, x in center.items()}, own.fixed, tokens).item()
            for sign in (1, -1, 0):
                point = center
                for _ in range(4):
                    slope = derivatives2(point, own.fixed, tokens)
                    to = {n: np.sign(sign * slope[n]) if sign else rng.uniform(-1, 1, slope[n].shape) for n in BLOCKS2}
                    point = {name: center[name] + scale * width[name] * to[name] for name in BLOCKS2}
                    moved = output2({name: torch.tensor(x) for name, x in point.items()}, own.fixed, tokens).item()
                    reached = max(reached, abs(moved - z))
        return reached

    assert 0.04 < furthest(1.0) < 0.5
    assert furthest(20.0) > 0.5


def test_widths_are_about_the_best(block):
    """No block's widths can be traded for another's at less KL, to second order: the optimum of the search is one."""
    own = block.over(Fraction(1))
    width = fitted2(own)
    best = certified2(own, width, Fraction(1))
    for name in BLOCKS2:
        for factor in (0.7, 1.4):
            other = certified2(own, width | {name: width[name] * factor}, Fraction(1))
            scale = 0.4999 / other.even.float_upper()
            again = certified2(
                own, {n: h * scale for n, h in (width | {name: width[name] * factor}).items()}, Fraction(1)
            )
            if again.even.float_upper() < 0.5:
                assert again.divergence.float_upper() >= best.divergence.float_upper() - 1.0, (name, factor)


def test_the_tail_falls_at_the_largest_move(block):
    own = block.over(Fraction(1))
    q = certified2(own, fitted2(own), Fraction(1))
    even = q.even.float_upper()
    assert q._tail(arb(even)) == 1 and q._tail(arb(np.nextafter(even, 1))) == 0


def test_it_is_useful_and_shrinks_with_m(family, margins):
    few, many = (family.risk(margins[:n], n, DELTA).risk.float_upper() for n in (1000, M))
    assert many < few < 1


def test_huge_constants_give_no_posterior(block):
    center = {name: low * (1e100 if name == "K" else 1.0) for name, (low, _) in block.center.items()}
    huge = replace(block, center=points(center))
    rung = one_block.pac_bayes(Family(huge), Fraction(1), 100, DELTA, np.ones(100))
    assert rung.vacuous and rung.risk.float_upper() == 1


def test_every_number_is_paid_for(block):
    assert block.numbers == sum(math.prod(shape) for shape in shapes2(2, 2, 2, 1, 2, 2).values())
    over = block.over(Fraction(4))
    for name in BLOCKS2:
        share = 4.0 if name in OF_READOUT else 1.0
        assert np.array_equal(over.center[name][0] * share, block.center[name][0]), name


def test_the_argument_says_what_holds(family, margins):
    rung = one_block.pac_bayes(family, Fraction(1), M, DELTA, margins)
    words = " ".join(rung.argument.words())
    assert "no input moves by more than E" in words and "omega and rho in units of g" in words
    assert [formula.name for formula in rung.argument.formulas()] == ["level", "excess"]
