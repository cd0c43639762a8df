"""One training: from a frozen configuration to a model, a log and a record of what was measured and certified."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from ssm_bounds.bounds.values import Sample, require
from ssm_bounds.experiments.certified import Certifier
from ssm_bounds.models.files import atomic, checkpoint
from ssm_bounds.models.selective_ssm.evaluate import Scores, score
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.imdb import imdb
from ssm_bounds.models.tasks.listops import listops
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Task
from ssm_bounds.models.training.caps import Caps
from ssm_bounds.models.training.monitor import BoundMonitor, Row
from ssm_bounds.models.training.train import Epoch, Settings, Status, TrainError, TrainResult, initial_model, train

TASKS: Mapping[str, Callable[..., Task]] = {
    "majority": majority,
    "listops": listops,
    "imdb": imdb,
    "file": read_task,
}
"""Every task by name. To add one, add a file to ``models/tasks`` and an entry."""

_CERTIFY, _FREE = Settings(), Caps()
_PAPER = replace(_CERTIFY, batch=64, lr=0.01, weight_decay=1e-5, schedule="plateau", spread=10.0, caps=_FREE)

RECIPES: Mapping[str, Mapping[str, Settings]] = {
    "certify": {
        "majority": _CERTIFY,
        "listops": replace(_CERTIFY, d=16, batch=64),
        "imdb": replace(_CERTIFY, d=16),
        "file": _CERTIFY,
    },
    "paper": {
        "majority": replace(_PAPER, epochs=40),
        "listops": replace(_PAPER, d=16, epochs=40),
        "imdb": replace(_PAPER, d=16, batch=256, epochs=30),
        "file": replace(_PAPER, epochs=40),
    },
}
"""Settings by purpose and task. ``certify``: small norms, s_A <= 0. ``paper``: the authors' code; A is free."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One training. ``options``: what the task takes (``TASKS[task](**options)``), plain JSON values.

    ``input_bound``: B_u of real-valued inputs, fixed before the data. Raises: DomainError.

    >>> config = RunConfig("majority", {"m": 1000, "T": 200, "seed": 1}, Settings(seed=1))
    >>> RunConfig.from_dict(config.as_dict()) == config
    True
    """

    task: str
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Settings = _CERTIFY
    input_bound: float | None = None
    delta: Fraction = Fraction(1, 20)

    def __post_init__(self) -> None:
        require(self.task in TASKS, f"task: expected one of {', '.join(TASKS)}, got {self.task!r}")
        require(0 < self.delta < 1, f"delta is a failure probability in (0, 1), got {self.delta}")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in a fixed order."""
        return asdict(self) | {"options": dict(sorted(self.options.items())), "delta": str(self.delta)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        settings = dict(values["settings"])
        settings["caps"] = Caps(**settings["caps"])
        return cls(**{**values, "settings": Settings(**settings), "delta": Fraction(values["delta"])})

    @property
    def key(self) -> str:
        """Twelve hex digits that say which configuration this is."""
        return hashlib.sha256(json.dumps(self.as_dict()).encode()).hexdigest()[:12]

    def load(self) -> Task:
        """The data. Raises: ValueError, OSError."""
        try:
            return TASKS[self.task](**self.options)
        except TypeError as error:
            raise ValueError(f"task {self.task!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one training. The model is that after ``epochs`` complete epochs (0: the initial one).

    ``status`` and ``reason`` as in ``training.train.TrainResult``. ``m``, ``T``: the sample as certified,
    T the longest of training and test sequences.
    ``exponent``: s_A times the longest gated time ``sum_t Delta_t`` of a training sequence, at the initial weights: an
    unstable state grows by ``e^exponent`` over that sequence, and float32 ends at ``e^88.7``.
    ``constants`` and ``certified``: see ``certified.Certifier``. ``shift``: how the training data differ in
    distribution from the test data; then the certified numbers say nothing about the test scores.
    """

    config: RunConfig
    status: Status
    reason: str | None
    epochs: int
    m: int
    T: int
    train: Scores
    test: Scores | None
    constants: Row
    certified: Row
    shift: str | None
    seconds: float
    exponent: float = math.nan

    def gaps(self) -> dict[str, float]:
        """Test minus training: ``cross_entropy``, ``ramp`` (what ``certified_gap`` bounds), ``error``; and ``margin``:
        test error minus the fraction of training margins <= 1 (what ``certified_excess`` bounds). Empty without a
        test set; NaN where outputs left the range of floats, which says nothing about the model in real arithmetic."""
        if self.test is None:
            return {}
        if not (math.isfinite(self.train.cross_entropy) and math.isfinite(self.test.cross_entropy)):
            return dict.fromkeys(("cross_entropy", "ramp", "error", "margin"), math.nan)
        found = {
            name: getattr(self.test, name) - getattr(self.train, name) for name in ("cross_entropy", "ramp", "error")
        }
        return found | {"margin": self.test.error - self.train.low_margins}

    def row(self) -> dict[str, Any]:
        """One flat row of a table: settings, outcome, scores, gaps, constants, certificates."""
        config = self.config.as_dict()
        settings = config["settings"]
        caps = {f"cap_{name}": value for name, value in settings.pop("caps").items()}
        options = {name: value for name, value in config["options"].items() if name not in ("m", "T", "seed")}
        found = {"key": self.config.key, "task": self.config.task, "m": self.m, "T": self.T, **options}
        found |= {"data_seed": config["options"].get("seed"), **settings, **caps, "epochs_run": self.epochs}
        found |= {"initial_s_A": settings["s_A"], "delta": float(self.config.delta), "shift": self.shift}
        found |= {"exponent": self.exponent, "status": self.status, "reason": self.reason, "seconds": self.seconds}
        for name, scores in (("train", self.train), ("test", self.test)):
            found |= {} if scores is None else {f"{name}_{key}": value for key, value in asdict(scores).items()}
        return (
            found | {f"gap_{name}": value for name, value in self.gaps().items()} | {**self.constants, **self.certified}
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON values; numbers that are not finite as strings."""
        return _storable(asdict(self) | {"config": self.config.as_dict()})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        numbers: dict[str, Any] = {name: _numbers(values[name]) for name in ("constants", "certified", "train", "test")}
        scores = {name: None if numbers[name] is None else Scores(**numbers[name]) for name in ("train", "test")}
        numbers["exponent"] = float(values.get("exponent", math.nan))
        return cls(**{**values, **numbers, **scores, "config": RunConfig.from_dict(values["config"])})


def fit(
    config: RunConfig,
    out: Path,
    *,
    task: Task | None = None,
    resume: bool = False,
    every: int = 0,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[TrainResult, Record]:
    """Train, log to ``out`` with the suffixes .csv and .jsonl, keep the state in .state until the training has ended.

    ``resume`` goes on from that state if it is there. ``every``: epochs between certificates in the log (0: the last).
    ``task``: the data of ``config``, if they are there already. Uses one thread, and leaves torch at that: these
    tensors are too small to share, and a second thread spins for minutes on a busy machine.
    Raises: ValueError, OSError.
    """
    torch.set_num_threads(1)
    start = time.perf_counter()
    task = config.load() if task is None else task
    _check_inputs(task, config)
    sample = Sample(task.train.m, max(split.T for split in (task.train, task.test) if split is not None))
    asked = Certifier(sample, config.settings.gate, config.input_bound, delta=config.delta)
    state = out.with_suffix(".state")
    if not resume:
        state.unlink(missing_ok=True)
    monitor = BoundMonitor(out.with_suffix(""), asked.constants, certify=asked.bounds, every=every)
    result = train(task, config.settings, progress=progress, monitor=monitor, state=state)
    if result.status != "interrupted":
        state.unlink(missing_ok=True)
    weights = result.model.weights()
    record = Record(
        config,
        result.status,
        result.stopped,
        len(result.history),
        sample.m,
        sample.T,
        score(result.model, task.train),
        None if task.test is None else score(result.model, task.test),
        asked.constants(weights),
        asked.bounds(weights),
        task.shift,
        time.perf_counter() - start,
        _exponent(task, config.settings),
    )
    return result, record


def _exponent(task: Task, settings: Settings) -> float:
    model = initial_model(task, settings)
    with torch.no_grad():
        longest = max(model.gated_time(rows).max().item() for rows in torch.from_numpy(task.train.x).split(1024))
    return model.s_A * longest


def _check_inputs(task: Task, config: RunConfig) -> None:
    if task.V is not None:
        return
    d, bound = task.train.x.shape[2], config.input_bound
    if d != config.settings.d:
        raise TrainError(f"the inputs have {d} channels, the model has {config.settings.d}: give --d {d}")
    if bound is None:
        raise TrainError("real-valued inputs need a bound on |u_t| stated before the data: give --input-bound B")
    for name, split in (("train", task.train), ("test", task.test)):
        largest = 0.0 if split is None else float(np.linalg.norm(split.x.astype(float), axis=2).max())
        if largest > bound:
            raise TrainError(f"the {name} inputs reach norm {largest:g}, above the bound {bound:g} (--input-bound)")


def write_model(out: Path, result: TrainResult, record: Record) -> None:
    """A native checkpoint with everything that ``ssm-bounds certify`` needs. Raises: CheckpointError."""
    settings = record.config.settings
    extra = {name: str(getattr(settings, name)) for name in ("seed", "lr", "weight_decay", "batch")}
    extra |= {"epochs": str(record.epochs), "status": record.status, "train_error": str(record.train.error)}
    extra |= {name: str(value) for name, value in record.config.options.items() if name not in ("m", "T", "seed")}
    if record.test is not None:
        extra["test_error"] = str(record.test.error)
    if record.shift is not None:
        extra["shift"] = record.shift
    weights = result.model.weights()
    metadata = checkpoint.Metadata(
        task=record.config.task,
        m=record.m,
        T=record.T,
        gate=settings.gate,
        convention=settings.convention,
        embedding="none" if weights.V is None else "trained",
        extra=extra,
    )
    checkpoint.write(out, weights, metadata)


def read_record(path: Path) -> Record:
    """Raises: ValueError naming the file; OSError."""
    try:
        return Record.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not the record of a run; move its folder out of {path.parent.parent}") from error


def run(
    config: RunConfig, folder: Path, *, every: int = 0, progress: Callable[[Epoch], None] = lambda epoch: None
) -> Record:
    """The record of ``config`` in ``folder/<key>/``: read if it is there, else made, going on where a killed one stood.

    Writes ``model.safetensors``, ``model.csv``, ``model.jsonl`` and, last, ``record.json``: with a record, a folder is
    complete. After Ctrl-C (status "interrupted") there is no record, and the next call resumes.
    Picklable, so that it runs on any ``concurrent.futures.Executor``. Raises: ValueError, OSError.
    """
    place = folder / config.key
    path = place / "record.json"
    if path.exists():
        return read_record(path)
    place.mkdir(parents=True, exist_ok=True)
    out = place / "model.safetensors"
    result, record = fit(config, out, resume=True, every=every, progress=progress)
    if record.status != "interrupted":
        write_model(out, result, record)
        atomic.write(path, (json.dumps(record.as_dict(), indent=2, allow_nan=False) + "\n").encode())
    return record


def _storable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _storable(item) for name, item in value.items()}
    return str(value) if isinstance(value, float) and value - value != 0 else value


def _numbers(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {name: float(value) if isinstance(value, str) else value for name, value in values.items()}
