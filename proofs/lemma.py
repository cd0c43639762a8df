"""A step decided by another statement of the ledger."""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import same
from ssm_bounds.proofs.solvers.smt import Z3, admits
from ssm_bounds.proofs.statement import Outcome, Statement, Verdict


@dataclass(frozen=True, slots=True)
class Lemma:
    """An instance of another statement: its claim under a substitution (``values``).

    What the statement assumes of its symbols (signs) and its hypotheses must hold of the values, by sympy or by z3
    from the facts; its hypotheses in prose are the author's duty. The statement is run: proved only if it is, and what
    rests on axioms or on a numerical check rests on them here as well.
    """

    statement: Statement
    values: tuple[tuple[sympy.Symbol, sympy.Expr], ...] = ()

    @property
    def method(self) -> str:
        return f"statement {self.statement.label}"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        values = dict(self.values)
        instance = self.statement.claim.subs(values, simultaneous=True)
        if not (same(instance, claim) or _same_up_to_factor(instance, claim)):
            return Outcome(False, "decided", f"the instance is {instance}")
        if alien := [f"{symbol} = {value}" for symbol, value in values.items() if not admits(symbol, value, facts)]:
            return Outcome(False, "decided", f"may not be a value of this kind: {', '.join(alien)}")
        for hypothesis in self.statement.hypotheses:
            need = hypothesis.subs(values, simultaneous=True)
            if need != sympy.true and need not in facts and not Z3().decide(need, facts).holds:
                return Outcome(False, "decided", f"{need} is not known")
        verdict = _verdict(self.statement)
        if verdict is Verdict.PROVED:
            return Outcome(True, "decided")
        if verdict is Verdict.PROVED_FROM_AXIOMS:
            return Outcome(True, "axiom", f"statement {self.statement.label} ({verdict})")
        return Outcome(verdict is Verdict.CHECKED, "assumed", f"statement {self.statement.label} ({verdict})")


def _verdict(statement: Statement) -> Verdict:
    """What the machine finds for the statement, not what was recorded; each is run once."""
    if id(statement) not in _FOUND:
        from ssm_bounds.proofs.check import check

        _FOUND[id(statement)] = check(statement).verdict, statement  # kept, so that the id stays its own
    return _FOUND[id(statement)][0]


_FOUND: dict[int, tuple[Verdict, Statement]] = {}


def _same_up_to_factor(known: Boolean, claim: Boolean) -> bool:
    """Whether the difference of the claim's sides is that of the known one times a positive factor."""
    if not all(isinstance(relation, sympy.Le | sympy.Ge) for relation in (known, claim)):
        return False
    factor = sympy.simplify((claim.gts - claim.lts) / (known.gts - known.lts))
    return bool(factor.is_positive)
