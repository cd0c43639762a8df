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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

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


def spread(
    center: Center, width: Mapping[str, Numbers], reach: Mapping[str, Any], near: Numbers, far: Numbers
) -> tuple[Numbers, tuple[Numbers, Numbers, Numbers], Numbers]:
    """V_1; the variances of W_B (N,), W_C (N,) and W (d,) by group; the remainder by entries of A (d,N).

    ``width``: sigma of A (d,N), W_B, W_C (N,), W (d,), q, p, embedding (), 0 for what does not move. ``reach``: r of
    each but W. ``near``, ``far``: R_1, R_2, R_3 (3,d,N) at theta and at the moved decays and gates.
    """
    h = {name: r * width[name] for name, r in reach.items()}
    moved = _moved(center.at, h["embedding"])
    later = _later(moved, center.rows, width, h, far[0])
    return _first(center, width, near), later, _remainder(center, moved, h, far)


def _first(center: Center, width: Mapping[str, Numbers], near: Numbers) -> Numbers:
    """V_1: the variance of the part that is linear in (A, p, q, E), at theta."""
    x, (R_1, R_2, _) = center.at, near
    gates = total(x.omega[:, None] * x.image_C * x.channel_image_B * (R_1 + center.a * R_2))
    decay = width["A"] * x.omega[:, None] * x.image_C * x.channel_image_B * R_2
    rows = (
        total(x.omega[:, None] * R_1 * x.image_C * x.image_B)
        + total(x.image_C * x.rows_B * total(x.omega[:, None] * x.channel[:, None] * R_1, axis=0))
        + total(x.rows_C * _readout(x, R_1))
        + gates * x.q_l2
    )
    first = total(_square(decay)) + _square(gates) * (_square(width["p"]) + _square(width["q"] * x.input_l2))
    return first + _square(width["embedding"] * rows)


def _moved(x: Suprema, h_E: Numbers) -> Suprema:
    """The suprema after a move of the embedding by ``h_E``."""
    channel, input_l2, image_B = x.channel + h_E, x.input_l2 + h_E, x.image_B + x.rows_B * h_E
    return replace(
        x,
        channel=channel,
        input_l2=input_l2,
        image_B=image_B,
        image_C=x.image_C + x.rows_C * h_E,
        channel_image_B=x.channel_image_B + h_E * x.image_B + h_E * channel[:, None] * x.rows_B,
        channel_input_l2=x.channel_input_l2 + h_E * x.input_l2 + h_E * channel,
        readout_l1_input_l2=x.readout_l1_input_l2 + h_E * (x.readout_l1 + x.omega_l2 * input_l2),
        readout_l1_image_B=x.readout_l1_image_B + h_E * (x.omega_l2 * image_B + x.readout_l1 * x.rows_B),
    )


def _remainder(center: Center, moved: Suprema, h: Mapping[str, Numbers], far: Numbers) -> Numbers:
    """rho by entries of A (d,N). ``moved``: the suprema after the first move."""
    x, a, (F_1, F_2, F_3) = center.at, center.a, far
    h_A, h_E, h_q = h["A"], h["embedding"], h["q"]
    rate, bend = h["p"] + h_q * (x.input_l2 + 2 * h_E) + x.q_l2 * h_E, 2 * h_q * h_E
    square = _square(rate) + bend
    H = h_A + (a + h_A) * rate
    K = 2 * h_A * rate + (a + h_A) * square
    channel, b, c = moved.channel[:, None], moved.image_B, moved.image_C
    product = moved.channel_image_B * c
    slope = h_E * (b * c + channel * x.rows_B * c + moved.channel_image_B * x.rows_C)
    curve = 2 * _square(h_E) * (x.rows_B * c + b * x.rows_C + channel * x.rows_B * x.rows_C)
    path = product * (square * F_1 + (2 * rate * H + K) * F_2 + _square(H) * F_3)
    path = path + 2 * slope * (rate * F_1 + H * F_2) + curve * F_1
    return x.omega[:, None] * path / 2


def _later(
    moved: Suprema, rows: int, width: Mapping[str, Numbers], h: Mapping[str, Numbers], F_1: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """The variances of W_B, W_C and W, each after those before it."""
    by_entry = total(moved.omega[:, None] * F_1 * moved.channel_input_l2[:, None], axis=0)
    per_B = moved.image_C * np.minimum(by_entry, moved.readout_l1_input_l2 * F_1.max(0))
    after_B = replace(
        moved,
        channel_image_B=moved.channel_image_B + h["W_B"] * moved.channel_input_l2[:, None],
        readout_l1_image_B=moved.readout_l1_image_B + h["W_B"] * moved.readout_l1_input_l2,
    )
    per_C = moved.input_l2 * _readout(after_B, F_1)
    per_w = total((moved.image_C + h["W_C"] * moved.input_l2) * F_1 * after_B.channel_image_B, axis=1)
    return _square(width["W_B"] * per_B), _square(width["W_C"] * per_C), rows * _square(width["W"] * per_w)


def _readout(x: Suprema, R: Numbers) -> Numbers:
    """|h_n|, the factor of (W_C u_T)_n in z."""
    return np.minimum(total(x.omega[:, None] * R * x.channel_image_B, axis=0), x.readout_l1_image_B * R.max(0))


def _square(value: Numbers) -> Numbers:
    return value * value  # a power of a single float64 would be the platform's


def drift(input_l2: Any, q_l2: Any, h: Mapping[str, Any]) -> Any:
    """The most that a gate logit moves, from the norms in :class:`Suprema`."""
    return h["p"] + h["q"] * (input_l2 + h["embedding"]) + q_l2 * h["embedding"]


def upper_sums(decays: list[Fraction], M: Scalar, T: int, shape: tuple[int, ...]) -> Numbers:
    """Upper ends of R_1, R_2, R_3 at each decay: object array (3,d,N) of exact numbers."""
    values = DEFINITIONS | {sym.T: T, sym.M: M}
    formulas = {0: sym.R_1, 1: sym.R_2, 2: R_3}
    found = [enclose_all(formulas, values | {sym.s_A: decay}) for decay in decays]
    rows = [np.array([entry[i].upper for entry in found], dtype=object).reshape(shape) for i in formulas]
    return np.stack(rows)


def largest_gate(x: Suprema, drift: Fraction) -> Scalar:
    if x.logit is None:
        return 1
    return float_above(enclose(softplus(sym.p), {sym.p: Fraction(x.logit) + drift}).upper)


balls = np.frompyfunc(arb, 1, 1)


def exactly(x: Suprema) -> Suprema:
    """The same numbers as balls of radius 0."""
    fields = {name: getattr(x, name) for name in Suprema.__dataclass_fields__ if name != "logit"}
    return replace(x, **{name: balls(value) for name, value in fields.items()})
