"""Integers of -1, 0 and 1, uniformly: a start for a class in ``bounds/codes/symbols.py``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb

from ssm_bounds.bounds.codes.symbols import Integers


@dataclass(frozen=True, slots=True)
class Ternary:
    """Each integer by itself, 1/3 for each of -1, 0, 1; nothing else can be coded."""

    def mass(self, z: Integers) -> Fraction:
        """Exact prior mass of the vector z (n,); the masses of all vectors of one length sum to at most 1."""
        return Fraction(1, 3**z.size) if bool((np.abs(z) <= 1).all()) else Fraction(0)

    def nats(self, z: Integers) -> arb:
        """``-ln mass`` as a ball at the current precision."""
        return z.size * arb(3).log() if bool((np.abs(z) <= 1).all()) else arb("inf")

    def about(self, z: Integers) -> float:
        """``nats`` in float64, for searching."""
        return z.size * math.log(3) if bool((np.abs(z) <= 1).all()) else math.inf


CODE = Ternary()
