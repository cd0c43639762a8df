"""Independent, slow, obvious versions of what the library computes cleverly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import mpmath
import numpy as np


def geometric(ratio: Fraction, terms: int) -> Fraction:
    return sum((ratio**t for t in range(terms)), Fraction(0))


def weighted_geometric(ratio: Fraction, terms: int) -> Fraction:
    return sum((t * ratio**t for t in range(terms)), Fraction(0))


def gate_sums(gates: np.ndarray, s_A: float) -> tuple[float, float]:
    """``sum c_i e^{s tau_i}`` and ``sum c_i tau_i e^{s tau_i}`` for gates c_0, c_1, ... (most recent first)."""
    tau = np.concatenate([[0.0], np.cumsum(gates)[:-1]])
    weight = gates * np.exp(s_A * tau)
    return float(weight.sum()), float((weight * tau).sum())


@dataclass(frozen=True)
class Model:
    """theory 1, with a plain recurrence. Shapes: A (d,N), W_B, W_C (N,d), q (d,), W (k,d)."""

    A: np.ndarray
    W_B: np.ndarray
    W_C: np.ndarray
    q: np.ndarray
    p: float
    W: np.ndarray

    def __call__(self, u: np.ndarray) -> np.ndarray:
        state = np.zeros_like(self.A)
        for token in u:
            gate = np.logaddexp(0.0, self.p + self.q @ token)
            state = np.exp(gate * self.A) * state + gate * np.outer(token, self.W_B @ token)
        return self.W @ (state @ (self.W_C @ u[-1]))

    def moved(self, **changes: object) -> Model:
        return replace(self, **changes)


def rademacher_of_interval(radius: float, m: int) -> mpmath.mpf:
    """Exact ``E |sum sigma_i| radius/m``: the class of constants in [-radius, radius] (theory 9.1)."""
    half = (m - 1) // 2
    return mpmath.mpf(radius) * mpmath.binomial(m - 1, half) / mpmath.mpf(2) ** (m - 1)
