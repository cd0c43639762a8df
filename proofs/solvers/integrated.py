"""Integrals of an inequality."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import INEQUALITIES, STRICT, decided, same
from ssm_bounds.proofs.solvers.smt import Z3
from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Integrated:
    """``int_a^b f <= int_a^b g`` from ``f <= g`` on [a, b]; a side without an integral is that of a constant.

    The fact may be ``premise -> f <= g`` with a premise that z3 finds on [a, b]; no hypothesis may speak of the
    variable of integration (``moves``).
    """

    variable: sympy.Symbol
    method = "sympy, monotone integral"

    @property
    def moves(self) -> frozenset[sympy.Symbol]:
        return frozenset({self.variable})

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        if not isinstance(claim, INEQUALITIES):
            return decided(False, "not an inequality")
        sides = claim.lts, claim.gts
        limits = {side.limits for side in sides if isinstance(side, sympy.Integral)}
        if isinstance(claim, STRICT) or len(limits) != 1:
            return decided(False, "needs integrals over one range in a <=")
        (((variable, low, high), *more),) = limits
        if variable != self.variable or more or not (high - low).is_positive:
            return decided(False, f"needs one integral over {self.variable}, and {low} < {high}")
        constants = [side for side in sides if not isinstance(side, sympy.Integral)]
        bound_elsewhere = any(variable in part.free_symbols for part in (low, high, *constants))
        ranges = variable.is_real and not variable.is_integer and (low.is_nonnegative or not variable.is_nonnegative)
        if bound_elsewhere or not ranges or variable.is_nonpositive:
            return decided(False, f"{variable} must run over all reals in [{low}, {high}], and stand nowhere else")
        left, right = (side.function if isinstance(side, sympy.Integral) else side / (high - low) for side in sides)
        inside = sympy.And(sympy.Ge(self.variable, low), sympy.Le(self.variable, high))
        wanted = sympy.Le(left, right, evaluate=False)
        for fact in facts:
            premise, conclusion = fact.args if isinstance(fact, sympy.Implies) else (sympy.true, fact)
            if same(conclusion, wanted) and Z3().decide(sympy.Implies(inside, premise), ()).holds:
                return decided(True)
        return decided(False, f"no fact says that {wanted}")
