"""theory M4.2 and M4.3 from primitives: M8's example 4, coefficients against unit moves, overflow."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba.perturbation import (
    Channels,
    Gate,
    Moves1,
    Primitives1,
    coefficients1,
    joined,
    largest_input,
    lipschitz1,
    mamba1,
    normed_output_move,
    output_move,
    reach1,
    readout_move,
)
from tests.bounds.architectures.mamba.test_suprema import close


def one(value: float) -> np.ndarray:
    return np.array([float(value)])


def example(r, r_z, K, b, X_B, X_C, X_dt, W_dt, p, A_log, D, W_o) -> Primitives1:
    rate = one(np.exp(A_log))
    return Primitives1(
        radius=1.0, x=Channels(one(r), one(0), one(K), (one(b), one(b))), z=Gate(one(r_z), (one(0), one(0))), b=b,
        R_x=r, kmax=one(K), X_B=X_B, X_C=X_C, X_dt=X_dt, W_dt=one(W_dt), p=one(p), rates=(rate, rate), D=one(D),
        W_o=W_o,
    )  # fmt: skip


FIRST = 1, 0.5, 0.8, 0.1, 1.2, 0.7, 0.5, 1, -1, -0.3, 0.4, 2
SECOND = 1.1, 0.6, 0.75, 0.15, 1.1, 0.8, 0.45, 1.1, -0.9, -0.2, 0.5, 2.1
AT = joined(example(*FIRST), example(*SECOND))
_apart = np.abs(np.subtract(FIRST, SECOND))
BY = Moves1(
    x=one(_apart[0]), z=one(_apart[1]), K=one(_apart[2]), b=one(_apart[3]), X_B=_apart[4], X_C=_apart[5],
    X_dt=_apart[6], W_dt=one(_apart[7]), p=one(_apart[8]), A_log=one(_apart[9]), D=one(_apart[10]), W_o=_apart[11],
    b_o=0.0,
)  # fmt: skip


class TestExample:
    """M8, 4."""

    def test_suprema(self):
        reach = reach1(AT, 4)
        assert close(largest_input(AT), 0.7590233727)
        for name, printed in (
            ("U", 0.7590233727), ("slope", 0.9366028799), ("M", 0.4807058052), ("first", 1.218356607),
            ("gate", 1.435294516), ("rate", 0.5305253489), ("Y", 0.8909710149), ("Z", 0.3873937837),
        ):  # fmt: skip
            assert close(float(getattr(reach, name)[0]), printed), name

    def test_moves(self):
        moved = mamba1(AT, BY, 4)
        for name, printed in (("u", 0.1732715328), ("logit", 0.2749967972), ("y", 0.8073279373)):
            assert close(float(getattr(moved, name)[0]), printed), name
        assert close(output_move(moved, AT.W_o, BY.W_o, BY.b_o), 0.8377873718)

    def test_a_readout_of_one_channel_is_the_output(self):
        moved = mamba1(AT, BY, 4)
        assert close(readout_move(moved, one(AT.W_o), one(BY.W_o)), 0.8377873718)


def wide(d: int = 3) -> Primitives1:
    """Channels that differ."""
    rng = np.random.default_rng(0)
    some = lambda: rng.uniform(0.2, 1, d)  # noqa: E731
    b, c_z, slow = some(), some(), some()
    return Primitives1(
        radius=1.5, x=Channels(some(), some(), some(), (-b, b / 2)), z=Gate(some(), (-c_z, c_z / 2)), b=0.8, R_x=0.9,
        kmax=rng.uniform(0.2, 1, 2), X_B=0.9, X_C=0.8, X_dt=0.7, W_dt=some(), p=some() - 1, rates=(slow, slow * 3),
        D=some(), W_o=1.2,
    )  # fmt: skip


NONE = Moves1(*(np.zeros(3) if f.type == "Floats" else 0.0 for f in fields(Moves1)))


def test_the_smaller_bound_of_the_inputs():
    at = replace(wide(), b=0.3, R_x=0.2, kmax=np.array([0.25, 0.5]))
    linear = 0.3 + np.linalg.norm(at.x.kappa * at.x.offset) + 1.5 * 0.2 * 0.75
    U = np.linalg.norm(reach1(at, 3).U)
    assert linear < U and largest_input(at) == pytest.approx(linear, rel=1e-12) and largest_input(at) >= linear
    assert largest_input(replace(at, R_x=9.0)) == pytest.approx(U, rel=1e-12)


@pytest.mark.parametrize("block", ["W_o", "X_B", "X_C", "X_dt"])
def test_the_coefficient_of_a_matrix_is_its_unit_move(block):
    at = wide()
    by = replace(NONE, **{block: 1.0})
    bound = output_move(mamba1(at, by, 9), at.W_o, by.W_o, by.b_o)
    assert coefficients1(at, 9)[block] == pytest.approx(bound, rel=1e-12)


@pytest.mark.parametrize("block", ["r_z", "c_z", "D", "p", "W_dt", "A_log", "b", "K", "r", "c"])
def test_the_coefficient_of_a_channel_is_its_unit_move(block):
    at = wide()
    name, unit = {"r_z": ("z", 1.5), "c_z": ("z", 1.0), "r": ("x", 1.5), "c": ("x", 1.0)}.get(block, (block, 1.0))
    for j in range(3):
        by = replace(NONE, **{name: unit * np.eye(3)[j]})
        bound = output_move(mamba1(at, by, 9), at.W_o, 0.0, 0.0)
        assert coefficients1(at, 9)[block][j] == pytest.approx(bound, rel=1e-12)


def test_a_move_of_inputs_is_one_of_both_halves():
    at = wide()
    by = replace(NONE, x=at.x.rows, z=at.z.rows)
    assert lipschitz1(at, 9) == output_move(mamba1(at, by, 9), at.W_o, 0.0, 0.0) > 0


def test_a_norm_divides_by_its_eps_and_puts_out_no_more_than_the_rms():
    moved = mamba1(wide(), replace(NONE, D=np.full(3, 0.1)), 9)
    through = normed_output_move(moved, 2.0, 0.0, 0.0, eps=0.25, groups=1)
    assert through == pytest.approx(2 * 2 * np.linalg.norm(moved.w), rel=1e-12)
    w = np.linalg.norm(moved.size) / np.sqrt(3)
    length = np.sqrt(3) * w / np.sqrt(w * w + 0.25)
    assert normed_output_move(moved, 0.0, 1.0, 0.5, eps=0.25, groups=1) == pytest.approx(0.5 + length, rel=1e-12)


def test_overflow_is_infinity():
    at = replace(wide(), X_B=1e308, X_C=1e308, X_dt=1e308)
    assert output_move(mamba1(at, replace(NONE, X_B=1.0), 9), at.W_o, 0.0, 0.0) == np.inf
    assert readout_move(mamba1(at, replace(NONE, X_B=1.0), 9), np.zeros(3), np.zeros(3)) == np.inf
