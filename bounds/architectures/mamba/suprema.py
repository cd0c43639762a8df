"""Suprema over all inputs of length at most T of a layer's input, gates, states, scan and output.

Source: theory M1, M2.1, M3. Masks and padding are included, so ranges of u and of logits contain what a masked
token gives. ``radius`` is the input radius rho, ``B_u`` a bound of |u|_2. Two-sided ranges are pairs (low, high).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ssm_bounds.bounds.architectures.mamba.silu import W, silu_range
from ssm_bounds.bounds.architectures.mamba.sums import R_1
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.evaluate.outward import (
    EPS,
    above,
    below,
    by_blocks,
    forgotten_below,
    norm,
    norms,
    positive_below,
    product,
    softplus_above,
    softplus_below,
    sum_above,
)

Range: TypeAlias = tuple[Floats, Floats]


def convolved(taps: Floats, bias: Floats, x: Range, causal: bool = True, now: Range | None = None) -> Range:
    """M1.1, M1.6: the range of ``b + sum_i K_i x_(t-i)``, each token's x in its range (d,), ``taps`` (d,k).

    In a causal convolution absent are the tokens before the first, so that the taps that count come first: the largest
    of the sums of 1 to k terms, attained where every x of the range is. Else any may be absent. ``now``: the range of
    x of the token itself, where that is narrower, as it is without a mask, under which u is 0 anyway.
    """
    rise, fall = (
        np.maximum(*(above(taps * (sign * _tapped(end, first, taps))) for end, first in zip(x, now or x, strict=True)))
        for sign in (1, -1)
    )
    highest, lowest = (_most(part) if causal else sum_above(np.maximum(part, 0.0), axis=1) for part in (rise, fall))
    size = np.abs(bias)
    return below(bias - lowest, 1, size + np.abs(lowest)), above(bias + highest, 1, size + np.abs(highest))


def _tapped(x: Floats, now: Floats, taps: Floats) -> Floats:
    """What each tap meets (d,k): the token itself first."""
    return np.column_stack([now, *[x] * (taps.shape[1] - 1)])


def _most(terms: Floats) -> Floats:
    """The largest sum of the first 1 to k of them (d,k)."""
    total = best = terms[:, 0]
    for term in terms.T[1:]:
        total = above(total + term, 1, np.abs(total) + np.abs(term))
        best = np.maximum(best, total)
    return best


def gated(x: Range) -> Range:
    """M1.2: SiLU of a range, and 0, which a masked token gives."""
    low, high = silu_range(*x)
    return np.minimum(low, 0.0), np.maximum(high, 0.0)


def modulus(x: Range) -> Floats:
    return np.maximum(-x[0], x[1])


def input_norm(u: Floats, bias: Floats, kappa: Floats, shift: Floats, windows: float) -> float:
    """M1.3: |u_t|_2 from the moduli u (d,), and from ``|b| + |kappa o c| + windows``, the last being
    ``rho |[sqrt(theta_i) G_i]| (sum 1/theta_i)^(1/2)``; ``shift`` bounds |c|."""
    linear = above(norm(bias) + norm(above(kappa * shift)) + windows, 3)
    return float(np.fmin(norm(u), linear))


def images(rows: Floats, error: Floats, u: Range, B_u: float) -> Range:
    """M1.4 (i), (ii): the range of ``q . u`` for rows q (n,d), known but for ``error`` (n,d)."""
    size = modulus(u)

    def reach(rows: Floats, error: Floats) -> Floats:
        wrong = above(error * size)
        ends = above(np.maximum(rows * u[0], rows * u[1])), above(np.maximum(-rows * u[0], -rows * u[1]))
        return np.stack([sum_above(above(end + wrong, 1, np.abs(end) + wrong), axis=1) for end in ends])

    ball = above(above(norms(rows) + norms(error)) * B_u)
    high, down = np.fmin(by_blocks(reach, rows, error), ball)
    return -down, high


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """How ``a_t = b + sum_i K_i o x_(t-i)`` comes from normed inputs, ``x = R v + c`` with |v| <= radius (M1.4 (iii)).

    R (d,D) is known but for ``error`` (d,) in l2, c lies in ``shift``; ``masked`` (d,) is x of a masked token.
    """

    taps: Floats
    bias: Floats
    rows: Floats
    error: Floats
    shift: Range
    masked: Floats
    radius: float


def images_by_lines(q: Floats, error: Floats, u: Range, a: Range, window: Window) -> Range:
    """M1.4 (iii): SiLU lies between lines on the range ``a``, and a sum of lines is linear in each token of the window.

    Above ``alpha x + beta``, any alpha in [0, 1] with ``beta >= max(x, 0) - alpha x`` at both ends; below it x/2, -W
    and x - W. Masked tokens give x or u that the ball does not: the larger counts, and 0.
    """
    middle = (a[0] + a[1]) / 2
    slopes = np.clip(a[1] / np.where(a[1] > a[0], a[1] - a[0], 1.0), 0.0, 1.0)
    slope_above = np.where(a[0] >= 0, 1.0, np.where(a[1] <= 0, 0.0, slopes))
    # with room for q alpha, once rounded, which stands for another alpha
    excess = (above(np.maximum(end, 0.0) - slope_above * end, 2, 2 * np.abs(end)) for end in a)
    offset_above = np.maximum(*excess)
    lines = ((0.5, 0.0), (0.0, -W * (1 + 2 * EPS)), (1.0, -W * (1 + 2 * EPS)))
    best = np.argmax([alpha * middle + beta for alpha, beta in lines], axis=0)
    slope_below, offset_below = (np.array([line[part] for line in lines])[best] for part in (0, 1))
    wrong = sum_above(above(error * modulus(u)), axis=1)
    slack = above(window.error + EPS * norms(window.rows), 2)  # of the row, and of rounding what it is multiplied by

    def highest(q: Floats) -> Floats:
        w = q * np.where(q > 0, slope_above, slope_below)
        fixed = q * np.where(q > 0, offset_above, offset_below)
        through_bias = w * window.bias
        size = _total(np.abs(fixed) + np.abs(through_bias)) + wrong
        found = above(_total(fixed) + _total(through_bias) + wrong, 2, size)
        for tap in window.taps.T:
            through = w * tap
            image, image_error = product(through, window.rows)
            lost = above(norms(image_error) + _total(np.abs(through) * slack), 2)
            reach = above(window.radius * above(norms(image) + lost), 2)
            shift = _total(np.maximum(through * window.shift[0], through * window.shift[1]))
            gone = _total(through * window.masked)
            size = np.abs(found) + np.abs(shift) + reach + np.abs(gone)
            found = above(found + np.maximum(np.maximum(shift + reach, gone), 0.0), 2, size)
        return np.maximum(found, 0.0)

    return -highest(-q), highest(q)


def _total(values: Floats) -> Floats:
    return np.asarray(sum_above(above(values), axis=1))


def narrower(x: Range, y: Range) -> Range:
    """What is in both of two ranges that hold."""
    return np.fmax(x[0], y[0]), np.fmin(x[1], y[1])


def image_norm(rows_norm: float, moduli: Floats, shift: Floats, B_u: float) -> float:
    """M1.5: ``|X u + c|_2`` from ``|X|_2 B_u + |c|`` and from the moduli of its entries."""
    return float(np.fmin(above(rows_norm * B_u + norm(shift), 2), norm(moduli)))


def steps(logits: Range, offset: float = 0.0) -> Range:
    """M2.1: softplus of the logits, and what a variant adds."""
    return positive_below(softplus_below(logits[0]) + offset), above(softplus_above(logits[1]) + offset)


def clamped(step: Range, limits: tuple[float, float]) -> Range:
    """M2.1: prefill clamps every step to ``limits``."""
    low, high = (np.minimum(np.maximum(end, limits[0]), limits[1]) for end in step)
    return low, high


def on_both_paths(step: Range, limits: tuple[float, float]) -> Range:
    """M2.1: one-token decoding ignores the limits; these hold either way."""
    return np.minimum(step[0], limits[1]), np.maximum(step[1], limits[0])


def scanned(u: Floats, B: float, C: float, pairs: Floats, first: Floats, each: Floats) -> Floats:
    """M3.1: |scan_j| from moduli u (d,), |B|_2, |C|_2, ``pairs`` (N,) of |B_n||C_n|, R_1 (d,), and (d,N) by state."""
    together = above(B * C * first, 2)
    apart = sum_above(above(each * pairs), axis=1)
    return np.asarray(above(u * np.fmin(together, apart)))


def output_norm(W_o: Floats, o: Floats, by_matrix: float) -> float:
    """M3.1: |W_o o|_2 for moduli o (d,) from rows of moduli, or ``by_matrix``, from spectral norms."""
    return float(np.fmin(norm(sum_above(above(np.abs(W_o) * o), axis=1)), by_matrix))


@np.errstate(all="ignore")
def frobenius_state(B: float, u: Floats, B_u: float, lambda_: Floats, steps: Range, T: int) -> tuple[float, ...]:
    """M3.2: the three bounds of |s_t|_F, each from above; the smallest counts."""
    m, M, slowest = float(steps[0].min()), float(steps[1].max()), float(lambda_.min())
    first = R_1(lambda_, steps[1], T)
    low = float(np.fmin(above(M * T), above(np.divide(M, forgotten_below(positive_below(slowest * m))))))
    return (
        float(above(B * norm(above(first * u)))),
        float(above(B * B_u * low, 2)),
        float(above(B * B_u * above(np.sqrt(above(low * first.max()))), 2)),
    )


@np.errstate(all="ignore")
def normed(o: Floats, eps: float, groups: int) -> Floats:
    """M3.3: ``f_g``, the rms of each group of channels after the gated norm, from moduli o (d,)."""
    size = o.size // groups
    w = above(norms(o.reshape(groups, size)) / np.sqrt(size), 2)
    square = w * w
    return np.where(np.isfinite(square), np.fmin(above(w / np.sqrt(square + eps), 5), 1.0), 1.0)
