"""What a rung carries: its argument, as everything that a report prints of how the number came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Protocol

from flint import arb
from sympy import log

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import AppliedRule
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose, float_above
from ssm_bounds.bounds.evaluate.formula import Formula


@dataclass(frozen=True, slots=True)
class Cost:
    """One summand, in nats, of what a rung divides by m. ``name``: of the block, or what it pays for; ``label``: the
    same in the letters of theory 1.

    A symmetry gives back what models that differ in it alone share: it is negative.
    """

    name: str
    kind: Literal["block", "price", "symmetry", "confidence"]
    nats: Enclosure
    label: str


def price(nats: Enclosure) -> Cost:
    return Cost("ln(1/pi)", "price", nats, "ln(1/pi)")


def confidence(delta: Fraction, *, halved: bool = False) -> Cost:
    """``ln(1/delta)``, or ``ln(2/delta)`` where two sides, or two forms, share it."""
    shown = "ln(2/delta)" if halved else "ln(1/delta)"
    return Cost(shown, "confidence", enclose(log((2 if halved else 1) / sym.delta), {sym.delta: delta}), shown)


def shares(parts: Sequence[Cost]) -> list[float]:
    """Each summand's share of the sum, for people: rounded to the nearest double."""
    uppers = [part.nats.upper for part in parts]
    total = sum(uppers, arb(0))
    return [float_above(upper / total) if total > 0 else 0.0 for upper in uppers]


class Argument(Protocol):
    """One kind of argument. What it has not is empty: a hold-out has no formulas."""

    def sentence(self) -> str:
        """What the number is made of, in a few words."""
        ...

    def record(self) -> Mapping[str, Any]:
        """Its numbers by the keys of the JSON document: enclosures, exact numbers, text, and lists and mappings of
        them. A key's meaning never changes."""
        ...

    def costs(self) -> tuple[Cost, ...]:
        """The nats of theory 3.4, 6.2, 6.3, 8.1, 8.3, summand by summand."""
        return ()

    def formulas(self) -> tuple[Formula, ...]:
        """What was evaluated, from the sums to the bound."""
        return ()

    def steps(self) -> tuple[AppliedRule, ...]:
        """The argument, rule by rule: what was paid, the covers and how they combine, the bound."""
        return ()

    def words(self) -> tuple[str, ...]:
        """The argument in lines of text with their numbers."""
        return ()


@dataclass(frozen=True, slots=True)
class Told(Argument):
    """An argument that is its sentence."""

    text: str = ""

    def sentence(self) -> str:
        return self.text

    def record(self) -> Mapping[str, Any]:
        return {}


UNTOLD = Told()
"""No argument at all: of a bound that was not computed."""
