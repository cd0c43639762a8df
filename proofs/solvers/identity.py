"""Equalities that sympy simplifies to 0."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import decided
from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Identity:
    """An equality by sympy: the difference of the sides simplifies to 0. Derivatives, limits and sums are taken first.

    For an inequality, sympy must reduce the difference to a number of the right sign.
    """

    method = "sympy"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        if claim == sympy.true:
            return decided(True)
        difference = sympy.simplify((claim.lhs - claim.rhs).doit())
        if difference != 0:
            difference = sympy.simplify(sympy.expand_log(sympy.expand(difference.rewrite(sympy.exp)), force=False))
        if isinstance(claim, sympy.Eq):
            return decided(difference == 0, str(difference) if difference != 0 else "")
        return decided(bool(claim.func(difference, 0) == sympy.true), str(difference))
