"""*lti-cover*: the parameters of a linear S4D model, covered at one scale (theory 14.4, 14.5, 6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sympy import Symbol

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.entropy import entropy
from ssm_bounds.bounds.architectures.lti.classes import Values, fixed, parameters, parametrised
from ssm_bounds.bounds.architectures.lti.table import DEFINITIONS, S4D
from ssm_bounds.bounds.covers.entropy import AppliedRule, Product
from ssm_bounds.bounds.evaluate.balls import Enclosure, rational
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.formula import Formula, evaluated
from ssm_bounds.bounds.ladder.argument import Argument, Cost, confidence, price
from ssm_bounds.bounds.ladder.lti import OF_INPUTS, LtiSetting
from ssm_bounds.bounds.ladder.of_class import cell_steps
from ssm_bounds.bounds.ladder.rung import Rung
from ssm_bounds.bounds.ladder.scale import RULE, gap_formula, single_scale
from ssm_bounds.bounds.selection.family import SelectedClass


@dataclass(frozen=True, slots=True, eq=False)
class OfTable(Argument):
    """``values``: of the class; ``entropy``: of its outputs, split at ``radius``; ``end``: the gap."""

    selected: SelectedClass[Values]
    values: Values
    entropy: Product
    radius: Enclosure
    end: Formula
    delta: Fraction

    @property
    def parameters(self) -> int:
        return sum(int(rational(block.entries, self.values)) for block in S4D.blocks)

    def sentence(self) -> str:
        eps, covering, paid = (
            decimal_string(value.upper, 3)
            for value in (self.radius, self.entropy.log_covering(self.radius), self.selected.price)
        )
        return f"eps = {eps}, ln N = {covering} of {self.parameters} numbers, price {paid} nats"

    def record(self) -> Mapping[str, Any]:
        return {
            "epsilon": self.radius,
            "log_covering": self.entropy.log_covering(self.radius),
            "parameter_count": self.parameters,
            "price": self.selected.price,
            "by_block": self.entropy.by_block(self.radius),
            "class": {cell.name: float(cell.value) for cell in self.selected.cells},
        }

    def costs(self) -> tuple[Cost, ...]:
        blocks = self.entropy.by_block(self.radius).items()
        return (
            *(Cost(name, "block", nats, S4D.shown(name)) for name, nats in blocks),
            price(self.selected.price),
            confidence(self.delta, halved=True),
        )

    def formulas(self) -> tuple[Formula, ...]:
        sums = (
            evaluated(symbol.name, symbol, DEFINITIONS[symbol], self.values, "theory.md 2")
            for symbol in (sym.S_1, sym.S_2)
        )
        betas = (
            evaluated(
                f"how far the output moves with {block.words}",
                Symbol(f"beta_{block.key}"),
                block.beta["sharp"],
                self.values,
                "theory.md 14.4",
            )
            for block in S4D.blocks
        )
        return (*sums, *betas, self.end)

    def steps(self) -> tuple[AppliedRule, ...]:
        return (
            *cell_steps(self.selected.cells),
            AppliedRule("ln(1/pi) of all cells", "theory.md 7", self.selected.price),
            *self.entropy.trace(self.radius),
            AppliedRule(RULE, self.end.source, self.end.value),
        )


def lti_cover(setting: LtiSetting, delta: Fraction | None = None) -> Rung:
    """All linear S4D models with these constants, of any number of outputs. Source: theory 14.4, 14.5, 6.2."""
    delta, g = delta or setting.delta, setting.unit
    where = fixed(setting.measured, setting.sample)
    lipschitz = setting.loss_lipschitz

    def found(constants: Values, paid: Enclosure) -> tuple[Enclosure, Enclosure, Product]:
        covered = entropy(S4D.blocks, "sharp", {**where, **constants})
        return single_scale(setting, covered, paid, lipschitz, delta)

    classes = [(each, found(each.constants, each.price)) for each in parametrised(setting.measured, g)]
    selected, (value, eps, fixed_split) = min(classes, key=lambda pair: pair[1][0].float_upper())
    before, *_ = found(parameters(setting.measured, g), Enclosure.point(0))
    end = gap_formula(setting, fixed_split, eps, selected.price, lipschitz, delta, value)
    argument = OfTable(selected, {**where, **selected.constants}, fixed_split, eps, end, delta)
    return Rung("lti-cover", "gap", True, value, setting.loss.range, argument, OF_INPUTS, before_selection=before)
