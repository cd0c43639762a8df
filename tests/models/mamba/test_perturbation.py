"""theory M4.2 to M4.4 from weights: M8's example, attacks by pairs of mixers, moves that are attained, boxes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.mamba import perturbation as bounds
from ssm_bounds.bounds.architectures.mamba.perturbation import joined
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba.forward import mixer as run
from ssm_bounds.models.mamba.perturbation import (
    box_moves1,
    box_moves2,
    moves1,
    moves2,
    output_move,
    primitives1,
    primitives2,
    still,
)
from ssm_bounds.models.mamba.weights import GatedNorm, InnerNorms, Layer, Mamba1, Mamba2, Norm
from tests import mamba

ROUNDED = 2.0**-40
"""Relative to the largest output: thousands of roundings, more than a forward pass of these sizes has in a row."""


def scalar1(copies: int = 1, **changes: Any) -> Layer:
    """D = N = R = k = 1 and all suprema attained at once, by v = 1; ``copies`` channels that are the same."""
    values = {"R_x": 1, "R_z": 0.8, "K": 0.9, "X_dt": 0.5, "X_B": 1.2, "X_C": 0.7, "W_dt": 0.8, "A_log": -8, "W_o": 2}
    vectors = {"c": 0.2, "c_z": 0.1, "b": 0.1, "p": -6, "D": 0.4, "b_o": 0.1, "c_dt": 0, "c_B": 0, "c_C": 0}
    across = {"X_dt", "X_B", "X_C", "W_o"}
    shape = {name: (1, copies) if name in across else (copies, 1) for name in values}
    parts = {name: np.full(shape[name], float(changes.get(name, value))) for name, value in values.items()}
    sizes = {name: 1 if name in ("b_o", "c_dt", "c_B", "c_C") else copies for name in vectors}
    parts |= {name: np.full(sizes[name], float(changes.get(name, value))) for name, value in vectors.items()}
    return Layer(0, "scalar", Norm("rms", np.ones(1), 1e-5), Mamba1(**parts))


def scalar2(**changes: Any) -> Layer:
    """D = H = G = N = k = 1, one channel, attained by v = 1; K and b over [x | B | C]."""
    values = {"R_z": 0.8, "R_x": 1, "R_B": 1.2, "R_C": 0.7, "R_dt": 0.3, "W_o": 2}
    vectors = {"c_z": 0.1, "c": 0.2, "c_B": 0.1, "c_C": 0.3, "p": -6, "A_log": -8, "D": 0.4, "b_o": 0.1}
    parts = {name: np.full((1, 1), float(changes.get(name, value))) for name, value in values.items()}
    parts |= {name: np.full(1, float(changes.get(name, value))) for name, value in vectors.items()}
    parts |= {"K": np.full((3, 1), changes.get("K", 0.9)), "b": np.full(3, changes.get("b", 0.1))}
    rest = {"norm": changes.get("norm"), "limits": changes.get("limits", (0.0, np.inf))}
    return Layer(0, "scalar", Norm("rms", np.ones(1), 1e-5), Mamba2(**parts, groups=1, **rest))


def moved(layer: Layer, block: str, by: float) -> Layer:
    return replace(layer, mixer=replace(layer.mixer, **{block: getattr(layer.mixer, block) + by}))


def attained(
    first: Layer, second: Layer, T: int, v: np.ndarray | None = None, other: np.ndarray | None = None
) -> float:
    """The largest distance of outputs at v, less what rounding can have done."""
    v = np.ones((T, 1)) if v is None else v
    out, out_ = run(first.mixer, v), run(second.mixer, v if other is None else other)
    return float(np.linalg.norm(out - out_, axis=1).max() - ROUNDED * max(np.abs(out).max(), np.abs(out_).max(), 1.0))


BLOCKS1 = ["R_x", "R_z", "c", "c_z", "K", "b", "X_dt", "X_B", "X_C", "W_dt", "p", "A_log", "D", "W_o", "b_o"]
BLOCKS2 = ["R_x", "R_z", "R_B", "R_C", "R_dt", "c", "c_z", "c_B", "c_C", "K", "b", "p", "A_log", "D", "W_o", "b_o"]


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("block", BLOCKS1)
def test_each_block_of_a_mamba_mixer_is_attained(block, copies):
    """With T = 3 and slow decay R_1 and R_g are M T; with T = 2 and rate 1/M R_a is M/e."""
    T, first = 3, scalar1(copies)
    if block == "A_log":
        M = float(bounds.reach1(primitives1(first), 2).M[0])
        T, first = 2, scalar1(copies, A_log=-np.log(M))
    second = moved(first, block, 1e-5)
    assert 0.995 <= attained(first, second, T) / output_move(first, second, T) <= 1


@pytest.mark.parametrize("block", BLOCKS2)
def test_each_block_of_a_mamba_2_mixer_is_attained(block):
    """R_s at T = 2 is Lambda M^2, attained where nothing decays."""
    T, first = (2, scalar2(p=0.0, A_log=-6.0)) if block == "A_log" else (3, scalar2())
    second = moved(first, block, 1e-5)
    assert 0.99 <= attained(first, second, T) / output_move(first, second, T) <= 1


def test_a_step_limit_and_a_norm_are_attained():
    limited = scalar2(limits=(0.1, 0.2))
    second = moved(limited, "c_C", 1e-5)
    assert 0.995 <= attained(limited, second, 3) / output_move(limited, second, 3) <= 1
    wide = scalar2(norm=GatedNorm(np.full(1, 1.5), 1e4, 1))  # w is small beside sqrt eps
    for block in ("c", "W_o", "b_o"):
        second = moved(wide, block, 1e-4)
        assert 0.99 <= attained(wide, second, 3) / output_move(wide, second, 3) <= 1


@pytest.mark.parametrize("copies", [1, 3])
def test_inputs_that_move_are_attained(copies):
    layer = scalar1(copies)
    at = primitives1(layer)
    v, other = np.ones((3, 1)), np.full((3, 1), 1 - 1e-5)
    assert 0.995 <= attained(layer, layer, 3, v, other) / (1e-5 * bounds.lipschitz1(at, 3)) <= 1


def test_the_second_bound_of_the_inputs_counts_where_rows_differ():
    """Two orthogonal channels, of which an input drives one: |u| is at most rho |R_x| sum_i kmax_i, not |U|."""
    base = scalar1(2, c=0.0, b=0.0, c_z=0.0).mixer
    mixer = replace(
        base, R_x=12 * np.eye(2), R_z=np.array([[1.0, 0.0], [0.0, 0.0]]), K=np.ones((2, 1)), X_B=np.array([[1.2, 0.0]]),
        X_C=np.array([[0.7, 0.0]]), X_dt=np.array([[0.5, 0.0]]), W_o=np.array([[2.0, 0.0], [0.0, 0.0]]),
        b_o=np.zeros(2),
    )  # fmt: skip
    first = Layer(0, "rows", Norm("rms", np.ones(2), 1e-5), mixer)
    second = replace(first, mixer=replace(mixer, X_C=np.array([[0.7 + 1e-5, 0.0]])))
    v = np.array([[np.sqrt(2), 0.0]] * 3)
    assert 0.99 <= attained(first, second, 3, v) / output_move(first, second, 3) <= 1


def shaken(layer: Layer, rng: np.random.Generator) -> Layer:
    """Some blocks moved, by little or by much."""
    names = [
        name
        for name in layer.mixer.__slots__
        if isinstance(getattr(layer.mixer, name), np.ndarray) and name not in ("c_dt", "c_B", "c_C")
    ]
    chosen = rng.choice(names, size=rng.integers(1, 4), replace=False)
    changes = {
        name: getattr(layer.mixer, name)
        + 10.0 ** rng.uniform(-4, 0) * rng.normal(size=getattr(layer.mixer, name).shape)
        for name in chosen
    }
    return replace(layer, mixer=replace(layer.mixer, **changes))


def inputs(rng: np.random.Generator, T: int, D: int) -> np.ndarray:
    v = rng.normal(size=(T, D)) + 2 * rng.normal(size=D)
    return v / np.linalg.norm(v, axis=1)[:, None] * np.sqrt(D)


@pytest.mark.parametrize("kind", ["mamba", "mamba2", "mamba2 without a norm"])
def test_no_pair_of_mixers_is_further_apart(kind):
    """With biases, masks, several heads and groups; none above 1, and some near enough that no bound is infinite."""
    rng, closest = np.random.default_rng(0), 0.0
    for seed in range(60):
        D, k, T = int(rng.choice([1, 2, 4, 8])), int(rng.integers(1, 4)), int(rng.integers(1, 8))
        biases = float(rng.choice([0.0, 1.0]))
        if kind == "mamba":
            first = mamba.mamba1(seed, D, N=2, R=min(2, D), k=k, biases=biases)
            none = {name: np.zeros_like(getattr(first.mixer, name)) for name in ("c_dt", "c_B", "c_C")}
            first = replace(first, mixer=replace(first.mixer, **none))
        else:
            H, G = int(rng.choice([1, 2])), 1
            gated = None if kind.endswith("norm") else GatedNorm(rng.uniform(0.5, 2, 2 * D), 0.5, H)
            limits = (0.0, np.inf) if rng.integers(2) else (0.01, 0.05)
            first = mamba.mamba2(seed, D, N=2, H=H, G=G, k=k, biases=biases, gated=gated, limits=limits)
        second = shaken(first, rng)
        mask = np.ones(T) if rng.integers(2) else rng.integers(0, 2, T).astype(float)
        v = inputs(rng, T, D)
        out, out_ = run(first.mixer, v, mask), run(second.mixer, v, mask)
        far = np.linalg.norm(out - out_, axis=1).max() - ROUNDED * max(np.abs(out).max(), np.abs(out_).max(), 1.0)
        ratio = far / output_move(first, second, T)
        assert ratio <= 1, seed
        closest = max(closest, ratio)
    assert closest >= 0.6, closest


def test_joint_moves_of_parameters_and_inputs():
    """Rows and inputs move together: ``rho |dr| + |r| |dv|``."""
    rng = np.random.default_rng(3)
    for seed in range(20):
        first = mamba.mamba1(seed, 4, N=2, k=2)
        second, v, other = shaken(first, rng), inputs(rng, 5, 4), inputs(rng, 5, 4)
        at, by = joined(primitives1(first), primitives1(second)), moves1(first, second)
        dv = np.linalg.norm(v - other, axis=1).max() * (1 + 1e-12)
        by = replace(by, x=by.x + at.x.rows * dv, z=by.z + at.z.rows * dv)
        bound = bounds.output_move(bounds.mamba1(at, by, 5), at.W_o, by.W_o, by.b_o)
        assert attained(first, second, 5, v, other) <= bound


def test_what_did_not_move_adds_nothing():
    for layer in (mamba.mamba1(0), mamba.mamba2(0, norm=mamba.norm_of(8, "layer", np.random.default_rng(0)))):
        assert output_move(layer, layer, 9) <= 1e-140
        second = moved(layer, "b_o", 0.5)
        assert output_move(layer, second, 9) == pytest.approx(0.5 * np.sqrt(8))


def test_a_layer_norm_s_weights_move_rows_and_biases():
    """gamma and beta of the norm are folded: their moves are found, with the same inputs before them."""
    rng = np.random.default_rng(5)
    first = mamba.mamba1(1, norm=mamba.norm_of(8, "layer", rng))
    norm = first.norm
    assert norm is not None and norm.beta is not None
    second = replace(first, norm=replace(norm, gamma=norm.gamma * 1.01, beta=norm.beta + 0.01))
    bound = output_move(first, second, 4)
    h = rng.normal(size=(4, 8)) * 1e3
    h -= h.mean(axis=1, keepdims=True)
    v = h / np.sqrt((h**2).mean(axis=1, keepdims=True))
    after = [v * layer.norm.gamma + layer.norm.beta for layer in (first, second)]
    far = attained(first, second, 4, *after)
    assert 0 < far <= bound < np.inf
    assert bound < 100 * output_move(first, moved(first, "c", 0.01), 4)


def test_masked_tokens_have_the_bias_without_beta():
    """Of a LayerNorm's beta a token of zeros sees nothing: its range and its move are those of the bias alone."""
    base = mamba.mamba1(1, 4, biases=0.5, norm=Norm("layer", np.ones(4), 1e-5, np.full(4, 2.0)))
    mixer = replace(base.mixer, c_dt=np.zeros(2), c_B=np.zeros(4), c_C=np.zeros(4), R_z=-np.abs(base.mixer.R_z))
    first = replace(base, mixer=mixer)
    low, high = primitives1(first).z.shift
    through_beta = 2 * mixer.R_z.sum(axis=1)
    assert np.allclose(low, mixer.c_z + through_beta) and np.allclose(high, mixer.c_z) and (high >= mixer.c_z).all()
    assert (primitives1(first).x.offset >= np.abs(mixer.c)).all()
    moved_norm = Norm("layer", np.ones(4), 1e-5, np.full(4, 3.0))  # its share is taken back by the bias
    second = replace(first, norm=moved_norm, mixer=replace(mixer, c_z=mixer.c_z - mixer.R_z.sum(axis=1)))
    assert (moves1(first, second).z >= np.abs(mixer.R_z.sum(axis=1))).all()


def test_the_rates_of_a_channel_are_those_of_all_its_states():
    slow, fast = primitives1(mamba.mamba1(0, N=4)).rates
    assert slow == pytest.approx(np.ones(16)) and fast == pytest.approx(np.full(16, 4.0))
    assert (slow <= 1 + 1e-15).all() and (fast >= 4 - 1e-15).all()


def within(small: Any, large: Any) -> bool:
    """Whether primitives are covered by others."""
    if is_dataclass(small):
        return all(within(getattr(small, f.name), getattr(large, f.name)) for f in fields(small))
    if isinstance(small, tuple):
        return bool(np.all(small[0] >= large[0]) and np.all(small[1] <= large[1]))
    return bool(np.all(small <= large))


@pytest.mark.parametrize("kind", [1, 2])
def test_a_box_holds_its_points_and_no_much_larger_ones(kind):
    rng = np.random.default_rng(7)
    layer = mamba.mamba1(2, 4, N=2) if kind == 1 else mamba.mamba2(2, 4, N=2, H=2, gated=None)
    primitives, between, from_box = (
        (primitives1, moves1, box_moves1) if kind == 1 else (primitives2, moves2, box_moves2)
    )
    names = [n for n in still(layer.mixer).__slots__ if isinstance(getattr(layer.mixer, n), np.ndarray)]
    names = [n for n in names if n not in ("c_dt", "c_B", "c_C") or kind == 2]
    half = {n: np.abs(rng.normal(size=getattr(layer.mixer, n).shape)) / 100 for n in names}
    box = replace(still(layer.mixer), **half)
    inside, by = primitives(layer, box), from_box(layer, box)
    for _ in range(5):
        sides = {
            n: getattr(layer.mixer, n) + h * rng.choice([1e-9 - 1, 1 - 1e-9, 0.3], size=h.shape)
            for n, h in half.items()
        }
        point = replace(layer, mixer=replace(layer.mixer, **sides))
        assert within(primitives(point), inside) and within(between(layer, point), by)
    assert not within(primitives(layer, replace(box, p=2 * box.p)), inside)
    assert within(primitives(layer, still(layer.mixer)), primitives(layer))


def test_a_box_of_scalars_is_its_corner():
    layer = scalar1()
    box = replace(still(layer.mixer), X_B=np.full((1, 1), 0.01), p=np.full(1, 0.02), b=np.full(1, 0.01))
    ends = {name: getattr(layer.mixer, name) + getattr(box, name) for name in ("X_B", "p", "b")}
    corner = replace(layer, mixer=replace(layer.mixer, **ends))
    at, by = primitives1(layer, box), box_moves1(layer, box)
    bound = bounds.output_move(bounds.mamba1(at, by, 3), at.W_o, by.W_o, by.b_o)
    assert bound == pytest.approx(output_move(layer, corner, 3), rel=1e-12)


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"inner": InnerNorms(np.ones(2), np.ones(4), np.ones(4), 1e-6)}, "M4.5"),
            ({"directions": 2}, "two directions"),
            ({"step_offset": 1e-4}, "step offset"),
            ({"c_B": np.ones(4)}, "biases of x_proj"),
            ({"p": np.full(16, np.nan)}, "p holds 16 entries"),
        ],
    )
    def test_what_the_theorem_is_not_about(self, changes, message):
        layer = mamba.mamba1(0)
        with pytest.raises(DomainError, match=message):
            primitives1(replace(layer, mixer=replace(layer.mixer, **changes)))

    def test_other_mixers(self):
        with pytest.raises(DomainError, match="see M4"):
            primitives1(mamba.mamba2(0))
        with pytest.raises(DomainError, match="see M4"):
            primitives2(mamba.mamba1(0))
        with pytest.raises(DomainError, match="before the gate"):
            primitives2(mamba.mamba2(0, gated=GatedNorm(np.ones(16), 1e-5, 1, before_gate=True)))
        with pytest.raises(DomainError, match="see M4"):
            output_move(mamba.mamba1(0), mamba.mamba2(0), 3)

    def test_pairs_that_see_other_inputs(self):
        layer = mamba.mamba1(0)
        with pytest.raises(DomainError, match="one kind and eps"):
            output_move(layer, replace(layer, norm=replace(layer.norm, eps=1e-6)), 3)
        with pytest.raises(DomainError, match="of one shape"):
            output_move(layer, mamba.mamba1(0, N=5), 3)
        with pytest.raises(DomainError, match="limits"):
            output_move(mamba.mamba2(0), mamba.mamba2(0, limits=(0.1, 1.0)), 3)
        with pytest.raises(DomainError, match="state the largest"):
            primitives1(replace(layer, norm=None))
        assert primitives1(replace(layer, norm=None, radius=3.0)).radius == 3.0
