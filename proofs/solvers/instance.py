"""Instances of a claim that holds for all values of a symbol."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import decided, same
from ssm_bounds.proofs.solvers.smt import admits
from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Instance:
    """A fact about all values of some symbols, at the values given: ``claim``, or ``premise -> claim``.

    What sympy assumes of a symbol (its sign) is shown for its value by z3, from the other facts and the premise; no
    hypothesis may speak of the symbols (``moves``).
    """

    values: tuple[tuple[sympy.Symbol, sympy.Expr], ...]
    method = "instance"

    @property
    def moves(self) -> frozenset[sympy.Symbol]:
        return frozenset(symbol for symbol, _ in self.values)

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        premise, conclusion = claim.args if isinstance(claim, sympy.Implies) else (sympy.true, claim)
        general = [fact for fact in facts if fact.free_symbols & self.moves]
        if len(general) != 1 or not same(general[0].subs(self.values, simultaneous=True), conclusion):
            return decided(False, f"not the instance of one fact: {general}")
        known = (*(fact for fact in facts if fact not in general), premise)
        if alien := [f"{symbol} = {value}" for symbol, value in self.values if not admits(symbol, value, known)]:
            return decided(False, f"may not be a value of this kind: {', '.join(alien)}")
        return decided(True)
