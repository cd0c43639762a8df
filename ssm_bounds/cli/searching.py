"""The rungs that search with the training data at hand: Occam (theory.md 8.1) and one draw (8.2)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bounds.constants import Gate
    from bounds.rung import Rung
    from models.checkpoint import Checkpoint, Convention
    from models.tasks.task import Task
    from models.weights import Weights

BUDGET = 150.0


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for. ``seed``: of the searches and of the one draw. ``save``: where the model goes."""

    occam: bool = False
    one_draw: bool = False
    budget: float = BUDGET
    seed: int = 0
    save: Path | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What both rungs need of the file, the data and the setting."""

    checkpoint: Checkpoint
    task: Task
    gate: Gate
    convention: Convention
    delta: Fraction
    T: int
    conditions: Sequence[str]

    def write(self, path: Path, weights: Weights, **record: Any) -> None:
        """Save weights with what a later certificate of them needs."""
        from models.checkpoint import Metadata, write

        old = self.checkpoint.metadata
        chosen = None if weights.V is None else "trained"
        write(
            path,
            weights,
            Metadata(
                task=old.task,
                m=self.task.train.m,
                T=self.T,
                gate=self.gate,
                convention=self.convention,
                embedding=chosen,  # type: ignore[arg-type]
                extra=old.extra,
                **record,
            ),
        )


def rungs(search: Search, known: Known) -> list[Rung]:
    """The rungs asked for, and those that the file has a record of. Raises: ValueError."""
    found = []
    recorded = known.checkpoint.metadata
    if search.occam:
        found.append(_occam(search, known))
    elif recorded.occam is not None:
        found.append(_recorded_occam(known, recorded.occam))
    if search.one_draw:
        found.append(_one_draw(search, known))
    elif recorded.one_draw is not None:
        found.append(_recorded_draw(known, recorded.one_draw))
    return found


def _occam(search: Search, known: Known) -> Rung:
    from models import quantise, rounded

    train = known.task.train
    with _progress("rounding", search.budget) as show:
        found = quantise.search(
            known.checkpoint.weights,
            train,
            gate=known.gate,
            convention=known.convention,
            delta=known.delta,
            budget=search.budget,
            seed=search.seed,
            progress=lambda stage: show(
                stage.seconds, f"{stage.name}: {stage.errors} errors, {stage.nats:.0f} nats, about {stage.risk:.4f}"
            ),
        )
    certified = rounded.certified(found.weights, found.code, train, convention=known.convention, delta=known.delta)
    if search.save is not None:
        known.write(search.save, found.weights, occam=rounded.record(found, known.delta))
    agreement = f"it answers as the given model on {found.agreement} of {found.m} training rows"
    return _coded(known, certified, [agreement, *([found.stopped] if found.stopped else [])])


def _recorded_occam(known: Known, record: Any) -> Rung:
    from models import rounded

    weights = known.checkpoint.weights
    code, _ = rounded.recorded(weights, record, known.gate)
    certified = rounded.certified(weights, code, known.task.train, convention=known.convention, delta=known.delta)
    return _coded(known, certified, ["the code is that of the file"])


def _coded(known: Known, certified: Any, remarks: list[str]) -> Rung:
    from bounds.decimals import decimal_string
    from bounds.ladder import risk_of_weights

    code = certified.code
    shown = f"{certified.errors} errors of the rounded model on {certified.m} rows"
    paid = f"{decimal_string(certified.nats.upper, 3)} nats ({code})"
    return risk_of_weights(
        "occam",
        certified.risk,
        "; ".join((f"{shown}, {paid}", *remarks)),
        conditions=known.conditions,
        details={
            "errors": certified.errors,
            "m": certified.m,
            "nats": certified.nats,
            "code": str(code),
            "by_block": [{"block": name, "parameters": size, "nats": nats} for name, size, nats in certified.ledger],
        },
    )


def _one_draw(search: Search, known: Known) -> Rung:
    from bounds.pac_bayes import Draw, expected_risk, prior_center
    from models import posterior

    weights, train = known.checkpoint.weights, known.task.train
    center = prior_center(posterior.sizes(weights))
    with _progress("posterior", search.budget) as show:
        found = posterior.search(
            weights,
            train,
            center=center,
            bound=lambda error, divergence: expected_risk(error, divergence, train.m, known.delta),
            gate=known.gate,
            convention=known.convention,
            settings=posterior.Settings(budget=search.budget),
            progress=lambda step: show(
                step.done * search.budget,
                f"step {step.number}: error {step.error:.3f}, KL {step.divergence:.0f}, about {step.bound:.4f}",
            ),
        )
    draw = Draw.once(center=center, mean=found.mean, factor=found.factor, seed=search.seed)
    drawn = posterior.unflatten(draw.parameters, weights)
    if search.save is not None:
        known.write(search.save, drawn, one_draw=draw.record())
    return _drawn(known, draw, drawn, [found.stopped] if found.stopped else [])


def _recorded_draw(known: Known, record: Any) -> Rung:
    import numpy as np

    from bounds.constants import require
    from bounds.pac_bayes import Draw, prior_center
    from models import posterior

    weights = known.checkpoint.weights
    draw = Draw.replay(record, center=prior_center(posterior.sizes(weights)))
    parameters = draw.parameters
    require(
        parameters.shape == posterior.flatten(weights).shape
        and bool(np.array_equal(parameters, posterior.flatten(weights))),
        "the weights are not those that the file's record of the draw gives: certify the original model again",
    )
    return _drawn(known, draw, weights, ["the draw is that of the file"])


def _drawn(known: Known, draw: Any, weights: Weights, remarks: list[str]) -> Rung:
    from bounds.decimals import decimal_string
    from bounds.ladder import risk_of_weights
    from models.rounded import mistakes

    train = known.task.train
    errors = mistakes(weights, train, gate=known.gate, convention=known.convention)
    nats = draw.log_ratio
    shown = f"{errors} errors of the drawn model on {train.m} rows, ln dQ/dP = {decimal_string(nats.upper, 3)} nats"
    return risk_of_weights(
        "one-draw",
        draw.risk(errors, train.m, known.delta),
        "; ".join((f"{shown}, seed {draw.seed}, fixed before the data and drawn once", *remarks)),
        conditions=known.conditions,
        details={"errors": errors, "m": train.m, "nats": nats, "seed": draw.seed, "parameters": len(draw.mean)},
    )


@contextmanager
def _progress(what: str, budget: float) -> Iterator[Callable[[float, str], None]]:
    """A bar over the budget on a terminal; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(what), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("", total=budget)
        yield lambda seconds, text: progress.update(bar, completed=seconds, description=text)
