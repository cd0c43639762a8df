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
from ssm_bounds.bounds.architectures.lti.constants import Measured, Taps
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

OF_INPUTS = (Hypothesis.INPUTS, Hypothesis.ROWS)
_RULE = "2 l R + c sqrt((ln(1/pi) + ln(2/delta))/(2m))"


@dataclass(frozen=True, slots=True, eq=False)
class LtiSetting:
    """What the bounds of a linear time-invariant model are evaluated for. Raises: DomainError."""

    measured: Measured
    sample: Sample
    loss: Loss
    margin: Scalar
    delta: Fraction = Fraction(1, 20)

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


@dataclass(frozen=True, slots=True, eq=False)
class OfAverage(Argument):
    """``values``: of the class; ``average``: the bound of R over it, as a formula; ``end``: the gap."""

    selected: SelectedClass[Values]
    values: Values
    average: Formula
    end: Formula
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
            AppliedRule(_RULE, self.end.source, self.end.value),
        )


def derived(expression: Expr, values: Values) -> tuple[Formula, ...]:
    """The sums that a formula contains."""
    found = [symbol for symbol in (sym.S_1, sym.S_2) if symbol in expression.free_symbols]
    return tuple(evaluated(symbol.name, symbol, DEFINITIONS[symbol], values, "theory.md 2") for symbol in found)


def lti_h2(setting: LtiSetting, delta: Fraction | None = None) -> Rung:
    """All systems with one output whose taps have this l2 norm; grows with sqrt T. Raises: DomainError for several.

    Source: theory 14.3, 14.5.
    """
    taps = _taps(setting)
    return _rung(
        "lti-h2", "h2", setting, delta, by_norm(sym.K_2, taps.h2, setting.unit), {sym.K_2: _over(taps.h2, setting)}
    )


def lti_l1(setting: LtiSetting, delta: Fraction | None = None) -> Rung:
    """All systems with one output whose taps have this l1 norm. Raises: DomainError for several.

    Source: theory 14.3, 14.5.
    """
    taps = _taps(setting)
    return _rung(
        "lti-l1", "l1", setting, delta, by_norm(sym.K_1, taps.l1, setting.unit), {sym.K_1: _over(taps.l1, setting)}
    )


def lti_geometric(setting: LtiSetting, delta: Fraction | None = None) -> Rung:
    """All systems with one output whose taps fall geometrically, at a rate of the grid; bounded however long T is.

    Raises: DomainError for several. Source: theory 14.3, 14.5.
    """
    taps = _taps(setting)
    at = delta or setting.delta

    def gap(selected: SelectedClass[Values]) -> float:
        return _gap(setting, at, _average("geometric", setting, selected.constants), selected.price).float_upper()

    selected = min(by_rate(taps, setting.unit), key=gap)
    rate = -float(selected.cells[1].value)
    raw = {sym.K_rho: _over(taps.envelope(rate), setting), sym.s_lambda: -rate}
    return _rung("lti-geometric", "geometric", setting, at, selected, raw)


def _taps(setting: LtiSetting) -> Taps:
    """Raises: DomainError for several outputs."""
    taps = setting.measured.taps
    if taps is None:
        raise DomainError(
            f"a bound by the norms of all taps is about one output, and this model has {setting.measured.k}"
        )
    return taps


def _over(norm: Scalar, setting: LtiSetting) -> Fraction:
    return Fraction(norm) / Fraction(setting.unit)


def _average(norm: str, setting: LtiSetting, constants: Values) -> Enclosure:
    return enclose(AVERAGES[norm], {**fixed(setting.measured, setting.sample), **constants})


def _rung(
    name: str, norm: str, setting: LtiSetting, delta: Fraction | None, selected: SelectedClass[Values], raw: Values
) -> Rung:
    delta = delta or setting.delta
    values: Values = {**fixed(setting.measured, setting.sample), **selected.constants}
    average = evaluated("Rademacher average", sym.rademacher, AVERAGES[norm], values, "theory.md 14.3")
    value = _gap(setting, delta, average.value, selected.price)
    where = {
        sym.rademacher: average.value,
        sym.price: selected.price,
        sym.m: Enclosure.point(setting.sample.m),
        sym.delta: Enclosure.point(delta),
        sym.l: enclose(setting.loss_lipschitz, {}),
        sym.c: Enclosure.point(setting.loss.range),
    }
    end = Formula("gap", Symbol("gap"), AVERAGE_GAP, where, value, "theory.md 14.3")
    before = _gap(setting, delta, _average(norm, setting, raw), Enclosure.point(0))
    argument = OfAverage(selected, values, average, end, delta)
    return Rung(name, "gap", True, value, setting.loss.range, argument, OF_INPUTS, before_selection=before)


def _gap(setting: LtiSetting, delta: Fraction, average: Enclosure, paid: Enclosure) -> Enclosure:
    scalars = scalars_of(setting, delta) | {sym.l: setting.loss_lipschitz}
    return increasing(AVERAGE_GAP, scalars, {sym.rademacher: average, sym.price: paid})


def _short(value: Scalar) -> str:
    return decimal_string(Enclosure.point(value).upper, 3)
