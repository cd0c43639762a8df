"""The sign of a derivative."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import INEQUALITIES, STRICT, decided, says_nonnegative
from ssm_bounds.proofs.statement import Outcome


def differentiable(f: sympy.Expr) -> bool:
    """No pole, jump or corner at any value of the symbols; an undefined function stands for a differentiable one."""
    for node in sympy.preorder_traversal(f):
        if isinstance(node, sympy.Pow):
            natural = node.exp.is_integer and node.exp.is_nonnegative
            if not (natural or node.base.is_positive or (node.exp.is_integer and node.base.is_nonzero)):
                return False
        elif isinstance(node, sympy.log):
            if not node.args[0].is_positive:
                return False
        elif not (node.is_Add or node.is_Mul or node.is_Atom or isinstance(node, sympy.exp | AppliedUndef)):
            return False
    return True


@dataclass(frozen=True, slots=True)
class Monotone:
    """``f >= 0`` on [start, oo) from ``f(start) >= 0`` and ``f' >= 0`` (mean value theorem).

    Sympy knows both signs, or a fact says them, up to a factor sympy knows to be positive. By its assumptions the
    variable lies in [start, oo); the facts must hold for all its values, so no hypothesis may speak of it (``moves``).
    """

    variable: sympy.Symbol
    start: sympy.Expr
    method = "sympy, mean value theorem"

    @property
    def moves(self) -> frozenset[sympy.Symbol]:
        return frozenset({self.variable})

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        if not isinstance(claim, INEQUALITIES):
            return decided(False, "not an inequality")
        f = claim.gts - claim.lts
        beyond = self.variable - self.start
        if not beyond.is_nonnegative or self.variable.is_integer:
            return decided(False, f"{self.variable} may lie below {self.start}, or is an integer")
        if not differentiable(f):
            return decided(False, f"{f} may not be differentiable")
        derivative, at_start = sympy.diff(f, self.variable), f.subs(self.variable, self.start)
        if any(says_nonnegative(fact, derivative) for fact in facts):
            positive = False
        elif (slope := sympy.simplify(derivative)).is_nonnegative:
            positive = bool(slope.is_positive and beyond.is_positive)
        else:
            return decided(False, f"no fact says that {derivative} >= 0")
        if not (any(says_nonnegative(fact, at_start) for fact in facts) or sympy.simplify(at_start).is_nonnegative):
            return decided(False, f"the difference at {self.variable} = {self.start} is {at_start}")
        if isinstance(claim, STRICT) and not (positive or sympy.simplify(at_start).is_positive):
            return decided(False, "the difference may be 0")
        return decided(True)
