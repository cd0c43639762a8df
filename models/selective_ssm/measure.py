"""From weights to the constants of theory 1. Every norm is the least float64 that is at least the exact one; of the
spectral norm of a matrix with more than 64 rows and columns, the least number of 24 bits (``norms.spectral``).

So it is the same on every machine.

Exact steps use integers: a float64 is an integer times a power of two. Where that is too slow (the embedding's rows),
float64 arithmetic with a proven error margin first leaves the few rows that can be the largest.
"""

from __future__ import annotations

import math
from fractions import Fraction
from operator import mul

import numpy as np

from ssm_bounds.bounds.architectures.selective_ssm.constants import MeasuredConstants
from ssm_bounds.bounds.values import DomainError, Gate, require
from ssm_bounds.models.norms.exact import exponent, integers, round_up, sqrt_up, square
from ssm_bounds.models.norms.spectral import spectral
from ssm_bounds.models.selective_ssm.weights import Array, Weights

_EPS = 2.0**-52


def measure(
    weights: Weights, *, gate: Gate, input_bound: float | None = None, vocabulary: bool = True
) -> MeasuredConstants:
    """Constants of one model. ``input_bound`` is B_u for real-valued inputs; an embedding has its own.
    ``vocabulary=False`` skips ``logit_max`` and the constants of theory 5.3, passes over the embedding that only
    vocabulary inputs need.

    Radii are rounded up; s_A, p and B_A are exact; gate "none" (Delta = 1) leaves p and q out.
    Source: theory 1. Raises: DomainError for an input bound that is missing, superfluous or not above 0, and for
    norms beyond the float64 range.
    """
    embedding, gated = weights.embedding, gate != "none"
    words = embedding if vocabulary else None
    B_u, B_w = _input_radius(embedding, input_bound), spectral(weights.W)
    return MeasuredConstants(
        d=weights.d,
        N=weights.N,
        k=weights.k,
        V=weights.V,
        gate=gate,
        s_A=float(weights.A.max()),
        B_A=float(np.abs(weights.A).max()),
        M_A=entrywise_l1(weights.A),
        B_u=B_u,
        B_B=spectral(weights.W_B),
        M_B=entrywise_l1(weights.W_B),
        B_C=spectral(weights.W_C),
        M_C=entrywise_l1(weights.W_C),
        B_q=l2(weights.q) if gated else 0.0,
        M_q=entrywise_l1(weights.q) if gated else 0.0,
        p=weights.p if gated else 0.0,
        B_w=B_w,
        M_w=entrywise_l1(weights.W),
        logit_max=max_logit(words, weights.q, weights.p) if gated and words is not None else None,
        decays=tuple(map(tuple, weights.A.tolist())),
        v_B=None if words is None else max_image_l2(words, weights.W_B),
        v_C=None if words is None else max_image_l2(words, weights.W_C),
        v_w=None if words is None else min(max_readout_l1(words, weights.W), round_up(Fraction(B_w) * Fraction(B_u))),
    )


def entrywise_l1(array: Array) -> float:
    """The least float64 that is at least ``sum |x|`` over all entries.

    >>> entrywise_l1(np.array([[1.0, -(2.0**-60)]])) == 1 + 2.0**-52
    True
    """
    numerators, unit = integers(array)
    return round_up(sum(map(abs, numerators)) * unit)


def l2(vector: Array) -> float:
    """The least float64 that is at least ``|vector|_2``.

    >>> l2(np.array([3.0, 4.0]))
    5.0
    """
    return sqrt_up(square(vector))


def max_row_l2(rows: Array) -> float:
    """The least float64 that is at least the l2 norm of every row of a matrix (V, d).

    Float64 finds the rows that can be largest: d squares, summed in any order, come out within a factor 1 +- d eps, so
    that of a largest row is at least 1 - 2 d eps of the largest computed (what underflows after scaling is far below).
    Those rows are then squared exactly.
    """
    if not rows.any():
        return 0.0
    scaled = _scaled(rows)
    squares = np.einsum("vd,vd->v", scaled, scaled)
    near = rows[squares >= squares.max() * (1 - 4 * rows.shape[1] * _EPS)]
    distinct = np.unique(np.sort(np.abs(near), axis=1), axis=0)  # all one-hot rows are one
    return sqrt_up(max(map(square, distinct)))


def max_logit(rows: Array, q: Array, p: float) -> float:
    """The least float64 that is at least ``p + q.e_v`` for every row e_v of a matrix (V, d).

    Float64 finds the rows that can be largest: q.e_v, summed in any order, is off by at most ``d eps |q|.|e_v|``, plus
    2^-1000 for what underflows after scaling. Those rows are then multiplied exactly.
    """
    if not q.any() or not rows.any():
        return p
    scaled, scaled_q = _scaled(rows), _scaled(q)
    logits = np.einsum("vd,d->v", scaled, scaled_q)
    margin = 2 * len(q) * _EPS * np.einsum("vd,d->v", np.abs(scaled), np.abs(scaled_q)) + 2.0**-1000
    near = rows[logits + margin >= (logits - margin).max()]
    factors, q_unit = integers(q)
    best = max(
        sum(map(mul, factors, numerators)) * unit
        for numerators, unit in map(integers, np.unique(near * (q != 0), axis=0))
    )
    return round_up(Fraction(p) + best * q_unit)


def max_image_l2(rows: Array, matrix: Array) -> float:
    """The least float64 that is at least ``|X e_v|_2`` for every row e_v of (V, d), X a matrix (n, d).

    Float64 finds the rows that can be largest: an entry of X e_v is off by at most ``d eps |X|.|e_v|`` and what
    underflows, hence the norm by the norm of that and its own rounding. Those rows are then multiplied exactly.
    """
    if not rows.any() or not matrix.any():
        return 0.0
    scaled, by = _scaled(rows), _scaled(matrix)
    lengths = np.sqrt(np.square(scaled @ by.T).sum(axis=1))
    sizes = np.sqrt(np.square(np.abs(scaled) @ np.abs(by).T).sum(axis=1))
    margin = 4 * (sum(matrix.shape) + 4) * _EPS * sizes + 2.0**-500
    near = np.unique(rows[lengths + margin >= (lengths - margin).max()], axis=0)
    (factors, unit), (entries, row_unit) = integers(matrix), integers(near)
    d = matrix.shape[1]
    best = max(
        sum(sum(map(mul, factors[i : i + d], entries[v : v + d])) ** 2 for i in range(0, len(factors), d))
        for v in range(0, len(entries), d)
    )
    return sqrt_up(best * (unit * row_unit) ** 2)


def max_readout_l1(rows: Array, matrix: Array) -> float:
    """Upper bound of ``sup_{|a|=1} |(W^T a) o e_v|_1`` over every row e_v of (V, d), W a matrix (k, d).

    ``sum_j |W_j|_2 |e_vj|`` over the columns of W: exact for one output, else the triangle inequality.
    """
    return max_logit(np.abs(rows), np.array([l2(column) for column in matrix.T]), 0.0)


def _input_radius(embedding: Array | None, input_bound: float | None) -> float:
    if embedding is not None:
        require(input_bound is None, f"input_bound: the embedding's rows bound the inputs, got {input_bound!r} as well")
        return max_row_l2(embedding)
    if input_bound is None or not 0 < input_bound < math.inf:
        raise DomainError(
            f"input_bound: real-valued inputs need a bound of their l2 norm, finite and above 0, got {input_bound!r}"
        )
    return input_bound


def _scaled(array: Array) -> Array:
    """The array times a power of two that brings its largest absolute entry into [2^-75, 1), or [1/2, 1) if normal."""
    return array * 2.0 ** min(1000, -exponent(array))
