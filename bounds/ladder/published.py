"""*published*: the printed route as we read it, at the measured constants (theory 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment
from ssm_bounds.bounds.architectures.selective_ssm.family import measured_class
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import PUBLISHED, PUBLISHED_ALPHA, PUBLISHED_STATE
from ssm_bounds.bounds.covers.entropy import allocation
from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose, enclose_all
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.ladder.argument import Argument
from ssm_bounds.bounds.ladder.rung import COMPARED, Hypothesis, Rung, Setting, approximately
from ssm_bounds.bounds.ladder.values import scalars_of


@dataclass(frozen=True, slots=True)
class Capacity:
    """C_F of the printed closed form, where a block costs anything. ``ratio``: ``3 l C_F/(c sqrt m)``, which must be
    at most 1; ``sides``: the two of that condition."""

    C_F: Enclosure
    ratio: Enclosure
    sides: tuple[Enclosure, Enclosure]


@dataclass(frozen=True, slots=True, eq=False)
class Printed(Argument):
    """The printed covers and coefficients, block by block, and the capacity that they add up to."""

    alpha: Mapping[str, Enclosure]
    beta: Mapping[str, Enclosure]
    capacity: Capacity | None

    def sentence(self) -> str:
        return (
            "the printed route as we read it, at the measured constants (not paid for); "
            "C.3 and E.3 are refuted in general"
        )

    def record(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        if (capacity := self.capacity) is not None:
            left, right = capacity.sides
            found = {"C_F": capacity.C_F, "ratio": capacity.ratio, "3 l C_F": left, "c sqrt(m)": right}
        return found | {"alpha": self.alpha, "beta": self.beta}


def published(setting: Setting) -> Rung:
    """Our explicit-constant reading of the printed route. Source: theory 2 (C.9, D.4, E.2)."""
    constants = replace(
        measured_class(setting.measured, embedding_in_class=False, vocabulary=False), p_lo=setting.measured.p
    )
    values = assignment(constants, setting.sample.T, rho="published") | {sym.B_x: PUBLISHED_STATE}
    blocks = [name for name in PUBLISHED if not (name == "q" and constants.gate == "none")]
    tables = {"alpha": PUBLISHED_ALPHA, "beta": PUBLISHED}
    found = enclose_all({(table, name): tables[table][name] for table in tables for name in blocks}, values)
    # C.9 needs alpha, beta > 0; a block of radius or coefficient 0 costs nothing
    active = [name for name in blocks if found["alpha", name].upper > 0 and found["beta", name].upper > 0]
    scalars = values | scalars_of(setting, setting.delta)
    capacity, value = None, enclose(chaining.PUBLISHED_DEVIATION, scalars)
    if active:
        capacity, value = _closed_form(scalars | {sym.C_F: _capacity_of(active)})
    alpha, beta = ({name: found[table, name] for name in blocks} for table in tables)
    return Rung(
        "published",
        "gap",
        True,
        value,
        setting.loss.range,
        Printed(alpha, beta, capacity),
        (*COMPARED, Hypothesis.PRINTED),
        refusal=_refusal(setting, capacity, value),
        comparison=True,
    )


def _capacity_of(active: list[str]) -> sympy.Expr:
    """C_F of these blocks (C.9)."""
    alpha, beta = ([table[name] for name in active] for table in (PUBLISHED_ALPHA, PUBLISHED))
    return allocation(alpha, beta) ** sympy.Rational(3, 2)


def _closed_form(scalars: Mapping[sympy.Symbol, Value]) -> tuple[Capacity, Enclosure]:
    """The capacity and the printed bound."""
    found = enclose_all(
        {"C_F": sym.C_F, "ratio": chaining.PUBLISHED_CONDITION, "value": chaining.PUBLISHED_GAP}, scalars
    )
    sides = enclose(3 * sym.l * sym.C_F, scalars), enclose(sym.c * sympy.sqrt(sym.m), scalars)
    return Capacity(found["C_F"], found["ratio"], sides), found["value"]


def _refusal(setting: Setting, capacity: Capacity | None, value: Enclosure) -> str | None:
    if capacity is not None and not capacity.ratio.upper <= 1:
        left, right = map(approximately, capacity.sides)
        sign = "negative there" if value.upper < 0 else "below the true infimum there"
        return f"does not apply: 3 l C_F = {left} exceeds c sqrt(m) = {right}, the printed formula is {sign}"
    if setting.measured.s_A > 0:
        return "does not apply: it rests on E.3, which is false for s_A > 0"
    return None
