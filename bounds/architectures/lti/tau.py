"""The class behind tau: taps of which a sum of moduli, in units fixed before the data, and a mean are bounded.

Every function of an input x (T,d) here sees it as ``(x - mu0)/sigma0``. Source: theory 16.4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray
from sympy import Expr, log, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.balls import Enclosure, bits, enclose
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import above, sum_above
from ssm_bounds.bounds.values import Scalar, check_fields, require

AVERAGE: Expr = sym.psi_1 * sqrt(2 * log(2 * sym.T * sym.d) * sym.q_x / sym.m) + sym.psi_2 * sym.e_m
"""Bound of the Rademacher average of one output on the sample that q_x is of."""
CENTRED: Expr = AVERAGE.subs(sym.psi_2, 0)
"""With mu0 = 0: no constraint on the mean, whatever the taps."""
_FEW = 64  # signs, in pairs, that are counted in integers
_BITS = 320  # of a logarithm of Gamma at 10^18, and what its difference leaves


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """``mean``: mu0, ``deviation``: sigma0 > 0, by time and channel (T,d), fixed before the data.

    None stands for 0, and for 1. Raises: DomainError.
    """

    mean: Floats | None = None
    deviation: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "deviation"):
            value = getattr(self, name)
            if value is not None:
                require(value.ndim == 2, f"{name}: expected shape (T, d), found {value.shape}")
                bad = int(np.count_nonzero(~np.isfinite(value)))
                require(not bad, f"{name}: expected finite values, found {bad} NaN or inf")
        if self.deviation is not None:
            low = float(self.deviation.min())
            require(low > 0, f"deviation: expected values above 0, found {low:g}")

    @property
    def centred(self) -> bool:
        """Whether mu0 is 0."""
        return self.mean is None or not self.mean.any()

    def require_fitting(self, T: int, d: int) -> None:
        """Raises: DomainError for the units of other sequences."""
        for name in ("mean", "deviation"):
            value = getattr(self, name)
            fits = value is None or value.shape == (T, d)
            require(fits, f"{name}: expected shape (T, d) = ({T}, {d}), found {None if fits else value.shape}")

    def mean_square(self, x: NDArray[np.integer | np.floating], T: int) -> float:
        """q_x: at least the largest ``(1/m) sum_i xhat_isj^2`` of sequences (m,T_x,d), T_x <= T, zeros in front.

        Raises: DomainError beyond float64, and as :meth:`require_fitting`.
        """
        _, length, d = x.shape
        require(length <= T, f"sequences of length {length} are longer than T = {T}")
        self.require_fitting(T, d)
        first = T - length  # before it there are zeros, which are 0 in these units too where mu0 is 0
        found = 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            for s in range(first if self.centred else 0, T):
                columns = np.zeros((1, d)) if s < first else x[:, s - first].astype(np.float64)
                z = columns if self.mean is None else columns - self.mean[s]
                z = z if self.deviation is None else z / self.deviation[s]
                squares = above(np.square(z), 8)
                found = float(np.maximum(found, above(sum_above(squares, axis=0) / len(columns)).max()))
        require(math.isfinite(found), "the mean square of an input in these units exceeds float64")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class TauClass:
    """``sum |g_sj| sigma0_sj <= psi_1``, ``|sum g_sj mu0_sj| <= psi_2``, ``g_sj = w_j k_{j,T-1-s}``.

    Raises: DomainError.
    """

    psi_1: Scalar
    psi_2: Scalar = 0
    units: Units = Units()

    def __post_init__(self) -> None:
        check_fields("TauClass", self, counts=(), radii=("psi_1", "psi_2"))

    def rademacher(self, x: NDArray[np.integer | np.floating], T: int | None = None) -> Enclosure:
        """A bound of R over the class on sequences (m,T_x,d), with zeros in front up to length T (None: T_x).

        ``upper`` is certified; the enclosure is that of the bound at what was rounded up of the sample. With mu0 = 0
        the second constraint says nothing and costs nothing. Raises: DomainError.
        """
        m, length, d = x.shape
        T = T or length
        values = {
            sym.psi_1: self.psi_1,
            sym.psi_2: 0 if self.units.centred else self.psi_2,
            sym.m: m,
            sym.T: T,
            sym.d: d,
            sym.q_x: self.units.mean_square(x, T),
            sym.e_m: mean_modulus(m).upper,
        }
        return enclose(AVERAGE, values)


def mean_modulus(m: int) -> Enclosure:
    """``E|S_m|/m``, S_m the sum of m random signs: ``2^{1-m} ceil(m/2) binom(m, ceil(m/2))/m``.

    >>> mean_modulus(1).float_upper(), mean_modulus(4).float_upper()
    (1.0, 0.375)
    """
    require(m >= 1, f"a mean over signs needs m >= 1, got {m}")
    k = (m + 1) // 2
    with bits(_BITS):
        if k <= _FEW:
            return Enclosure.of(arb(2 * k * math.comb(2 * k, k)) / arb(4) ** k / m)
        ratio = ((arb(k) + arb(1) / 2).lgamma() - arb(k).lgamma()).exp()
        return Enclosure.of(2 * ratio / (arb.pi().sqrt() * m))
