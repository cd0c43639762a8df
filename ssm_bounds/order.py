"""What order a model of one selective layer cannot see, whatever its weights: the four-point identity on this file.

A model outside the hypotheses is refused, by the one that it breaks. Numbers about the model are measured by its
program, beside what rounding can make of 0; the lower bounds hold for every model of the kind (theory 15.4 to 15.6).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

from ssm_bounds.bounds.architectures.order import HYPOTHESES
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.data import read_data, require_fitting
from ssm_bounds.evidence import Fact, choice
from ssm_bounds.models.files import classifier
from ssm_bounds.models.files.checkpoint import Checkpoint, read
from ssm_bounds.models.files.container import CheckpointError, printable
from ssm_bounds.models.files.formats.blocks import places
from ssm_bounds.models.files.formats.vision_mamba import BACKWARD
from ssm_bounds.models.files.tensors import Tensors, open_tensors
from ssm_bounds.models.selective_ssm.four_points import FourPoints, four_points
from ssm_bounds.models.tasks.complete import Complete, complete
from ssm_bounds.models.tasks.quadruples import cut, drawn
from ssm_bounds.models.tasks.task import Task

MET = {
    "H1": "decay and update are functions of the token's own embedding, or real input",
    "H2": "A is diagonal",
    "H3": "the logits are W y_T, y_T linear in the state with the entries of W_C u_T",
    "H4": "every suffix here has a token at least",
    "H5": "the state before the first token is 0",
}
"""Why every model of theory 1 is under each hypothesis, with either gate and in either convention."""


class HypothesisError(DomainError):
    """A model that the identity is not about."""


class IdentityError(ArithmeticError):
    """A residual that rounding does not explain."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Complete quadruples among ``m`` labelled rows; ``source``: where the rows are."""

    source: str
    m: int
    found: Complete

    @property
    def error(self) -> Fraction:
        """Every model under the identity errs on this share of the rows at least."""
        return Fraction(len(self.found.rows), self.m)


@dataclass(frozen=True, slots=True, eq=False)
class OrderReport:
    """What the identity says of one file. ``facts``: gate and convention, with which the program ran; the identity
    holds with the others too. ``asked``: quadruples. ``labelled``: None for random tokens."""

    checkpoint: Checkpoint
    facts: tuple[Fact, ...]
    asked: int
    seed: int
    points: FourPoints
    labelled: Labelled | None

    @property
    def sentence(self) -> str:
        return (
            "In real arithmetic, whatever the weights, the size and the training: what another order of a block "
            "changes in the logits does not depend on what stands before the block, if the last token stays the same. "
            "So of four sequences qpe, qp'e, q'pe, q'p'e that are labelled a, b, b, a, a not b, at least one gets the "
            "wrong answer, under any fixed rule for ties."
        )


def order(
    path: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | Task | None = None,
    quadruples: int = 10_000,
    seed: int = 0,
) -> OrderReport:
    """The identity on the model in ``path``: on sequences cut from the training rows of ``data``, or on random tokens.

    Raises: ValueError (HypothesisError: a model that the identity is not about; a file that cannot be read, data that
    are not the model's), IdentityError, OSError.
    """
    require(type(quadruples) is int and quadruples >= 1, f"quadruples: expected a number >= 1, got {quadruples!r}")
    require(type(seed) is int and seed >= 0, f"seed: expected a whole number >= 0, got {seed!r}")
    checkpoint = _model(Path(path))
    recorded, weights = checkpoint.metadata, checkpoint.weights
    facts = (
        choice("gate", None, recorded.gate, "softplus"),
        choice("convention", None, recorded.convention, "code"),
    )
    labelled = None
    if data is None:
        if weights.V is None:
            raise DomainError(f"{path}: the model has real inputs and no tokens to draw; give --data")
        batches = drawn(weights.V, quadruples, seed)
    else:
        task = data if isinstance(data, Task) else read_data(data)
        where = f"{task.source}: the training rows"
        require_fitting(task.train, where, V=weights.V, width=weights.d, k=weights.k)
        labelled = Labelled(task.source, task.train.m, complete(task.train))
        try:
            batches = cut(task.train.x, quadruples, seed)
        except DomainError as error:
            raise DomainError(f"{task.source}: {error}") from error
    chosen: dict[str, Any] = {fact.name: fact.value for fact in facts}
    points = four_points(weights, batches, **chosen)
    if not points.quadruples:
        where = "random tokens" if labelled is None else labelled.source
        raise DomainError(f"{where}: no row holds a block with an order after a prefix that another row has not")
    if points.open == points.quadruples:
        raise DomainError(
            f"{path}: none of {points.open} quadruples can be held to the identity: their logits are not finite, or no "
            "larger than what rounding makes of them"
        )
    if points.beyond:
        raise IdentityError(
            f"{path}: {points.beyond} of {points.quadruples} residuals exceed what rounding can make of 0: the program "
            "did not compute the model of theory 1 here; run again, and report it if it stays"
        )
    return OrderReport(checkpoint, facts, quadruples, seed, points, labelled)


def _model(path: Path) -> Checkpoint:
    """A model of theory 1. Raises: HypothesisError for one of Mamba layers, CheckpointError."""
    if path.is_dir():
        _refuse(path, open_tensors(path))
    try:
        return read(path)
    except CheckpointError:
        with suppress(CheckpointError):
            other = open_tensors(path)
            if places(other.tensors):
                _refuse(path, other)
        raise


def _refuse(path: Path, file: Tensors) -> NoReturn:
    """Raise HypothesisError naming what the Mamba layers of a file break, or what stands behind them; and if nothing
    does, that. Raises: CheckpointError for a file of anything else."""
    broken = _of_layers(file)
    if broken is None:
        head = classifier.read(path)
        if head.pooling == "mean":
            broken = "H3", "its head reads the mean over the tokens, not the last one"
        elif head.final_norm is not None:
            broken = "H3", "a norm stands between the block and the head"
    if broken is None:
        raise HypothesisError(
            f"{path}: the identity holds for this block, but only models of theory 1 are run here; name one of them"
        )
    name, why = broken
    raise HypothesisError(printable(f"{path}: outside ({name}), that {HYPOTHESES[name]}: {why}"))


def _of_layers(file: Tensors) -> tuple[str, str] | None:
    """The first hypothesis that the layers break, and how, by the names and shapes of their tensors alone."""
    mixers = [place.mixer for place in places(file.tensors)]
    if len(mixers) > 1:
        return "H1", f"it has {len(mixers)} layers, and what the second is given depends on all earlier tokens"
    for mixer in mixers:
        if any(mixer + name in file for name in BACKWARD):
            return "H1", "it reads from both ends, so that what a token does depends on the later ones"
        taps = file.shape(f"{mixer}conv1d.weight")[-1] if f"{mixer}conv1d.weight" in file else 1
        if taps > 1:
            return "H1", f"a convolution of width {taps} before the scan makes what a token does depend on others"
        if f"{mixer}norm.weight" in file:
            return "H3", "a norm stands between the scan and the output"
    return None
