"""What the solvers share."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.bounds.values import Scalar
from ssm_bounds.proofs.statement import Outcome

STRICT = (sympy.StrictLessThan, sympy.StrictGreaterThan)
INEQUALITIES = (sympy.LessThan, sympy.GreaterThan, *STRICT)
Box = Mapping[sympy.Symbol, tuple[Scalar, Scalar]]


def decided(holds: bool, remark: str = "") -> Outcome:
    return Outcome(holds, "decided", remark)


def starts_at(variable: sympy.Symbol, start: int) -> bool:
    """Whether a symbol ranges, by its assumptions, over exactly the integers from start on."""
    beyond = variable - start
    return bool(variable.is_integer and beyond.is_nonnegative and not (beyond - 1).is_nonnegative)


def says_nonnegative(fact: Boolean, expression: sympy.Expr) -> bool:
    """Whether an inequality says that the expression is >= 0, up to a factor that sympy knows to be positive."""
    if not isinstance(fact, INEQUALITIES) or fact.gts == fact.lts:
        return False
    known = fact.gts - fact.lts
    return bool(expression == known or sympy.simplify(expression / known).is_positive)


def same(found: Boolean, claim: Boolean) -> bool:
    """Whether two relations of one kind have the same difference of sides."""
    if found == claim:
        return True
    if isinstance(found, INEQUALITIES) and isinstance(claim, INEQUALITIES):
        differences = (relation.gts - relation.lts for relation in (found, claim))
        if isinstance(claim, STRICT) and not isinstance(found, STRICT):
            return False
    elif isinstance(found, sympy.Eq) and isinstance(claim, sympy.Eq):
        differences = (relation.lhs - relation.rhs for relation in (found, claim))
    else:
        return False
    left, right = differences
    return bool(sympy.simplify(left - right) == 0)
