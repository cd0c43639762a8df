"""A search for the weights of taps in a norm of sums of images, on integers, which BLAS adds exactly."""

from __future__ import annotations

import math

import numpy as np

from ssm_bounds.bounds.evaluate.elementary import total
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.norms.exact import exponent

_ROUNDS, _STEPS = 12, 4  # it loses little, and nothing certified rests on it
_BITS = 16  # of its vectors


def weights(rows: Array, taps: Array) -> Array:
    """About the best ``theta_i^(1/2)`` (k,) for rows (d,D) and taps (d,k): at the optimum ``theta_i = 1/|G_i^T x|``, x
    the top left singular vector. Damped, by powers of a matrix whose products are exact in any order."""
    bits = 53 - _BITS - max(rows.shape).bit_length()
    integral = np.rint(np.ldexp(rows, min(bits, 24) - exponent(rows)))
    theta = np.ones(taps.shape[1])
    x = np.sqrt(total(np.square(taps), axis=1))  # channels by their size, and no symmetry to be stuck in
    x = x * (1 + np.arange(len(x)) / len(x))
    for _ in range(_ROUNDS):
        for _ in range(_STEPS):
            back = _few_bits(taps * x[:, None]).T @ integral
            x = total(theta * taps * (integral @ _few_bits(back).T), axis=1)
            x = x / np.abs(x).max() if x.any() else np.ones(len(x))
        images = _few_bits(taps * x[:, None]).T @ integral
        sizes = np.sqrt(total(np.square(images), axis=1))
        theta = np.sqrt(theta / np.maximum(sizes / sizes.max(), 1e-6)) if sizes.max() > 0 else theta
        theta = theta / theta.max()
    return np.sqrt(theta)


def _few_bits(values: Array) -> Array:
    """Times a power of two, and rounded to integers of at most ``_BITS`` bits."""
    return np.rint(np.ldexp(values, _BITS - math.frexp(np.abs(values).max())[1]))
