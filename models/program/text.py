"""What a language model, as the program runs it, answers on documents: probabilities of what comes next (theory 8.13).

Everything goes a few documents after another, a long one in pieces: the logits of a text would not fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.gaps.wealth import differences
from ssm_bounds.bounds.gaps.wealth.ticks import Span, Ticks, expected, own, own_span
from ssm_bounds.models.program.losses import probable
from ssm_bounds.models.program.run import Program, along, run
from ssm_bounds.models.program.selftest import require_exact
from ssm_bounds.models.tasks.documents import Documents

_VALUES = 1 << 22
"""Logits of one program that are held at once; of a vocabulary above it, those of one position."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Of every symbol (n,), one document after another: its loss and what was expected of it, in units of 2^-24.
    ``span``: of both."""

    losses: Ticks
    expected: Ticks
    span: Span


def distributions(
    programs: Sequence[Program], documents: Documents, watch: Callable[[Floats], None] = lambda logits: None
) -> Iterator[tuple[list[Floats], Ints]]:
    """p (n,V) of each program, and the symbols that came (n,), some documents at a time; NaN for a position without an
    answer. ``watch`` is handed the logits of the first.

    Raises: DomainError for a machine whose arithmetic is another, and for symbols that are not the model's.
    """
    require_exact()
    for logits, y in _logits(programs, documents):
        watch(logits[0])
        yield [probable(z) for z in logits], y


def _logits(programs: Sequence[Program], documents: Documents) -> Iterator[tuple[list[Floats], Ints]]:
    """Of each program (n,V), and what came (n,): of some documents, or of a piece of one that is too long."""
    V = max(each.outputs for each in programs)
    size, positions = _VALUES // (V * documents.x.shape[1]), max(1, _VALUES // V)
    for first in range(0, documents.m, max(1, size)):
        x, lengths, y = documents.rows(first, first + max(1, size))
        if size:
            yield [run(each, x, lengths) for each in programs], y
            continue
        done = 0
        for logits in zip(*(along(each, x[:, : lengths[0]], positions) for each in programs), strict=True):
            yield list(logits), y[done : done + len(logits[0])]
            done += len(logits[0])


def direct(p: Floats, y: Ints, k: int) -> Scored:
    """Of ``(1 - alpha) p + alpha/V``, alpha = 2^-k. Source: theory 8.6, 8.11."""
    V = p.shape[1]
    return _scored(p, own(p, k, V), y, own_span(k, V))


def paired(p: Floats, base: Floats, y: Ints, k: int) -> Scored:
    """Of the mixture with the base, against the base: D. ``base``: smoothed already. Source: theory 8.10."""
    return _scored(p, differences.difference(p, base, k), y, differences.span(k))


def joined(parts: list[Scored]) -> Scored:
    """One after another."""
    return Scored(
        np.concatenate([part.losses for part in parts]),
        np.concatenate([part.expected for part in parts]),
        parts[0].span,
    )


def _scored(p: Floats, losses: Ticks, y: Ints, span: Span) -> Scored:
    return Scored(losses[np.arange(len(y)), y], expected(p, losses, span), span)
