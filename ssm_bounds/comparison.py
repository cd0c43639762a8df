"""Bounds of several architectures at equal constants, and of trained models at their own norms (theory 10.4)."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import PurePath
from typing import Literal, TypeAlias

from flint import arb

from ssm_bounds import inquiry
from ssm_bounds.bounds.architectures.selective_ssm.blocks import blocks_of
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string, said
from ssm_bounds.bounds.gaps.losses import Loss, Ramp
from ssm_bounds.bounds.ladder.equal import OF_COVER, Class, Equal, Terms, classes
from ssm_bounds.bounds.ladder.rung import COMPARED, Verdict, exactly
from ssm_bounds.bounds.ladder.scale import scale
from ssm_bounds.bounds.values import DomainError, Gate, Sample, Scalar, require
from ssm_bounds.certificate import Claim, probability, sentence
from ssm_bounds.evidence import Fact, simplest
from ssm_bounds.evidence import exactly as number
from ssm_bounds.inquiry import DELTA
from ssm_bounds.models.files.checkpoint import MOST, Checkpoint, Convention
from ssm_bounds.models.files.container import printable, quote
from ssm_bounds.question import Question, ask, require_length

M, LENGTHS = 25000, (100, 500, 2000)
EQUAL = Equal()
_MOST_ROWS = 64
_MOST_LENGTHS = 64

FIXED = ("the class was fixed before these sequences",)
_REAL = "risks and losses are those of the real-arithmetic model"
STANDING = (
    "the m training sequences, of at most T tokens each, are independent and identically distributed, from the "
    "distribution whose risk is bounded",
    "the classes and their radii, the loss, delta and T were fixed before these sequences; every token has l2 norm at "
    "most that of the class",
    _REAL,
)
"""What the bound of every row assumes; a row of a trained model adds its conditions."""

PAID_STANDING = (*inquiry.STANDING, _REAL)
"""What is assumed of a trained model once theory 7 is paid: nothing of its radii."""

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
    "Anything of a model whose class was chosen after its training, or that lies outside the class: nothing is paid in "
    "the rows for radii that were chosen after the data (theory 7).",
)
"""What must not be read into the table."""

OWN_ROW = (
    "A claim about a trained model in its own row: that takes its measured norms as if they had been fixed before the "
    "data. What theory 7 leaves is said below the table, in sentences of their own."
)
"""What must not be read into the row of a trained model."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One row at one length. ``bound``: of the gap, two-sided; None where it is refused. ``paid``: with theory 7 paid,
    of a trained model, which ``paid_claim`` says in full."""

    T: int
    bound: Enclosure | None
    refusal: str | None = None
    paid: Enclosure | None = None
    paid_claim: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """Whom the row of a trained model is about. ``named``: in the words of a sentence."""

    path: str
    sha256: str
    named: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A class, or a trained ``model``. ``which``: the constant that tells it from its neighbours. ``sizes``: d, N, k.
    ``parameters``: None where their number does not enter. ``conditions``: of the bound; ``paid_conditions``: of what
    theory 7 leaves. ``ceiling``: the range of the loss, from which on a bound says nothing."""

    name: str
    which: str
    sizes: tuple[int, int, int]
    parameters: int | None
    rule: str
    source: str
    values: tuple[Value, ...]
    ceiling: Scalar
    conditions: tuple[str, ...] = ()
    paid_conditions: tuple[str, ...] = ()
    model: Trained | None = None

    @property
    def kind(self) -> Literal["class", "model"]:
        return "class" if self.model is None else "model"

    def vacuous(self, bound: Enclosure) -> bool:
        """At least the range of the loss."""
        return not bound.upper < exactly(self.ceiling)

    def capped(self, bound: Enclosure) -> arb:
        """``min(c, bound)``."""
        return exactly(self.ceiling) if self.vacuous(bound) else bound.upper

    def verdict(self, value: Value) -> Verdict:
        """Of the bound."""
        return _verdict(value.bound, self.conditions)

    def paid_verdict(self, value: Value) -> Verdict | None:
        """Of what theory 7 leaves; None of a class, of which nothing was chosen after the data."""
        return None if self.model is None else _verdict(value.paid, self.paid_conditions)


def _verdict(bound: Enclosure | None, conditions: tuple[str, ...]) -> Verdict:
    if bound is None:
        return Verdict.REFUSED
    return Verdict.CONDITIONAL if conditions else Verdict.CERTIFIED


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
        return self._said("a class", "T", "the number in its row", FIXED)

    def claim(self, row: Row, value: Value) -> str | None:
        """What one number says by itself, before theory 7; None where it is refused."""
        if value.bound is None:
            return None
        at_most = decimal_string(value.bound.upper)
        if row.model is None:
            return self._said("the class", f"T = {value.T}", at_most, FIXED)
        return self._said(f"the class of the norms of {row.model.named}", f"T = {value.T}", at_most, row.conditions)

    def _said(self, of: str, T: str, at_most: str, conditions: tuple[str, ...]) -> str:
        return (
            f"With probability at least {probability(self.delta):f} over {self.m:,} i.i.d. training sequences of at "
            f"most {T} tokens, the mean {self.loss.words} on new sequences and that on the training sequences differ, "
            f"for every model of {of} at once, by at most {at_most}, if {', and if '.join(conditions)}."
        )

    @property
    def constants(self) -> str:
        """What is equal, in words."""
        equal = self.equal
        norm = said(equal.norm)
        return (
            f"every matrix of spectral norm at most {norm} (U of an RNN: at most beta); the readout (one output), q, "
            f"and of a diagonal layer B_j and C_j of every channel, of l2 norm at most {norm}; tokens of l2 norm at "
            f"most {said(equal.B_u)}; A is none of these matrices: it is diagonal, its decays in "
            f"[{said(-Fraction(equal.B_A))}, s_A]; the step of the selective SSM is softplus(p + q . u), |p| <= "
            f"{said(equal.p)}; activations have slope at most 1, are 0 at 0, and tanh is at most 1; "
            f"d = {equal.d}, N = {equal.N}; {self.loss.words}, in [0, {said(self.loss.range)}]"
        )

    @property
    def not_read(self) -> tuple[str, ...]:
        """What must not be read into this table."""
        return (*NOT_READ, OWN_ROW) if any(row.model is not None for row in self.rows) else NOT_READ


Asked: TypeAlias = str | os.PathLike[str] | Checkpoint | Question
_ASKED = (str, os.PathLike, Checkpoint, Question)


def compare(
    models: Asked | Iterable[Asked] = (),
    *,
    m: int | None = None,
    T: int | Iterable[int] = LENGTHS,
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
    or what the models record. ``T``: a length or several, a column each, none below what a model records. Raises:
    ValueError, OSError. Source: theory 10.4.
    """
    require(isinstance(equal, Equal), f"equal: constants of the classes, an Equal, got {quote(equal)}")
    lengths = _lengths(T)
    stated_m = None if m is None else _whole(m)
    require(m is None or stated_m is not None, f"--m: not 1 to 10^18: {quote(m)}")
    level = number(delta, "--delta, a probability", most=1)
    loss = Ramp(simplest(number(margin, "--margin")))
    stated = {"gate": gate, "embedding": embedding, "convention": convention, "input_bound": input_bound}
    asked = [
        each if isinstance(each, Question) else ask(each, m=stated_m, T=lengths[0], **stated)  # type: ignore[arg-type]
        for each in _models(models)
    ]
    for each in asked:
        _require_length(each, lengths[0])
    found = _sequences(stated_m, asked)
    known = classes(equal)
    require(len(known) <= _MOST_ROWS, f"a table of at most {_MOST_ROWS} classes: fewer values of s_A and beta")
    rows = [
        *(of_model(each, name, found, lengths, loss, level) for each, name in zip(asked, _names(asked), strict=True)),
        *(of_class(each, equal, found, lengths, loss, level) for each in known),
    ]
    return Comparison(found, lengths, level, loss, equal, tuple(rows))


def _models(models: Asked | Iterable[Asked]) -> tuple[Asked, ...]:
    """Raises: DomainError."""
    if isinstance(models, _ASKED):
        return (models,)
    several = tuple(models) if isinstance(models, Iterable) else (models,)
    for each in several:
        fits = isinstance(each, _ASKED)
        require(fits, f"models: files with one selective SSM, or questions about them, got {quote(each)}")
    return several


def _whole(value: object) -> int | None:
    """A whole number from 1 to MOST, of numpy's too; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return found if 1 <= found <= MOST else None


def _lengths(T: int | Iterable[int]) -> tuple[int, ...]:
    """In order, each once. Raises: DomainError."""
    alone = _whole(T)
    several = isinstance(T, Iterable) and not isinstance(T, str)
    given = [alone] if alone is not None or not several else [_whole(each) for each in islice(T, _MOST_LENGTHS + 1)]  # type: ignore[arg-type]
    lengths = {each for each in given if each is not None}
    require(bool(lengths) and None not in given, f"--T: lengths from 1 to 10^18, got {quote(T)}")
    require(len(given) <= _MOST_LENGTHS, f"--T: at most {_MOST_LENGTHS} lengths")
    return tuple(sorted(lengths))


def _require_length(question: Question, T: int) -> None:
    """Raises: DomainError naming the file."""
    try:
        require_length(question, T)
    except DomainError as problem:
        raise DomainError(f"{printable(str(question.checkpoint.path))}: {problem}") from None


def _sequences(m: int | None, models: Sequence[Question]) -> int:
    """The one m of a table. Raises: DomainError."""
    known = {each.setting.sample.m: printable(str(each.checkpoint.path)) for each in models} | (
        {} if m is None else {m: "--m"}
    )
    told = ", ".join(f"m = {value} ({who})" for value, who in known.items())
    require(len(known) <= 1, f"rows of one table have one m, and here are {told}: compare them apart")
    return next(iter(known), M)


def _names(models: Sequence[Question]) -> list[str]:
    """The file's name where it is the only one of that name, else its path; of one that is asked about twice, which."""
    paths = [PurePath(each.checkpoint.path) for each in models]
    files = [path.name for path in paths]
    names = []
    for i, (path, file) in enumerate(zip(paths, files, strict=True)):
        shown = file if files.count(file) == 1 else str(path)
        names.append(printable(shown if paths.count(path) == 1 else f"{shown} ({paths[: i + 1].count(path)})"))
    return names


def of_class(of: Class, equal: Equal, m: int, lengths: Sequence[int], loss: Loss, delta: Fraction) -> Row:
    """A row about all members of a class."""
    values = tuple(Value(T, of.gap(Terms(Sample(m, T), loss, delta))) for T in lengths)
    sizes = (equal.d, equal.N, 1)
    return Row(of.architecture, of.which, sizes, of.parameters, of.rule, of.source, values, loss.range)


def of_model(question: Question, name: str, m: int, lengths: Sequence[int], loss: Loss, delta: Fraction) -> Row:
    """A row about a trained model: the class of its measured norms, as if they had been fixed before the data."""
    question = replace(question, automatic=False)  # the margin is that of the table
    setting, checkpoint = question.setting, question.checkpoint
    margin = loss.margin if isinstance(loss, Ramp) else setting.margin
    values = []
    for T in lengths:
        terms = replace(setting, sample=Sample(m, T), loss=loss, margin=margin, delta=delta)
        asked = replace(question, setting=terms)
        rung = asked.resolved(scale(terms))
        if rung.refusal is not None:
            values.append(Value(T, None, rung.refusal))
            continue
        claim = sentence(asked, Claim(rung, rung.kind, rung.value, delta, question.named))
        values.append(Value(T, rung.before_selection, None, rung.value, claim))
    measured, constants = setting.measured, setting.measured_class()
    s_A = decimal_string(Enclosure.point(measured.s_A).upper, 3)
    sizes = (measured.d, measured.N, measured.k)
    proved = dict[str, list[str]]()
    for block in blocks_of(constants):
        proved.setdefault(SELECTIVE_SSM.source(block, "sharp").removeprefix("theory.md "), []).append(block.shown)
    cover = "; ".join(f"{', '.join(blocks)} by {section}" for section, blocks in proved.items())
    told = ", ".join(f"{name} = {size}" for name, size in zip(("d", "N", "k"), sizes, strict=True))
    return Row(
        name,
        f"s_A <= {s_A}",
        sizes,
        constants.parameters,
        f"{OF_COVER} {cover}, at its own norms; {told}",
        f"theory.md {', '.join(proved)}",
        tuple(values),
        loss.range,
        tuple(condition for each in COMPARED for condition in question.conditions(each)),
        tuple(condition for each in COMPARED[:-1] for condition in question.conditions(each)),
        Trained(
            str(checkpoint.path),
            checkpoint.sha256,
            question.named,
            tuple(fact for fact in question.facts if fact.name != "T"),  # the columns
        ),
    )
