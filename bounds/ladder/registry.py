"""The bounds by norms and by posteriors, one list: what a certificate, a sweep and an explanation loop over.

A new bound is one file beside this one and a line here. Bounds on programs as they run are ``ssm_bounds.programs``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder.chained import repaired, sharp
from ssm_bounds.bounds.ladder.margin import margin, margin_groups, margin_risk
from ssm_bounds.bounds.ladder.margin_rows import Array
from ssm_bounds.bounds.ladder.pac_bayes import Family
from ssm_bounds.bounds.ladder.posterior import pac_bayes
from ssm_bounds.bounds.ladder.published import published
from ssm_bounds.bounds.ladder.rung import Kind, Rung, Setting
from ssm_bounds.bounds.ladder.scale import scale, scale_groups
from ssm_bounds.bounds.values import DomainError


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What there is to bound with. ``family``: the posteriors of the weights (theory 8.3); ``margins``: proven lower
    bounds of the training margins (m,); ``margin_errors``: how many of the m rows have a margin of at most g.
    """

    setting: Setting
    family: Family | None = None
    margins: Array | None = None
    margin_errors: int | None = None


class Bound(Protocol):
    """One theorem. ``paid``: every constant chosen after the data is paid for, so that it can be a claim."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def two_sided(self) -> bool: ...
    @property
    def paid(self) -> bool: ...

    def supports(self, asked: Asked) -> str | None:
        """None, or what is missing, in one line."""
        ...

    def __call__(self, asked: Asked, delta: Fraction) -> Rung: ...


@dataclass(frozen=True, slots=True)
class Compared:
    """A bound at the measured constants: shown beside the claims, at the delta of the setting."""

    name: str
    source: str
    make: Callable[[Setting], Rung]
    kind: Kind = "gap"
    two_sided: bool = True
    paid: bool = False

    def supports(self, asked: Asked) -> str | None:
        return None

    def __call__(self, asked: Asked, delta: Fraction) -> Rung:
        return self.make(replace(asked.setting, delta=delta))


@dataclass(frozen=True, slots=True)
class ByNorms:
    """A bound of a class of norms that is paid for."""

    name: str
    source: str
    kind: Kind
    two_sided: bool
    make: Callable[[Setting, Fraction], Rung]
    paid: bool = True

    def supports(self, asked: Asked) -> str | None:
        return None

    def __call__(self, asked: Asked, delta: Fraction) -> Rung:
        rung = self.make(asked.setting, delta)
        if self.kind != "excess" or asked.margin_errors is None:
            return rung
        return replace(rung, risk=margin_risk(rung, asked.margin_errors, asked.setting.sample.m))


@dataclass(frozen=True, slots=True)
class ByPosterior:
    """The bound of theory 8.3, which depends on the weights themselves."""

    name: str = "pac-bayes"
    source: str = "theory.md 8.3, 5.1"
    kind: Kind = "excess"
    two_sided: bool = False
    paid: bool = True

    def supports(self, asked: Asked) -> str | None:
        return "needs the weights themselves: constants are not enough" if asked.family is None else None

    def __call__(self, asked: Asked, delta: Fraction) -> Rung:
        if asked.family is None:
            raise DomainError(f"{self.name} {self.supports(asked)}")
        return pac_bayes(asked.setting, asked.family, delta, asked.margins)


BY_NORMS = (
    ByNorms("scale", "theory.md 5.1, 6.2, 7", "gap", True, scale),
    ByNorms("margin", "theory.md 5.1, 6.3, 7", "excess", False, margin),
    ByNorms("scale-groups", "theory.md 5.2, 5.3, 6.2, 7", "gap", True, scale_groups),
    ByNorms("margin-groups", "theory.md 5.2, 5.3, 6.3, 7", "excess", False, margin_groups),
)
BOUNDS: tuple[Bound, ...] = (
    Compared("published", "theory.md 2", published),
    Compared("repaired", "theory.md 5.5, 6.1", repaired),
    Compared("sharp", "theory.md 5.1, 6.1", sharp),
    *BY_NORMS,
    ByPosterior(),
)
"""In the order of a report."""
PAID = tuple(bound for bound in BOUNDS if bound.paid)
"""Those that share delta when the best of them is taken."""


def named(name: str) -> Bound:
    """Raises: DomainError naming those there are."""
    found = [bound for bound in BOUNDS if bound.name == name]
    if not found:
        raise DomainError(f"unknown rung {name!r}: one of {', '.join(bound.name for bound in BOUNDS)}")
    return found[0]


def refused(bound: Bound, missing: str) -> Rung:
    """In the place of a bound that does not support what is asked."""
    refusal = f"does not apply: {missing}"
    return Rung(bound.name, bound.kind, bound.two_sided, Enclosure.point(math.inf), 1, refusal=refusal)
