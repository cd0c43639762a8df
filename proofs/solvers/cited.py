"""Axioms and assumptions: steps that are cited, not decided."""

from __future__ import annotations

from dataclasses import dataclass

from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Axiom:
    """A classical fact, cited: the claim is an instance of it."""

    name: str
    citation: str

    @property
    def method(self) -> str:
        return f"axiom: {self.name}"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        return Outcome(True, "axiom", f"{self.name} ({self.citation})")


@dataclass(frozen=True, slots=True)
class Assumed:
    """A step that no solver here decides, shown with its citation; it keeps the verdict below PROVED."""

    citation: str
    method = "assumed"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        return Outcome(True, "assumed", self.citation)
