"""A class of the family fixed before the data, paid for and covered at one radius: what scale and margin share."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import without_l1
from ssm_bounds.bounds.architectures.selective_ssm.family import vocabulary_constants
from ssm_bounds.bounds.architectures.selective_ssm.formulas import formulas
from ssm_bounds.bounds.architectures.selective_ssm.groups import measured_groups, one_group, split
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.covers.entropy import AppliedRule, Product, approximate_all
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.elementary import log_of
from ssm_bounds.bounds.evaluate.formula import Formula
from ssm_bounds.bounds.gaps.losses import margin_lipschitz
from ssm_bounds.bounds.ladder.argument import Argument, Cost, confidence, price
from ssm_bounds.bounds.ladder.rung import Rung, Setting
from ssm_bounds.bounds.ladder.values import entropy_of, measured_entropy
from ssm_bounds.bounds.selection.cells import Cell
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.bounds.selection.splits import sizes
from ssm_bounds.bounds.values import DomainError, Scalar, field_names


@dataclass(frozen=True, slots=True, eq=False)
class OfClass(Argument):
    """The class, its cover with the split at ``radius``, and the formula that ends the argument, at ``delta``.

    ``rule``: that formula in text. ``exponent``: of a margin rung, that of its kl form.
    """

    setting: Setting
    delta: Fraction
    selected: SelectedClass
    entropy: Product
    radius: Enclosure
    end: Formula
    rule: str
    two_sided: bool
    exponent: Enclosure | None = None

    @property
    def log_covering(self) -> Enclosure:
        return self.entropy.log_covering(self.radius)

    def sentence(self) -> str:
        eps, covering, paid = (
            decimal_string(value.upper, 3) for value in (self.radius, self.log_covering, self.selected.price)
        )
        text = f"eps = {eps}, ln N = {covering}, price {paid} nats"
        return f"{text}, {self._groups()}" if self.selected.splits else text

    def _groups(self) -> str:
        """The decay groups of the class, and its norms where they are not the spectral ones."""
        named = [f"{split.name} {sizes(split)}" for split in self.selected.splits if split.groups > 1]
        reason = "no split pays" if self.setting.measured.decays else "the entries of A were not measured one by one"
        text = f"decay groups {', '.join(named)}" if named else f"one decay group ({reason})"
        return text + ", vocabulary constants" * (self.selected.constants.norms == "vocabulary")

    def record(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {
            "epsilon": self.radius,
            "log_covering": self.log_covering,
            "parameter_count": self.selected.constants.parameters,
            "price": self.selected.price,
            "by_block": self.entropy.by_block(self.radius),
        }
        if self.exponent is not None:
            found |= {"exponent": self.exponent, "delta": self.delta}
        found["class"] = {cell.name: float(cell.value) for cell in self.selected.cells}
        if self.selected.splits:
            found["groups"] = groups_of(self.selected)
        return found

    def costs(self) -> tuple[Cost, ...]:
        blocks = self.entropy.by_block(self.radius).items()
        return (
            *(Cost(name, "block", nats, SELECTIVE_SSM.shown(name)) for name, nats in blocks),
            price(self.selected.price),
            confidence(self.delta, halved=self.two_sided),
        )

    def formulas(self) -> tuple[Formula, ...]:
        return (*formulas(self.selected.constants, self.setting.sample.T), self.end)

    def steps(self) -> tuple[AppliedRule, ...]:
        selected = self.selected
        splits = (
            AppliedRule(
                f"{split.name} in groups of {sizes(split)} of {len(split.labels)}: one labelled split",
                "theory.md 5.2",
                _nats(split.weight),
            )
            for split in selected.splits
        )
        paid = "all cells, of the splits" if selected.splits else "all cells"
        options = f"ln(1/pi) of {paid} and of {selected.options} options fixed in advance"
        return (
            *cell_steps(selected.cells),
            *splits,
            AppliedRule(options, "theory.md 7", selected.price),
            *self.entropy.trace(self.radius),
            AppliedRule(self.rule, self.end.source, self.end.value),
        )


def cell_steps(cells: Iterable[Cell]) -> Iterator[AppliedRule]:
    """What each constant that was chosen after the data is bounded by, and what that costs."""
    for cell in cells:
        bound = decimal_string(Enclosure.point(cell.value).upper, 6)
        yield AppliedRule(f"{cell.name} <= {bound}: cell {cell.position}", "theory.md 7", _nats(cell.weight))


def _nats(weight: Fraction) -> Enclosure:
    return enclose(sympy.log(sym.r), {sym.r: 1 / weight})


def groups_of(selected: SelectedClass) -> dict[str, Any] | None:
    """Items and bound of every decay group, slowest first; None for a class without."""
    groups = selected.constants.groups
    if groups is None:
        return None
    return {
        name: [{"items": group.items, "s_A": float(group.s_A)} for group in getattr(groups, name)]
        for name in field_names(type(groups))
    }


def of_class(rung: Rung) -> OfClass:
    """The class behind a rung. Raises: DomainError for one that has none of its own."""
    if not isinstance(rung.argument, OfClass):
        raise DomainError(
            f"rung {rung.name!r} has no class of norms: only scale, margin and their forms with groups have"
        )
    return rung.argument


def margin_radius(k: int) -> sympy.Expr:
    """Covering radius of 6.3 at margin 1: 1/2 for one output, 1/(2 sqrt 2) in l2 for k > 1."""
    return 1 / (2 * margin_lipschitz(k))


@functools.lru_cache(maxsize=16)
def entropy_before(setting: Setting, selected: SelectedClass) -> Product:
    """Entropy of the class before section 7; with decay groups those of the selected class, and in its norms."""
    measured = setting.measured
    if not selected.splits:
        return measured_entropy(setting)
    plain = without_l1(setting.measured_class())
    if selected.constants.norms == "vocabulary":
        v_w, v_B, v_C = vocabulary_constants(measured)
        plain = replace(plain, B_w=v_w, B_B=v_B, B_C=v_C, norms="vocabulary")
    return entropy_of(replace(plain, groups=measured_groups(selected.splits, measured)), setting.sample.T)


@functools.lru_cache(maxsize=16)
def cheapest(setting: Setting, scale: Scalar, groups: bool) -> tuple[SelectedClass, Product]:
    """The class of about least ``H(eps) + price`` at the radius of 6.3: all hold at once, so this choice is free."""
    radius = float(margin_radius(setting.measured.k))

    def least(classes: Sequence[SelectedClass]) -> tuple[float, SelectedClass, Product]:
        entropies = [entropy_of(selected.constants, setting.sample.T) for selected in classes]
        nats = approximate_all(entropies, log_of(radius))
        costs = [cost + float(selected.price.upper) for cost, selected in zip(nats, classes, strict=True)]
        return min(zip(costs, classes, entropies, strict=True), key=lambda candidate: candidate[0])

    classes = setting.classes(scale, groups=groups)
    if groups:
        measured = setting.measured
        proposed = [one_group(shell, measured) for shell in classes]
        if measured.decays is not None:
            proposed += [split(shell, measured, setting.sample, radius) for shell in classes]
        return least(proposed)[1:]
    plain = least([selected for selected in classes if selected.constants.M_A is None])
    # the l1 radii only ever help the class they are added to
    twins = [s for s in classes if s.constants.M_A is not None and set(plain[1].cells) < set(s.cells)]
    _, selected, entropy = min(plain, least(twins), key=lambda candidate: candidate[0])
    return selected, entropy
