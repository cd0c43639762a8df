"""What a perturbation bound needs to know of a model and its inputs: suprema over all inputs, rounded up to float64.

A product or sum of float64 numbers comes out within d 2^-53 of its moduli, summed in any order; every maximum below is
taken after that much is added. The order is one, the same on every machine: no product of matrices goes through BLAS.
A vocabulary of V rows of length d costs O(V d N), once.
"""
# |u| and the logit are maxima that models.selective_ssm.measure encloses too, there to the last bit by integers. Here
# they are of the rescaled model and above by some 1e-15: the exact ones would move the last digits of every rung of
# theory 8.3, and are out of reach from this floor. Its v_B, v_C and v_w are of whole vectors, these of single entries.

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.balls import exact, float_above
from ssm_bounds.bounds.evaluate.elementary import log2_of, total
from ssm_bounds.bounds.values import DomainError, Gate, require

Array = NDArray[np.float64]
_EPS = 2.0**-52
_TINY = 2.0**-1000


class Parameters(Protocol):
    """Weights of one model (theory 1), float64: A (d,N), W_B, W_C (N,d), q (d,), p, W (k,d), embedding (V,d)."""

    @property
    def A(self) -> Array: ...
    @property
    def W_B(self) -> Array: ...
    @property
    def W_C(self) -> Array: ...
    @property
    def q(self) -> Array: ...
    @property
    def p(self) -> float: ...
    @property
    def W(self) -> Array: ...
    @property
    def embedding(self) -> Array | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Suprema:
    """Upper bounds over all inputs u, float64; a name of two factors is that of their product's supremum.

    ``omega`` (d,): modulus of a readout, or of the difference of two rows. ``channel`` (d,): |u_j|; ``input_l2``: |u|;
    ``image_B``, ``image_C`` (N,): |(W_B u)_n|, |(W_C u)_n|; ``readout_l1``: |omega o u|_1; ``channel_image_B`` (d,N),
    ``channel_input_l2`` (d,), ``readout_l1_input_l2``, ``readout_l1_image_B`` (N,): products. ``logit``: p + q.u (None:
    no gate). ``rows_B``, ``rows_C`` (N,): l2 norms of rows; ``q_l2``, ``omega_l2``: of q and omega.
    """

    omega: Array
    channel: Array
    input_l2: float
    image_B: Array
    image_C: Array
    channel_image_B: Array
    channel_input_l2: Array
    readout_l1: float
    readout_l1_input_l2: float
    readout_l1_image_B: Array
    logit: Any
    rows_B: Array
    rows_C: Array
    q_l2: float
    omega_l2: float


def _up(value: Any, terms: int = 1) -> Any:
    """Above the exact value of what was computed, in at most ``terms`` operations on numbers >= 0, from above."""
    return value * (1 + (4 * terms + 8) * _EPS) + _TINY


def _norms(rows: Array) -> Array:
    """Upper bounds of the l2 norms of rows (n,d) -> (n,)."""
    return _up(np.sqrt(_up(total(np.square(rows), axis=1), rows.shape[1])))


def _product(rows: Array, columns: Array) -> Array:
    """rows . columns, (n,d) and (m,d) -> (n,m), summed one by one."""
    found = np.zeros((len(rows), len(columns)))
    for left, right in zip(rows.T, columns.T, strict=True):
        found += np.outer(left, right)
    return found


def _dot(rows: Array, columns: Array) -> Array:
    """Upper bounds of |rows . columns|, (n,d) and (m,d) -> (n,m): d products, summed in any order, are off by at most
    ``d 2^-52 |row| |column|`` (and what underflows)."""
    return _up(
        np.abs(_product(rows, columns)) + _up(2 * rows.shape[1] * _EPS * np.outer(_norms(rows), _norms(columns)))
    )


def suprema(weights: Parameters, *, gate: Gate, input_bound: float | None = None) -> Suprema:
    """Over the rows of the embedding or, without one, over the ball of radius ``input_bound``.

    On the unit ball ``max |u_j| |w.u| = (|w_j| + |w|)/2``: half the largest |eigenvalue| of e_j w^T + w e_j^T.
    Shapes: as in :class:`Suprema`. Raises: DomainError.
    """
    rows = weights.W
    omega = _up(rows.max(0) - rows.min(0)) if len(rows) > 1 else np.abs(rows[0])
    q = float(_norms(weights.q[None])[0]) if gate == "softplus" else 0.0
    if weights.embedding is not None:
        require(
            input_bound is None, f"the embedding's rows bound the inputs, got input_bound = {input_bound!r} as well"
        )
        found = _over_rows(weights, weights.embedding, omega, q)
    elif input_bound is None or not 0 < input_bound < math.inf:
        raise DomainError(f"real-valued inputs need a bound of their l2 norm, > 0 and finite, got {input_bound!r}")
    else:
        found = _over_ball(weights, float(input_bound), omega, q)
    logit = float_above(exact(Fraction(found.logit) + Fraction(weights.p))) if math.isfinite(found.logit) else math.inf
    return replace(found, logit=logit if gate == "softplus" else None)


def _over_rows(weights: Parameters, E: Array, omega: Array, q: float) -> Suprema:
    """The logit without its p."""
    d = E.shape[1]
    size, absolute, b = _norms(E), np.abs(E), _dot(E, weights.W_B)
    mass = _up(_product(absolute, omega[None])[:, 0], d)
    logits = _product(E, weights.q[None])[:, 0] + _up(2 * d * _EPS * q * size)
    return Suprema(
        omega=omega,
        channel=absolute.max(0),
        input_l2=float(size.max()),
        image_B=b.max(0),
        image_C=_dot(E, weights.W_C).max(0),
        channel_image_B=np.stack([_up((absolute * column[:, None]).max(0)) for column in b.T], axis=1),
        channel_input_l2=_up((absolute * size[:, None]).max(0)),
        readout_l1=float(mass.max()),
        readout_l1_input_l2=float(_up((mass * size).max())),
        readout_l1_image_B=_up((mass[:, None] * b).max(0)),
        logit=float(logits.max() + 4 * _EPS * np.abs(logits).max()),
        rows_B=_norms(weights.W_B),
        rows_C=_norms(weights.W_C),
        q_l2=q,
        omega_l2=float(_norms(omega[None])[0]),
    )


def _over_ball(weights: Parameters, r: float, omega: Array, q: float) -> Suprema:
    """The logit without its p."""
    d, square = len(omega), _up(r * r)
    rows_B, rows_C, w = _norms(weights.W_B), _norms(weights.W_C), float(_norms(omega[None])[0])
    modulus = np.abs(weights.W_B)
    return Suprema(
        omega=omega,
        channel=np.full(d, r),
        input_l2=r,
        image_B=_up(rows_B * r),
        image_C=_up(rows_C * r),
        channel_image_B=_up((modulus.T + rows_B) / 2 * square, 3),
        channel_input_l2=np.full(d, square),
        readout_l1=_up(w * r),
        readout_l1_input_l2=_up(w * square),
        readout_l1_image_B=_up((_up(_product(modulus, omega[None])[:, 0], d) + w * rows_B) / 2 * square, 4),
        logit=_up(q * r),
        rows_B=rows_B,
        rows_C=rows_C,
        q_l2=q,
        omega_l2=w,
    )


def sum_of_squares(values: Array) -> float:
    """Upper bound of ``sum x^2`` for values rounded at most once each."""
    return float(_up(total(np.square(values)), values.size))


@dataclass(frozen=True, slots=True, eq=False)
class _Rescaled:
    """Weights after the rescalings of theory 7."""

    A: Array
    W_B: Array
    W_C: Array
    q: Array
    p: float
    W: Array
    embedding: Array | None


def rescaled(weights: Parameters, *, embedding_in_class: bool) -> Parameters:
    """The same function, rescaled by powers of two (theory 7): rows of W_B about as long as those of W_C, and W_B,
    W_C and an embedding in the class of variance about 1. As it is where a power of two would not be exact."""

    def power(values: Array) -> int:
        scaled = np.ldexp(values, -_exponent(values))
        size = math.sqrt(float(total(np.square(scaled))) / scaled.size) if values.any() else 1.0
        return -round(log2_of(size)) - _exponent(values)

    b, c = (np.array([-power(row) for row in block]) for block in (weights.W_B, weights.W_C))
    row = (c - b) // 2
    W_B, W_C = np.ldexp(weights.W_B, row[:, None]), np.ldexp(weights.W_C, -row[:, None])
    E, t = weights.embedding, 0
    if E is not None and embedding_in_class:
        t = power(E)
        E = np.ldexp(E, t)
    i, j = power(W_B), power(W_C)
    shift = (row[:, None] + i, -row[:, None] + j, -i - j - 3 * t)
    after = _Rescaled(
        A=weights.A,
        W_B=np.ldexp(weights.W_B, shift[0]),
        W_C=np.ldexp(weights.W_C, shift[1]),
        q=np.ldexp(weights.q, -t),
        p=weights.p,
        W=np.ldexp(weights.W, shift[2]),
        embedding=E,
    )
    pairs = [
        (after.W_B, -shift[0], weights.W_B),
        (after.W_C, -shift[1], weights.W_C),
        (after.W, -shift[2], weights.W),
        (after.q, t, weights.q),
    ]
    if after.embedding is not None and weights.embedding is not None:
        pairs.append((after.embedding, -t, weights.embedding))
    exactly = all(np.array_equal(np.ldexp(new, back), old) for new, back, old in pairs)
    return after if exactly else weights


def _exponent(values: Array) -> int:
    return int(np.frexp(np.abs(values).max())[1]) if values.size else 0
