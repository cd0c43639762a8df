"""What the questions about a folder with a classifier of Mamba blocks share, whatever bounds answer them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ssm_bounds import words
from ssm_bounds.bounds.gaps.losses import Loss
from ssm_bounds.bounds.ladder.rung import WHOLE, Hypothesis
from ssm_bounds.bounds.values import DomainError, Sample, Scalar, require
from ssm_bounds.coding import Coding
from ssm_bounds.data import require_fitting
from ssm_bounds.inquiry import Inquiry, Search, require_no_other, require_no_search
from ssm_bounds.models.files.checkpoint import MOST
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.design import lengths
from ssm_bounds.models.selective_ssm.tally import Tally
from ssm_bounds.models.tasks.task import Split, Task
from ssm_bounds.programs import Program, Progress, held_out


@dataclass(frozen=True, slots=True)
class File:
    """The folder that was read."""

    path: Path
    format: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What the bound is evaluated for: sizes d, N, V as in theory M0, k classes; V is 0 for real inputs."""

    sample: Sample
    loss: Loss
    margin: Scalar
    delta: Fraction
    d: int
    N: int
    V: int
    k: int = 2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OfFolder(Inquiry):
    """What is asked of a classifier of Mamba blocks. ``coding``: what a word is made of, if one is asked for."""

    checkpoint: File
    setting: Setting
    classifier: Classifier
    coding: Coding | None = None

    def conditions(self, hypothesis: Hypothesis) -> tuple[str, ...]:
        if hypothesis in (Hypothesis.PROGRAM, Hypothesis.GATE):
            return tuple(f"{line} (its config does not say it)" for line in self.classifier.assumed)
        return Inquiry.conditions(self, hypothesis)


def ran(question: OfFolder, test: Tally | None, progress: Progress) -> tuple[Program, ...]:
    """The rungs about a program: a word where one was asked for, and with test rows a hold-out."""
    found = () if question.coding is None else words.programs(question, question.coding, progress)
    return found if test is None else (*found, held_out(question, test))


def claiming(programs: tuple[Program, ...]) -> int:
    """How many of them claim a risk, or bits: a word, and a hold-out."""
    return sum(program.rung.kind in WHOLE for program in programs)


def require_stated(path: Path, search: Search, stated: dict[str, Any]) -> None:
    """Nothing that only the paper's model has."""
    require_no_other(path, "a Mamba block", stated)
    require_no_search(path, "Mamba blocks", search, "one_draw", "certify_loss")


def count(recorded: Any, name: str) -> int | None:
    value = recorded.get(name) if isinstance(recorded, dict) else None
    return value if type(value) is int and 1 <= value <= MOST else None


def require_rows(classifier: Classifier, task: Task, T: int) -> None:
    """Raises: DomainError for rows that are not the model's, and labels that it cannot answer with."""
    for name, split in (("training", task.train), ("test", task.test)):
        if split is not None:
            _require_split(classifier, split, T, f"{task.source}: the {name} rows")


def _require_split(classifier: Classifier, split: Split, T: int, where: str) -> None:
    E, inputs = classifier.embedding, classifier.input_weight
    V, width = None if E is None else len(E), None if inputs is None else inputs.shape[1]
    require_fitting(split, where, V=V, width=width, k=len(classifier.score))
    require(split.T <= T, f"{where} have length {split.T}, above T = {T}")
    try:
        lengths(split.x, classifier.pad)
    except DomainError as error:
        raise DomainError(f"{where}: {error}") from error
