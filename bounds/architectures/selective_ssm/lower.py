"""The Rademacher complexity of the ball class from both sides (theory 9): exact on a constant input, and Dudley."""

from __future__ import annotations

from fractions import Fraction
from math import comb

from flint import arb
from sympy import Expr, Integer, binomial, expand, floor

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Block
from ssm_bounds.bounds.architectures.selective_ssm.blocks import OUTPUT, assignment, count
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.covers.entropy import LipschitzImage, Product
from ssm_bounds.bounds.covers.lemmas import Volume
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, enclose, enclose_all
from ssm_bounds.bounds.gaps.chaining import dudley
from ssm_bounds.bounds.values import Sample, Scalar, require

ABSOLUTE_SUM: Expr = sym.m * binomial(sym.m - 1, floor((sym.m - 1) / Integer(2))) / Integer(2) ** (sym.m - 1)
"""``E |sigma_1 + ... + sigma_m|`` over independent signs (theory 9.1)."""

LARGEST: Expr = sym.kappa * sym.R_1
"""Z: the largest |z| over the class and its inputs (theory 5.1)."""

BLOCKS: dict[str, Block] = {
    block.key: block for block in SELECTIVE_SSM.under("sharp") if block.part in ("core", "joint gate")
}
"""The blocks of the ball class."""

_KAPPA = {sym.kappa: DEFINITIONS[sym.kappa]}
RATIOS: dict[str, Expr] = {
    key: block.radius * expand(block.beta["sharp"].xreplace(_KAPPA) / LARGEST.xreplace(_KAPPA))
    for key, block in BLOCKS.items()
}
"""``r_i beta_i/Z`` of each block: how far the output moves over the block's radius, in units of Z (theory 9.2)."""


def absolute_sum(m: int) -> Fraction:
    """The exact value of ``ABSOLUTE_SUM``; at least sqrt(m/2). Raises: DomainError.

    >>> [str(absolute_sum(m)) for m in (1, 2, 3, 4)]
    ['1', '1', '3/2', '3/2']
    """
    require(m >= 1, f"a sum of signs needs m >= 1, got {m}")
    return Fraction(m * comb(m - 1, (m - 1) // 2), 2 ** (m - 1))


def largest_output(constants: ClassConstants, T: int) -> Enclosure:
    """``Z = kappa R_1``, which no |z| of the class exceeds. Units: output. Source: theory 5.1."""
    return enclose(LARGEST, assignment(constants, T))


def ball_class(constants: ClassConstants, sample: Sample) -> Enclosure:
    """Exact empirical Rademacher complexity of the outputs (k = 1) on the constant input B_u e_1: ``Z E|sum|/m``.

    Every upper bound for the class that holds for all inputs is at least this. Units: output.
    Raises: DomainError for more than one output, and where a constraint keeps Z from being attained: a cap on the
    gates, an l1 radius that binds. Source: theory 9.1.
    """
    _require_ball_class(constants)
    _require_attained(constants)
    Z = largest_output(constants, sample.T)
    with bits(START_BITS):  # ABSOLUTE_SUM/m without its m digits
        share = arb.bin_uiui(sample.m - 1, (sample.m - 1) // 2) / arb(2) ** (sample.m - 1)
        return Enclosure((Z.lower * share).lower(), (Z.upper * share).upper())


def ball_class_upper(constants: ClassConstants, sample: Sample) -> Enclosure:
    """``Rad <= (12 Z/sqrt m) int_0^1 sqrt(sum_i n_i ln(1 + 2 r_i beta_i/(eta_i Z x))) dx`` on any sample of inputs.

    Enclosed by ``gaps.chaining.dudley``, at an alpha that is no worse than 0 (up to its tolerance), with
    near-optimal shares eta_i. Constraints beyond the balls (l1 radii) only shrink the class. Units: output.
    Raises: DomainError. Source: theory 9.2.
    """
    _require_ball_class(constants)
    Z = largest_output(constants, sample.T)
    if Z.upper == 0:
        return Z
    scaled = dudley(scaled_entropy(constants, sample.T), lipschitz=Enclosure.point(1), c=2, m=sample.m).rademacher
    return Enclosure((Z.lower * scaled.lower).lower(), (Z.upper * scaled.upper).upper())


def scaled_entropy(constants: ClassConstants, T: int) -> Product:
    """``sum_i n_i ln(1 + 2 r_i beta_i/(eta_i Z x))``: log covering number of the outputs z/Z at radius x.

    Raises: DomainError where the gates are 0, so that Z = 0. Source: theory 9.2.
    """
    blocks = {key: block for key, block in BLOCKS.items() if constants.gate != "none" or block.part != "joint gate"}
    ratios = enclose_all({key: RATIOS[key] for key in blocks}, assignment(constants, T))
    balls = {key: Volume(count(block.entries, constants), 1, "unit ball") for key, block in blocks.items()}
    return Product({key: LipschitzImage(ball, ratios[key], OUTPUT) for key, ball in balls.items()})


def _require_ball_class(constants: ClassConstants) -> None:
    require(constants.k == 1, f"theory.md 9 is stated for one output, got k = {constants.k}")
    require(constants.V is None, "theory.md 9 is stated for given inputs: the embedding cannot be a block of the class")
    require(
        constants.M is None,
        f"theory.md 9 is stated for gates up to softplus(p_hi + B_q B_u), without a cap: got M = {constants.M!r}",
    )


def _require_attained(constants: ClassConstants) -> None:
    """The parameters that attain Z lie in the class: rank one along e_1, every decay s_A (s_A < 0) or one (s_A > 0)."""
    s_A = Fraction(constants.s_A)
    needed: dict[str, tuple[Scalar | None, Scalar]] = {
        "M_A": (constants.M_A, s_A if s_A >= 0 else -constants.N * constants.d * s_A),
        "M_B": (constants.M_B, constants.B_B),
        "M_C": (constants.M_C, constants.B_C),
        "M_q": (constants.M_q, constants.B_q),
        "M_w": (constants.M_w, constants.B_w),
    }
    for name, (radius, least) in needed.items():
        require(
            radius is None or radius >= least,
            f"theory.md 9.1 needs {name} >= {float(least):g} for its largest output to be attained, got {radius!r}",
        )
