"""*occam-loss*: the mean of a bounded loss at the price of a code, by kl or by a bet (theory 8.1, 8.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.gaps.wealth.units import GRID, Wealth, floor, wealth
from ssm_bounds.bounds.ladder.argument import Argument, Cost, confidence
from ssm_bounds.bounds.ladder.occam import certify_loss, coded_costs, level
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import Scalar


@dataclass(frozen=True, slots=True)
class Mean:
    """What m rows of mean ``seen`` say of a loss in [0, ``most``] on new rows: by two forms, each at delta/2.

    ``floor``: a bound at this level that holds for all laws cannot usefully fall below it (theory 8.5).
    """

    seen: Fraction
    most: Fraction
    m: int
    kl: Enclosure
    wealth: Wealth
    floor: Enclosure

    @property
    def by_wealth(self) -> bool:
        return bool(self.wealth.value.upper < self.kl.upper)

    @property
    def value(self) -> Enclosure:
        """The smaller of the two."""
        return self.wealth.value if self.by_wealth else self.kl


def certify_mean(nats: Enclosure, losses: Floats, most: Scalar, delta: Fraction) -> Mean:
    """Mean loss on new rows of what is coded in ``nats``, from upper bounds (m,) of its losses, at ``delta``.

    Source: theory 8.1, 8.5. Raises: DomainError.
    """
    m, top, half = len(losses), Fraction(most), delta / 2
    seen = sum((min(Fraction(loss), top) for loss in losses.tolist()), Fraction(0)) / m
    bet = wealth(losses, top, level(nats, half))
    return Mean(seen, top, m, certify_loss(nats, seen, m, half, top), bet, floor(seen, top, m, level(nats, delta)))


@dataclass(frozen=True, slots=True)
class CodedLoss(Argument):
    """The mean loss of a rounded model, and its code, at ``delta``. ``loss``: in words; ``ledger``: tensor, its
    numbers, their nats; ``program``: what computes the model."""

    loss: str
    mean: Mean
    nats: Enclosure
    code: str
    ledger: Sequence[tuple[str, int, Enclosure]]
    delta: Fraction
    program: str

    def sentence(self) -> str:
        seen = decimal_string(Enclosure.point(self.mean.seen).upper)
        paid = f"{decimal_string(self.nats.upper, 3)} nats ({self.code})"
        first = f"{self.loss}: mean at most {seen} of the rounded model, as it runs, on {self.mean.m} rows, {paid}"
        return "; ".join((first, self._forms(), f"the program is {self.program}", self._floor()))

    def words(self) -> tuple[str, ...]:
        return self._forms(), self._floor()

    def _forms(self) -> str:
        mean = self.mean
        kl, bet = (decimal_string(each.upper) for each in (mean.kl, mean.wealth.value))
        if mean.by_wealth:
            return f"by the wealth bound at lambda = {mean.wealth.shown} (the kl form: {kl})"
        return f"by the kl form (the wealth bound: {bet})"

    def _floor(self) -> str:
        shown = decimal_string(self.mean.floor.lower, side="lower")
        return f"a bound for all laws cannot usefully fall below {shown}: near it only a smaller range or code helps"

    def record(self) -> Mapping[str, Any]:
        return {
            "loss": self.loss,
            "range": self.mean.most,
            "mean": Enclosure.point(self.mean.seen),
            "m": self.mean.m,
            "nats": self.nats,
            "code": self.code,
            "program": self.program,
            "form": "wealth" if self.mean.by_wealth else "kl",
            "kl": self.mean.kl,
            "wealth": self.mean.wealth.value,
            "lambda": self.mean.wealth.shown,
            "floor": self.mean.floor,
            "by_block": [{"block": name, "parameters": n, "nats": nats} for name, n, nats in self.ledger],
        }

    def costs(self) -> tuple[Cost, ...]:
        grid = (grid_cost(),) if self.mean.by_wealth else ()
        return (*coded_costs(self.ledger), *grid, confidence(self.delta, halved=True))


def grid_cost() -> Cost:
    """What the choice of lambda costs."""
    with bits(START_BITS):
        return Cost("grid of lambda", "price", Enclosure.of(arb(GRID).log()), f"ln {GRID}")


def occam_loss(argument: CodedLoss, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False) -> Rung:
    """The mean loss of a rounded model at the price of its code. Source: theory 8.1, 8.5."""
    mean = argument.mean
    hypotheses = (Hypothesis.ROWS, *rests_on)
    return Rung("occam-loss", "loss", False, mean.value, mean.most, argument, hypotheses, searched=searched)
