"""Table 1 recomputed: how each bound grows with the length T, the channels d and the input norm B_u.

A growth ``f ~ C e^{rate x} x^exponent (ln x)^log_power`` is three limits that sympy takes,
``rate = lim f'/f``, ``exponent = lim x (f'/f - rate)``, ``log_power = lim ln x (x (f'/f - rate) - exponent)``,
each of a function of one moving quantity, branch by branch (sympy takes no limits through Min or Piecewise). They are
joined by what the logarithmic derivative of a product, a power, a sum of nonnegative terms and a composition is.
Every growth stands beside an estimate of the same three numbers from 50-digit values of the whole, unbranched
expression (``enclose.evaluate``) at large arguments, and is refused when they disagree.

What is measured (``explain.measurands``) is measured before ``min(c, .)`` and at fixed m, delta, loss and price of
section 7. Source: theory 2 (Table 1), 4.5, 10, M7.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sympy
from sympy import Expr, Rational

from ssm_bounds.bounds.evaluate.asymptotics import Growth, GrowthError
from ssm_bounds.bounds.evaluate.balls import evaluate
from ssm_bounds.bounds.explain.ascent import BACK, Ascent
from ssm_bounds.bounds.explain.estimate import Estimate, constants, estimate
from ssm_bounds.bounds.explain.measurands import DIRECTIONS, MEASURANDS, Direction, Measurand, Regime

TOLERANCE = 0.1
"""Largest difference between a limit and its estimate; exponents are multiples of 1/2."""


@dataclass(frozen=True, slots=True)
class ConfirmedGrowth:
    """One entry of the table: the limits, and beside them the estimate that confirms them.

    Raises: GrowthError where they differ by more than ``TOLERANCE`` (the rate, where it is not 0: by 1 %).
    """

    bound: Measurand
    direction: Direction
    regime: Regime
    growth: Growth
    estimate: Estimate

    def __post_init__(self) -> None:
        rate = self.rate_value()
        near = abs(self.estimate.rate - rate) <= (abs(rate) / 100 if rate else 1e-3)
        for wanted, number in (
            (self.growth.exponent, self.estimate.exponent),
            (self.growth.log_power, self.estimate.log_power),
        ):
            near = near and abs(number - float(wanted)) <= TOLERANCE
        if not near:
            raise GrowthError(
                f"{self.bound.name}, {self.bound.measure}, along {self.direction.name}, {self.regime.value}: "
                f"the limits say {self.text()}, the numbers {self.estimate}"
            )

    def rate_value(self) -> float:
        """The rate at the constants of the estimate."""
        values = constants(self.bound, self.direction, self.regime)
        return float(evaluate(self.growth.rate, values, digits=15)) if self.growth.rate != 0 else 0.0

    def text(self) -> str:
        """For example ``e^(2 B_q B_u) B_u^5``."""
        if self.growth.bounded:
            return "bounded"
        x, (rate, exponent, log_power) = self.direction.variable, self.growth.powers
        parts = [f"e^({sympy.sstr(sympy.factor(rate) * x).replace('*', ' ')})"] if rate != 0 else []
        parts += [_power(str(x), exponent)] if exponent != 0 else []
        parts += [_power(f"ln {x}", log_power)] if log_power != 0 else []
        return " ".join(parts)

    def latex(self) -> str:
        if self.growth.bounded:
            return "bounded"
        factored = Growth(sympy.factor(self.growth.rate), self.growth.exponent, self.growth.log_power)
        return f"${sympy.latex(factored.form(self.direction.variable), ln_notation=True)}$"

    def as_dict(self) -> dict[str, Any]:
        powers = {"rate": str(sympy.factor(self.growth.rate)), "exponent": str(self.growth.exponent)}
        return {
            "bound": self.bound.name,
            "measure": self.bound.measure,
            "regime": self.regime.value,
            "direction": self.direction.name,
            "variable": self.direction.variable.name,
            "held": self.direction.held,
            "growth": self.text(),
            "limits": powers | {"log_power": str(self.growth.log_power)},
            "rate_value": self.rate_value(),
            "estimate": asdict(self.estimate),
        }


def _power(base: str, exponent: Expr) -> str:
    if exponent == Rational(1, 2):
        return f"sqrt({base})"
    base = f"({base})" if " " in base and exponent != 1 else base
    return base if exponent == 1 else f"{base}^{exponent}" if exponent.is_Integer else f"{base}^({exponent})"


def applies(bound: Measurand, direction: Direction, regime: Regime) -> bool:
    """Whether the question makes sense: rho occurs where it is held fixed, and T -> oo leaves something finite."""
    if regime not in bound.regimes or (direction.endless and regime is not Regime.DECAY):
        return False
    moving = {symbol for symbol, f in bound.definitions.items() if f.free_symbols}
    return not direction.frozen or direction.frozen[-1] in moving


def derive(
    bounds: Sequence[Measurand] = MEASURANDS,
    directions: Sequence[Direction] = DIRECTIONS,
    regimes: Sequence[Regime] = tuple(Regime),
) -> tuple[ConfirmedGrowth, ...]:
    """Every entry that applies, its limits taken and confirmed. Raises: GrowthError."""
    ascents: dict[tuple[int, Direction, Regime], Ascent] = {}
    cells = []
    for regime, bound, direction in itertools.product(regimes, bounds, directions):
        if not applies(bound, direction, regime):
            continue
        key = (id(bound.definitions), direction, regime)
        ascent = ascents.setdefault(key, None) or Ascent(bound.definitions, direction, regime)  # type: ignore[arg-type]
        ascents[key] = ascent
        powers = ascent.of(bound.expression).powers
        growth = Growth(*(power.xreplace(BACK) for power in powers))
        cells.append(ConfirmedGrowth(bound, direction, regime, growth, estimate(bound, direction, regime, growth)))
    return tuple(cells)


HEADER = ["bound", "measured", *(direction.name for direction in DIRECTIONS)]
NOTES = (
    "capacity: gamma^(3/2) of C.9, the C_F of Table 1; root entropy: sqrt H over volume covers, the Dudley integral up "
    "to constants; bound: 6.2, 6.3 at fixed eps; all before min(c, .)",
    "mamba: of one layer, given u (M7), with its slowest channel's sums in all: sup the largest output of its core, "
    "beta_A its move with A; output: the mixer's (M3.1); U, the l2 norm of what its channels reach, moves with B_u",
    *(f"{direction.name}: fixed are {direction.held}" for direction in DIRECTIONS),
    "published and repaired, s_A < 0, B_u at fixed T: rho tends to 1 and S_2 to T(T-1)/2, so the length is back",
    "published, s_A > 0: rho as printed, which paper:E.3 refutes there",
    "every entry: limits taken by sympy, confirmed by values at large arguments",
)


def rows(
    cells: Sequence[ConfirmedGrowth], shown: Callable[[ConfirmedGrowth], str], name: Callable[[str], str] = str
) -> Iterator[tuple[Regime, list[list[str]]]]:
    """For each sign of s_A the rows of a table under ``HEADER``; ``shown`` and ``name`` make text of its cells."""
    for regime in Regime:
        here = {(c.bound.name, c.bound.measure, c.direction): c for c in cells if c.regime is regime}
        yield (
            regime,
            [
                [*map(name, names), *(shown(here[*names, d]) if (*names, d) in here else "-" for d in DIRECTIONS)]
                for names in dict.fromkeys(key[:2] for key in here)
            ],
        )
