"""A statement as frozen data: claim, hypotheses, source, witness, derivation, verdict, adversary.

A claim is a sympy Boolean, universally quantified over its symbols under the hypotheses. A derivation is a sequence of
steps, each decided by one solver (``proofs.solvers``); the last step's claim must be the statement's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose
from ssm_bounds.bounds.values import require
from ssm_bounds.proofs.adversary import Adversary


class Kind(StrEnum):
    """Which test a statement gets: a tight one may not be lowered by 3 %, an upper one records its slack."""

    TIGHT = "tight"
    UPPER = "upper"
    LOWER = "lower"
    IDENTITY = "identity"
    LIMIT = "limit"


class Verdict(StrEnum):
    """What the machine found, strongest first; REPAIRED is REFUTED with the label of what replaces it."""

    PROVED = "PROVED"
    PROVED_FROM_AXIOMS = "PROVED FROM AXIOMS"
    CHECKED = "CHECKED"
    REFUTED = "REFUTED"
    REPAIRED = "REPAIRED"


class Reading(StrEnum):
    """What a theorem that Coq's kernel checks says of the statement that names it, strongest first."""

    CLAIM = "claim"
    FORMULA = "formula"
    GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Theorem:
    """A theorem of ``proofs/rocq``: ``file.name``. Its reading is checked with it.

    CLAIM: its type is the statement's claim, printed from the formulas, for all values of the letters. FORMULA: it
    concludes the printed formula, where letters that prose explains are bound to sums and vectors by the theorem's own
    text. GENERAL: all of its text is written by hand.
    """

    name: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a solver said of one step. ``basis``: decided (a proof), axiom (cited), assumed (cited, below a proof)."""

    holds: bool
    basis: str
    remark: str = ""


class Decision(Protocol):
    """How one step is decided: a solver with its parameters, an axiom, or an assumption."""

    @property
    def method(self) -> str: ...
    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One claim of a derivation and who decides it, from the hypotheses and the named earlier steps in ``using``."""

    name: str
    claim: Boolean
    by: Decision
    using: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A point of a claim's quantifiers, evaluated anew at every run in rational or ball arithmetic.

    ``values``: of the claim's symbols, and of functions applied in it. It refutes a claim where all hypotheses hold and
    left > right.
    """

    description: str
    values: Callable[[], Mapping[sympy.Expr, Value | Enclosure]]

    def sides(self, claim: Boolean) -> tuple[Enclosure, Enclosure]:
        """Both sides of ``left <= right`` at the point."""
        names, values = self._assigned()
        return enclose(claim.lts.xreplace(names), values), enclose(claim.gts.xreplace(names), values)

    def refutes(self, claim: Boolean, hypotheses: tuple[Boolean, ...]) -> bool:
        names, values = self._assigned()
        left, right = self.sides(claim)
        return bool(left.lower > right.upper) and all(holds_at(part.xreplace(names), values) for part in hypotheses)

    def _assigned(self) -> tuple[dict[sympy.Expr, sympy.Symbol], dict[sympy.Symbol, Value]]:
        given = {key: v.ball() if isinstance(v, Enclosure) else v for key, v in self.values().items()}
        names = {key: sympy.Dummy(str(key)) for key in given if not key.is_Symbol}
        return names, {names.get(key, key): value for key, value in given.items()}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the theory. ``witness``: values that satisfy the hypotheses and the claim, so that neither is
    vacuous; checked at construction in ball arithmetic. ``prose``: hypotheses that no formula states.
    ``theorems``: what Coq's kernel checks of it.

    Raises: DomainError when the witness fails, the derivation does not end in the claim, or names repeat.
    """

    label: str
    title: str
    claim: Boolean
    source: str
    kind: Kind
    recorded: Verdict
    hypotheses: tuple[Boolean, ...] = ()
    prose: tuple[str, ...] = ()
    witness: Mapping[sympy.Symbol, Value] = field(default_factory=dict)
    derivation: tuple[Step, ...] = ()
    not_claimed: tuple[str, ...] = ()
    counterexample: Counterexample | None = None
    repaired_by: str | None = None
    adversary: Adversary | None = None
    theorems: tuple[Theorem, ...] = ()

    def __post_init__(self) -> None:
        for claim in (self.claim, *self.hypotheses, *(step.claim for step in self.derivation)):
            require(
                isinstance(claim, Boolean), f"{self.label}: {claim!r} is not a relation of sympy (== instead of Eq?)"
            )
        names = [step.name for step in self.derivation]
        require(len(set(names)) == len(names), f"{self.label}: two steps have one name: {names}")
        for index, step in enumerate(self.derivation):
            missing = set(step.using) - set(names[:index])
            require(not missing, f"{self.label}, step {step.name}: uses {sorted(missing)}, which do not come before it")
        if self.derivation:
            require(
                self.derivation[-1].claim == self.claim,
                f"{self.label}: the derivation ends in {self.derivation[-1].claim}, not in the claim {self.claim}",
            )
        for condition in (*self.hypotheses, *(() if self.counterexample else (self.claim,))):
            require(
                holds_at(condition, self.witness),
                f"{self.label}: the witness {dict(self.witness)} does not satisfy {condition}",
            )


def holds_at(condition: Boolean, values: Mapping[sympy.Symbol, Value]) -> bool:
    """Whether ball arithmetic shows that a condition holds at a point; equalities up to the enclosure's width."""
    if condition in (sympy.true, True):
        return True
    if isinstance(condition, sympy.And):
        return all(holds_at(part, values) for part in condition.args)
    if isinstance(condition, sympy.Implies):
        premise, conclusion = condition.args
        return not holds_at(premise, values) or holds_at(conclusion, values)
    if isinstance(condition, sympy.Or):
        return any(holds_at(part, values) for part in condition.args)
    if isinstance(condition, sympy.Eq):
        left, right = (enclose(side, values) for side in condition.args)
        return bool(left.lower <= right.upper and right.lower <= left.upper)
    left, right = (enclose(side, values) for side in (condition.lts, condition.gts))
    if isinstance(condition, sympy.StrictLessThan | sympy.StrictGreaterThan):
        return bool(left.upper < right.lower)
    return bool(left.upper <= right.lower) or bool(left.lower <= right.upper and left.relative_width() < 1e-9)
