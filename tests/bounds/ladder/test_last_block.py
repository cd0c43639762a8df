"""Margin PAC-Bayes of a last block over the ball of its norm (theory M5.4, M6.4)."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from ssm_bounds.bounds.architectures.mamba.last import ENTRY, OF_READOUT, input_move, on_box
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder import one_block
from ssm_bounds.bounds.ladder.last_block import NAME, LastBlock, certified_last, fitted_last
from ssm_bounds.bounds.ladder.telescope import Family
from ssm_bounds.models.mamba.last import distances
from ssm_bounds.models.mamba.last import last as last_of
from tests.last_block import normed, output, shapes, tensors
from tests.mamba import around, mamba1, mamba2, normal

DELTA, M, T = Fraction(1, 20), 4000, 5
KINDS = [(1, False), (2, False), (1, True), (2, True)]


def classifier(kind: int, real: bool, seed: int = 0):
    D = 3
    layer = (mamba1 if kind == 1 else mamba2)(seed, D=D, N=2, k=2, **({"R": 1} if kind == 1 else {"H": 2}))
    draw = normal(seed)
    model = around(layer.mixer, draw, 2, D, 1)
    model = replace(model, layers=(replace(layer, norm=replace(model.layers[0].norm, gamma=draw(D))),))
    return replace(model, embedding=None, input_weight=draw(D, 1), input_bias=draw(D)) if real else model


def block_of(kind: int, real: bool, seed: int = 0, unit: float = 2.0) -> LastBlock:
    found = last_of(classifier(kind, real, seed), T, unit)
    start = {name: np.zeros_like(low) for name, (low, _) in found.center.items()}
    return LastBlock(found, start, Enclosure.point(0))


@pytest.mark.parametrize(("kind", "real"), KINDS)
def test_no_point_of_the_box_moves_by_half_the_margin(kind, real):
    """By ascent over inputs, features and the box; far wider boxes do."""
    block = block_of(kind, real).over(Fraction(1))
    width = fitted_last(block)
    assert max(on_box(block.own, width)) < 0.5
    eps, D, own = block.last.eps, 3, block.own
    center = tensors({name: low + (high - low) / 2 for name, (low, high) in own.center.items()})
    half, rng = tensors(width), np.random.default_rng(0)

    def furthest(scale: float) -> float:
        best = 0.0
        for _ in range(2):
            free = {name: torch.tensor(rng.normal(size=x.shape), requires_grad=True) for name, x in half.items()}
            x, phi = (
                torch.tensor(rng.normal(size=shape), requires_grad=True)
                for shape in ((T, 1 if real else D), (1 if real else D,))
            )
            optimiser = torch.optim.Adam([*free.values(), x, phi], lr=0.2)
            for _ in range(20):
                to = {name: center[name] + scale * half[name] * torch.tanh(free[name]) for name in half}
                feature = x[-1] if real else phi * 10
                v, v_ = (
                    (normed(at[ENTRY], x, D) if real else x / (x.square().mean(dim=1, keepdim=True) + 1e-5).sqrt())
                    for at in (center, to)
                )
                moved = (output(to, v_, feature, own.unit, eps) - output(center, v, feature, own.unit, eps)).abs()
                best = max(best, moved.item())
                optimiser.zero_grad()
                (-moved).backward()
                optimiser.step()
        return best

    assert 1e-4 < furthest(1.0) < 0.5
    assert max(map(furthest, (30.0, 300.0, 3000.0))) > 0.5


def test_the_largest_constants_are_attained():
    """Where nothing is scanned, the readout and a far feature reach what is allowed."""
    model = classifier(1, False)
    own = model.layers[0].mixer
    d = len(own.D)
    bare = replace(
        own,
        X_B=0 * own.X_B,
        R_x=np.eye(3)[[0] * d] * 0.5,
        R_z=np.eye(3)[[0] * d] * 0.7,
        K=np.ones_like(own.K),
        b=0 * own.b,
    )
    found = last_of(
        replace(
            model, layers=(replace(model.layers[0], norm=replace(model.layers[0].norm, gamma=np.ones(3)), mixer=bare),)
        ),
        T,
        2.0,
    )
    none = {name: np.zeros_like(low) for name, (low, _) in found.center.items()}
    v = torch.zeros(T, 3, dtype=torch.float64)
    v[:, 0] = math.sqrt(3)
    at = tensors({name: low for name, (low, _) in found.center.items()})
    for name, phi in (("omega", torch.zeros(3)), ("line", 1e8 * torch.ones(3)), ("beta", torch.zeros(3))):
        box = none | {name: none[name] + 0.01}
        to = at | {name: at[name] + 0.01}
        moved = abs((output(to, v, phi.double(), 2.0, None) - output(at, v, phi.double(), 2.0, None)).item())
        most = max(on_box(found, box))
        assert 0.97 * most < moved <= most, name


def test_a_map_of_inputs_is_as_far_from_0_as_its_columns_are_apart():
    """1/nu is attained: by the input that comes nearest to the span of the other columns, and by none further."""
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(5, 3))
    found = distances(columns)
    for k in range(3):
        others = np.delete(columns, k, axis=1)
        rest = columns[:, k] - others @ np.linalg.lstsq(others, columns[:, k], rcond=None)[0]
        assert 1 <= found[k] * np.linalg.norm(rest) < 1 + 1e-9
    assert input_move(np.array([0.6]), np.array([1.0]), 2.0) >= 4  # both are in the ball
    assert 0.0202 <= input_move(np.array([0.01]), np.array([1.0]), 2.0) < 0.02021


@pytest.fixture(scope="module")
def family() -> Family:
    return Family(block_of(1, False))


def test_the_risk_is_that_of_the_sup_form(family):
    margins = np.abs(np.random.default_rng(5).normal(size=40 * M)) * 40 - 1
    found = family.risk(margins, len(margins), DELTA)
    q = found.posterior
    assert q.never_above and q.tail.float_upper() == 0 and 0.49 < q.even.float_upper() < 0.5
    mean = np.mean(margins / float(q.g) - 0.5 <= q.even.float_upper())
    assert mean <= float(found.mean) <= mean + 0.01
    assert found.risk.float_upper() < 1
    rung = one_block.pac_bayes(family, Fraction(1), len(margins), DELTA, margins, name=NAME)
    words = " ".join(rung.argument.words())
    assert rung.name == NAME and "omega, line and beta in units of g" in words and "in the ball" in words


@pytest.mark.parametrize(("kind", "real"), KINDS)
def test_every_number_is_paid_for(kind, real):
    block = block_of(kind, real)
    D, sizes = 3, shapes(kind, 3, 1 if real else 0)
    d = len(block.center["omega"][0])
    assert d == 2 * D and block.numbers == sum(low.size for low, _ in block.center.values())
    assert block.center.keys() == sizes.keys()
    over = block.over(Fraction(4))
    for name in sizes:
        share = 4.0 if name in OF_READOUT else 1.0
        assert np.allclose(over.center[name][0] * share, block.center[name][0], rtol=1e-12), name


def test_widths_are_about_the_best():
    block = block_of(1, False).over(Fraction(1))
    width = fitted_last(block)
    best = certified_last(block, width, Fraction(1)).divergence.float_upper()
    for name in width:
        for factor in (0.6, 1.6):
            other = {**width, name: width[name] * factor}
            scale = 0.4999 / max(on_box(block.own, other))
            again = {n: h * scale for n, h in other.items()}
            if max(on_box(block.own, again)) < 0.5:
                found = certified_last(block, again, Fraction(1)).divergence.float_upper()
                assert found >= best - 2.0, (name, factor, found - best)


def test_what_is_beyond_float64_has_no_posterior():
    block = block_of(1, False)
    huge = replace(
        block, last=replace(block.last, at=replace(block.last.at, x=replace(block.last.at.x, kappa=np.full(6, 1e300))))
    )
    assert huge.posteriors(Fraction(1)) == ()
