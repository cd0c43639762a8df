"""Random linear S4D layers, for tests."""

from __future__ import annotations

import numpy as np

from ssm_bounds.models.files.s4d import NAMES
from ssm_bounds.models.s4d.weights import S4D


def layer(seed: int = 0, *, d: int = 3, N: int = 2, k: int = 1, steps: tuple[float, float] = (0.001, 0.1)) -> S4D:
    """As the public code begins: log dt uniform between ``steps``, Re A = -1/2, Im A = pi n, C, D and W normal."""
    rng = np.random.default_rng(seed)
    return S4D(
        C=rng.normal(size=(d, N, 2)).astype(np.float32),
        log_dt=rng.uniform(*np.log(steps), size=d).astype(np.float32),
        log_A_real=np.full((d, N), np.log(0.5), dtype=np.float32),
        A_imag=np.tile(np.pi * np.arange(N), (d, 1)).astype(np.float32),
        D=rng.normal(size=d).astype(np.float32),
        W=(rng.normal(size=(k, d)) / np.sqrt(d)).astype(np.float32),
    )


def tensors(weights: S4D) -> dict[str, np.ndarray]:
    """Under the names of the file, in float32."""
    return {name: getattr(weights, block).astype(np.float32) for block, name in NAMES.items()}
