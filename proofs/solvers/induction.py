"""Induction over the integers."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import decided, starts_at
from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Induction:
    """``left(n) = right(n)`` for integers n >= start: the base, and equal increments. ``left`` is a sum over t < n."""

    variable: sympy.Symbol
    start: int = 0
    method = "sympy induction"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        total, closed = claim.lhs, claim.rhs
        if not isinstance(claim, sympy.Eq) or not isinstance(total, sympy.Sum):
            return decided(False, "induction needs a sum on the left of an equality")
        (index, low, high), *more = total.limits
        if high != self.variable - 1 or low != 0 or more or self.variable in total.function.free_symbols:
            return decided(False, f"induction needs one sum of terms without {self.variable} over 0 <= {index} < it")
        if not starts_at(self.variable, self.start):
            return decided(False, f"{self.start} is not the least value of the integer {self.variable}")
        base = sympy.simplify(
            sum(total.function.subs(index, i) for i in range(self.start)) - closed.subs(self.variable, self.start)
        )
        step = closed.subs(self.variable, self.variable + 1) - closed - total.function.subs(index, self.variable)
        step = sympy.simplify(sympy.powsimp(sympy.expand(sympy.together(step))))
        return decided(base == 0 and step == 0, "" if base == 0 and step == 0 else f"base {base}, step {step}")


@dataclass(frozen=True, slots=True)
class GrowthInduction:
    """``left(n) <= right(n)`` for integers n >= start, both sides >= 0: it holds at the start, and there
    ``(right(n+1)/right(n))^2 >= (left(n+1)/left(n))^2``."""

    variable: sympy.Symbol
    start: int
    method = "sympy induction"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        if not (isinstance(claim, sympy.Le) and starts_at(self.variable, self.start)):
            return decided(False, f"needs a <= over the integers {self.variable} >= {self.start}")
        left, right = claim.lts, claim.gts

        def growth(side: sympy.Expr) -> sympy.Expr:
            return sympy.combsimp((side.subs(self.variable, self.variable + 1) / side) ** 2)

        base = (right - left).subs(self.variable, self.start)
        step = sympy.factor(growth(right) - growth(left))
        holds = left.is_positive and right.is_nonnegative and base.is_nonnegative and step.is_nonnegative
        return decided(bool(holds), f"base {base}, excess growth {step}")
