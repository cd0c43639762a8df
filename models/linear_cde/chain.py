"""Iterated integrals out of diagonal layers, one behind the other: two units a layer, exact on every path.

Layer l (l = 2..k) has units with exponents +eps and -eps on coordinate i_l, forced by u_{l-1}, and gives
``u_l = (z_l^+ - z_l^-)/(2 eps)``; ``u_1 = X^{i_1} - X^{i_1}_0``. All of it is one linear CDE with the state
(1, z_2^+, z_2^-, .., z_k^+, z_k^-): ``dz_l^{+-} = +- eps z_l^{+-} dX^{i_l} + du_{l-1}``,
``du_l = (z_l^+ + z_l^-)/2 dX^{i_l}``.

Claim: ``|u_k - S^{i_1..i_k}| <= V_1 (prod_{l>=2} sinh(eps V_l)/eps - prod_{l>=2} V_l)``, V_l the total variation of
X^{i_l}. Derivation: ``u_k = sum_{j_2..j_k >= 0} eps^{2(j_2+..+j_k)} S^{i_1 i_2^{2 j_2+1} .. i_k^{2 j_k+1}}`` (expand
``sinh(eps (X_T - X_s))``, as ``(X_T - X_s)^n/n! = S^{i..i}_{s,T}`` and ``int S^J_{s,T} dS^I_s = S^{IJ}``), and a word
whose letter i_l stands n_l times in a row has an integral of at most ``prod_l V_l^{n_l}/n_l!``. Attained by the path
that moves along i_1, then i_2, and so on, where the letters are distinct. Source: theory 15.7.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.values import Scalar, require, require_finite
from ssm_bounds.models.linear_cde.cde import LinearCDE, Path


class Chained(NamedTuple):
    """``u_k`` at the end of the path, and an upper bound of its distance to the iterated integral."""

    value: Enclosure
    bound: arb


def equation(word: Sequence[int], eps: Scalar, coordinates: int) -> LinearCDE:
    """The chain for a word of letters 0..coordinates-1, of two or more. Raises: DomainError."""
    require(len(word) >= 2, f"a chain is for a word of at least two letters, got {tuple(word)}")
    inside = all(type(letter) is int and 0 <= letter < coordinates for letter in word)
    require(inside, f"letters lie in 0..{coordinates - 1}, got {tuple(word)}")
    require_finite("chain", "eps", eps)
    require(eps > 0, f"eps: expected a number above 0, got {eps!r}")
    n = 2 * len(word) - 1
    A: list[list[list[Scalar]]] = [[[0] * n for _ in range(n)] for _ in range(coordinates)]
    for layer, (before, letter) in enumerate(itertools.pairwise(word)):
        for unit, sign in ((2 * layer + 1, 1), (2 * layer + 2, -1)):
            A[letter][unit][unit] = sign * Fraction(eps)
            if layer == 0:
                A[before][unit][0] = 1
            else:
                A[before][unit][2 * layer - 1] = A[before][unit][2 * layer] = Fraction(1, 2)
    return LinearCDE.of(A, [1, *[0] * (n - 1)])


def chained(path: Path, word: Sequence[int], eps: Scalar) -> Chained:
    """Raises: DomainError, PrecisionError."""
    require(len(path) >= 1, "a path needs a point")
    state = equation(word, eps, len(path[0])).flow(path)
    with bits(2 * START_BITS):  # for small eps the two products agree to many digits
        small = exact(Fraction(eps))
        value = (state[-2].ball() - state[-1].ball()) / (2 * small)
        first, *later = (exact(_variation(path, letter)) for letter in word)
        grown = math.prod(((small * V).sinh() / small for V in later), start=arb(1))
        return Chained(Enclosure.of(value), (first * (grown - math.prod(later, start=arb(1)))).upper())


def _variation(path: Path, letter: int) -> Fraction:
    steps = (Fraction(b[letter]) - Fraction(a[letter]) for a, b in itertools.pairwise(path))
    return sum(map(abs, steps), Fraction(0))
