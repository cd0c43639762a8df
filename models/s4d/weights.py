"""The weights of one linear S4D layer and its readout, as the public code of S4D stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.selective_ssm.weights import check_shapes, float64

Array = NDArray[np.float64]

SHAPES: Mapping[str, str] = {"C": "dN2", "log_dt": "d", "log_A_real": "dN", "A_imag": "dN", "D": "d", "W": "kd"}
"""One letter per axis: d channels, N modes per channel, k outputs; a complex number is two."""


@dataclass(frozen=True, slots=True, eq=False)
class S4D:
    """Weights of ``z = W y_T`` (theory 14.1), copied to read-only float64 arrays. Shapes: as in ``SHAPES``.

    Raises: WeightsError.

    >>> ones = np.ones((3, 2))
    >>> S4D(C=np.ones((3, 2, 2)), log_dt=ones[:, 0], log_A_real=ones, A_imag=ones, D=ones[:, 0], W=ones.T).k
    2
    """

    C: Array
    log_dt: Array
    log_A_real: Array
    A_imag: Array
    D: Array
    W: Array

    def __post_init__(self) -> None:
        for name in SHAPES:
            object.__setattr__(self, name, float64(name, getattr(self, name)))
        check_shapes({name: getattr(self, name).shape for name in SHAPES}, SHAPES)

    @property
    def d(self) -> int:
        """Channels."""
        return self.C.shape[0]

    @property
    def N(self) -> int:
        """Modes per channel: pairs of conjugate states."""
        return self.C.shape[1]

    @property
    def k(self) -> int:
        """Outputs."""
        return self.W.shape[0]
