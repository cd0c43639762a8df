"""Last states of random linear CDEs along many paths at once, in float64, and what a linear readout of them learns.

``dZ = sum_i A_i Z d omega^i + B d xi`` with omega = xi the path: on a segment with the increments v the state becomes
``e^M Z + phi(M) B v``, M = sum_i A_i v^i, phi(x) = (e^x - 1)/x. Z_0 is an affine function of the first point. For
experiments: nothing here is enclosed (``cde.py`` does that).

Shapes: b paths, n states, r coordinates of the path; paths (b,points,r) -> features (b,n).
Source: theory 15; the laws of the weights are those of the public code of Muca Cirone et al. (arXiv 2402.19047).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ENOUGH = 1e-17  # of the terms of a series


def dense(paths: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Dense A_i with entries N(0, 1/n), B and Z_0 standard normal.

    For paths with few different increments, rounded to 1e-12: one exponential each.
    """
    r = paths.shape[2]
    A, B = rng.normal(size=(r, n, n)) / np.sqrt(n), rng.normal(size=(n, r))
    z = np.hstack([_start(paths, n, rng), np.ones((len(paths), 1))])  # one more state, which forcing multiplies
    steps = _steps(paths).round(12)
    distinct, which = np.unique(steps.reshape(-1, r), axis=0, return_inverse=True)
    moves = []
    for v in distinct:
        M = np.zeros((n + 1, n + 1))
        M[:n, :n], M[:n, n] = np.tensordot(v, A, 1), B @ v
        moves.append(_exponential(M).T)
    for step in which.reshape(steps.shape[:2]):
        for each in np.unique(step):
            z[step == each] = z[step == each] @ moves[each]
    return z[:, :n]


def diagonal(paths: Floats, n: int, rng: np.random.Generator, *, forced: bool = True) -> Floats:
    """Diagonal A_i with entries N(0, 1), B with N(0, 1/r) or 0, Z_0 standard normal."""
    return diagonal_states(paths, paths, n, rng, forced=forced)[:, -1]


def chain(paths: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Two forced diagonal layers of n states: (b, 2 n), both last states. xi of the second is the path and n mixtures,
    N(0, 1/n), of the states of the first, taken at the points and straight between them."""
    first = diagonal_states(paths, paths, n, rng)
    mixed = first @ (rng.normal(size=(n, n)) / np.sqrt(n))
    second = diagonal_states(paths, np.concatenate([paths, mixed], axis=2), n, rng)
    return np.concatenate([first[:, -1], second[:, -1]], axis=1)


def diagonal_states(omega: Floats, xi: Floats, n: int, rng: np.random.Generator, *, forced: bool = True) -> Floats:
    """The states at every point (b,points,n)."""
    a = rng.normal(size=(omega.shape[2], n))
    b = rng.normal(size=(xi.shape[2], n)) / np.sqrt(xi.shape[2]) * forced
    states = [_start(omega, n, rng)]
    for v, w in zip(_steps(omega), _steps(xi), strict=True):
        m = v @ a
        rise = np.expm1(m)
        phi = np.divide(rise, m, out=np.ones_like(m), where=m != 0)
        states.append(states[-1] + rise * states[-1] + phi * (w @ b))
    return np.stack(states, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Readout:
    """A linear function of features, and a constant. Shapes: mean and scale (n,), weights (n,targets)."""

    mean: Floats
    scale: Floats
    weights: Floats
    constant: Floats

    def __call__(self, features: Floats) -> Floats:
        return (features - self.mean) / self.scale @ self.weights + self.constant


def readout(features: Floats, targets: Floats, *, ridge: float) -> Readout:
    """Least squares on standardised features, ``ridge`` times the mean eigenvalue of their covariance added to it.

    Shapes: features (b,n), targets (b,targets).
    """
    mean, scale = features.mean(0), features.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    x, constant = (features - mean) / scale, targets.mean(0)
    covariance = x.T @ x / len(x)
    added = ridge * np.trace(covariance) / len(covariance)
    weights = np.linalg.solve(covariance + added * np.eye(len(covariance)), x.T @ (targets - constant) / len(x))
    return Readout(mean, scale, weights, constant)


def integrals(paths: Floats) -> dict[str, Floats]:
    """Iterated integrals of the first coordinates of a path, each (b,): "S12", "S123" (of paths in R^3), and the Levy
    area "L12", ``(S^{12} - S^{21})/2``. Segment by segment (Chen's relation)."""
    b, _, r = paths.shape
    one, two, three = np.zeros((b, r)), np.zeros((b, r, r)), np.zeros(b)
    for v in _steps(paths):
        half = v[:, :, None] * v[:, None, :] / 2
        if r > 2:
            three += two[:, 0, 1] * v[:, 2] + one[:, 0] * half[:, 1, 2] + half[:, 0, 1] * v[:, 2] / 3
        two += one[:, :, None] * v[:, None, :] + half
        one += v
    found = {"S12": two[:, 0, 1], "L12": (two[:, 0, 1] - two[:, 1, 0]) / 2}
    return found | ({"S123": three} if r > 2 else {})


def _start(paths: Floats, n: int, rng: np.random.Generator) -> Floats:
    first = paths[:, 0]
    return first @ rng.normal(size=(first.shape[1], n)) + rng.normal(size=n)


def _steps(paths: Floats) -> NDArray[np.float64]:
    """(points - 1, b, r)."""
    return np.diff(paths, axis=1).swapaxes(0, 1)


def _exponential(M: Floats) -> Floats:
    """By its series, for matrices whose norm is not much above 1."""
    term = np.eye(len(M))
    total, k = term.copy(), 0
    while np.abs(term).max() > _ENOUGH:
        k += 1
        term = term @ M / k
        total += term
    return total
