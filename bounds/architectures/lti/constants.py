"""What was measured of one linear S4D model, all of it rounded up to float64 (decays: both ways)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, exp_above
from ssm_bounds.bounds.values import Scalar, check_fields, require


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """The taps h_l, l < T, of a model with one output. ``sizes`` (L,): at least |h_l|_2 for l < L; ``h2``, ``l1``: at
    least the norms of all T of them. From L on ``|h_l|_2 <= after e^{-slowest (l - L)}``; ``after`` is 0 for L = T.
    """

    sizes: Floats
    h2: float
    l1: float
    T: int
    after: float = 0.0
    slowest: float = 0.0

    def envelope(self, rate: float) -> float:
        """At least the least K with ``|h_l|_2 <= K e^{-rate l}`` for all l < T; infinity beyond float64."""
        lags = np.arange(len(self.sizes), dtype=np.float64)
        with np.errstate(over="ignore"):
            found = float(above(self.sizes * exp_above(above(rate * lags))).max())
            if len(self.sizes) < self.T:
                # the bound of the later ones grows with the lag where it decays more slowly than rate, else it falls
                growing = above(rate - self.slowest) * above(float(self.T)) if rate > self.slowest else 0.0
                exponent = above(rate * float(len(self.sizes))) + growing
                found = max(found, float(above(self.after * exp_above(above(exponent)))))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """``b``: at least every -Re lambda_jn; ``s``: at least every Re lambda_jn. ``C_1 >= max_j sum_n |c_jn|``, ``D``,
    ``B_w``: as in theory 14.4. ``B_u``: what inputs are said to be bounded by. ``taps``: None for several outputs.

    Raises: DomainError.
    """

    d: int
    N: int
    k: int
    b: Scalar
    s: Scalar
    C_1: Scalar
    D: Scalar
    B_w: Scalar
    B_u: Scalar
    taps: Taps | None = None

    def __post_init__(self) -> None:
        check_fields("Measured", self, counts=("d", "N", "k"), radii=("b", "C_1", "D", "B_w", "B_u"))
        require(self.s <= 0 or self.b + self.s >= 0, "Measured: the largest real part is below the smallest")


@dataclass(frozen=True, slots=True)
class Standardised:
    """Of a model with one output and the sample, in units fixed before the data: ``psi_1``, ``psi_2`` (None where
    mu0 = 0) and ``q_x``, each at least what theory 16.4 calls so. Raises: DomainError.
    """

    psi_1: Scalar
    q_x: Scalar
    psi_2: Scalar | None = None

    def __post_init__(self) -> None:
        check_fields("Standardised", self, counts=(), radii=("psi_1", "q_x", "psi_2"))
