"""*repaired* and *sharp*: perturbation theorems under the Dudley integral, at measured constants (theory 6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment, coefficients, output_entropy
from ssm_bounds.bounds.architectures.selective_ssm.sums import RHO
from ssm_bounds.bounds.covers.entropy import AppliedRule, Product
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose, enclose_all
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.gaps.chaining import Chaining
from ssm_bounds.bounds.ladder.argument import Argument
from ssm_bounds.bounds.ladder.rung import COMPARED, Rung, Setting, approximately, exactly
from ssm_bounds.bounds.ladder.values import increasing, measured_entropy, scalars_of


@dataclass(frozen=True, slots=True, eq=False)
class Chained(Argument):
    """The integral, and the cover at half the range of the loss, ``half``. ``theorem``: where beta is from; ``sums``:
    what beta is made of, where a report shows it."""

    theorem: str
    dudley: Chaining
    entropy: Product
    half: Enclosure
    beta: Mapping[str, Enclosure]
    sums: Mapping[str, Enclosure]

    @property
    def log_covering_at_half_range(self) -> Enclosure:
        return self.entropy.log_covering(self.half)

    def sentence(self) -> str:
        text = f"{self.theorem} under the Dudley integral, at the measured constants (not paid for)"
        if self.dudley.cells:
            return text
        covering = approximately(self.log_covering_at_half_range)
        return f"{text}; ln N = {covering} at half range exceeds m/9, so no alpha below c/2 helps"

    def record(self) -> Mapping[str, Any]:
        return {
            "rademacher": self.dudley.rademacher,
            "alpha": self.dudley.alpha,
            "cells": self.dudley.cells,
            "log_covering_at_half_range": self.log_covering_at_half_range,
            "beta": self.beta,
            **self.sums,
        }

    def steps(self) -> tuple[AppliedRule, ...]:
        return self.entropy.trace(self.half)


def repaired(setting: Setting) -> Rung:
    """The published route with its false steps replaced. Source: theory 5.5, 6.1."""
    return _chained(setting, "repaired", "5.5")


def sharp(setting: Setting) -> Rung:
    """The sharp perturbation theorem under the Dudley integral. Source: theory 5.1, 6.1."""
    return _chained(setting, "sharp", "5.1")


def _chained(setting: Setting, chain: Literal["sharp", "repaired"], theorem: str) -> Rung:
    constants, T = setting.measured_class(), setting.sample.T
    beta = coefficients(constants, T, chain)
    entropy = measured_entropy(setting) if chain == "sharp" else output_entropy(constants, beta)
    scalars = scalars_of(setting, setting.delta)
    lipschitz = enclose(sym.l, scalars)
    found = chaining.dudley(entropy, lipschitz=lipschitz, c=setting.loss.range, m=setting.sample.m)
    half = Enclosure.of(exactly(Fraction(setting.loss.range) / 2) / lipschitz.upper)
    sums: Mapping[str, Enclosure] = {}
    if chain == "repaired":
        sums = enclose_all({"rho": RHO[chain], "S_1": sym.S_1, "S_2": sym.S_2}, assignment(constants, T))
    return Rung(
        chain,
        "gap",
        True,
        increasing(chaining.GAP, scalars, {sym.rademacher: found.rademacher}),
        setting.loss.range,
        Chained(theorem, found, entropy.split(half), half, beta, sums),
        COMPARED,
        comparison=True,
    )
