"""*lti-h2*, *lti-l1*, *lti-geometric*: Rademacher averages of all linear time-invariant systems with one output, by a
norm of their taps (theory 14.3, 14.5), and what every bound of such a model is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sympy import Expr, Symbol

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.classes import Values, by_norm, by_rate, fixed
from ssm_bounds.bounds.architectures.lti.constants import Measured, Standardised, Taps
from ssm_bounds.bounds.architectures.lti.table import AVERAGES, DEFINITIONS
from ssm_bounds.bounds.covers.entropy import AppliedRule
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.formula import Formula, evaluated
from ssm_bounds.bounds.gaps.chaining import AVERAGE_GAP
from ssm_bounds.bounds.gaps.losses import Loss, Ramp, margin_lipschitz
from ssm_bounds.bounds.ladder.argument import Argument, Cost, confidence, price
from ssm_bounds.bounds.ladder.of_class import cell_steps
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.ladder.values import increasing, scalars_of
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.bounds.values import DomainError, Sample, Scalar, require

OF_INPUTS = (Hypothesis.INPUTS, Hypothesis.LAYER, Hypothesis.ROWS)


@dataclass(frozen=True, slots=True, eq=False)
class LtiSetting:
    """What the bounds of a linear time-invariant model are evaluated for. ``standardised``: with the rows at hand.

    Raises: DomainError.
    """

    measured: Measured
    sample: Sample
    loss: Loss
    margin: Scalar
    delta: Fraction = Fraction(1, 20)
    standardised: Standardised | None = None

    def __post_init__(self) -> None:
        require(0 < self.delta < 1, f"delta is a failure probability in (0, 1), got {float(self.delta):g}")
        require(self.margin > 0, f"the margin must be > 0, got {self.margin!r}")
        taps = self.measured.taps
        require(taps is None or taps.T == self.sample.T, "the taps are those of another length T")

    @property
    def unit(self) -> Scalar:
        """What the readout is divided by: the margin of the ramp, which is then 1."""
        return self.loss.margin if isinstance(self.loss, Ramp) else 1

    @property
    def loss_lipschitz(self) -> Expr:
        """In units of the divided output."""
        k = self.measured.k
        return margin_lipschitz(k) if isinstance(self.loss, Ramp) else self.loss.lipschitz(k)


@dataclass(frozen=True, slots=True)
class Route:
    """From an average to a gap: ``R <= expression``, then the gap by ``end``, which is ``rule`` in text."""

    expression: Expr
    end: Expr = AVERAGE_GAP
    rule: str = "2 l R + c sqrt((ln(1/pi) + ln(2/delta))/(2m))"
    average_source: str = "theory.md 14.3"
    end_source: str = "theory.md 14.3"


@dataclass(frozen=True, slots=True, eq=False)
class OfAverage(Argument):
    """``values``: of the class; ``average``: the bound of R over it, as a formula; ``end``: the gap, by ``rule``."""

    selected: SelectedClass[Values]
    values: Values
    average: Formula
    end: Formula
    rule: str
    delta: Fraction

    def sentence(self) -> str:
        constants = ", ".join(f"{cell.name} <= {_short(cell.value)}" for cell in self.selected.cells)
        found, paid = (decimal_string(value.upper, 3) for value in (self.average.value, self.selected.price))
        return f"{constants}: R <= {found}, price {paid} nats"

    def record(self) -> Mapping[str, Any]:
        return {
            "rademacher": self.average.value,
            "price": self.selected.price,
            "class": {cell.name: float(cell.value) for cell in self.selected.cells},
        }

    def costs(self) -> tuple[Cost, ...]:
        return (price(self.selected.price), confidence(self.delta, halved=True))

    def formulas(self) -> tuple[Formula, ...]:
        return (*derived(self.average.expression, self.values), self.average, self.end)

    def steps(self) -> tuple[AppliedRule, ...]:
        return (
            *cell_steps(self.selected.cells),
            AppliedRule("ln(1/pi) of all cells", "theory.md 7", self.selected.price),
            AppliedRule("R <= " + str(self.average.expression), self.average.source, self.average.value),
            AppliedRule(self.rule, self.end.source, self.end.value),
        )


def derived(expression: Expr, values: Values) -> tuple[Formula, ...]:
    """The sums that a formula contains."""
    found = [symbol for symbol in (sym.S_1, sym.S_2) if symbol in expression.free_symbols]
    return tuple(evaluated(symbol.name, symbol, DEFINITIONS[symbol], values, "theory.md 2") for symbol in found)


def lti_h2(setting: LtiSetting, delta: Fraction | None = None) -> Rung:
    """All systems with one output whose taps have this l2 norm; grows with sqrt T. Raises: DomainError for several.

    Source: theory 14.3, 14.5.
    """
    return _of_norm("lti-h2", "h2", setting, delta, sym.K_2, taps_of(setting).h2)


def lti_l1(setting: LtiSetting, delta: Fraction | None = None) -> Rung:
    """All systems with one output whose taps have this l1 norm. Raises: DomainError for several.

    Source: theory 14.3, 14.5.
    """
    return _of_norm("lti-l1", "l1", setting, delta, sym.K_1, taps_of(setting).l1)


def _of_norm(name: str, norm: str, setting: LtiSetting, delta: Fraction | None, symbol: Symbol, found: Scalar) -> Rung:
    route, selected = Route(AVERAGES[norm]), by_norm(symbol, found, setting.unit)
    return of_average(name, route, setting, delta, selected, {symbol: over(found, setting)})


def lti_geometric(setting: LtiSetting, delta: Fraction | None = None) -> Rung:
    """All systems with one output whose taps fall geometrically, at a rate of the grid; bounded however long T is.

    Raises: DomainError for several. Source: theory 14.3, 14.5.
    """
    taps = taps_of(setting)
    at, route = delta or setting.delta, Route(AVERAGES["geometric"])

    def gap(selected: SelectedClass[Values]) -> float:
        average = enclose(route.expression, {**fixed(setting.measured, setting.sample), **selected.constants})
        return _gap(route, setting, at, average, selected.price).float_upper()

    selected = min(by_rate(taps, setting.unit), key=gap)
    rate = -float(selected.cells[1].value)
    raw = {sym.K_rho: over(taps.envelope(rate), setting), sym.s_lambda: -rate}
    return of_average("lti-geometric", route, setting, at, selected, raw)


def taps_of(setting: LtiSetting) -> Taps:
    """Raises: DomainError for several outputs."""
    taps = setting.measured.taps
    if taps is None:
        raise DomainError(
            f"a bound by the norms of all taps is about one output, and this model has {setting.measured.k}"
        )
    return taps


def over(norm: Scalar, setting: LtiSetting) -> Fraction:
    """In units of the divided output."""
    return Fraction(norm) / Fraction(setting.unit)


def of_average(
    name: str,
    route: Route,
    setting: LtiSetting,
    delta: Fraction | None,
    selected: SelectedClass[Values],
    raw: Values,
    rests_on: tuple[Hypothesis, ...] = OF_INPUTS,
    of_sample: Values | None = None,
) -> Rung:
    """The rung of a class. ``raw``: the model's own constants, before anything is paid; ``of_sample``: what the average
    takes from the rows."""
    delta = delta or setting.delta
    common: Values = {**fixed(setting.measured, setting.sample), **(of_sample or {})}
    values: Values = {**common, **selected.constants}
    average = evaluated("Rademacher average", sym.rademacher, route.expression, values, route.average_source)
    value = _gap(route, setting, delta, average.value, selected.price)
    where = {
        sym.rademacher: average.value,
        sym.price: selected.price,
        sym.m: Enclosure.point(setting.sample.m),
        sym.delta: Enclosure.point(delta),
        sym.l: enclose(setting.loss_lipschitz, {}),
        sym.c: Enclosure.point(setting.loss.range),
    }
    end = Formula("gap", Symbol("gap"), route.end, where, value, route.end_source)
    before = _gap(route, setting, delta, enclose(route.expression, {**common, **raw}), Enclosure.point(0))
    argument = OfAverage(selected, values, average, end, route.rule, delta)
    return Rung(name, "gap", True, value, setting.loss.range, argument, rests_on, before_selection=before)


def _gap(route: Route, setting: LtiSetting, delta: Fraction, average: Enclosure, paid: Enclosure) -> Enclosure:
    scalars = scalars_of(setting, delta) | {sym.l: setting.loss_lipschitz}
    return increasing(route.end, scalars, {sym.rademacher: average, sym.price: paid})


def _short(value: Scalar) -> str:
    return decimal_string(Enclosure.point(value).upper, 3)
