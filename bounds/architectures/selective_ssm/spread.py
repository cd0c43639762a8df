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
    """The suprema after the first move, which depend on what the embedding moved alone."""

    u: Numbers
    c: Numbers
    eb: Numbers
    eu: Numbers
    weu: Numbers
    web: Numbers
    product: Numbers
    slope: Numbers
    curve: Numbers


def spread(
    center: Center, width: Mapping[str, Numbers], reach: Mapping[str, Any], near: Numbers, far: Numbers
) -> tuple[Numbers, tuple[Numbers, Numbers, Numbers], Numbers]:
    """V_1; the variances of W_B (N,), W_C (N,) and W (d,) by group; the remainder by entries of A (d,N).

    ``width``: sigma of A (d,N), W_B, W_C (N,), W (d,), q, p, embedding (), 0 for what does not move. ``reach``: r of
    each but W. ``near``, ``far``: R_1, R_2, R_3 (3,d,N) at theta and at the moved decays and gates.
    """
    h = {name: r * width[name] for name, r in reach.items()}
    return spread_of(center, width, h, near, slopes(center, near), moved(center, h["embedding"]), far)


def slopes(center: Center, near: Numbers) -> Slopes:
    """What :func:`spread` needs of theta alone."""
    x, a = center.at, center.a
    R_1, R_2, _ = near
    read = x.omega[:, None] * R_1
    gates = total(x.omega[:, None] * x.image_C * x.channel_image_B * (R_1 + a * R_2))
    rows = (
        total(read * x.image_C * x.image_B)
        + total(x.image_C * x.rows_B * total(x.omega[:, None] * x.channel[:, None] * R_1, axis=0))
        + total(x.rows_C * np.minimum(total(read * x.channel_image_B, axis=0), x.readout_l1_image_B * R_1.max(0)))
        + gates * x.q_l2
    )
    return Slopes(gates, rows)


def moved(center: Center, h_E: Numbers) -> Moved:
    """What :func:`spread` needs of the move of the embedding alone."""
    x = center.at
    e, u = x.channel + h_E, x.input_l2 + h_E
    b, c = x.image_B + x.rows_B * h_E, x.image_C + x.rows_C * h_E
    eb = x.channel_image_B + h_E * x.image_B + h_E * e[:, None] * x.rows_B
    eu = x.channel_input_l2 + h_E * x.input_l2 + h_E * e
    weu = x.readout_l1_input_l2 + h_E * (x.readout_l1 + x.omega_l2 * u)
    web = x.readout_l1_image_B + h_E * (x.omega_l2 * b + x.readout_l1 * x.rows_B)
    slope = h_E * (b * c + e[:, None] * x.rows_B * c + eb * x.rows_C)
    curve = 2 * _square(h_E) * (x.rows_B * c + b * x.rows_C + e[:, None] * x.rows_B * x.rows_C)
    return Moved(u, c, eb, eu, weu, web, eb * c, slope, curve)


def spread_of(
    center: Center,
    width: Mapping[str, Numbers],
    h: Mapping[str, Numbers],
    near: Numbers,
    at_theta: Slopes,
    after: Moved,
    far: Numbers,
) -> tuple[Numbers, tuple[Numbers, Numbers, Numbers], Numbers]:
    """:func:`spread` from its parts; ``h``: the most that each group moves."""
    x, a = center.at, center.a
    h_A, h_E, h_q = h["A"], h["embedding"], h["q"]
    gates, rows = at_theta
    u, c, eb, eu, weu, web, product, slope, curve = after

    # the linear part, at theta
    decay = width["A"] * x.omega[:, None] * x.image_C * x.channel_image_B * near[1]
    first = total(_square(decay)) + _square(gates) * (_square(width["p"]) + _square(width["q"] * x.input_l2))
    first = first + _square(width["embedding"] * rows)

    # the remainder
    F_1, F_2, F_3 = far
    rate, bend = h["p"] + h_q * (x.input_l2 + 2 * h_E) + x.q_l2 * h_E, 2 * h_q * h_E
    square = _square(rate) + bend
    H = h_A + (a + h_A) * rate
    K = 2 * h_A * rate + (a + h_A) * square
    path = product * (square * F_1 + (2 * rate * H + K) * F_2 + _square(H) * F_3)
    path = path + 2 * slope * (rate * F_1 + H * F_2) + curve * F_1
    remainder = x.omega[:, None] * path / 2

    # W_B, W_C and W, each after those before it
    read, top = x.omega[:, None] * F_1, F_1.max(0)
    per_B = c * np.minimum(total(read * eu[:, None], axis=0), weu * top)
    eb, web = eb + h["W_B"] * eu[:, None], web + h["W_B"] * weu
    per_C = u * np.minimum(total(read * eb, axis=0), web * top)
    per_w = total((c + h["W_C"] * u) * F_1 * eb, axis=1)
    later = _square(width["W_B"] * per_B), _square(width["W_C"] * per_C), center.rows * _square(width["W"] * per_w)
    return first, later, remainder


def _square(value: Numbers) -> Numbers:
    return value * value  # a power of a single float64 would be the platform's


def drift(u: Any, q: Any, h: Mapping[str, Any]) -> Any:
    """The most that a gate logit moves: u and q are the norms in :class:`Suprema`."""
    return h["p"] + h["q"] * (u + h["embedding"]) + q * h["embedding"]


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
