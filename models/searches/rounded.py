"""A rounded model and what its certificate rests on: its code, and what it gets wrong. Source: theory.md 8.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from ssm_bounds.bounds.architectures.selective_ssm.layout import gate_of, layout
from ssm_bounds.bounds.codes import tensors
from ssm_bounds.bounds.codes.layout import Layout
from ssm_bounds.bounds.codes.tensors import Code
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder import occam
from ssm_bounds.bounds.values import DomainError, Gate, Scalar, require
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.selective_ssm.programs import EXACT, Answers, Program
from ssm_bounds.models.selective_ssm.weights import Array, Weights
from ssm_bounds.models.tasks.task import Split

Blocks = dict[str, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """Rounded weights, the code they are in, and what they get wrong on the training data.

    ``agreement``: training examples on which they answer as the given model did. ``stopped``: why the search ended
    early; None if it did not. ``errors`` are counted by the exact program, as a certificate counts; ``before`` is what
    the search counts of the given weights.
    """

    weights: Weights
    code: Code
    errors: int
    before: int
    agreement: int
    m: int
    seed: int
    stopped: str | None


def layout_of(weights: Weights, gate: Gate) -> Layout:
    """The tensors of the model."""
    return layout(weights.d, weights.N, weights.k, weights.V, gate)


def blocks(weights: Weights, layout: Layout) -> Blocks:
    """The tensors that are coded. Raises: DomainError where an unused gate is not zero."""
    if gate_of(layout) == "none" and (weights.p != 0 or weights.q.any()):
        raise DomainError("gate 'none' has no q and p: they are not coded and must be 0")
    return {name: np.asarray(getattr(weights, name), dtype=np.float64) for name in layout.axes()}


def assembled(parts: Mapping[str, Array]) -> Weights:
    """The model of these tensors; a gate that is left out is zero."""
    gate: dict[str, Any] = {"q": np.zeros(len(parts["A"])), "p": 0.0}
    return Weights(**(gate | dict(parts)))


def balanced(weights: Weights, gate: Gate = "softplus") -> Weights:
    """The same function with ``|row_n(W_B)| = |row_n(W_C)|``, and, where there is an embedding, each of its columns as
    long as what reads the channel: both are exact symmetries of the model in real arithmetic. Source: theory.md 8.1.
    """
    parts = {name: part.copy() for name, part in blocks(weights, layout_of(weights, gate)).items()}
    norm = np.linalg.norm
    for _ in range(8):
        below, above = norm(parts["W_B"], axis=1), norm(parts["W_C"], axis=1)
        factor = np.sqrt(np.divide(above, below, out=np.ones_like(above), where=(below > 0) & (above > 0)))[:, None]
        parts["W_B"] *= factor
        parts["W_C"] /= factor
        if weights.embedding is None:
            break
        readers = [parts[name] for name in ("W_B", "W_C", "W", "q") if name in parts]
        inner, outer = norm(parts["embedding"], axis=0), norm(np.vstack(readers), axis=0)
        scale = np.sqrt(np.divide(outer, inner, out=np.ones_like(outer), where=(inner > 0) & (outer > 0)))
        parts["embedding"] *= scale
        for reader in readers:
            reader /= scale
    return assembled(parts)


@dataclass(frozen=True, slots=True)
class Certified:
    """What a certificate of rounded weights rests on, and its value: all of it follows from weights, code, program and
    data.

    ``answers``: what the program says on the training rows.
    """

    code: Code
    nats: Enclosure
    errors: int
    m: int
    risk: Enclosure
    ledger: list[tuple[str, int, Enclosure]]
    program: Program
    answers: Answers = field(compare=False, repr=False)


def certified(
    weights: Weights,
    code: Code,
    data: Split,
    *,
    convention: Convention = "code",
    delta: Scalar,
    program: Program = EXACT,
) -> Certified:
    """The certificate of weights in a code, without a search: the same numbers, bit for bit, wherever it is run.

    Raises: DomainError where the weights are not in the code, or not the representative of their class.
    """
    integers = code.integers(blocks(weights, code.layout))
    require(
        code.represents(integers),
        f"channels, states or signs are not in the order of the prior {code.prior!r}, which speaks about one of the "
        "models that differ in them alone: round the model again with --occam",
    )
    nats = code.nats(integers)
    # what the word says, not the file: there a zero may be -0
    found = program.run(assembled(code.decoded(integers)), data, gate_of(code.layout), convention)
    risk = occam.certify(nats, found.errors, data.m, delta)
    return Certified(code, nats, found.errors, data.m, risk, code.ledger(integers), program, found)


def record(rounded: Rounded, delta: Scalar) -> dict[str, Any]:
    """What the metadata of a rounded checkpoint holds under ``occam``: :func:`recorded` reads the code back, and
    ``selective_ssm.programs.recorded`` the program."""
    found = {"delta": str(Fraction(delta)), "errors": rounded.errors, "seed": rounded.seed}
    return rounded.code.record() | found | {"program": EXACT.record()}


def recorded(weights: Weights, entry: Mapping[str, Any], gate: Gate) -> Code:
    """The code of a rounded checkpoint's metadata. Raises: DomainError."""
    return tensors.recorded(layout_of(weights, gate), entry)


def recorded_errors(entry: Mapping[str, Any]) -> int | None:
    """Training errors in a rounded checkpoint's metadata, to compare with; None where it holds no such number.

    They were counted when the file was written, perhaps by another rule: a certificate counts anew.
    """
    found = entry.get("errors")
    return found if type(found) is int and found >= 0 else None
