"""Induction over finitely many terms."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import decided
from ssm_bounds.proofs.solvers.smt import Z3
from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Fold:
    """A claim about sums over finitely many terms, by induction over their number.

    ``sums``: pairs (S, t), S the sum of the terms t. Decided by z3: the claim at S = 0 for all sums, and that it
    survives S -> S + t. Facts that speak of a sum hold for the whole sum only and are not used; those that speak of a
    term must hold for every term.
    """

    sums: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    method = "z3 induction"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        totals = {total for total, _ in self.sums}
        usable = tuple(fact for fact in facts if not fact.free_symbols & totals)
        empty = claim.subs({total: 0 for total, _ in self.sums}, simultaneous=True)
        one_more = claim.subs({total: total + term for total, term in self.sums}, simultaneous=True)
        # of a partial sum only what its terms say is known: it may be 0 although the symbol of the whole is positive
        weaker = {total: sympy.Symbol(total.name, real=True) for total, _ in self.sums}
        for total, term in self.sums:
            if Z3().decide(sympy.Ge(term.subs(weaker), 0), usable).holds:
                weaker[total] = sympy.Symbol(total.name, real=True, nonnegative=True)
        step = sympy.Implies(claim.subs(weaker), one_more.subs(weaker))
        for name, part in (("no term", empty), ("one more term", step)):
            if not Z3().decide(part, usable).holds:
                return decided(False, f"not decided: {name}, {part}")
        return decided(True)
