"""How far a random perturbation moves the output: theory 5.1 block by block, with its second-order terms, for 8.3.

Perturb every group b of n_b parameters of theta by independent N(0, sigma_b^2): rows of W_B and W_C, entries of A,
columns of W, and q, p, E (``embedding``). The output z, or the difference of two outputs, moves by D.

**Claim.** ``P(D > t and G) <= erfc((t - rho)/sqrt(2V))`` for every input, both signs of D and every t > rho, where G
says that every group but those of W moves by at most ``h_b = r_b sigma_b`` in l2. V and rho: sums of :func:`spread`.

**Derivation.** Move (A, p, q, E) first, then W_B, W_C and W: D = D_1 + D_B + D_C + D_w. Each of the last three is
linear in its own move, so given the earlier ones it is N(0, v), on G with v <= ``sum_b sigma_b^2 beta_b^2``, beta_b
the l2 norm of the gradient at the moved constants. D_1 is N(0, v_1), v_1 from the gradient at theta itself, and a
remainder of modulus at most rho on G. Set a later part to 0 where its v exceeds that bound (never on G), and add to
each part an independent normal that fills v up to its bound. The filled sum is exactly N(0, V). What was added is
symmetric given the perturbation, hence >= 0 with probability at least 1/2, so
``P(D > t and G) <= 2 P(N(0, V) > t - rho)``.

**Remainder.** ``(1/2) sup |d^2 z/ds^2|`` on the straight path of the first move, s in [0, 1]. Its logits have
``|l'| <= h = h_p + h_q (B_u + 2 h_E) + |q| h_E`` and ``|l''| <= k_2 = 2 h_q h_E``. As softplus'' <= softplus' <=
softplus, ``|c'| <= h c`` and ``|c''| <= (h^2 + k_2) c``; the same holds for tau. For phi = a tau: ``|phi'| <= H tau``,
``|phi''| <= K tau``, ``H = h_A + (|a| + h_A) h``, ``K = 2 h_A h + (|a| + h_A)(h^2 + k_2)``. So, with R_i at the decay
a + h_A and the largest gate on the path, ``sum_i |(c e^phi)'| <= h R_1 + H R_2`` and
``sum_i |(c e^phi)''| <= (h^2 + k_2) R_1 + (2 h H + K) R_2 + H^2 R_3``. The product u_j (W_B u)_n (W_C u_T)_n is cubic
in E.

For k > 1, D is the move of z_y - z_l: ``omega_j = max_{y,l} |W_yj - W_lj|`` for |w_j|, and W adds twice its variance.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import sympy
from flint import arb
from sympy import Eq, Piecewise

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, softplus
from ssm_bounds.bounds.architectures.selective_ssm.suprema import Suprema
from ssm_bounds.bounds.evaluate.balls import enclose, enclose_all, float_above
from ssm_bounds.bounds.evaluate.elementary import total
from ssm_bounds.bounds.values import Scalar

Numbers = Any  # float64 arrays in a search, object arrays of balls in a certificate

# theory 4.4 with g = x^2 e^{-lambda x}; for s_A >= 0 a left Riemann sum of an increasing function
_x = sym.lambda_ * sym.L
R_3 = Piecewise(
    (sym.phi * (2 - sympy.exp(-_x) * (_x**2 + 2 * _x + 2)) / sym.lambda_**3, sym.s_A < 0),
    (sym.L**3 / 3, Eq(sym.s_A, 0)),
    ((2 - sympy.exp(-_x) * (_x**2 + 2 * _x + 2)) / sym.lambda_**3, True),
)
"""Bound of ``sum_i c_i tau_i^2 e^{s_A tau_i}`` over gate sequences."""


@dataclass(frozen=True, slots=True, eq=False)
class Center:
    """What the spread depends on besides the widths: suprema, |a| (d,N), and how many rows of W are in z (1 or 2)."""

    at: Suprema
    a: Numbers
    rows: int


class Slopes(NamedTuple):
    """How fast the output moves at theta: with all gate logits together, and with a row of the embedding."""

    gates: Numbers
    rows: Numbers


class Moved(NamedTuple):
    """The suprema after the first move that depend on what the embedding moved alone, named as in :class:`Suprema`;
    those by channel (d,1).

    ``product``, ``slope``, ``curve`` (d,N): of u_j (W_B u)_n (W_C u_T)_n its supremum, its first derivative along the
    move and its second.
    """

    input_l2: Numbers
    image_C: Numbers
    channel_image_B: Numbers
    channel_input_l2: Numbers
    readout_l1_input_l2: Numbers
    readout_l1_image_B: Numbers
    product: Numbers
    slope: Numbers
    curve: Numbers


def spread(
    center: Center, width: Mapping[str, Numbers], reach: Mapping[str, Any], near: Numbers, far: Numbers
) -> tuple[Numbers, tuple[Numbers, Numbers, Numbers], Numbers]:
    """V_1; the variances of W_B (1,N), W_C (1,N) and W (d,1) by group; the remainder by entries of A (d,N).

    ``width``: sigma of A (d,N), W_B, W_C (N,), W (d,), q, p, embedding (), 0 for what does not move. ``reach``: r of
    each but W. ``near``, ``far``: R_1, R_2, R_3 (3,d,N) at theta and at the moved decays and gates.
    """
    h = {name: r * width[name] for name, r in reach.items()}
    columns = {**width, "W": width["W"][:, None]}
    first, later, remainder = spread_of(
        center, columns, h, near, slopes(center, near), moved(center, h["embedding"]), far
    )
    return first[0, 0], later, remainder


def slopes(center: Center, near: Numbers) -> Slopes:
    """What :func:`spread` needs of theta alone."""
    sup, (R_1, R_2, _) = center.at, near
    read = sup.omega[:, None] * R_1
    gates = total(sup.omega[:, None] * sup.image_C * sup.channel_image_B * (R_1 + center.a * R_2))
    rows = (
        total(read * sup.image_C * sup.image_B)
        + total(sup.image_C * sup.rows_B * total(sup.omega[:, None] * sup.channel[:, None] * R_1, axis=0))
        + total(sup.rows_C * _readout(read, _top(R_1), sup.channel_image_B, sup.readout_l1_image_B))
        + gates * sup.q_l2
    )
    return Slopes(gates, rows)


def moved(center: Center, h_E: Numbers) -> Moved:
    """What :func:`spread` needs of the move of the embedding alone."""
    sup = center.at
    channel, input_l2 = sup.channel[:, None] + h_E, sup.input_l2 + h_E
    image_B, image_C = sup.image_B + sup.rows_B * h_E, sup.image_C + sup.rows_C * h_E
    channel_image_B = sup.channel_image_B + h_E * sup.image_B + h_E * channel * sup.rows_B
    slope = h_E * (image_B * image_C + channel * sup.rows_B * image_C + channel_image_B * sup.rows_C)
    curve = sup.rows_B * image_C + image_B * sup.rows_C + channel * sup.rows_B * sup.rows_C
    return Moved(
        input_l2=input_l2,
        image_C=image_C,
        channel_image_B=channel_image_B,
        channel_input_l2=sup.channel_input_l2[:, None] + h_E * sup.input_l2 + h_E * channel,
        readout_l1_input_l2=sup.readout_l1_input_l2 + h_E * (sup.readout_l1 + sup.omega_l2 * input_l2),
        readout_l1_image_B=sup.readout_l1_image_B + h_E * (sup.omega_l2 * image_B + sup.readout_l1 * sup.rows_B),
        product=channel_image_B * image_C,
        slope=slope,
        curve=2 * _square(h_E) * curve,
    )


def spread_of(
    center: Center,
    width: Mapping[str, Numbers],
    h: Mapping[str, Numbers],
    near: Numbers,
    at_theta: Slopes,
    after: Moved,
    far: Numbers,
) -> tuple[Numbers, tuple[Numbers, Numbers, Numbers], Numbers]:
    """:func:`spread` from its parts; ``h``: the most that each group moves.

    W is (d,1) here and V_1 (1,1). Many at once: all of ``width`` (n,d,N), (n,1,N), (n,d,1) or (n,1,1), ``h`` like it,
    ``far`` (3,n,d,N); each comes out to the last bit as by itself.
    """
    later = _later(center, width, h, after, far[0])
    return _first(center, width, near[1], at_theta), later, _remainder(center, h, after, far)


def _first(center: Center, width: Mapping[str, Numbers], R_2: Numbers, at_theta: Slopes) -> Numbers:
    """V_1: the variance of the part that is linear in (A, p, q, E), at theta."""
    sup = center.at
    decay = width["A"] * sup.omega[:, None] * sup.image_C * sup.channel_image_B * R_2
    gates = _square(at_theta.gates) * (_square(width["p"]) + _square(width["q"] * sup.input_l2))
    return whole(_square(decay)) + gates + _square(width["embedding"] * at_theta.rows)


def _remainder(center: Center, h: Mapping[str, Numbers], after: Moved, far: Numbers) -> Numbers:
    """rho by entries of A (d,N)."""
    sup, a, (F_1, F_2, F_3) = center.at, center.a, far
    h_A, h_E, h_q = h["A"], h["embedding"], h["q"]
    rate, bend = h["p"] + h_q * (sup.input_l2 + 2 * h_E) + sup.q_l2 * h_E, 2 * h_q * h_E
    square = _square(rate) + bend
    H = h_A + (a + h_A) * rate
    K = 2 * h_A * rate + (a + h_A) * square
    path = after.product * (square * F_1 + (2 * rate * H + K) * F_2 + _square(H) * F_3)
    path = path + 2 * after.slope * (rate * F_1 + H * F_2) + after.curve * F_1
    return sup.omega[:, None] * path / 2


def _later(
    center: Center, width: Mapping[str, Numbers], h: Mapping[str, Numbers], after: Moved, F_1: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """The variances of W_B, W_C and W, each after those before it."""
    read, top, input_l2 = center.at.omega[:, None] * F_1, _top(F_1), after.channel_input_l2
    per_B = after.image_C * _readout(read, top, input_l2, after.readout_l1_input_l2)
    channel_image_B = after.channel_image_B + h["W_B"] * input_l2
    readout_l1_image_B = after.readout_l1_image_B + h["W_B"] * after.readout_l1_input_l2
    per_C = after.input_l2 * _readout(read, top, channel_image_B, readout_l1_image_B)
    per_w = (after.image_C + h["W_C"] * after.input_l2) * F_1 * channel_image_B
    per_w = total(per_w.swapaxes(-2, -1), axis=-2)[..., None]
    return _square(width["W_B"] * per_B), _square(width["W_C"] * per_C), center.rows * _square(width["W"] * per_w)


def _readout(read: Numbers, top: Numbers, channel: Numbers, readout_l1: Numbers) -> Numbers:
    """``sum_j omega_j R_1 |u_j| f`` (1,N) at most, of ``read = omega R_1`` (d,N): each |u_j| f by itself, or R_1 at its
    largest, ``top`` (1,N), and all of ``|omega o u|_1 f``. For f = (W_B u)_n: |h_n|, the factor of (W_C u_T)_n in z.
    """
    return np.minimum(total(read * channel, axis=-2)[..., None, :], readout_l1 * top)


def _top(R_1: Numbers) -> Numbers:
    """The largest of the channels: (d,N) to (1,N)."""
    return R_1.max(-2, keepdims=True)


def whole(values: Numbers) -> Numbers:
    """The sum of the last two axes, which stay with length 1."""
    return np.asarray(total(values.reshape(*values.shape[:-2], -1), axis=-1))[..., None, None]


def _square(value: Numbers) -> Numbers:
    return value * value  # a power of a single float64 would be the platform's


def drift(input_l2: Any, q_l2: Any, h: Mapping[str, Any]) -> Any:
    """The most that a gate logit moves, from the norms in :class:`Suprema`."""
    return h["p"] + h["q"] * (input_l2 + h["embedding"]) + q_l2 * h["embedding"]


@functools.lru_cache(maxsize=2)
def upper_sums(decays: tuple[Fraction, ...], M: Scalar, T: int, shape: tuple[int, ...]) -> Numbers:
    """Upper ends of R_1, R_2, R_3 at each decay: object array (3,d,N) of exact numbers. All posteriors around one
    model need those at its own decays, which the cache therefore keeps."""
    values = DEFINITIONS | {sym.T: T, sym.M: M}
    formulas = {0: sym.R_1, 1: sym.R_2, 2: R_3}
    found = [enclose_all(formulas, values | {sym.s_A: decay}) for decay in decays]
    rows = [np.array([entry[i].upper for entry in found], dtype=object).reshape(shape) for i in formulas]
    sums = np.stack(rows)
    sums.flags.writeable = False
    return sums


def largest_gate(sup: Suprema, drift: Fraction) -> Scalar:
    if sup.logit is None:
        return 1
    return float_above(enclose(softplus(sym.p), {sym.p: Fraction(sup.logit) + drift}).upper)


balls = np.frompyfunc(arb, 1, 1)


def exactly(sup: Suprema) -> Suprema:
    """The same numbers as balls of radius 0."""
    fields = {name: getattr(sup, name) for name in Suprema.__dataclass_fields__ if name != "logit"}
    return replace(sup, **{name: balls(value) for name, value in fields.items()})
