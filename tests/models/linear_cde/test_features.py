"""Random layers in float64 against the enclosures of the same equations, and readouts of them."""

from __future__ import annotations

import numpy as np
import pytest

from ssm_bounds.models.linear_cde import features
from ssm_bounds.models.linear_cde.cde import LinearCDE
from ssm_bounds.models.linear_cde.features import chain, dense, diagonal, diagonal_states, integrals, readout
from ssm_bounds.models.linear_cde.signature import signature


def drawn(b=4, points=6, r=3, seed=0):
    rng = np.random.default_rng(seed)
    return np.cumsum(np.rint(4 * rng.normal(size=(b, points, r))) / 16, axis=1)


def state(A, B, Z_0, path):
    """The end of ``LinearCDE`` with omega = xi, without the state that forcing adds."""
    doubled = np.concatenate([path, path], axis=1).tolist()
    return [end.float_upper() for end in LinearCDE.forced(A.tolist(), B.tolist(), Z_0.tolist()).flow(doubled)][:-1]


def test_dense_states_are_enclosed():
    paths, n = drawn(), 5
    found = dense(paths, n, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    A, B = rng.normal(size=(3, n, n)) / np.sqrt(n), rng.normal(size=(n, 3))
    first, shift = rng.normal(size=(3, n)), rng.normal(size=n)
    for path, z in zip(paths, found, strict=True):
        assert z == pytest.approx(state(A, B, path[0] @ first + shift, path), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("forced", [True, False])
def test_diagonal_states_are_enclosed(forced):
    paths, n = drawn(), 4
    found = diagonal(paths, n, np.random.default_rng(5), forced=forced)
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(3, n)), rng.normal(size=(3, n)) / np.sqrt(3) * forced
    first, shift = rng.normal(size=(3, n)), rng.normal(size=n)
    for path, z in zip(paths, found, strict=True):
        A = np.stack([np.diag(row) for row in a])
        assert z == pytest.approx(state(A, b.T, path[0] @ first + shift, path), rel=1e-10, abs=1e-10)


def test_order_is_seen_with_forcing_only_and_alike_after_every_prefix():
    """e_2 e_3 against e_3 e_2 after two prefixes: theory 15.4 and 15.8; dense and chained layers break it."""
    steps = [[[sign, 0, 0], *block] for sign in (1, -1) for block in ([[0, 1, 0], [0, 0, 1]], [[0, 0, 1], [0, 1, 0]])]
    paths = np.concatenate([np.zeros((4, 1, 3)), np.cumsum(np.array(steps, float) / 2, axis=1)], axis=1)

    def moved(layer, **options):
        z = layer(paths, 50, np.random.default_rng(1), **options)
        scale = np.abs(z).max()
        return np.abs(z[0] - z[1]).max() / scale, np.abs(z[0] - z[1] - z[2] + z[3]).max() / scale

    order, defect = moved(diagonal)
    assert order > 1e-2 and defect < 1e-14
    assert max(moved(diagonal, forced=False)) < 1e-14
    assert moved(dense)[1] > 1e-2 and moved(chain)[1] > 1e-2


def test_the_second_layer_of_a_chain_is_driven_by_the_first():
    paths, n = drawn(), 3
    found = chain(paths, n, np.random.default_rng(2))
    rng = np.random.default_rng(2)
    first = diagonal_states(paths, paths, n, rng)
    mixed = first @ (rng.normal(size=(n, n)) / np.sqrt(n))
    assert (found[:, :n] == first[:, -1]).all()
    again = diagonal_states(paths, np.concatenate([paths, mixed], axis=2), n, rng)
    assert (found[:, n:] == again[:, -1]).all()
    kept = diagonal_states(paths, np.concatenate([paths, 0 * mixed], axis=2), n, np.random.default_rng(0))
    assert np.abs(kept[:, -1] - again[:, -1]).max() > 1e-3


def test_integrals_are_those_of_the_signature():
    paths = drawn(points=7)
    found = integrals(paths)
    for at, path in enumerate(paths):
        words = signature(path.tolist(), 3)
        assert found["S12"][at] == pytest.approx(float(words[0, 1]), abs=1e-13)
        assert found["S123"][at] == pytest.approx(float(words[0, 1, 2]), abs=1e-13)
        assert found["L12"][at] == pytest.approx(float(words[0, 1] - words[1, 0]) / 2, abs=1e-13)
    assert set(integrals(paths[..., :2])) == {"S12", "L12"}


def test_a_readout_finds_a_linear_function_and_no_other():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)) * [1, 100, 1e-3, 0] + 7  # one feature is constant
    y = np.stack([x @ [1, 2, 3, 4] - 5, x[:, 0] ** 2], axis=1)
    found = readout(x[:200], y[:200], ridge=1e-12)(x[200:])
    errors = np.abs(found - y[200:]).max(0)
    assert errors[0] < 1e-6 * np.abs(y[:, 0]).max() and errors[1] > 0.1


def test_the_exponential_of_a_matrix():
    M = np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert features._exponential(M) == pytest.approx(np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]]))
