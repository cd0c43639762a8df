"""Formulas of theory M6.4 in a second writing, on random numbers: a term that is dropped or too small is seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba import last as last_module
from ssm_bounds.bounds.architectures.mamba.last import (
    ENTRY,
    Readout,
    ReadoutMoves,
    around,
    columns,
    divisor,
    furthest,
    input_move,
    moved,
    output_moves,
)
from ssm_bounds.bounds.architectures.mamba.perturbation import Moved, Moves1, Moves2, Primitives1, mamba1, mamba2
from tests.bounds.ladder.test_last_block import KINDS, T, block_of

CLOSE = 1 + 1e-11


def a_move(rng: np.random.Generator, d: int) -> Moved:
    return Moved(**{name: np.abs(rng.normal(size=d)) for name in Moved.__slots__})


@pytest.mark.parametrize("eps", [None, 0.3])
def test_far_and_near_are_the_sums_of_all_their_terms(eps):
    rng, d = np.random.default_rng(3), 7
    for _ in range(20):
        readout = Readout(np.abs(rng.normal(size=d)), *map(float, np.abs(rng.normal(size=2))), eps, 0.25)
        by = ReadoutMoves(np.abs(rng.normal(size=d)), *map(float, np.abs(rng.normal(size=2))))
        at = a_move(rng, d)
        s, e = 1.0, 0.0
        if eps is not None:
            s, e = math.sqrt(float(np.mean(at.size**2)) + eps), math.sqrt(float(np.mean(at.w**2)))
        through = math.fsum(readout.omega * at.w + by.omega * at.size)
        far = s * by.line + readout.line * e
        near = (s * by.beta + readout.beta * e + through) / 0.25
        for found, exact in zip(
            (*divisor(readout, at), *output_moves(readout, by, at)), (s, e, far, near), strict=True
        ):
            assert exact * (1 - 2.0**-50) <= found <= exact * CLOSE


def test_an_input_moves_as_its_columns_do_each_by_its_own_reach():
    rng = np.random.default_rng(4)
    for _ in range(20):
        by, reach, radius = rng.uniform(0, 0.03, size=4), rng.uniform(1, 4, size=4), float(rng.uniform(1, 3))
        delta = math.fsum(by * reach)
        exact = radius * delta / (1 - delta)
        assert exact * (1 - 2.0**-50) <= input_move(by, reach, radius) <= exact * CLOSE
    triangle = rng.normal(size=6)
    assert np.allclose(columns(triangle, 3), [abs(triangle[0]), math.hypot(*triangle[1:3]), math.hypot(*triangle[3:])])


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("alone", [True, False])
def test_an_input_that_moves_is_read_by_every_row_of_in_proj(kind, alone):
    """M4.3: by those of the channels, of the gate and, of Mamba-2, of the steps."""
    own, rng = block_of(kind, True).own, np.random.default_rng(5)
    box = {name: (not alone) * rng.uniform(0.001, 0.01, size=low.shape) for name, (low, _) in own.center.items()}
    box[ENTRY] = rng.uniform(0.001, 0.01, size=box[ENTRY].shape)
    at, _ = around(own, box)
    dv = input_move(columns(box[ENTRY], 2), own.reach, at.radius)
    length = lambda name: np.linalg.norm(box[name], axis=1) if box[name].ndim == 2 else box[name]  # noqa: E731
    taps, gate = np.abs(box["K"]).sum(axis=1), at.radius * length("R_z") + at.z.rows * dv
    if isinstance(at, Primitives1):
        whole = {name: float(np.linalg.norm(box[name])) for name in ("X_B", "X_C", "X_dt")}
        by1 = Moves1(
            x=at.radius * length("R_x") + at.x.rows * dv, K=taps, b=box["b"], z=gate, **whole, W_dt=length("W_dt"),
            p=box["p"], A_log=box["A_log"].max(axis=1), D=box["D"], W_o=0.0, b_o=0.0,
        )  # fmt: skip
        expected = mamba1(at, by1, T)
    else:
        by2 = Moves2(
            xBC=at.radius * length("R_xBC") + at.xBC.rows * dv, K=taps, b=box["b"], z=gate,
            logit=box["p"] + at.radius * length("R_dt") + at.r_dt * dv, A_log=box["A_log"], D=box["D"],
            W_o=0.0, b_o=0.0,
        )  # fmt: skip
        expected = mamba2(at, by2, T)
    found = moved(own, at, box)
    for name in Moved.__slots__:
        one, two = getattr(found, name), getattr(expected, name)
        assert (one > 0).all() and np.allclose(one, two, rtol=1e-11, atol=0), name


@pytest.mark.parametrize(("kind", "real"), KINDS)
def test_moduli_of_omega_are_those_of_the_whole_box(kind, real):
    own, rng = block_of(kind, real).own, np.random.default_rng(6)
    box = {name: rng.uniform(0.1, 1, size=low.shape) for name, (low, _) in own.center.items()}
    _, found = around(own, box)
    middle = {name: low + (high - low) / 2 for name, (low, high) in own.center.items()}
    assert np.allclose(found.omega, np.abs(middle["omega"]) + box["omega"], rtol=1e-12, atol=0)
    assert (found.omega >= np.abs(middle["omega"]) + box["omega"]).all()
    for name in ("line", "beta"):
        assert math.isclose(getattr(found, name), float(np.linalg.norm(middle[name])), rel_tol=1e-12)


@pytest.mark.parametrize(
    ("pair", "most"), [((1.0, 2.0), 2.0), ((2.0, 1.0), 2.0), ((1.0, math.nan), math.inf), ((math.nan, 1.0), math.inf)]
)
def test_the_larger_of_both_counts_and_no_number_is_no_bound(monkeypatch, pair, most):
    block = block_of(1, False)
    monkeypatch.setattr(last_module, "on_box", lambda last, box: pair)
    assert furthest(block.own, {}) == most
