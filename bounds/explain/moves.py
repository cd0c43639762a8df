"""The model another one would be: its constants with one of them halved or doubled, the others following it."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ssm_bounds.bounds.architectures.selective_ssm.constants import MeasuredConstants
from ssm_bounds.bounds.architectures.selective_ssm.table import NORMS as TABLE_NORMS
from ssm_bounds.bounds.gaps.losses import Ramp
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.bounds.values import DomainError, Sample

NORMS: dict[str, tuple[str, ...]] = {str(first): tuple(map(str, norms)) for first, norms in TABLE_NORMS.items()}
"""Norms of one tensor, which move together when it is scaled, under the name of the first."""

_ENTRIES = {"A": ("s_A", "B_A", "M_A")}


def moved(setting: Setting, constant: str, factor: Fraction) -> Setting | None:
    """The setting of a model one constant of which is ``factor`` times as large (p: larger by log2 of it).

    All norms of a matrix move with it. s_A and B_A move alone, the entries of A beyond them being cut off, or those
    at them moved. None for a constant that cannot move alone, or not so far. The margin of a ramp moves the loss.
    """
    measured, sample = setting.measured, setting.sample
    try:
        if constant == "m":
            m = int(sample.m * factor)
            return replace(setting, sample=Sample(m, sample.T)) if m >= 1 else None
        if constant == "T":
            T = math.ceil(sample.T * factor)
            return replace(setting, sample=Sample(sample.m, T)) if sample.T != T else None
        if constant == "delta":
            return replace(setting, delta=setting.delta * factor)
        if constant == "g":
            margin = Fraction(setting.margin) * factor
            loss = Ramp(margin) if isinstance(setting.loss, Ramp) else setting.loss
            return replace(setting, margin=margin, loss=loss)
        changed = _moved(measured, constant, factor)
    except DomainError:
        return None
    return None if changed is None else replace(setting, measured=changed)


def _moved(measured: MeasuredConstants, constant: str, factor: Fraction) -> MeasuredConstants | None:
    p, logit = Fraction(measured.p), measured.logit_max
    if constant == "p":
        shift = 1 if factor > 1 else -1
        return replace(measured, p=p + shift, logit_max=None if logit is None else Fraction(logit) + shift)
    if constant in ("s_A", "B_A"):
        return _cut(measured, constant, factor)
    names = (NORMS | _ENTRIES).get(constant)
    if names is None:
        return None
    changes: dict[str, Any] = {
        name: Fraction(value) * factor for name in names if (value := getattr(measured, name)) is not None
    }
    if constant in ("B_q", "B_u") and logit is not None:
        changes["logit_max"] = p + (Fraction(logit) - p) * factor
    if constant == "A" and measured.decays is not None:
        changes["decays"] = tuple(tuple(Fraction(a) * factor for a in row) for row in measured.decays)
    return replace(measured, **changes)


def _cut(measured: MeasuredConstants, constant: str, factor: Fraction) -> MeasuredConstants:
    """s_A or B_A ``factor`` times as large; M_A follows the entries of A, or bounds what they could be."""
    s_A, B_A = Fraction(measured.s_A), Fraction(measured.B_A)
    entries = [[Fraction(a) for a in row] for row in measured.decays or ((s_A,) * (measured.d * measured.N),)]
    if constant == "s_A":
        s_A = s_A * factor
        moved = [[s_A if a == measured.s_A or a > s_A else a for a in row] for row in entries]
        B_A = max(B_A, abs(s_A))
    else:
        B_A *= factor
        moved = [[max(a, -B_A) for a in row] for row in entries]
    change = sum(
        (abs(b) - abs(a) for x, y in zip(entries, moved, strict=True) for a, b in zip(x, y, strict=True)), Fraction(0)
    )
    if constant == "B_A" and factor > 1:
        change = B_A / 2  # an entry of that modulus
    if measured.decays is None:
        change = max(change, Fraction(0))
    decays = None if measured.decays is None else tuple(map(tuple, moved))
    return replace(measured, s_A=s_A, B_A=B_A, M_A=Fraction(measured.M_A) + change, decays=decays)
