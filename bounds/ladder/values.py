"""What the formulas of a bound are evaluated at."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from fractions import Fraction
from typing import Protocol

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import coefficients, output_entropy
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.covers.entropy import Product
from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose
from ssm_bounds.bounds.gaps.losses import Loss
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.values import Sample


class Losing(Protocol):
    """A sample, and a loss with its Lipschitz constant in the output."""

    @property
    def sample(self) -> Sample: ...
    @property
    def loss(self) -> Loss: ...
    @property
    def loss_lipschitz(self) -> sympy.Expr: ...


def scalars_of(setting: Losing, delta: Fraction) -> dict[sympy.Symbol, Value]:
    return {
        sym.m: setting.sample.m,
        sym.delta: delta,
        sym.c: setting.loss.range,
        sym.l: setting.loss_lipschitz,
    }


def increasing(
    formula: sympy.Expr, values: Mapping[sympy.Symbol, Value], intervals: Mapping[sympy.Symbol, Enclosure]
) -> Enclosure:
    """Enclosure of a formula that increases in every interval-valued symbol: both corners suffice."""
    lower = enclose(formula, {**values, **{symbol: interval.lower for symbol, interval in intervals.items()}})
    upper = enclose(formula, {**values, **{symbol: interval.upper for symbol, interval in intervals.items()}})
    return Enclosure(lower.lower, upper.upper)


def entropy_of(constants: ClassConstants, T: int) -> Product:
    return output_entropy(constants, coefficients(constants, T))


@functools.lru_cache(maxsize=16)
def measured_entropy(setting: Setting) -> Product:
    """Entropy of the class before section 7."""
    return entropy_of(setting.measured_class(), setting.sample.T)
