"""Bounded losses of labelled rows from the logits of a program: from above, in units of 2^-24, the same everywhere.

**Claim.** :func:`above` is at least the loss of these logits in real arithmetic (theory 6.4). It is less than 1 unit
above a ramp, and less than 3.1 above a cross-entropy of at most 8 for V <= 2^10. It is a function of the logits alone.

**Derivation.** *Ramp*: ``1 - margin/g`` is a rational number, rounded up. *Cross-entropy*: with d_v = z_v - max z,
``E_v = rint(2^36 exp(d_v))`` (theory 8.13) and ``eta = 7.03e-9``, the error of exp, as real numbers

    (1 + eta) 2^36 e^{d_y} >= E_y - 1/2,    (1 - eta) 2^36 sum_v e^{d_v} <= S + V/2,

but for the rounding of d_v, which moves e^{d_v} by less than 1e-13 of itself down to d_v = -700; below, both are less
than e^-699. So ``ln sum_v e^{d_v} - d_y <= -ln((2 E_y - 1)/(2 S + V)) + 2 eta + 3e-13``. The fraction is off by three
roundings and ln by 2^-40. Together that is below 1.5e-8, and one unit is 5.9e-8: the float64 value is rounded up, and
one unit added. Where E_y = 0, the loss is the clip.

*The other way*, with ``s = sum_v e^{d_v}`` and the loss ``l = ln s - d_y``: the largest E_v is 2^36 exactly, so

    2 S + V <= 2^37 (s + eta (s - 1)) + 2 V - 1,    2 E_y - 1 >= 2^37 (1 - eta) s e^-l - 2,

and ``-ln((2 E_y - 1)/(2 S + V)) - l <= eta (2 - 1/s) + (V - 1/2 + e^l)/(2^36 s)`` but for the square of
``eta + e^l/(2^36 s)``, below 3e-15. It is linear in 1/s, of 0 to 1: at 0 it is 2 eta, 0.24 units, and at 1, for
V = 2^10 and l = 8, ``0.118 + 4004.46/4096`` units. Rounding up and the unit added are at most 2; what d_v, the
fraction and ln lose by rounding is below 1e-4. Together that is below 3.096. Near it: s = 1, and the V - 2 other
``2^36 e^{d_v}`` and that of the label just above and just below half an integer.

**Not claimed.** That a clip above 25 is reached only by losses that are as large: a probability below 2^-37 costs it.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.balls import START_BITS, bits, exact, float_above
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Loss, Ramp
from ssm_bounds.bounds.gaps.wealth.ticks import TICK
from ssm_bounds.bounds.values import require
from ssm_bounds.models.program.losses import probabilities, require_labels
from ssm_bounds.models.program.primitives import Array, ln


def above(loss: Loss, z: Array, y: NDArray[np.integer]) -> Array:
    """Upper bounds (n,) of the losses of logits z (n,V), V >= 2, at labels y (n,): multiples of 2^-24, or the range of
    the loss, rounded up, where they would be above it or a logit is not finite.

    Raises: DomainError. Source: the module's docstring.

    >>> above(ClippedCrossEntropy(1), np.array([[0.0, 0.0]]), np.array([1])) * 2**24  # ln 2 = 11629079.97 units
    array([11629081.])
    """
    n, V = z.shape
    require(V >= 2, f"losses of labels: expected 2 outputs or more, found {V}")
    require_labels(y, n, V)
    finite = np.asarray(np.isfinite(z).all(axis=1))
    logits = np.where(finite[:, None], z, 0.0)
    match loss:
        case Ramp():
            found = _ramp(loss, logits, y)
        case ClippedCrossEntropy():
            found = _cross_entropy(logits, y)
        case _:
            raise TypeError(f"no upper bound of {loss.words} in units of 2^-24")
    with bits(START_BITS):
        most = float_above(exact(Fraction(loss.range)))
    return np.where(finite, np.minimum(found * float(TICK), most), most)


def _ramp(loss: Ramp, z: Array, y: NDArray[np.integer]) -> Array:
    """In units, exact but for the last step."""
    rows, others = np.arange(len(y)), z.copy()
    others[rows, y] = -np.inf
    pairs = zip(z[rows, y].tolist(), others.max(axis=1).tolist(), strict=True)
    g = Fraction(loss.margin)
    lost = (1 - (Fraction(own) - Fraction(other)) / g for own, other in pairs)
    return np.array([ceil(min(max(share, Fraction(0)), Fraction(1)) / TICK) for share in lost], dtype=np.float64)


def _cross_entropy(z: Array, y: NDArray[np.integer]) -> Array:
    """In units; infinite where a probability is 0."""
    E, S = probabilities(z)
    own = E[np.arange(len(y)), y]
    share = np.maximum(2 * own - 1, 1) / (2 * S + z.shape[1])
    units = np.ceil(-ln(share) * float(1 / TICK)) + 1.0
    return np.where(own > 0, units, np.inf)
