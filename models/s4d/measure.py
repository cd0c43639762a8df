"""The constants of a linear S4D model and its taps, from above: the same on every machine (theory 14.1 to 14.4).

Balls enclose each mode once; its powers are float64 products of real parts, one operation at a time, which every
machine rounds alike, and sums over modes are products of integers, which BLAS has exactly (``outward.product``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from flint import acb, arb
from numpy.typing import NDArray

from ssm_bounds.bounds.architectures.lti.constants import Measured, Standardised, Taps
from ssm_bounds.bounds.architectures.lti.tau import Units
from ssm_bounds.bounds.evaluate import outward
from ssm_bounds.bounds.evaluate.balls import START_BITS, bits
from ssm_bounds.bounds.evaluate.elementary import total
from ssm_bounds.bounds.evaluate.outward import EPS, TINY, above, sum_above
from ssm_bounds.bounds.values import require
from ssm_bounds.models.norms.spectral import spectral
from ssm_bounds.models.s4d.weights import S4D

Array = NDArray[np.float64]
Complex: TypeAlias = tuple[Array, Array]  # real and imaginary parts
LARGEST_STEP = 2.0**40  # radians, or nats
_ACCURATE = 60  # bits of a mode's ball, relative to its modulus
_LONGEST = 1 << 15  # lags of which taps are computed
_MOST_TAPS = 1 << 22  # of all channels; later ones by their modes alone
_MOST_POWERS = 1 << 24  # numbers of a table of powers of all modes


@dataclass(frozen=True, slots=True, eq=False)
class Modes:
    """All modes (d, N): ``pole`` is near ``e^lambda`` and ``residue`` near 2 c, within 2^-52 of their moduli and where
    they underflow; ``slow`` and ``fast`` lie below and above ``-Re lambda``, which is at least 0."""

    pole: Complex
    residue: Complex
    slow: Array
    fast: Array


def modes(weights: S4D) -> Modes:
    """Raises: DomainError naming a channel and a mode that no float64 holds, or that turns too fast to be enclosed."""
    shape = (weights.d, weights.N)
    found = np.empty((6, *shape))
    with bits(START_BITS):
        steps = [arb(value).exp() for value in weights.log_dt.tolist()]
        for j, n in product(*map(range, shape)):
            A = acb(-arb(weights.log_A_real[j, n]).exp(), arb(weights.A_imag[j, n]))
            exponent = A * steps[j]
            where = f"mode {n} of channel {j}"
            require(
                bool(abs(exponent.real) < LARGEST_STEP and abs(exponent.imag) < LARGEST_STEP),
                f"{where}: a step of 2^40 or more (kernel.log_dt, kernel.log_A_real, kernel.A_imag)",
            )
            pole = exponent.exp()
            residue = 2 * acb(*map(arb, weights.C[j, n].tolist())) * (exponent.expm1() / A)
            decay = -exponent.real
            balls = (decay, pole) if residue == 0 else (decay, pole, residue)
            known = all(ball.rel_accuracy_bits() >= _ACCURATE for ball in balls)
            require(known, f"{where}: it cannot be enclosed (kernel.log_dt, kernel.log_A_real, kernel.C)")
            parts = (pole.real, pole.imag, residue.real, residue.imag, decay, decay)
            found[:, j, n] = [float(part.mid()) for part in parts]
    require(bool(np.isfinite(found).all()), "a coefficient of a mode exceeds float64 (kernel.C, kernel.log_A_real)")
    slow, fast = np.maximum(outward.below(found[4]), 0.0), above(found[5])
    return Modes((found[0], found[1]), (found[2], found[3]), slow, fast)


def measure(weights: S4D, *, T: int, input_bound: float) -> Measured:
    """Raises: DomainError for modes that are not to be enclosed, and norms beyond float64."""
    found = modes(weights)
    C_1 = float(sum_above(_moduli(found), axis=1).max()) / 2 if weights.C.any() else 0.0
    D = float(np.abs(weights.D).max())
    require(math.isfinite(C_1), "the coefficients of a channel add up beyond float64 (kernel.C)")
    taps = taps_of(weights, found, T) if weights.k == 1 else None
    return Measured(
        d=weights.d,
        N=weights.N,
        k=weights.k,
        b=float(found.fast.max()),
        s=-float(found.slow.min()),
        C_1=C_1,
        D=D,
        B_w=spectral(weights.W),
        B_u=input_bound,
        taps=taps,
    )


def standardised(weights: S4D, units: Units, taps: Taps, x: NDArray[np.integer | np.floating]) -> Standardised:
    """psi_1, psi_2 and q_x of a model with one output and of the sequences x (m,T_x,d), padded to the taps' T.

    Raises: DomainError (units of other sequences; deviations or means and more lags than are computed; beyond float64).
    """
    T, w = taps.T, weights.W[0]
    units.require_fitting(T, weights.d)
    q_x = units.mean_square(x, T)
    if units.mean is None and units.deviation is None:
        return Standardised(taps.l1, q_x)
    require(_lags(weights, T) >= T, f"units by time are for at most {_lags(weights, T)} tokens here, not T = {T}")
    value, off = enclosed(modes(weights), weights.D, T)
    deviation, mean = (
        np.ones((weights.d, T)) if each is None else np.ascontiguousarray(each[::-1].T)
        for each in (units.deviation, units.mean)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        size = above(np.abs(w)[:, None] * above(np.abs(value) + off, 4))
        psi_1, psi_2 = float(sum_above(above(size * deviation))), None
        if not units.centred:
            terms = w[:, None] * value * mean
            # 2^-1000 of ``above`` is room too for what w * value loses where it underflows, which the mean multiplies
            rest = sum_above(above(above(np.abs(w)[:, None] * off) * np.abs(mean)))
            psi_2 = float(above(above(abs(total(terms)), terms.size + 4, total(np.abs(terms))) + rest))
    require(all(map(math.isfinite, (psi_1, psi_2 or 0.0))), "psi_1 or psi_2 exceeds float64 (kernel.C, W, the units)")
    return Standardised(psi_1, q_x, psi_2)


def _lags(weights: S4D, T: int) -> int:
    """How many taps are computed, at most."""
    d, N = weights.d, weights.N
    return min(T, _LONGEST, max(1, _MOST_TAPS // d), max(1, _MOST_POWERS // (4 * d * N)) ** 2)


def taps_of(weights: S4D, found: Modes, T: int) -> Taps:
    """The norms of the taps ``h_l = (w_j k_jl)_j``, l < T. Raises: DomainError beyond float64."""
    L = _lags(weights, T)
    w = np.abs(weights.W[0])
    with np.errstate(over="ignore", invalid="ignore"):
        weighted = above(w[:, None] * kernel(found, weights.D, L))
        sizes = outward.norms(np.ascontiguousarray(weighted.T))
        h2, l1, after, slowest = outward.norm(sizes), float(sum_above(weighted)), 0.0, float(found.slow.min())
        if L < T:
            left = above(_moduli(found) * outward.exp_above(-outward.positive_below(found.slow * float(L))), 2)
            forgotten = outward.forgotten_below(found.slow)
            times = np.minimum(above(float(T)), above(1 / np.maximum(forgotten, TINY)))
            after, rest = (float(sum_above(above(w[:, None] * each))) for each in (left, above(left * times)))
            h2, l1 = outward.norm(np.array([h2, rest])), float(above(l1 + rest))
    require(all(map(math.isfinite, (h2, l1, after))), "the norms of the taps exceed float64 (kernel.C, W)")
    return Taps(sizes, h2, l1, T, after, slowest)


def _moduli(found: Modes) -> Array:
    shape = found.slow.shape
    return outward.norms(np.stack(found.residue, axis=-1).reshape(-1, 2)).reshape(shape)


def kernel(found: Modes, skip: Array, L: int) -> Array:
    """At least ``|k_jl|`` of each channel (d,) and lag, the skip in lag 0: (d, L)."""
    value, off = enclosed(found, skip, L)
    moduli: Array = above(np.abs(value) + off, 4)
    return moduli


def enclosed(found: Modes, skip: Array, L: int) -> tuple[Array, Array]:
    """``k_jl`` of each channel (d,) and lag, the skip in lag 0, and how far each can be off besides three
    roundings of each: (d, L) both.

    Claim: with ``l = q a + b`` what is computed of ``sum_n (2 c z^{qa}) z^b`` is off by the error of
    ``outward.product`` and at most ``(8 L + 64) 2^-52`` times ``sum_n |2 c z^{qa}| max_n |z^b|``. Derivation, in units
    of u = 2^-53: a product of complex numbers by real parts is off by at most sqrt 5 (Brent, Percival and Zimmermann
    2007), a pole by 2, so a power by ``5 l - 3``, by induction over its two factors; the coefficient adds 2 and a
    product 3 more, and ``(1 + u)^n - 1 <= 3/2 n u`` for the n at hand. What underflows is below 2^-1000 times
    ``1 + sum_n |2 c|``.
    """
    d = len(found.slow)
    q = math.isqrt(L - 1) + 1
    rows = -(-L // q)
    small = _powers(found.pole, q)
    large = _powers(_times((small[0][-1], small[1][-1]), found.pole), rows)
    left = _times(found.residue, large)
    relative, least = (8 * L + 64) * EPS, above(TINY * (1 + sum_above(_moduli(found), axis=1)))
    values, offs = np.empty((2, d, L))
    for j in range(d):
        re, im = left[0][:, j], left[1][:, j]  # (rows, N)
        right_re, right_im = small[0][:, j], small[1][:, j]
        value, off = outward.product(
            np.concatenate([re, -im], axis=1), np.ascontiguousarray(np.concatenate([right_re, right_im], axis=1).T)
        )
        sizes = sum_above(np.abs(re) + np.abs(im), axis=1)
        largest = above((np.abs(right_re) + np.abs(right_im)).max(axis=1))
        off = off + above(relative * np.outer(sizes, largest), 2) + least[j]
        value[0, 0] += skip[j]
        values[j], offs[j] = value.ravel()[:L], off.ravel()[:L]
    return values, offs


def _times(x: Complex, y: Complex) -> Complex:
    """One operation at a time, each rounded to the nearest."""
    return x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]


def _powers(z: Complex, count: int) -> Complex:
    """``z^0, ..., z^{count - 1}``: (count, d, N)."""
    re, im = np.ones((1, *z[0].shape)), np.zeros((1, *z[0].shape))
    power = z  # z^len
    while len(re) < count:
        more = _times((re, im), power)
        re, im = np.concatenate([re, more[0]]), np.concatenate([im, more[1]])
        power = _times(power, power)
    return re[:count], im[:count]
