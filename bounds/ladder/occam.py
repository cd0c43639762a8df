"""*occam*: what a code length buys (theory 8.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps.inversion import binomial_upper_nats, kl_inv
from ssm_bounds.bounds.ladder.argument import Argument, Cost, confidence
from ssm_bounds.bounds.ladder.rung import Hypothesis, Rung
from ssm_bounds.bounds.values import Scalar, require


@dataclass(frozen=True, slots=True)
class Coded(Argument):
    """Errors of a rounded model on m rows, and its code, at ``delta``. ``ledger``: tensor, its numbers, their nats;
    ``program``: what computes the model; ``remarks``: what else is to be said of it."""

    errors: int
    m: int
    nats: Enclosure
    code: str
    ledger: Sequence[tuple[str, int, Enclosure]]
    delta: Fraction
    program: str
    remarks: tuple[str, ...] = ()

    @property
    def risk(self) -> Enclosure:
        return certify(self.nats, self.errors, self.m, self.delta)

    def sentence(self) -> str:
        paid = f"{decimal_string(self.nats.upper, 3)} nats ({self.code})"
        counted = f"{self.errors} errors of the rounded model on {self.m} rows, {paid}"
        return "; ".join((counted, f"the program is {self.program}", *self.remarks))

    def record(self) -> Mapping[str, Any]:
        return {
            "errors": self.errors,
            "m": self.m,
            "nats": self.nats,
            "code": self.code,
            "program": self.program,
            "by_block": [{"block": name, "parameters": n, "nats": nats} for name, n, nats in self.ledger],
        }

    def costs(self) -> tuple[Cost, ...]:
        return (*coded_costs(self.ledger), confidence(self.delta))


def coded_costs(ledger: Sequence[tuple[str, int, Enclosure]]) -> tuple[Cost, ...]:
    """The nats of a code, tensor by tensor."""
    return tuple(_cost(name, nats) for name, _, nats in ledger)


def _cost(name: str, nats: Enclosure) -> Cost:
    if name == "symmetries":
        return Cost(name, "symmetry", nats, name)
    return Cost(name, "block", nats, SELECTIVE_SSM.shown(name))


def occam(argument: Coded, rests_on: tuple[Hypothesis, ...] = (), *, searched: bool = False) -> Rung:
    """The risk of a rounded model, by the tail inversion at the price of its code. Source: theory 8.1."""
    return Rung("occam", "risk", False, argument.risk, 1, argument, (Hypothesis.ROWS, *rests_on), searched=searched)


def certify(nats: Enclosure, errors: int, m: int, delta: Scalar) -> Enclosure:
    """Risk of a 0-1 loss: the binomial tail inverted at level ``delta pi(theta)``; the upper end is certified.

    ``nats``: code length. ``errors`` of m training examples. Source: theory 8.1. Raises: DomainError.

    >>> certify(Enclosure.point(30), 20, 1000, 0.05).float_upper() < 0.08
    True
    """
    return binomial_upper_nats(errors, m, level(nats, delta))


def certify_loss(nats: Enclosure, mean: Fraction, m: int, delta: Scalar, scale: Scalar = 1) -> Enclosure:
    """Risk of a loss in [0, scale] with empirical mean ``mean``: ``scale kl_inv(mean/scale, (nats + ln 1/delta)/m)``.

    Source: theory 8.1. Raises: DomainError.
    """
    require(m >= 1, f"certify_loss: needs m >= 1, got {m}")
    require(scale > 0, f"certify_loss: needs a range > 0, got {scale}")
    paid, c = level(nats, delta), Fraction(scale)
    with bits(START_BITS):
        inverse = kl_inv(Fraction(mean) / c, Enclosure.of(paid.ball() / m))
        return Enclosure.of(inverse.ball() * exact(c))


def level(nats: Enclosure, delta: Scalar) -> Enclosure:
    """``nats + ln 1/delta``, L of theory 8.5. Raises: DomainError."""
    require(0 < delta < 1, f"delta: needs a probability strictly between 0 and 1, got {delta}")
    require(bool(nats.lower >= 0), f"nats: a code length is >= 0, got {nats}")
    with bits(START_BITS):
        return Enclosure.of(nats.ball() - exact(Fraction(delta)).log())
