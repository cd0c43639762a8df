"""The programs that compute a rounded or drawn model of the paper, by name and version: what a file says of its own.

A file is counted by the program that it was written out for, however old. Source: theory 8.13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.values import DomainError, Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.files.container import quote
from ssm_bounds.models.program import evaluate
from ssm_bounds.models.program.run import NAME, VERSION
from ssm_bounds.models.selective_ssm import earlier, selftest, tally
from ssm_bounds.models.selective_ssm.weights import Array, Weights
from ssm_bounds.models.tasks.task import Split

Run: TypeAlias = Callable[[Weights, Split, Gate, Convention], "Answers"]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Logits z (n, max(k,2)) at labels y (n,), and the errors that the program's rule counts. One output stands beside
    a 0: it is the logit of label 1."""

    z: Array
    y: NDArray[np.int64]
    errors: int


@dataclass(frozen=True, slots=True)
class Program:
    """``run`` gives the same answers on every machine and in any batch. ``rounds``: no radius ties them to real
    arithmetic."""

    name: str
    version: int
    run: Run
    rounds: bool

    def __str__(self) -> str:
        return f"{self.name}, version {self.version}"

    def record(self) -> dict[str, Any]:
        """What a file says of it."""
        return {"name": self.name, "version": self.version}


def _exact(weights: Weights, data: Split, gate: Gate, convention: Convention) -> Answers:
    z = selftest.logits(weights, data.x, gate=gate, convention=convention)
    return Answers(z, data.y, evaluate.errors(z, data.y))


def _earlier(weights: Weights, data: Split, gate: Gate, convention: Convention) -> Answers:
    """A margin within its proven radius is an error (``selective_ssm.tally``)."""
    found = tally.answers(weights, data, gate=gate, convention=convention)
    z = np.hstack([np.zeros_like(found.z), found.z]) if weights.k == 1 else found.z
    return Answers(z, data.y, found.errors)


EXACT = Program(NAME, VERSION, _exact, rounds=True)
"""What new files are written out for."""
EARLIER = Program(earlier.NAME, earlier.VERSION, _earlier, rounds=False)
"""What files are of that name no program."""


def recorded(entry: Mapping[str, Any]) -> Program:
    """The program that a record of a rounded or drawn model names. Raises: DomainError where it is none of these."""
    if "program" not in entry:
        return EARLIER
    found = entry["program"]
    for program in (EXACT, EARLIER):
        if found == program.record() and type(found["version"]) is int:
            return program
    raise DomainError(
        f"its model is of the program {quote(found)}, and this version of the tool knows {EXACT} and {EARLIER}: use "
        "the version that wrote the file, or certify the original model again"
    )
