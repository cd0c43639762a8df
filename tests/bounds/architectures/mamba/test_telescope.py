"""Derivatives of one block on a box (theory M5.5): the exact example, the attack, tightness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba.telescope import BLOCKS, Slopes, box, slopes
from ssm_bounds.bounds.architectures.mamba.windows import ABSENT, MOST, Windows, number
from ssm_bounds.bounds.values import DomainError
from tests.one_block import derivatives, shapes

LINEAR = ("rho", "Om", "D", "X_B", "X_C")


def found(center: dict[str, np.ndarray], k: int, T: int, width: float = 0.0) -> Slopes:
    V = len(center["rho"])
    around = box(
        {name: (value, value) for name, value in center.items()},
        {name: np.full(value.shape, width) for name, value in center.items()},
    )
    return slopes(around, Windows.of(V, k, T), T)


def one(**values: float) -> dict[str, np.ndarray]:
    """A block of single numbers, 1 where nothing is said."""
    return {name: np.full(shape, values.get(name, 1.0)) for name, shape in shapes(1, 1, 1, 1, 1).items()}


def ratios(center: dict[str, np.ndarray], k: int, T: int, point: dict[str, np.ndarray], width: float) -> dict:
    """The largest share of its bound that each derivative has over all inputs; none may exceed it."""
    bound, largest = found(center, k, T, width), {}
    for length in range(1, T + 1):
        for tokens in itertools.product(range(len(center["rho"])), repeat=length):
            true = derivatives(point, list(tokens))
            for name, order in itertools.product(BLOCKS, (0, 1)):
                most = (bound.first, bound.second)[order][name]
                assert (np.abs(true[name][order]) <= most).all(), (name, order, tokens)
                share = np.divide(np.abs(true[name][order]), most, out=np.zeros(most.shape), where=most > 1e-200)
                largest[name, order] = max(largest.get((name, order), 0.0), float(share.max()))
    return largest


def test_the_exact_example():
    """M8, example 6, evaluated with 40 digits there."""
    at = found(one(K=0.5, b=0.0, W_dt=0.5, p=-1.0, A_log=0.0, D=0.0, rho=0.0), 1, 3)
    expected = {
        "p": (0.02780756521, 0.06163833331),
        "A_log": (0.01043237288, 0.01718336090),
        "b": (0.1785484292, 1.075939886),
        "K": (0.1785484292, 1.075939886),
    }
    for name, (first, second) in expected.items():
        assert at.first[name].item() == pytest.approx(first, rel=5e-10)
        assert at.second[name].item() == pytest.approx(second, rel=5e-10)


def test_the_derivatives_of_that_example():
    """Those of the second writing are the ones that the theory prints, so that it may attack."""
    true = derivatives(one(K=0.5, b=0.0, W_dt=0.5, p=-1.0, A_log=0.0, D=0.0, rho=0.0), [0, 0, 0])
    expected = {"p": (0.0143974496, 0.0035155117), "A_log": (-0.0064658184, -0.0028058791)}
    expected |= {"b": (0.1735869467, 0.9800673796)}
    for name, pair in expected.items():
        assert [value.item() for value in true[name]] == pytest.approx(list(pair), rel=1e-8)


@pytest.mark.parametrize("seed", range(12))
def test_no_derivative_exceeds_its_bound_anywhere_in_the_box(seed):
    rng = np.random.default_rng(seed)
    V, d, N, R, k, T = (int(rng.integers(1, most)) for most in (3, 3, 3, 3, 4, 4))
    center = {name: rng.normal(size=shape) * np.exp(rng.normal()) for name, shape in shapes(V, d, N, R, k).items()}
    width = (1e-9, 1e-3, 0.1, 0.3)[seed % 4]
    point = {name: value + width * rng.uniform(-1, 1, value.shape) for name, value in center.items()}
    ratios(center, k, T, point, width)


TIGHT = {
    # one token: sums over time are exact, softplus is near its exponential, SiLU steep and nearly straight
    "one token": (one(p=-12.0, X=2.4, W_dt=0.01), 1, {(name, 0): 0.995 for name in BLOCKS if name != "A_log"}),
    "gate": (one(p=-12.0, X=2.4, W_dt=0.01), 1, {("p", 1): 0.995, ("W_dt", 1): 0.995, ("X_dt", 1): 0.995}),
    "decay": (one(p=-12.0), 2, {("A_log", 0): 0.995, ("A_log", 1): 0.995}),
    # SiLU bends most at 0
    "bend": (one(X=0.0, b=0.0, D=50.0, X_B=0.1), 1, {("b", 1): 0.98, ("X", 1): 0.98}),
}


@pytest.mark.parametrize("case", TIGHT)
def test_no_constant_can_be_lowered(case):
    """Each bound is attained but for a share of a percent or two, by some block."""
    center, T, least = TIGHT[case]
    reached = ratios(center, 1, T, center, 0.0)
    for key, share in least.items():
        assert reached[key] >= share, (key, reached[key])


def test_z_is_linear_where_no_second_derivative_is_paid():
    at = found(one(p=-1.0), 1, 3)
    assert {name for name in BLOCKS if not at.second[name].any()} == set(LINEAR)


def test_windows_are_all_there_are_and_rows_find_theirs():
    windows = Windows.of(3, 3, 50)
    assert len(windows.tokens) == number(3, 3) == 3 + 9 + 27
    rows = np.random.default_rng(0).integers(0, 3, size=(40, 6))
    index = windows.index(rows)
    for row, places in zip(rows, index, strict=True):
        for t, place in enumerate(places):
            there = windows.tokens[place]
            wanted = row[max(0, t - 2) : t + 1][::-1].tolist()
            assert [token for token in there if token != ABSENT] == wanted
    assert len(Windows.of(3, 3, 2).tokens) == 3 + 9
    with pytest.raises(DomainError, match=f"more than {MOST}"):
        Windows.of(30, 4, 50)


def test_a_window_beyond_float64_has_no_number():
    at = found(one(X=1e200, K=1e200), 1, 1)
    assert not np.isfinite(at.first["D"]).any() and not np.isfinite(at.second["b"]).any()
