"""Derivatives of one Mamba-2 block on a box, and how far it moves there (theory M4.4, M5.2): attacks, tightness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from ssm_bounds.bounds.architectures.mamba.heads import BLOCKS2, Fixed, Slopes2, by_entry, move2, slopes2
from ssm_bounds.bounds.architectures.mamba.perturbation import Channels, Gate, Moves2, Primitives2, mamba2
from ssm_bounds.bounds.architectures.mamba.suprema import modulus
from ssm_bounds.bounds.architectures.mamba.telescope import box
from ssm_bounds.bounds.architectures.mamba.windows import Windows
from ssm_bounds.bounds.evaluate.outward import exp_above, exp_below, norm
from tests.one_block2 import derivatives2, output2, shapes2

PLAIN, NORMED = Fixed(1, (0.0, np.inf), None), Fixed(1, (0.0, np.inf), 1e-5)


def around(center: dict[str, np.ndarray], width: dict[str, np.ndarray]) -> dict:
    return box({name: (value, value) for name, value in center.items()}, width)


def widths(center: dict[str, np.ndarray], width: float) -> dict[str, np.ndarray]:
    return {name: np.full(value.shape, width) for name, value in center.items()}


def found(center: dict[str, np.ndarray], fixed: Fixed, T: int, width: float = 0.0) -> Slopes2:
    windows = Windows.of(len(center["rho"]), center["K"].shape[1], T)
    return slopes2(around(center, widths(center, width)), windows, fixed, T)


def inputs(V: int, T: int) -> list[list[int]]:
    return [list(x) for length in range(1, T + 1) for x in itertools.product(range(V), repeat=length)]


def one(**values: float) -> dict[str, np.ndarray]:
    """A block of single numbers, 1 where nothing is said."""
    return {name: np.full(shape, values.get(name, 1.0)) for name, shape in shapes2(1, 1, 1, 1, 1, 1).items()}


def ratios(center: dict, fixed: Fixed, T: int, point: dict, width: float) -> dict[str, float]:
    """The largest share of its bound that each derivative has over all inputs; none may exceed it."""
    bound, largest = found(center, fixed, T, width), dict.fromkeys(BLOCKS2, 0.0)
    for tokens in inputs(len(center["rho"]), T):
        v, true = tokens[-1], derivatives2(point, fixed, tokens)
        for name in BLOCKS2:
            most, own = bound[name][v], np.abs(true[name])
            if name in ("Z", "rho"):
                assert not np.delete(own, v, axis=0).any()
                own = own[v]
            elif name in ("XBC", "L"):
                own = own.sum(axis=0)  # all rows move together
            assert (own <= most).all(), (name, tokens)
            share = np.divide(own, most, out=np.zeros(own.shape), where=most > 1e-200)
            largest[name] = max(largest[name], float(share.max()))
    return largest


def drawn(seed: int) -> tuple[dict[str, np.ndarray], Fixed, int]:
    rng = np.random.default_rng(seed)
    V, H, P, N, k, T = (int(rng.integers(1, most)) for most in (3, 3, 3, 3, 4, 4))
    limits = ((0.0, np.inf), (0.3, 0.9))[seed % 2]
    fixed = Fixed(int(rng.integers(1, H + 1)), limits, (None, 1e-5, 0.3)[seed % 3])
    shapes = shapes2(V, H, P, fixed.groups, N, k)
    return {name: rng.normal(size=shape) * np.exp(rng.normal()) for name, shape in shapes.items()}, fixed, T


@pytest.mark.parametrize("seed", range(18))
def test_no_derivative_exceeds_its_bound_anywhere_in_the_box(seed):
    center, fixed, T = drawn(seed)
    width = (1e-9, 1e-3, 0.1, 0.3)[seed % 4]
    rng = np.random.default_rng(seed)
    point = {name: value + width * rng.uniform(-1, 1, value.shape) for name, value in center.items()}
    ratios(center, fixed, T, point, width)


FAST = {"A_log": -30.0}  # e^A_log near 0: sums over time are exact
TIGHT = {
    # one token: SiLU steep and nearly straight, softplus near its exponential
    "XBC": (one(K=1.0, b=40.0, **FAST), PLAIN, 1),
    "K": (one(b=40.0, **FAST), PLAIN, 1),
    "b": (one(b=40.0, XBC=0.1, **FAST), PLAIN, 1),
    "Z": (one(Z=40.0), PLAIN, 1),
    "L": (one(L=-9.0, D=0.0), PLAIN, 1),
    "omega": (one(), PLAIN, 1),
    "rho": (one(), PLAIN, 1),
    "D": (one(), PLAIN, 1),
    # the older token passes one slow decay, e^-(a tau) about 1 - a tau
    "A_log": (one(A_log=-8.0, D=0.0), PLAIN, 2),
}


@pytest.mark.parametrize("name", BLOCKS2)
def test_bounds_are_reached(name):
    center, fixed, T = TIGHT[name]
    share = ratios(center, fixed, T, center, 0.0)[name]
    assert share >= 0.97, share


def test_two_tokens_may_move_their_steps_apart():
    """What the last one writes is opposed to what it lets decay: above R_1, within R_g of theory M4.0."""
    center = {name: np.full(shape, 1.0) for name, shape in shapes2(2, 1, 1, 1, 1, 1).items()}
    center |= {"XBC": np.array([[40.0, 0.44466, 40.0], [40.0, -1.27846, 40.0]]), "b": np.zeros(3)}
    center |= {"L": np.full((2, 1), -9.0), "A_log": np.full(1, 9.0), "D": np.zeros(1)}
    assert ratios(center, PLAIN, 2, center, 0.0)["L"] >= 0.8


def test_the_norm_after_the_gate_is_reached():
    """One channel far above eps: s = |w|, and s rho + omega w moves by (|rho| + |omega|) |w'|."""
    center = one(rho=3.0, omega=1.0, D=2.0)
    for name in ("omega", "rho", "Z", "D"):
        assert ratios(center, NORMED, 1, center, 0.0)[name] >= 0.97, name
    # the share of the norm is what carries it: without it the bound is a quarter of that
    assert found(center, PLAIN, 1)["D"].item() <= 0.26 * found(center, NORMED, 1)["D"].item()


def test_a_wide_norm_is_reached_in_l2():
    """All channels of a head move in proportion: |(rho/sqrt d)| |w'|_2, and no more."""
    rng = np.random.default_rng(0)
    center = {name: rng.normal(size=shape) for name, shape in shapes2(1, 1, 6, 1, 1, 1).items()}
    center |= {"omega": np.zeros(6), "rho": np.array([1.0]), "D": np.array([5.0]), "K": 0 * center["K"] + 1e-9}
    assert ratios(center, NORMED, 1, center, 0.0)["D"] >= 0.97


@pytest.mark.parametrize("seed", range(8))
def test_no_point_of_the_box_moves_further(seed):
    """Corners by the sign of the gradient, which climb where the function is nearly linear, and by chance."""
    center, fixed, T = drawn(seed)
    width = {name: np.full(value.shape, 0.05) * np.exp(-np.abs(value)) for name, value in center.items()}
    windows = Windows.of(len(center["rho"]), center["K"].shape[1], T)
    most = move2(slopes2(around(center, width), windows, fixed, T), width)
    at = {name: torch.tensor(value) for name, value in center.items()}
    rng, reached = np.random.default_rng(seed), 0.0
    for tokens in inputs(len(center["rho"]), T):
        z, point = output2(at, fixed, tokens).item(), center
        for sign in (1, -1):
            for _ in range(3):
                slope = derivatives2(point, fixed, tokens)
                point = {name: value + sign * width[name] * np.sign(slope[name]) for name, value in center.items()}
                reached = max(
                    reached, abs(output2({n: torch.tensor(x) for n, x in point.items()}, fixed, tokens).item() - z)
                )
        point = {name: value + width[name] * rng.choice([-1, 1], value.shape) for name, value in center.items()}
        reached = max(reached, abs(output2({n: torch.tensor(x) for n, x in point.items()}, fixed, tokens).item() - z))
    assert reached <= most
    assert reached >= 0.02 * most  # the bound is no empty one


def test_a_move_that_is_all_of_its_bound():
    """omega, rho and D of one token: the box is left at a corner by what the bound says, to first order."""
    center = one()
    width = {
        name: np.full(value.shape, 1e-4 if name in ("omega", "rho", "D") else 0.0) for name, value in center.items()
    }
    most = move2(slopes2(around(center, width), Windows.of(1, 1, 1), PLAIN, 1), width)
    at, up = ({name: torch.tensor(x + share * width[name]) for name, x in center.items()} for share in (0.0, 1.0))
    moved = output2(up, PLAIN, [0]).item() - output2(at, PLAIN, [0]).item()
    assert 0.999 * most <= moved <= most


@pytest.mark.parametrize("seed", range(12))
def test_it_is_within_the_bound_of_any_mixer(seed):
    """theory M4.4 of the same box, of inputs that no table knows: rows 0, offsets the ranges of the tables."""
    center, fixed, T = drawn(seed)
    width = widths(center, 0.02)
    at = around(center, width)
    largest = {name: modulus(ends) for name, ends in at.items()}
    d, H = len(center["omega"]), len(center["A_log"])
    n = len(center["b"])
    primitives = Primitives2(
        radius=1.0,
        xBC=Channels(np.zeros(n), largest["XBC"].max(axis=0), largest["K"].sum(axis=1) * (1 + 1e-12), at["b"]),
        z=Gate(np.zeros(d), (at["Z"][0].min(axis=0), at["Z"][1].max(axis=0))),
        r_dt=np.zeros(H),
        p=at["L"][1].max(axis=0),
        rates=(exp_below(at["A_log"][0]), exp_above(at["A_log"][1])),
        D=largest["D"],
        W_o=1.0,
        groups=fixed.groups,
        limits=fixed.limits,
    )
    flat = {name: width[name].max(axis=0) for name in ("XBC", "Z", "L")}
    moves = Moves2(
        flat["XBC"], width["K"].sum(axis=1), width["b"], flat["Z"], flat["L"], width["A_log"], width["D"], 0.0, 0.0
    )
    moved = mamba2(primitives, moves, T)
    size, w = norm(moved.size), norm(moved.w)
    rho = float(largest["rho"].max())
    if fixed.eps is None:
        whole = largest["omega"] @ moved.w + width["omega"] @ moved.size + width["rho"].max()
    else:
        scale = np.sqrt(size**2 / d + fixed.eps)
        whole = (rho / np.sqrt(d) + norm(largest["omega"])) * w + norm(width["omega"]) * size
        whole += scale * width["rho"].max()
    ours = move2(slopes2(at, Windows.of(len(center["rho"]), center["K"].shape[1], T), fixed, T), width)
    assert 0 < ours <= whole * (1 + 1e-9)


def test_rows_of_tokens_count_once():
    first = {"rho": np.array([1.0, 3.0]), "Z": np.array([[2.0], [5.0]]), "L": np.array([[1.0], [1.0]])}
    width = {"rho": np.array([1.0, 1.0]), "Z": np.array([[4.0], [1.0]]), "L": np.array([[10.0], [20.0]])}
    assert move2(first, width) == pytest.approx(max(1 + 8 + 20, 3 + 5 + 20), rel=1e-12)
    shares = by_entry(first)
    assert sum((shares[name] * np.ones_like(width[name])).sum() for name in width) == pytest.approx((4 + 7 + 2) / 2)
