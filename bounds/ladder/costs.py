"""What the nats of a rung are made of: each parameter block, the price of what was chosen, the confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import sympy
from flint import arb

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose, float_above
from ssm_bounds.bounds.gaps.maurer import maurer_constant
from ssm_bounds.bounds.ladder.rung import Rung, Setting

# by the name of a cover's term, and by that of a tensor, as a code lists it
_SHOWN = {name: block.shown for block in SELECTIVE_SSM.blocks for name in (block.key, block.name)}


@dataclass(frozen=True, slots=True)
class Cost:
    """One summand, in nats, of what the rung divides by m. ``name``: as in the rung's details.

    A symmetry gives back what models that differ in it alone share: it is negative.
    """

    name: str
    kind: Literal["block", "price", "symmetry", "confidence"]
    nats: Enclosure

    @property
    def label(self) -> str:
        """The block in the letters of theory.md 1, and its decay group.

        >>> [Cost(name, "block", Enclosure.point(1)).label for name in ("A", "B", "w.2", "g")]
        ['A', 'W_B', 'W, group 2', '(p, q)']
        """
        block, _, group = self.name.partition(".") if self.kind == "block" else (self.name, "", "")
        return _SHOWN.get(block, block) + (f", group {group}" if group else "")


def costs(rung: Rung, setting: Setting, delta: Fraction) -> tuple[Cost, ...]:
    """The summands of ``H + ln(1/pi) + ln(./delta)``: of 6.2 or 6.3, of the KL form of 8.3, of the code of 8.1.

    Empty for a rung that is not split into blocks. Source: theory.md 3.4, 6.2, 6.3, 7, 8.1, 8.3.
    """
    blocks = rung.details.get("by_block")
    if not blocks:
        return ()
    if not isinstance(blocks, Mapping):  # the code of 8.1, listed with the number of parameters
        blocks = {entry["block"]: entry["nats"] for entry in blocks}
    found = [
        Cost(name, "symmetry" if name == "symmetries" else "block", _enclosed(nats)) for name, nats in blocks.items()
    ]
    if "price" in rung.details:
        found.append(Cost("ln(1/pi)", "price", rung.details["price"]))
    numerator, shown = 1, "ln(1/delta)"
    values: dict[sympy.Symbol, Value] = {sym.delta: delta}
    if rung.two_sided:
        numerator, shown = 2, "ln(2/delta)"
    confidence = enclose(sympy.log(numerator / sym.delta), values)
    if rung.name == "pac-bayes":
        constant, shown = maurer_constant(setting.sample.m), "ln(xi(m)/delta)"
        confidence = enclose(sympy.log(sym.r / sym.delta), values | {sym.r: constant.upper})
    return (*found, Cost(shown, "confidence", confidence))


def _enclosed(nats: Enclosure | float) -> Enclosure:
    return nats if isinstance(nats, Enclosure) else Enclosure.point(nats)


def shares(parts: tuple[Cost, ...]) -> list[float]:
    """Each summand's share of the sum, for people: rounded to the nearest double."""
    uppers = [part.nats.upper for part in parts]
    total = sum(uppers, arb(0))
    return [float_above(upper / total) if total > 0 else 0.0 for upper in uppers]
