"""The rungs at the measured constants, for comparison: nothing that was chosen after the data is paid for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment, coefficients, output_entropy
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.family import measured_class
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import PUBLISHED, PUBLISHED_ALPHA, PUBLISHED_STATE
from ssm_bounds.bounds.architectures.selective_ssm.sums import RHO
from ssm_bounds.bounds.covers.entropy import Product, allocation
from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose, enclose_all
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.ladder.rung import OF_A_CLASS, Hypothesis, Rung, Setting, approximately, exactly

_COMPARED = (*OF_A_CLASS, Hypothesis.MEASURED)


def published(setting: Setting) -> Rung:
    """Our explicit-constant reading of the printed route. Source: theory.md 2 (C.9, D.4, E.2)."""
    constants = replace(
        measured_class(setting.measured, embedding_in_class=False, vocabulary=False), p_lo=setting.measured.p
    )
    values = assignment(constants, setting.sample.T, rho="published") | {sym.B_x: PUBLISHED_STATE}
    blocks = [name for name in PUBLISHED if not (name == "q" and constants.gate == "none")]
    alpha, beta = ({name: table[name] for name in blocks} for table in (PUBLISHED_ALPHA, PUBLISHED))
    found = enclose_all(
        {("alpha", name): alpha[name] for name in blocks} | {("beta", name): beta[name] for name in blocks}, values
    )
    # C.9 needs alpha, beta > 0; a block of radius or coefficient 0 costs nothing
    active = [name for name in blocks if found["alpha", name].upper > 0 and found["beta", name].upper > 0]
    capacity = allocation([alpha[name] for name in active], [beta[name] for name in active]) ** sympy.Rational(3, 2)
    scalars = values | scalars_of(setting, setting.delta) | {sym.C_F: capacity}
    details: dict[str, Any] = {}
    if active:
        result = enclose_all(
            {"C_F": sym.C_F, "ratio": chaining.PUBLISHED_CONDITION, "value": chaining.PUBLISHED_GAP}, scalars
        )
        value, ratio = result["value"], result["ratio"]
        details = {"C_F": result["C_F"], "ratio": ratio}
        applies = bool(ratio.upper <= 1)
        threshold = enclose(sym.l * sym.C_F * 3, scalars), enclose(sym.c * sympy.sqrt(sym.m), scalars)
        details |= {"3 l C_F": threshold[0], "c sqrt(m)": threshold[1]}
    else:
        applies, value = True, enclose(chaining.PUBLISHED_DEVIATION, scalars)
    refusal = None
    if not applies:
        sign = "negative there" if value.upper < 0 else "below the true infimum there"
        refusal = (
            f"does not apply: 3 l C_F = {approximately(details['3 l C_F'])} exceeds c sqrt(m) = "
            f"{approximately(details['c sqrt(m)'])}, the printed formula is {sign}"
        )
    elif setting.measured.s_A > 0:
        refusal = "does not apply: it rests on E.3, which is false for s_A > 0"
    details |= {"alpha": {n: found["alpha", n] for n in blocks}, "beta": {n: found["beta", n] for n in blocks}}
    return Rung(
        "published",
        "gap",
        True,
        value,
        setting.loss.range,
        "the printed route as we read it, at the measured constants (not paid for); C.3 and E.3 are refuted in general",
        (*_COMPARED, Hypothesis.PRINTED),
        refusal=refusal,
        comparison=True,
        details=details,
    )


def _chained(setting: Setting, chain: Literal["sharp", "repaired"], source: str) -> Rung:
    constants = setting.measured_class()
    beta = coefficients(constants, setting.sample.T, chain)
    entropy = measured_entropy(setting) if chain == "sharp" else output_entropy(constants, beta)
    scalars = scalars_of(setting, setting.delta)
    lipschitz = enclose(sym.l, scalars)
    found = chaining.dudley(entropy, lipschitz=lipschitz, c=setting.loss.range, m=setting.sample.m)
    half = Enclosure.of(exactly(Fraction(setting.loss.range) / 2) / lipschitz.upper)
    at_half = entropy.split(half)
    details: dict[str, Any] = {
        "rademacher": found.rademacher,
        "alpha": found.alpha,
        "cells": found.cells,
        "log_covering_at_half_range": at_half.log_covering(half),
        "beta": beta,
    }
    if chain == "repaired":
        details |= enclose_all(
            {"rho": RHO["repaired"], "S_1": sym.S_1, "S_2": sym.S_2}, assignment(constants, setting.sample.T)
        )
    reason = f"{source} under the Dudley integral, at the measured constants (not paid for)"
    if not found.cells:
        covering = approximately(details["log_covering_at_half_range"])
        reason += f"; ln N = {covering} at half range exceeds m/9, so no alpha below c/2 helps"
    return Rung(
        chain,
        "gap",
        True,
        increasing(chaining.GAP, scalars, {sym.rademacher: found.rademacher}),
        setting.loss.range,
        reason,
        _COMPARED,
        comparison=True,
        entropy=at_half,
        radius=half,
        details=details,
    )


def repaired(setting: Setting) -> Rung:
    """The published route with its false steps replaced. Source: theory.md 5.5, 6.1."""
    return _chained(setting, "repaired", "5.5")


def sharp(setting: Setting) -> Rung:
    """The sharp perturbation theorem under the Dudley integral. Source: theory.md 5.1, 6.1."""
    return _chained(setting, "sharp", "5.1")


def scalars_of(setting: Setting, delta: Fraction) -> dict[sympy.Symbol, Value]:
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
