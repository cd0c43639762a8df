"""Named steps joined: chains and sums."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import INEQUALITIES, STRICT, decided
from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Chain:
    """A claim whose sides are joined by the named steps, each starting where the one before ended."""

    method = "chain"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        at = claim.lts if not isinstance(claim, sympy.Eq) else claim.lhs
        end = claim.gts if not isinstance(claim, sympy.Eq) else claim.rhs
        strict = False
        for fact in facts:
            if isinstance(fact, sympy.Eq) and at in fact.args:
                at = fact.rhs if fact.lhs == at else fact.lhs
            elif isinstance(fact, INEQUALITIES) and fact.lts == at and not isinstance(claim, sympy.Eq):
                at = fact.gts
                strict = strict or isinstance(fact, STRICT)
            else:
                return decided(False, f"the chain stands at {at}, which {fact} does not continue")
        wanted_strict = isinstance(claim, STRICT)
        return decided(
            at == end and (strict or not wanted_strict), "" if at == end else f"it ends at {at}, not at {end}"
        )


@dataclass(frozen=True, slots=True)
class Sum:
    """An inequality whose difference of sides is the sum of those of the named steps."""

    method = "sum"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        if not isinstance(claim, sympy.Le | sympy.Ge) or not all(isinstance(fact, INEQUALITIES) for fact in facts):
            return decided(False, "needs inequalities, and concludes one that is not strict")
        total = sympy.Add(*(fact.gts - fact.lts for fact in facts))
        rest = sympy.expand(claim.gts - claim.lts - total)
        return decided(rest == 0, "" if rest == 0 else f"the sides differ by {rest} more")
