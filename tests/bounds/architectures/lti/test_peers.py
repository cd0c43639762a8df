"""Norms of random stable systems against python-control: the extra ``peers``.

Its values are float64 numbers, not enclosures. It has no l1 norm: that is summed of its impulse response; and the peak
gain is taken on a grid of its frequency response, which is never above the true one.
"""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb_mat

from ssm_bounds.bounds.architectures.lti.norms import h2, hinf, l1
from ssm_bounds.bounds.architectures.lti.systems import Dense

SHAPES = [(1, 1, 1), (3, 1, 1), (4, 2, 3), (6, 3, 1)]


@pytest.fixture(scope="module")
def control():
    return pytest.importorskip("control", reason="python-control is not installed: pip install 'ssm-bounds[peers]'")


def drawn(seed: int, states: int, inputs: int, outputs: int) -> tuple[np.ndarray, ...]:
    """A system whose spectral radius is 0.8."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(states, states))
    A *= 0.8 / np.abs(np.linalg.eigvals(A)).max()
    return A, *(rng.normal(size=shape) for shape in ((states, inputs), (outputs, states), (outputs, inputs)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_norms_of_random_systems(control, seed, shape):
    matrices = drawn(seed, *shape)
    ours, theirs = Dense(*(arb_mat(matrix.tolist()) for matrix in matrices)), control.ss(*matrices, True)
    h2_squared = np.trace(matrices[3] @ matrices[3].T) + np.trace(
        matrices[2] @ control.dlyap(matrices[0], matrices[1] @ matrices[1].T) @ matrices[2].T
    )
    assert h2(ours).float_upper() == pytest.approx(np.sqrt(h2_squared), rel=1e-9)
    response = control.impulse_response(theirs, T=400).outputs.reshape(shape[2], shape[1], -1)
    assert l1(ours).float_upper() == pytest.approx(np.abs(response).sum(axis=(1, 2)).max(), rel=1e-9)
    angles = np.linspace(0, np.pi, 4001)
    transfer = control.frequency_response(theirs, angles).complex.reshape(shape[2], shape[1], -1)
    gain = np.linalg.svd(np.moveaxis(transfer, -1, 0), compute_uv=False).max()
    assert gain * (1 - 1e-12) <= hinf(ours).float_upper() <= gain * (1 + 1e-4)
