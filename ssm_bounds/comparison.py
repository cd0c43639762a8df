"""Bounds of several architectures at equal constants, and of trained models at their own norms (theory 10.4)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import PurePath
from typing import Literal

from flint import arb

from ssm_bounds.bounds.architectures.selective_ssm.blocks import blocks_of
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.gaps.losses import Loss, Ramp
from ssm_bounds.bounds.ladder.equal import OF_COVER, Class, Equal, Terms, classes, said
from ssm_bounds.bounds.ladder.rung import COMPARED, Verdict, exactly
from ssm_bounds.bounds.ladder.scale import scale
from ssm_bounds.bounds.values import Gate, Sample, Scalar, require
from ssm_bounds.evidence import exactly as number
from ssm_bounds.evidence import simplest
from ssm_bounds.inquiry import DELTA
from ssm_bounds.models.files.checkpoint import MOST, Convention
from ssm_bounds.models.files.container import printable
from ssm_bounds.question import Question, ask

M, LENGTHS = 25000, (100, 500, 2000)
EQUAL = Equal()
_MOST_ROWS = 64
_MOST_LENGTHS = 64

STANDING = (
    "the m training sequences, of at most T tokens each, are independent and identically distributed, from the "
    "distribution whose risk is bounded",
    "the classes and their radii, the loss, delta and T were fixed before these sequences; every token has l2 norm at "
    "most that of the class",
    "risks and losses are those of the real-arithmetic model",
)
"""What every row assumes; a row of a trained model adds its conditions."""

READ = (
    "How an upper bound of the gap grows with T for each class, by which argument, and which constant makes it grow: "
    "the constants are equal."
)
"""What may be read into the table."""

NOT_READ = (
    "That an architecture generalises better than another: these are upper bounds, and their arguments differ in how "
    "much they lose.",
    "That the models compare in quality: what the classes can compute is not equal, and rows differ in size "
    "(parameters).",
    "A choice among the rows: each holds by itself at delta; the smallest of several, chosen with the data, would be "
    "at delta over their number.",
    "Anything of a trained model in the rows of classes: nothing is paid for radii that were chosen after the data "
    "(before theory 7). A model's own row takes its measured norms as if they had been fixed before; beside it stands "
    "what theory 7 leaves.",
)
"""What must not be read into the table."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One row at one length. ``bound``: of the gap, two-sided; None where it is refused. ``paid``: with theory 7 paid,
    of a trained model."""

    T: int
    bound: Enclosure | None
    refusal: str | None = None
    paid: Enclosure | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A class, or a trained model. ``which``: the constant that tells it from its neighbours. ``parameters``: None
    where their number does not enter. ``conditions``: of the bound; ``paid_conditions``: of what theory 7 leaves.
    ``ceiling``: the range of the loss, from which on a bound says nothing."""

    name: str
    which: str
    kind: Literal["class", "model"]
    parameters: int | None
    rule: str
    source: str
    values: tuple[Value, ...]
    ceiling: Scalar
    conditions: tuple[str, ...] = ()
    paid_conditions: tuple[str, ...] = ()
    sha256: str | None = None

    def vacuous(self, bound: Enclosure) -> bool:
        """At least the range of the loss."""
        return not bound.upper < exactly(self.ceiling)

    def capped(self, bound: Enclosure) -> arb:
        """``min(c, bound)``."""
        return exactly(self.ceiling) if self.vacuous(bound) else bound.upper

    def verdict(self, value: Value) -> Verdict:
        if value.bound is None:
            return Verdict.REFUSED
        return Verdict.CONDITIONAL if self.conditions else Verdict.CERTIFIED


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The table: ``lengths`` are its columns."""

    m: int
    lengths: tuple[int, ...]
    delta: Fraction
    loss: Loss
    equal: Equal
    rows: tuple[Row, ...]

    @property
    def sentence(self) -> str:
        """What a row of a class says."""
        return (
            f"With probability at least {said(1 - self.delta)} over {self.m:,} i.i.d. training sequences, the mean "
            "loss on new sequences and that on the training sequences differ, for every model of a class at once, by "
            "at most the number in its row, if the class was fixed before these sequences."
        )

    @property
    def constants(self) -> str:
        """What is equal, in words."""
        equal = self.equal
        return (
            f"every matrix, the readout and q of norm at most {said(equal.norm)} (of a diagonal layer: B_j and C_j of "
            f"every channel; U of an RNN: beta), tokens at most {said(equal.B_u)}; "
            f"d = {equal.d}, N = {equal.N}, one output; decays of A in "
            f"[{said(-Fraction(equal.B_A))}, s_A], |p| <= {said(equal.p)}, activations of slope 1; "
            f"{self.loss.words}, in [0, {said(self.loss.range)}]"
        )


def compare(
    models: Sequence[str | os.PathLike[str] | Question] = (),
    *,
    m: int | None = None,
    T: int | Sequence[int] = LENGTHS,
    equal: Equal = EQUAL,
    delta: Scalar | str = DELTA,
    margin: Scalar | str = 1,
    gate: Gate | None = None,
    embedding: Literal["fixed", "trained"] | None = None,
    convention: Convention | None = None,
    input_bound: Scalar | str | None = None,
) -> Comparison:
    """A row for each class at ``equal`` constants, and one for each trained model at its own norms, before theory 7.

    ``models``: files with one selective SSM, or questions about them (``ssm_bounds.question.ask``), of which gate,
    embedding, convention and input bound are then known; delta, loss and lengths are those of the table. ``m``: 25000,
    or what the models record. ``T``: a length or several, a column each. Raises: ValueError, OSError. Source: theory
    10.4.
    """
    lengths = _lengths(T)
    level = number(delta, "--delta, a probability", most=1)
    loss = Ramp(simplest(number(margin, "--margin")))
    stated = {"gate": gate, "embedding": embedding, "convention": convention, "input_bound": input_bound}
    asked = [
        each if isinstance(each, Question) else ask(each, m=m, T=max(lengths), **stated)  # type: ignore[arg-type]
        for each in models
    ]
    found = _sequences(m, asked)
    known = classes(equal)
    require(len(known) <= _MOST_ROWS, f"a table of at most {_MOST_ROWS} classes: fewer values of s_A and beta")
    rows = [
        *(of_model(each, found, lengths, loss, level) for each in asked),
        *(of_class(each, found, lengths, loss, level) for each in known),
    ]
    return Comparison(found, lengths, level, loss, equal, tuple(rows))


def _lengths(T: int | Sequence[int]) -> tuple[int, ...]:
    lengths = (T,) if isinstance(T, int) else tuple(T)
    whole = all(type(each) is int and 1 <= each <= MOST for each in lengths)
    require(whole and bool(lengths), f"--T: lengths from 1 to 10^18, got {lengths}")
    require(len(lengths) <= _MOST_LENGTHS, f"--T: at most {_MOST_LENGTHS} lengths, got {len(lengths)}")
    return tuple(sorted(set(lengths)))


def _sequences(m: int | None, models: Sequence[Question]) -> int:
    """The one m of a table. Raises: DomainError."""
    require(m is None or (type(m) is int and 1 <= m <= MOST), f"--m: not 1 to 10^18: {m}")
    known = {each.setting.sample.m: printable(str(each.checkpoint.path)) for each in models} | (
        {} if m is None else {m: "--m"}
    )
    told = ", ".join(f"m = {value} ({who})" for value, who in known.items())
    require(len(known) <= 1, f"rows of one table have one m, and here are {told}: compare them apart")
    return next(iter(known), M)


def of_class(of: Class, m: int, lengths: Sequence[int], loss: Loss, delta: Fraction) -> Row:
    """A row about all members of a class."""
    values = tuple(Value(T, of.gap(Terms(Sample(m, T), loss, delta))) for T in lengths)
    return Row(of.architecture, of.which, "class", of.parameters, of.rule, of.source, values, loss.range)


def of_model(question: Question, m: int, lengths: Sequence[int], loss: Loss, delta: Fraction) -> Row:
    """A row about a trained model: the class of its measured norms, as if they had been fixed before the data."""
    question = replace(question, automatic=False)  # the margin is that of the table
    setting, checkpoint = question.setting, question.checkpoint
    margin = loss.margin if isinstance(loss, Ramp) else setting.margin
    recorded = checkpoint.metadata.T
    values = []
    for T in lengths:
        if recorded is not None and recorded > T:
            values.append(Value(T, None, f"its file records sequences of length T = {recorded}"))
            continue
        asked = replace(setting, sample=Sample(m, T), loss=loss, margin=margin, delta=delta)
        rung = question.resolved(scale(asked))
        refused = rung.refusal is not None
        bound, paid = (None, None) if refused else (rung.before_selection, rung.value)
        values.append(Value(T, bound, rung.refusal, paid))
    measured, constants = setting.measured, setting.measured_class()
    s_A = decimal_string(Enclosure.point(measured.s_A).upper, 3)
    sizes = ", ".join(f"{name} = {getattr(measured, name)}" for name in ("d", "N", "k"))
    rule = f"{OF_COVER} {', '.join(block.shown for block in blocks_of(constants))} by 5.1, at its own norms; {sizes}"
    return Row(
        printable(PurePath(checkpoint.path).name),
        f"s_A <= {s_A}",
        "model",
        constants.parameters,
        rule,
        "theory.md 5.1",
        tuple(values),
        loss.range,
        tuple(condition for each in COMPARED for condition in question.conditions(each)),
        tuple(condition for each in COMPARED[:-1] for condition in question.conditions(each)),
        checkpoint.sha256,
    )
