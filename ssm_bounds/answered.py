"""What a kind of model brings to its certificate: bounds at any share of delta, programs, and counted rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from ssm_bounds.bounds.ladder.rung import Rung
from ssm_bounds.inquiry import Inquiry
from ssm_bounds.models.selective_ssm.tally import Tally
from ssm_bounds.programs import Program


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """``question``: with the margin that was chosen. ``bounds``: each by itself at delta; ``at``: those that are
    compared, ``compared`` in number, at a share of it. ``promised``: how many programs claim a risk, known from the
    options and the file."""

    question: Inquiry
    bounds: tuple[Rung, ...] = ()
    compared: int = 0
    at: Callable[[Fraction], Iterable[Rung]] = lambda share: ()
    programs: tuple[Program, ...] = ()
    promised: int = 0
    train: Tally | None = None
    test: Tally | None = None
