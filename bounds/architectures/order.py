"""What no model of one linear layer does, whatever its size and training: lower bounds in exact numbers.

They hold for every f under the hypotheses of the four-point identity, ``HYPOTHESES``: then
``f(qpe) - f(qp'e) - f(q'pe) + f(q'p'e) = 0`` for all prefixes q, q' of any lengths, every block p, every permutation p'
of it and every suffix e after which the four end alike. Derivation: the maps of p and of p' have one linear part, so
that they differ by a vector that does not depend on the state; e acts on it linearly, and the readout too.
Source: theory 15.4 to 15.6.

A target whose own *defect* on four such sequences is D is missed on them, by f of defect 0:
``|D| <= sum of the four errors`` (triangle inequality), ``D^2 <= 4 sum of their squares`` (Cauchy-Schwarz). Both are
attained by the errors D/4 (1, -1, -1, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb

import sympy

from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.values import Scalar, require, require_finite

HYPOTHESES = {
    "H1": "token t maps the state by z -> E_t z + g_t, where E_t and g_t are functions of that token alone",
    "H2": "the matrices E_t of the tokens of a block commute",
    "H3": "the output is affine in the last state, with coefficients that depend on the last token at most",
    "H4": "the four sequences end in the same token",
    "H5": "the state before the first token is always the same",
}
"""Of the four-point identity, by their names in theory 15.4."""
GOOD = Fraction(2, 15)
"""480 of the 3600 pairs (c, d) of the alternating group A5: those whose ``cd (dc)^{-1}`` is an involution."""
LOGISTIC, HINGE = sympy.log(2), sympy.Integer(1)
"""At least this large are the mean logistic and hinge losses on four sequences labelled +1, -1, -1, +1: both are convex
in ``y f``, whose mean is 0 there (Jensen). Source: theory 15.5 (a)."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Floor:
    """What every f under the hypotheses has at least, in ``unit``, where it is not 1."""

    target: str
    measure: str
    value: Enclosure
    unit: str
    source: str


def largest_error(defect: Scalar) -> Fraction:
    """``|D|/4``: at least this large is the largest of the four errors. Source: theory 15.5 (a)."""
    require_finite("four points", "defect", defect)
    return abs(Fraction(defect)) / 4


def mean_square(defect: Scalar) -> Fraction:
    """``D^2/16``: at least this large is the mean of the four squared errors. Source: theory 15.5 (a).

    For labels +1, -1, -1, +1 the defect is 4: nothing beats a constant.

    >>> mean_square(4)
    Fraction(1, 1)
    """
    require_finite("four points", "defect", defect)
    return Fraction(defect) ** 2 / 16


def volume(n: int, *, reads_last: bool) -> Enclosure:
    """The least root mean squared error of any f for the iterated integral S^{123} of n i.i.d. increments, of the root
    mean square of S^{123}: its three coordinates are independent, centred and of one variance.

    ``reads_last``: the readout depends on the last token, as the ``W_C u_T`` of theory 1 does. Claim:
    ``E(S - f)^2 >= binom(n', 3) sigma^6/2``, n' = n, or n - 1 where the readout does; and
    ``E S^2 = (binom(n, 3) + binom(n, 2)/2 + n/36) sigma^6``. Derivation: for a < b < c <= n' exchange the increments b
    and c: the change of f does not depend on what stands before b, and ``E v_a = 0``, so that f has equal coefficients
    on ``v_a^1 v_b^2 v_c^3`` and ``v_a^1 v_c^2 v_b^3``, where S has 1 and 0, and these products are orthogonal. A
    readout that depends on the last token may treat c = n apart, and for n = 3 it comes as near to S as it likes.
    Source: theory 15.5 (c).
    """
    require(type(n) is int and 1 <= n <= _MOST, f"n: expected a number of increments from 1 to {_MOST}, got {n!r}")
    missed = Fraction(comb(n - reads_last, 3), 2)
    whole = comb(n, 3) + Fraction(comb(n, 2), 2) + Fraction(n, 36)
    share = missed / whole
    return enclose(sympy.sqrt(sympy.Rational(share.numerator, share.denominator)), {})


def word_problem(T: int) -> Fraction:
    """The least error of any f, by the largest of its outputs (one fixed rule for ties), for the product of T
    independent uniform letters of A5.

    Claim: ``(1 - (13/15)^n)/4``, ``n = floor((T - 1)/3)``. Derivation: cut the letters before the last one into n
    blocks (x, c, d). Where ``s = cd (dc)^{-1}`` is an involution, c <-> d and x -> xs commute and keep s, so that the
    blocks fall into orbits of four, (x, c, d), (x, d, c), (xs, c, d), (xs, d, c), which give the word the products
    a, b, b, a, a != b: of the four, one is wrong at least, as ``f_a - f_b`` has defect 0. Change the first such block
    of a word, if it has one. Source: theory 15.6.

    >>> word_problem(4)
    Fraction(1, 30)
    """
    require(type(T) is int and 1 <= T <= _MOST, f"T: expected a number of letters from 1 to {_MOST}, got {T!r}")
    return (1 - (1 - GOOD) ** ((T - 1) // 3)) / 4


def floors() -> tuple[Floor, ...]:
    """The lower bounds at some sizes, for models whose readout depends on the last token."""
    four = "four sequences of a quadruple"
    labelled = f"{four}, labelled +1, -1, -1, +1"
    found = [
        Floor(f"{four}, labelled a, b, b, a", "error rate", _point(Fraction(1, 4)), "", "theory 15.5 (a)"),
        Floor(labelled, "mean logistic loss", enclose(LOGISTIC, {}), "", "theory 15.5 (a)"),
        Floor(labelled, "mean hinge loss", enclose(HINGE, {}), "", "theory 15.5 (a)"),
        Floor(f"{four}, a target of defect D", "largest error", _point(largest_error(1)), "|D|", "theory 15.5 (a)"),
        Floor(f"{four}, a target of defect D", "mean squared error", _point(mean_square(1)), "D^2", "theory 15.5 (a)"),
        # +-V e_1, then V e_2, V e_3 or the other way round, then a token that does not move: D = 2 V^3
        Floor(
            "S^{123} of all paths of variation V in each coordinate",
            "largest error",
            _point(largest_error(2)),
            "V^3",
            "theory 15.5 (b)",
        ),
    ]
    for n in (19, 99):
        target = f"S^{{123}} of {n} i.i.d. increments, coordinates independent, centred, of one variance"
        least = volume(n, reads_last=True)
        found.append(Floor(target, "relative root mean squared error", least, "", "theory 15.5 (c)"))
    for T in (4, 10, 20):
        target = f"the product of {T} uniform letters of A5"
        found.append(Floor(target, "error rate", _point(word_problem(T)), "", "theory 15.6"))
    return tuple(found)


def _point(value: Fraction) -> Enclosure:
    return Enclosure.point(value)
