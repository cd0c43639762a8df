"""What a certificate is asked for and what it is made of: setting, rung, verdict (theory.md 6.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any, Literal

import sympy
from flint import arb

from bounds.constants import ClassConstants, MeasuredConstants, Sample, Scalar, require
from bounds.enclose import Enclosure
from bounds.entropy import EntropyBound, Step
from bounds.losses import Loss
from bounds.selection import SelectedClass, measured_class, selected_classes

Embedding = Literal["fixed", "trained", "none"]
Evidence = Literal["recorded", "stated", "assumed"]


class Verdict(StrEnum):
    """theory.md 6.5: CERTIFIED when every hypothesis is checked or is one of the two named assumptions."""

    CERTIFIED = "CERTIFIED"
    CONDITIONAL = "CONDITIONAL"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a certificate is asked for. ``margin``: g of the margin rung, fixed before the data unless it was chosen
    by :func:`choose_margin`. ``embedding``: "trained" puts it in the class; ``evidence`` says who vouches for "fixed".
    ``conditions``: further hypotheses that nobody checked; ``shifted``: training and test data are known to differ in
    distribution.
    """

    measured: MeasuredConstants
    sample: Sample
    loss: Loss
    margin: Scalar
    delta: Fraction = Fraction(1, 20)
    vocabulary: bool = False
    embedding: Embedding = "none"
    evidence: Evidence = "assumed"
    conditions: tuple[str, ...] = ()
    shifted: bool = False

    def __post_init__(self) -> None:
        require(0 < self.delta < 1, f"delta is a failure probability in (0, 1), got {float(self.delta):g}")
        require(self.margin > 0, f"the margin must be > 0, got {self.margin!r}")
        require(
            (self.embedding == "none") == (self.measured.V is None),
            f"embedding {self.embedding!r} does not fit a model with {self.measured.V or 'no'} embedding rows",
        )
        require(
            not (self.vocabulary and self.embedding != "fixed"),
            "vocabulary inputs need a fixed embedding: with a trained one the constraint on (p, q) and the embedding "
            "is bilinear, hence not convex (theory.md 3.3); use ball inputs",
        )

    @property
    def in_class(self) -> bool:
        return self.embedding == "trained"

    @property
    def loss_lipschitz(self) -> sympy.Expr:
        return self.loss.lipschitz(self.measured.k)

    def measured_class(self) -> ClassConstants:
        return measured_class(self.measured, embedding_in_class=self.in_class, vocabulary=self.vocabulary)

    def classes(self, scale: Scalar, *, groups: bool = False) -> list[SelectedClass]:
        return list(
            selected_classes(
                self.measured,
                self.sample,
                margin=scale,
                embedding_in_class=self.in_class,
                vocabulary=self.vocabulary,
                groups=groups,
            )
        )


def conditions(setting: Setting) -> list[str]:
    """What the rungs of a class or a posterior rest on, unchecked, besides the two named assumptions."""
    found = list(setting.conditions)
    if setting.embedding == "fixed" and setting.evidence != "recorded":
        found.insert(0, "the embedding was fixed before the data")
    if setting.embedding == "none":
        found.insert(0, f"every input has l2 norm at most {float(setting.measured.B_u):g}")
    return found


def condition(setting: Setting) -> str:
    """The same as the end of a sentence; "" if there is nothing."""
    found = conditions(setting)
    return "if " + ", and ".join(found) if found else ""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the program scored on n rows: mean loss, errors (margin <= 0), margin errors (margin <= g)."""

    n: int
    loss: float
    errors: int
    margin_errors: int | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """One bound. ``value.upper`` is the number; ``kind``: gap (of the loss), excess over emp_g, or risk."""

    name: str
    kind: Literal["gap", "excess", "risk"]
    two_sided: bool
    value: Enclosure
    ceiling: Scalar
    verdict: Verdict
    why: str
    applies: bool = True
    before_selection: Enclosure | None = None
    selected: SelectedClass | None = None
    entropy: EntropyBound | None = None
    radius: Enclosure | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trace(self) -> tuple[Step, ...]:
        """The covering argument, rule by rule, at the radius that the rung uses."""
        return () if self.entropy is None or self.radius is None else self.entropy.trace(self.radius)

    @property
    def vacuous(self) -> bool:
        """At least the range of what it bounds."""
        return not self.value.upper < exactly(self.ceiling)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The ladder of one model, its best selected rung recomputed at delta over the number compared, and what is
    left unchecked. ``train_risk``: the smallest of the certified risks of the margin rungs, each at delta over their
    number, and ``risk_rung`` the name of the one that gives it."""

    setting: Setting
    rungs: tuple[Rung, ...]
    best: Rung
    compared: int
    train: Tally | None
    train_risk: Enclosure | None
    risk_rung: str | None
    test: Tally | None

    @property
    def verdict(self) -> Verdict:
        return self.best.verdict


def with_rungs(certificate: Certificate, rungs: Sequence[Rung]) -> Certificate:
    """The certificate with more rungs, before the hold-out; each holds by itself at delta."""
    at = next((i for i, rung in enumerate(certificate.rungs) if rung.name == "holdout"), len(certificate.rungs))
    return replace(certificate, rungs=(*certificate.rungs[:at], *rungs, *certificate.rungs[at:]))


def exactly(value: Scalar) -> arb:
    return Enclosure.point(value).upper


def approximately(value: Enclosure) -> str:
    """A short decimal of the upper end, for messages: rounded to three digits, of any size."""
    return str(value.upper.str(3, radius=False))
