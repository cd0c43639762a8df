"""What a bound is asked for and what it is: setting, rung, verdict (theory 6.5).

A rung names the hypotheses that it rests on; whether they are known is decided with the facts, in one place above
(``ssm_bounds.question``), which hands the rung its conditions or its refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal

import sympy
from flint import arb

from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants, MeasuredConstants
from ssm_bounds.bounds.architectures.selective_ssm.family import measured_class, selected_classes
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.gaps.losses import Loss
from ssm_bounds.bounds.ladder.argument import UNTOLD, Argument
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.bounds.values import Sample, Scalar, require

Embedding = Literal["fixed", "trained", "none"]
Kind = Literal["gap", "excess", "risk", "loss", "bits", "difference"]


WHOLE: tuple[Kind, ...] = ("risk", "bits")
"""Kinds that are about a model's performance itself, so that the smallest is a headline."""


class Verdict(StrEnum):
    """CERTIFIED: the standing assumptions suffice. CONDITIONAL: it holds if the named conditions do. REFUSED: a fact
    about the past is contradicted, or the bound's domain is left; its value claims nothing."""

    CERTIFIED = "CERTIFIED"
    CONDITIONAL = "CONDITIONAL"
    REFUSED = "REFUSED"


class Hypothesis(StrEnum):
    """A fact about the past, or about the model, that a bound may rest on besides the standing assumptions."""

    EMBEDDING = "the embedding was fixed before the sample"
    INPUTS = "inputs have bounded norm by design"
    LAYER = "nothing that is not linear follows the layer"
    UNITS = "the units of the inputs were fixed before the sample"
    GATE = "the model has this gate"
    MEASURED = "the constants had been fixed before the data"
    PRINTED = "the printed steps hold, for inputs that were given"
    PROGRAM = "the program is the one that its file writes out"
    ROWS = "the training rows are the independent draws that they are counted as"
    TEST = "the test rows are fresh, independent and met by this model alone"
    BASE = "the base was fixed before the sample"
    OUTPUTS = "the outputs of the base mean the labels of the same numbers"
    DRAW = "the parameters were drawn once, their seed fixed beforehand"


OF_A_CLASS = (Hypothesis.EMBEDDING, Hypothesis.INPUTS, Hypothesis.GATE, Hypothesis.ROWS)
"""What every bound by norms rests on."""
COMPARED = (*OF_A_CLASS, Hypothesis.MEASURED)
"""And what one rests on that does not pay for its constants."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a bound is evaluated for. ``margin``: g of the margin rungs. ``embedding``: "trained" puts it in the class.

    Raises: DomainError.
    """

    measured: MeasuredConstants
    sample: Sample
    loss: Loss
    margin: Scalar
    delta: Fraction = Fraction(1, 20)
    vocabulary: bool = False
    embedding: Embedding = "none"

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
            "is bilinear, hence not convex (theory 3.3); use ball inputs",
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


@dataclass(frozen=True, slots=True)
class Rung:
    """One bound. ``value.upper`` is the number, at the delta that it was asked for; ``kind``: gap (of the loss), excess
    over emp_g, risk, the mean loss on new rows, bits a symbol, or a difference to a base. ``argument``: how it came
    about.

    ``rests_on``: its hypotheses; ``conditions`` those of them that nobody can check, in words, and ``refusal`` why the
    value claims nothing (None: it claims something). ``risk``: for a bound of the excess with the training data at
    hand, the risk that it claims. ``before_selection``: with nothing paid for what was chosen after the data.
    ``comparison``: shown beside the claims, at constants that were not paid for. ``refines``: the rung that it is a
    finer form of. ``of_test``: it is about the distribution of the test rows. ``searched``: a search that stops when
    its time is up had a part in it, so that a repeated one may end elsewhere.
    """

    name: str
    kind: Kind
    two_sided: bool
    value: Enclosure
    ceiling: Scalar
    argument: Argument = UNTOLD
    rests_on: tuple[Hypothesis, ...] = ()
    conditions: tuple[str, ...] = ()
    refusal: str | None = None
    comparison: bool = False
    risk: Enclosure | None = None
    before_selection: Enclosure | None = None
    refines: str | None = None
    of_test: bool = False
    searched: bool = False

    @property
    def verdict(self) -> Verdict:
        if self.refusal is not None:
            return Verdict.REFUSED
        return Verdict.CONDITIONAL if self.conditions else Verdict.CERTIFIED

    @property
    def vacuous(self) -> bool:
        """At least the range of what it bounds; of a margin rung with the training data at hand, its risk counts."""
        claimed = self.value if self.risk is None else self.risk
        return not claimed.upper < exactly(self.ceiling)


def exactly(value: Scalar) -> arb:
    return Enclosure.point(value).upper


def approximately(value: Enclosure) -> str:
    """A short decimal of the upper end, for messages: rounded to three digits, of any size."""
    return str(value.upper.str(3, radius=False))
