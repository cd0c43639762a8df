"""Rademacher averages through blocks behind one another, each by two numbers (theory 14.7).

A block is ``(mu, c)`` if for every set Z of families of sequences, in the largest entry at any time,
``E sup |(1/m) sum_i sigma_i f(z_i)| <= mu E sup |(1/m) sum_i sigma_i z_i| + c/sqrt m``, over Z and the block's class.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.values import Scalar, require, require_finite

RELU = Fraction(1)
GELU = Fraction(112891, 100000)
"""At least the largest slopes of these activations, which are 0 at 0; of GELU it is Phi(sqrt 2) + e^-1/sqrt pi."""
_AVERAGE = (sym.K_2 * sym.B_u + sym.C_1) / sympy.sqrt(sym.m)


@dataclass(frozen=True, slots=True)
class Contraction:
    """``gain``: mu, ``offset``: c, both exact and >= 0. Raises: DomainError."""

    gain: Scalar
    offset: Scalar = 0

    def __post_init__(self) -> None:
        for name in ("gain", "offset"):
            require_finite("Contraction", name, getattr(self, name))
            require(getattr(self, name) >= 0, f"Contraction.{name}: expected a number >= 0")

    def then(self, other: Contraction) -> Contraction:
        """This block, and the other one behind it."""
        gain, offset = Fraction(other.gain), Fraction(other.offset)
        return Contraction(gain * Fraction(self.gain), gain * Fraction(self.offset) + offset)


def system(l1: Scalar) -> Contraction:
    """Linear time-invariant systems of this gain in the largest entry: the norm l1 of 14.2."""
    return Contraction(l1)


def affine(row_sum: Scalar, bias: Scalar = 0) -> Contraction:
    """``W z + b``: the largest l1 norm of a row of W, the largest modulus of an entry of b."""
    return Contraction(row_sum, bias)


def pointwise(slope: Scalar) -> Contraction:
    """A Lipschitz function of every entry that is 0 at 0: the supremum has a modulus, so a factor of 2."""
    return Contraction(2 * Fraction(slope))


def residual(alpha: Scalar, block: Contraction) -> Contraction:
    """``alpha z + f(z)``."""
    return Contraction(abs(Fraction(alpha)) + Fraction(block.gain), block.offset)


def average(blocks: Contraction, *, h2: Scalar, inputs: Scalar, readout: Scalar, m: int) -> Enclosure:
    """R of ``w . f(g(u))`` at any fixed time: at most ``|w|_1 (mu K_2 K_u + c)/sqrt m``.

    ``h2``: K_2, of a first system g whose inputs have l2 norm ``inputs`` over all times; ``readout``: ``|w|_1``.
    Raises: DomainError.
    """
    for name, value in (("h2", h2), ("inputs", inputs), ("readout", readout)):
        require_finite("average", name, value)
        require(value >= 0, f"average: {name} is a norm, got {value!r}")
    require(m >= 1, f"average: needs m >= 1, got {m}")
    scaled = Fraction(readout) * Fraction(blocks.gain) * Fraction(h2)
    values = {sym.K_2: scaled, sym.B_u: inputs, sym.C_1: Fraction(readout) * Fraction(blocks.offset), sym.m: m}
    return enclose(_AVERAGE, values)
