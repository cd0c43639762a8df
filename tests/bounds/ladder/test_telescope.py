"""Margin PAC-Bayes on a box (theory M5.3, M5.4): the exact example, the proof by simulation, and its evaluation."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba.telescope import BLOCKS, Slopes, box, slopes
from ssm_bounds.bounds.architectures.mamba.windows import Windows
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.ladder import one_block, telescope
from ssm_bounds.bounds.ladder.margin_rows import Rows
from ssm_bounds.bounds.ladder.telescope import Block, Family, Posterior, certified, move, scale_weight
from ssm_bounds.bounds.values import DomainError
from tests.one_block import output, shapes

DELTA = Fraction(1, 20)
M = 4000


def points(values: dict[str, np.ndarray]) -> dict:
    return {name: (value, value) for name, value in values.items()}


def small(seed: int = 0, V: int = 2, d: int = 2, N: int = 2, R: int = 1, k: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) for name, shape in shapes(V, d, N, R, k).items()}


@pytest.fixture(scope="module")
def block() -> Block:
    center = small()
    start = {name: np.zeros_like(value) for name, value in center.items()}
    return Block(points(center), start, Windows.of(2, 2, 5), 5, Enclosure.point(0))


def test_the_exact_example():
    """M8, example 5, where xi(m) is taken as 2 sqrt m."""
    s, h, s2 = (np.array(values) for values in ((1.0, 2.0, 0.5), (0.1, 0.03, 0.2), (0.5, 0.0, 0.1)))
    square, even = move(Slopes({"b": s}, {"b": s2}), {"b": h})
    assert math.sqrt(2 / 3 * math.log(1000) * square) + even == pytest.approx(0.3341695564, rel=1e-9)
    moved = np.array([0.7, -0.4, 1.2])
    nats = (np.log(math.sqrt(2 * math.pi) / (2 * h)) + (moved**2 + h**2 / 3) / 2).sum()
    assert nats == pytest.approx(9.149438294, rel=1e-9)
    paid = -math.log(scale_weight(0))
    assert paid == pytest.approx(1.098612289, rel=1e-9)
    right = (nats + paid + math.log(2 * math.sqrt(1000) / 0.05)) / 1000
    assert right == pytest.approx(0.01739080768, rel=1e-9)
    inverse = kl_inv(Fraction("0.011"), Enclosure.point(Fraction(right))).float_upper()
    assert inverse == pytest.approx(0.04281726833, rel=1e-8)
    assert inverse / (1 - 0.001) == pytest.approx(0.04286012845, rel=1e-8)


def test_the_divergence_is_that_of_the_example(block):
    """``certified`` writes the same KL, prior scale by prior scale."""
    width = {name: np.full(low.shape, 0.01) for name, (low, _) in block.center.items()}
    found = certified(block, width, Fraction(1))
    for name, (low, _) in block.center.items():
        variance, n = 2.0 ** found.scales[name], low.size
        nats = n * math.log(math.sqrt(2 * math.pi * variance) / 0.02)
        nats += ((low - block.start[name]) ** 2).sum() / (2 * variance) + n * 0.01**2 / (6 * variance)
        assert found.by_block[name].float_upper() == pytest.approx(nats, rel=1e-12)
    price = sum(math.log(1.5 * (abs(j) + 1) * (abs(j) + 2)) for j in found.scales.values())
    assert found.price.float_upper() == pytest.approx(price, rel=1e-12)


def test_weights_of_scales_sum_to_one_at_most():
    partial = sum(scale_weight(j) for j in range(-2000, 2001))
    assert 0.999 < partial < 1


def test_the_tail_holds_over_the_posterior():
    """Draws from Q move z by more than t with the frequency that the claim allows; half the spread does not do."""
    import torch

    center, T, rng = small(3), 4, np.random.default_rng(0)
    width = {name: np.full(value.shape, 0.02) for name, value in center.items()}
    found = slopes(box(points(center), width), Windows.of(2, 2, T), T)
    square, even = move(found, width)
    tokens, moves = [0, 1, 1, 0], []
    at = {name: torch.tensor(value, dtype=torch.float64) for name, value in center.items()}
    z = output(at, tokens).item()
    for _ in range(400):
        drawn = {name: torch.tensor(v + width[name] * rng.uniform(-1, 1, v.shape)) for name, v in center.items()}
        moves.append(output(drawn, tokens).item() - z)
    q = Posterior(Fraction(1), Enclosure.point(square), Enclosure.point(even), {}, {}, Enclosure.point(0))
    for share in (0.5, 0.2, 0.05):
        t = even + math.sqrt(2 / 3 * math.log(1 / share) * square)
        assert float(q._tail(Enclosure.point(t).upper)) == pytest.approx(share, rel=1e-9)
        assert np.mean(np.array(moves) > t) <= share
    # the claim is no empty one: the moves are a good part of its spread
    assert np.std(moves) >= 0.02 * math.sqrt(square / 3)


def test_uniform_moves_reach_the_tail_of_a_linear_function():
    """z = sum_i theta_i has s_i = 1: four times the constant is false, and Chernoff's factor is attained at l = 0."""
    n, rng = 400, np.random.default_rng(1)
    moves = np.sort(rng.uniform(-1, 1, size=(20000, n)).sum(axis=1))
    share = 0.1
    for constant, holds in ((1.5, True), (6.0, False)):
        t = math.sqrt(math.log(1 / share) * n / constant)
        assert bool(np.mean(moves > t) <= share) is holds
    # E exp(l odd) <= exp(l^2 s^2 h^2/6) is attained to second order
    small_l = 1e-2
    assert math.log(math.sinh(small_l) / small_l) >= 0.999 * small_l**2 / 6


def test_only_the_last_token_counts_in_the_tables_of_tokens():
    first = {"Om": np.array([[3.0, 4.0], [1.0, 1.0]]), "rho": np.array([1.0, 1.0]), "b": np.array([2.0])}
    zero = {name: np.zeros_like(value) for name, value in first.items()}
    square, even = move(Slopes(first, zero), {name: np.ones_like(value) for name, value in first.items()})
    assert square == pytest.approx(3**2 + 4**2 + 1 + 2**2) and square >= 30
    assert even <= 1e-290


class TestRisk:
    @pytest.fixture
    def margins(self) -> np.ndarray:
        return np.abs(np.random.default_rng(5).normal(size=M)) * 40 - 1

    def test_it_is_the_claim_evaluated_by_hand(self, block, margins):
        found = Family(block).risk(margins, M, DELTA)
        q, g = found.posterior, float(found.posterior.g)
        square, even = q.square.float_upper(), q.even.float_upper()

        def f(t):
            return math.exp(-1.5 * (t - even) ** 2 / square) if t > even else 1.0

        mean = np.mean([f(mu / g - 0.5) for mu in margins])
        assert float(found.mean) >= mean
        assert float(found.mean) <= mean + 0.01  # margins are rounded down to a grid
        xi = math.sqrt(math.pi * M / 2)
        level = (q.divergence.float_upper() + q.price.float_upper() + math.log(xi / 0.05)) / M
        by_hand = kl_inv(found.mean, Enclosure.point(level)).float_upper() / (1 - f(0.5))
        assert found.risk.float_upper() == pytest.approx(by_hand, rel=1e-3)

    def test_never_more_than_the_count_of_margin_errors(self, block, margins):
        found = Family(block).risk(margins, M, DELTA)
        q = found.posterior
        errors = Fraction(int((margins <= float(q.g)).sum()), M) + Fraction(q.tail.float_upper())
        assert found.mean <= errors

    def test_it_is_useful_and_shrinks_with_m(self, block, margins):
        few, many = (Family(block).risk(margins[:n], n, DELTA).risk.float_upper() for n in (1000, M))
        assert many < few < 1

    def test_no_positive_margin_no_bound(self, block):
        assert Family(block).risk(np.full(10, -1.0), 10, DELTA) is None

    def test_the_margin_has_a_range(self, block):
        with pytest.raises(DomainError, match="margin"):
            Family(block).at(Fraction(1, 10**200))

    def test_margins_of_which_nothing_is_known_count_as_errors(self, block, margins):
        unknown = np.where(np.arange(M) % 2 == 0, -np.inf, margins)
        assert Family(block).risk(unknown, M, DELTA).mean >= Fraction(1, 2)


def test_huge_constants_give_no_posterior():
    center = small()
    center["K"] = center["K"] * 1e100
    block = Block(points(center), small(1), Windows.of(2, 2, 5), 5, Enclosure.point(0))
    rung = one_block.pac_bayes(Family(block), Fraction(1), 100, DELTA, np.ones(100))
    assert rung.vacuous and rung.risk.float_upper() == 1


def test_formulas_are_what_was_evaluated(block):
    rung = one_block.pac_bayes(Family(block), Fraction(1), M, DELTA)
    for formula in rung.argument.formulas():
        values = {symbol: value.worst() for symbol, value in formula.where.items()}
        again = enclose(formula.expression, {symbol: value.upper for symbol, value in values.items()})
        assert again.float_upper() == pytest.approx(formula.value.float_upper(), rel=1e-9), formula.name


def test_every_number_is_paid_for(block):
    sizes = sum(math.prod(shape) for shape in shapes(2, 2, 2, 1, 2).values())
    assert block.numbers == sizes
    assert set(
        certified(block, {n: np.ones(v[0].shape) for n, v in block.center.items()}, Fraction(1)).by_block
    ) == set(BLOCKS)


def test_a_margin_divides_what_is_read_out(block):
    over = block.over(Fraction(3))
    for name, (low, high) in over.center.items():
        true = block.center[name][0] / (3.0 if name in telescope.OF_TOKENS else 1.0)
        assert (low <= true).all() and (true <= high).all()
        assert np.allclose(low, high, rtol=1e-15)


def test_rows_are_those_of_theory_8_3():
    assert Rows.of(np.array([0.3, 2.0]), Fraction(1)).low == 1
