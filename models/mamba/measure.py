"""From a layer's weights to the primitives of theory M0 and M4.2: norms, ranges of what in_proj gives, gate rows.

Rounded outward, the same on every machine (:mod:`ssm_bounds.bounds.evaluate.outward`; spectral norms are proven). The
norm's weight gamma is folded into the rows of in_proj, a LayerNorm's beta into its bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.evaluate.elementary import total
from ssm_bounds.bounds.evaluate.outward import (
    EPS,
    above,
    below,
    ends,
    exp_above,
    exp_below,
    norm,
    norms,
    product,
    sum_above,
)
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.mamba import theta
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Norm, Vocabulary
from ssm_bounds.models.norms.exact import sqrt_up
from ssm_bounds.models.norms.spectral import spectral

_NUMBERS = 2**23  # of a product with the vocabulary that are made at once


@dataclass(frozen=True, slots=True, eq=False)
class Folded:
    """Rows (n,D) of in_proj as functions of the normed input v, |v| <= radius: row . v + shift.

    The exact row is within ``error`` (n,) of the row in l2. ``shift`` (n,): ends of the bias with the row's share of
    beta; ``masked`` (n,): what a token of zeros gives, the bias alone. ``spoken``: the range (n,) over the tokens of a
    vocabulary, where these are all inputs; the ball is that of all of them.
    """

    rows: Array
    error: Array
    shift: Range
    masked: Array
    radius: float
    spoken: Range | None = None

    @property
    def norms(self) -> Array:
        """|r_j| (n,)."""
        return np.asarray(above(norms(self.rows) + self.error))

    @property
    def range(self) -> Range:
        """Of each output (n,), over the whole ball, or its tokens, and for a masked token."""
        low, high = self.unmasked
        return np.minimum(low, self.masked), np.maximum(high, self.masked)

    @property
    def unmasked(self) -> Range:
        """The same without a masked token."""
        reach = above(self.radius * self.norms)
        low = below(self.shift[0] - reach, 1, np.abs(self.shift[0]) + reach)
        high = above(self.shift[1] + reach, 1, np.abs(self.shift[1]) + reach)
        if self.spoken is not None:
            low, high = np.fmax(low, self.spoken[0]), np.fmin(high, self.spoken[1])
        return low, high

    @property
    def offset(self) -> Array:
        """|c_j| (n,) with and without a mask."""
        return np.maximum(np.maximum(-self.shift[0], self.shift[1]), np.abs(self.masked))

    def part(self, rows: slice) -> Folded:
        low, high = self.shift
        spoken = None if self.spoken is None else (self.spoken[0][rows], self.spoken[1][rows])
        return Folded(
            self.rows[rows], self.error[rows], (low[rows], high[rows]), self.masked[rows], self.radius, spoken
        )


def root_above(size: int) -> float:
    """The least float64 that is at least sqrt size."""
    return sqrt_up(Fraction(size))


def input_radius(layer: Layer) -> float:
    """rho = sqrt D where a norm is applied, which is not attained, as it adds eps > 0; or what was stated; or infinity.

    Raises: DomainError for a stated radius that is not above 0.
    """
    if layer.norm is not None:
        return root_above(len(layer.norm.gamma))
    require(layer.radius is None or layer.radius > 0, f"radius: an input radius is above 0, got {layer.radius!r}")
    return math.inf if layer.radius is None else layer.radius


def folded(rows: Array, bias: Array, layer: Layer) -> Folded:
    """``row . (gamma o v + beta) + bias``. After a LayerNorm v is orthogonal to 1: any multiple of 1 may be taken off a
    row, and what is near its mean leaves it shortest, so that the mean need not be exact."""
    applied, radius = layer.norm, input_radius(layer)
    if applied is None:
        return Folded(rows, np.zeros(len(rows)), (bias, bias), bias, radius)
    found = rows * applied.gamma
    error = EPS * norms(found)
    shift = (bias, bias)
    if applied.kind == "layer":
        found = found - (total(found, axis=1) / found.shape[1])[:, None]
        error = above(error + EPS * norms(found))
    if applied.beta is not None:
        shift = _shifted(bias, rows, applied.beta)
    whole = Folded(found, np.asarray(above(error, 4)), shift, bias, radius)
    return whole if layer.vocabulary is None else replace(whole, spoken=_spoken(whole, applied, layer.vocabulary))


def _spoken(part: Folded, applied: Norm, vocabulary: Vocabulary) -> Range:
    """M1.6: of every output (n,) over the normed rows of the vocabulary."""
    size = max(1, _NUMBERS // max(part.rows.shape))
    low, high = ends((_normed(h, applied, vocabulary.rounded) for h in vocabulary.blocks(size)), part.rows.T)
    lost = above(part.error * part.radius)
    return (
        below(low + part.shift[0] - lost, 2, np.abs(low) + np.abs(part.shift[0]) + lost),
        above(high + part.shift[1] + lost, 2, np.abs(high) + np.abs(part.shift[1]) + lost),
    )


@np.errstate(all="ignore")
def _normed(h: Array, applied: Norm, rounded: bool) -> tuple[Array, Array]:
    """Rows (n,D) before the norm's weight, and how far in l2 each can be off (n,).

    What the input is off by goes through the norm as in M1.6, ``|N(h) - N(h')| <= |h - h'|/sqrt(rms^2 + eps)`` with
    the smaller rms, which is at least half of s where ``|h - h'| <= sqrt D s/4``; else both are in the ball of radius
    sqrt D. Rounding adds a few u for each term of the mean. Squares out of range leave it infinite.
    """
    D = h.shape[1]
    off = EPS * norms(h) if rounded else np.zeros(len(h))
    if applied.kind == "layer":
        mean = total(h, axis=1) / D
        off = off + above(EPS * (D + 8) * root_above(D) * above(sum_above(np.abs(h), axis=1) / D, 2))
        h = h - mean[:, None]
        off = above(off + EPS * norms(h), 3)
    s = np.sqrt(total(np.square(h), axis=1) / D + applied.eps)
    good = (s > 2.0**-400) & (s < 2.0**500)
    v = np.where(good[:, None], h / s[:, None], 0.0)
    near = off <= root_above(D) * s / 4
    moved = np.where(near, above(2 * off / s, 4), 2 * root_above(D))
    return v, np.where(good, above(moved + EPS * (D + 16) * root_above(D), 4), np.inf)


def step_bias(mixer: Mamba1) -> Range:
    """Ends of ``p + W_dt c_dt`` (d,)."""
    return _shifted(mixer.p, mixer.W_dt, mixer.c_dt)


def gate_rows(mixer: Mamba1) -> tuple[Array, Array]:
    """``Q = W_dt X_dt`` (d,d), and how far each entry can be off."""
    return product(mixer.W_dt, mixer.X_dt)


def rates(A_log: Array) -> Range:
    """Ends of |a| = e^A_log; 0 where A_log is -infinity."""
    return exp_below(A_log), exp_above(A_log)


def tap_norms(K: Array) -> Array:
    """kappa_j = |K_j|_1 (d,)."""
    return np.asarray(sum_above(np.abs(K), axis=1))


def entrywise_l1(matrix: Array) -> float:
    return float(sum_above(np.abs(matrix)))


def window_norm(inputs: Folded, K: Array) -> float:
    """``rho |[sqrt(theta_i) G_i]_i|_2 (sum_i 1/theta_i)^(1/2)`` with ``G_i = diag(K_i) R`` (M1.3), from above."""
    taps = K[:, K.any(axis=0)]
    if not taps.size or not (inputs.rows.any() or inputs.error.any()):
        return 0.0
    weights = theta.weights(inputs.rows, taps) if inputs.rows.any() else np.ones(taps.shape[1])
    scaled = np.empty((len(taps), len(weights), inputs.rows.shape[1]))
    for i, weight in enumerate(weights):
        np.multiply((taps[:, i] * weight)[:, None], inputs.rows, out=scaled[:, i])
    lost = above(np.abs(taps) * weights * inputs.error[:, None], 2)
    side_by_side = spectral_above(scaled.reshape(len(taps), -1), norm(lost), 2)
    return float(above(inputs.radius * side_by_side * np.sqrt(above(total(1 / weights**2), 4 + len(weights))), 4))


def spectral_above(matrix: Array, error: float = 0.0, roundings: int = 0) -> float:
    """Above the spectral norm of what a matrix (n,m) is within ``error`` of in Frobenius norm, ``roundings`` of each
    entry apart. The least number of 24 bits, or float64, above the norm where it is exact.

    A few rows are made 65, with zeros: 24 bits do, and are quicker than the last of 53. Beyond float64 it is infinity.
    """
    if 8 < min(matrix.shape) <= 64:
        matrix = np.pad(matrix, [(0, max(0, 65 - size)) for size in matrix.shape])
    try:
        found = spectral(matrix)
    except DomainError:  # entries or a norm beyond the float64 range
        return math.inf
    if not roundings and not error:
        return found
    return float(above(found + error + roundings * EPS * norm(matrix), 4))


def weighted_norm(W_o: Array, o: Array) -> float:
    """``|W_o diag(o)^(1/2)|_2 (sum_j o_j)^(1/2)`` for moduli o (d,) (M3.1 with omega = o); columns with o = 0 drop."""
    if not np.isfinite(o).all():
        return math.inf
    kept = o > 2.0**-900
    roots = np.sqrt(o[kept])
    scaled = spectral_above(W_o[:, kept] * roots, 0.0, 2) if kept.any() else 0.0
    left = above(norm(W_o[:, ~kept]) * norm(o[~kept])) if not kept.all() else 0.0
    # o/sqrt(o) is sqrt(o), of which the computed roots are 2^-53 off
    return float(above(scaled * norm(roots) + left, 8))


@dataclass(frozen=True, slots=True)
class MatrixNorms:
    """What M4.2 needs of whole matrices, from above; kmax (k,): the largest tap of any channel."""

    X_B: float
    X_C: float
    X_dt: float
    W_o: float
    R_x: float
    kmax: tuple[float, ...]


def matrix_norms(mixer: Mamba1, inputs: Folded) -> MatrixNorms:
    return MatrixNorms(
        X_B=spectral_above(mixer.X_B),
        X_C=spectral_above(mixer.X_C),
        X_dt=spectral_above(mixer.X_dt),
        W_o=spectral_above(mixer.W_o),
        R_x=spectral_above(inputs.rows, norm(inputs.error)),
        kmax=tuple(np.abs(mixer.K).max(axis=0).tolist()),
    )


def require_numbers(layer: Layer) -> None:
    """Raises: DomainError for weights that are no numbers; A_log may be -infinity, where nothing decays. For a block
    that no family has: a second direction of its own beside inner norms or a step offset."""
    mixer = layer.mixer
    parts = (mixer.inner, mixer.backward) if isinstance(mixer, Mamba1) else (mixer.norm,)
    if isinstance(mixer, Mamba1):
        require(0 <= mixer.step_offset < math.inf, f"step_offset: a number >= 0, got {mixer.step_offset}")
        alone = mixer.inner is None and mixer.step_offset == 0
        said = "a second direction with weights of its own has neither inner norms nor a step offset in any family"
        require(alone or mixer.backward is None, said)
    for owner in (layer.norm, *parts):
        eps = getattr(owner, "eps", 0.0)
        require(0 <= eps < math.inf, f"eps of a norm: a number >= 0, got {eps}")
    for owner in (mixer, layer.norm, *parts):
        for name in () if owner is None else owner.__slots__:
            value = getattr(owner, name)
            if isinstance(value, np.ndarray):
                good = np.isfinite(value) | ((name == "A_log") & np.isneginf(value))
                require(bool(good.all()), f"{name} holds {int((~good).sum())} entries that are not finite")


def backward(mixer: Mamba1) -> Mamba1 | None:
    """The second direction as a mixer of its own, where it has weights of its own."""
    if mixer.backward is None:
        return None
    own = {name: getattr(mixer.backward, name) for name in mixer.backward.__slots__}
    none = {name: np.zeros_like(getattr(mixer, name)) for name in ("c_dt", "c_B", "c_C")}
    return replace(mixer, **own, **none, backward=None)


def _shifted(bias: Array, rows: Array, vector: Array) -> Range:
    image, error = (part[:, 0] for part in product(rows, vector[:, None]))
    size = np.abs(bias) + np.abs(image) + error
    return below(bias + image - error, 2, size), above(bias + image + error, 2, size)
