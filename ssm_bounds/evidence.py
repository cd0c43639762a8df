"""What is known of a model, the sample or the past, and how.

A fact comes with its evidence: what is stated is held against what the file records and the data have. Whoever says so,
the file or the person, a fact about the past stays a condition: no program can check it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import said
from ssm_bounds.bounds.values import DomainError, Scalar, require
from ssm_bounds.models.files.checkpoint import MOST, Checkpoint

_LARGEST_EXPONENT = 300  # of a number that is typed: far beyond use, and no cost grows with it
_LONGEST = 400


class Evidence(StrEnum):
    """How a fact is known: verified on what was given, said by the file, said by the person, taken by default, or
    shown to be otherwise."""

    CHECKED = "checked"
    RECORDED = "recorded"
    STATED = "stated"
    ASSUMED = "assumed"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing about the model, the sample or the past, and how it is known."""

    name: str
    value: str | int | float | None
    evidence: Evidence


def exactly(value: Scalar | str, what: str, *, least: Scalar = 0, most: Scalar | None = None) -> Fraction:
    """The number that was typed: a float means its shortest decimal, 0.05 is 1/20. Raises: DomainError."""
    text = str(value)
    try:
        size = 0 if "/" in text else Decimal(text).adjusted()
        number = Fraction(text) if len(text) <= _LONGEST and abs(size) <= _LARGEST_EXPONENT else None
    except (ValueError, ArithmeticError):
        raise DomainError(f"{what}: {text[:40]!r} is not a number") from None
    if number is None:
        raise DomainError(f"{what}: {text[:40]} is outside 1e-{_LARGEST_EXPONENT} to 1e{_LARGEST_EXPONENT}")
    fits = number > least and (most is None or number < most)
    below = f" and below {said(most)}" if most is not None else ""
    require(fits, f"{what}: {text[:40]} is not above {said(least)}{below}")
    return number


def simplest(value: Fraction) -> int | Fraction:
    return int(value) if value.denominator == 1 else value


def number(
    name: str, stated: int | None, recorded: int | None, counted: int | None = None, *, at_least: bool = False
) -> Fact:
    """m or T: what is stated may not contradict the file or the data; T may exceed the record. Raises: DomainError."""
    require(stated is None or (type(stated) is int and 1 <= stated <= MOST), f"--{name}: not 1 to 10^18: {stated}")
    for known, who in ((recorded, "the file, which records"), (counted, "the data, which have")):
        if stated is not None and known is not None and stated != known and not (at_least and stated > known):
            raise DomainError(f"--{name} {stated} contradicts {who} {name} = {known}")
    if recorded is not None and counted is not None and recorded != counted:
        raise DomainError(
            f"the file records {name} = {recorded}, but the training data has {counted} rows: the bound is about the "
            "sample that the model was trained on"
        )
    if counted is not None:
        return Fact(name, counted, Evidence.CHECKED)
    if stated is not None:
        return Fact(name, stated, Evidence.RECORDED if stated == recorded else Evidence.STATED)
    if recorded is None:
        raise DomainError(f"the file does not record {name}: give --{name}")
    return Fact(name, recorded, Evidence.RECORDED)


def choice(name: str, stated: str | None, recorded: str | None, default: str) -> Fact:
    """Gate or convention. Raises: DomainError for a statement against the record."""
    if stated is not None and recorded is not None and stated != recorded:
        raise DomainError(f"--{name} {stated} contradicts the file, which records {name} {recorded}")
    if recorded is not None:
        return Fact(name, recorded, Evidence.RECORDED)
    return Fact(name, default, Evidence.ASSUMED) if stated is None else Fact(name, stated, Evidence.STATED)


def embedding(checkpoint: Checkpoint, stated: str | None) -> Fact:
    """Fixed before the sample, trained on it, or none. Raises: DomainError."""
    recorded = checkpoint.metadata.embedding
    require(stated in (None, "fixed", "trained"), f"--embedding: fixed or trained, got {stated!r}")
    if checkpoint.weights.V is None:
        require(stated is None, f"--embedding {stated}: this model has real-valued inputs and no embedding")
        return Fact("embedding", "none", Evidence.CHECKED)
    if stated is None:
        return Fact("embedding", recorded or "fixed", Evidence.RECORDED if recorded else Evidence.ASSUMED)
    if stated == "fixed" and recorded == "trained":
        return Fact("embedding", stated, Evidence.CONTRADICTED)
    return Fact("embedding", stated, Evidence.RECORDED if recorded == stated else Evidence.STATED)


def input_bound(checkpoint: Checkpoint, stated: Scalar | str | None, inputs: str) -> float | None:
    """B_u of real-valued inputs, rounded up; None with an embedding. Raises: DomainError."""
    real = checkpoint.weights.V is None
    require(not (real and inputs == "vocabulary"), "--inputs vocabulary needs an embedding: this model has real inputs")
    if stated is None:
        require(not real, "real-valued inputs need a bound on |u_t| stated before the data: give --input-bound B")
        return None
    require(real, "--input-bound is for real-valued inputs; this model's embedding gives B_u")
    return Enclosure.point(exactly(stated, "--input-bound")).float_upper()
