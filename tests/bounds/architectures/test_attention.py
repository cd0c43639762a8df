"""The tables of attention: moves attained and never exceeded, linear attention the paper's model at Delta = 1."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.attention import LINEAR, SOFTMAX
from ssm_bounds.bounds.evaluate.balls import enclose

NAMES = ("w", "c", "v", "qk")
NORMS = {"w": sym.B_w, "c": sym.B_c, "v": sym.B_v, "qk": sym.B_qk}


def output(model, X):
    scores = X @ (model["qk"] @ X[-1])
    weights = np.exp(scores - scores.max())
    mean = X.T @ (weights / weights.sum())
    return model["w"] @ (model["c"].T @ np.maximum(model["v"].T @ mean, 0))


def beta(**norms) -> dict[str, float]:
    values = {NORMS[name]: value for name, value in norms.items() if name in NORMS}
    values |= {sym.B_u: norms["u"], sym.L_sigma: 1}
    return {block.key: enclose(block.beta["sharp"], values).float_upper() for block in SOFTMAX.blocks}


@given(st.integers(1, 3), st.integers(1, 6), st.floats(0.2, 4), st.integers(0, 10**6))
def test_never_above(d, T, size, seed):
    rng = np.random.default_rng(seed)

    def member():
        found = {"w": rng.normal(size=d)} | {name: rng.normal(size=(d, d)) for name in NAMES[1:]}
        return {name: size * array / np.linalg.norm(array, 2) for name, array in found.items()}

    one, other, X = member(), member(), rng.normal(size=(T, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    found = beta(**dict.fromkeys(NAMES, size * (1 + 1e-12)), u=1)
    bound = sum(found[name] * np.linalg.norm(one[name] - other[name], 2) for name in NAMES)
    assert abs(output(one, X) - output(other, X)) <= bound * (1 + 1e-9)


@pytest.mark.parametrize("block", NAMES)
def test_each_coefficient_is_attained_by_one_channel(block):
    """Two tokens 1 and -1; the weights are most sensitive where they are equal, so W_qk moves around 0."""
    step, at = 2.0**-12, {"w": 2.0, "c": 1.0, "v": 3.0, "qk": step_from(block)}
    X = np.array([[1.0], [1.0]]) if block != "qk" else np.array([[-1.0], [1.0]])
    moved = at | {block: at[block] - step if block != "qk" else at[block] + step}
    models = [{"w": np.array([of["w"]])} | {name: np.array([[of[name]]]) for name in NAMES[1:]} for of in (at, moved)]
    one, other = (linear(model, X) for model in models)
    bound = beta(w=2, c=1, v=3, qk=1, u=1)[block] * step
    assert 0.97 * bound < abs(one - other) <= bound * (1 + 1e-9)


def step_from(block: str) -> float:
    return 0.0 if block == "qk" else 1.0


def linear(model, X):
    """The identity behind the mean."""
    scores = X @ (model["qk"] @ X[-1])
    weights = np.exp(scores - scores.max())
    return model["w"] @ (model["c"].T @ (model["v"].T @ (X.T @ (weights / weights.sum()))))


def test_nothing_depends_on_the_length():
    assert not any(sym.T in block.beta["sharp"].free_symbols for block in SOFTMAX.blocks)


@pytest.mark.parametrize("T", [1, 3, 50])
def test_linear_attention_by_hand(T):
    """``B_w B_C B_u^3 T`` and so on, of three blocks without a gate or decays."""
    values = {sym.B_B: 2, sym.B_C: 3, sym.B_w: 5, sym.B_u: Fraction(1, 2), sym.T: T}
    found = {block.key: enclose(block.beta["sharp"], values).float_upper() for block in LINEAR.blocks}
    assert found == pytest.approx({"B": 15 * T / 8, "C": 10 * T / 8, "w": 6 * T / 8})
    sizes = {sym.d: 16, sym.N: 4, sym.k: 1}
    assert [int(block.entries.subs(sizes)) for block in LINEAR.blocks] == [64, 64, 16]


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(0, 10**6))
def test_linear_attention_never_above(d, N, T, seed):
    rng = np.random.default_rng(seed)

    def member():
        found = {"B": rng.normal(size=(N, d)), "C": rng.normal(size=(N, d)), "w": rng.normal(size=d)}
        return {name: array / np.linalg.norm(array, 2) for name, array in found.items()}

    def z(model, u):
        return sum(model["w"] @ token * ((model["C"] @ u[-1]) @ (model["B"] @ token)) for token in u)

    one, other, u = member(), member(), rng.normal(size=(T, d))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    values = {sym.B_B: 1, sym.B_C: 1, sym.B_w: 1, sym.B_u: 1, sym.T: T}
    bound = sum(
        enclose(block.beta["sharp"], values).float_upper() * np.linalg.norm(one[block.key] - other[block.key], 2)
        for block in LINEAR.blocks
    )
    assert abs(z(one, u) - z(other, u)) <= bound * (1 + 1e-9)
