"""A log of what a bound depends on, epoch by epoch, for any training loop."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from ssm_bounds.models.files.atomic import replacing
from ssm_bounds.models.selective_ssm.weights import Weights

Value: TypeAlias = float | int | None
Row: TypeAlias = Mapping[str, Value]
Measure: TypeAlias = Callable[[Weights], Row]


class BoundMonitor:
    """Writes one row an epoch to ``path`` with the suffixes ``.csv`` and ``.jsonl`` (JSON lines).

    A row is: epoch, what the caller reports (loss, accuracy), what ``measure`` finds in the weights, and every
    ``every`` epochs (0: only when asked to) what ``certify`` finds: see ``ssm_bounds.experiments.certified`` for both.
    Each epoch replaces the files as a whole, so they are never half written. A row replaces those of its epoch and
    later ones: a training that is resumed, or started over, leaves a log of one training.
    Non-finite numbers are ``inf``, ``-inf``, ``nan`` in the table and those strings in JSON; a missing value is empty
    and null. Raises: OSError; what ``measure`` and ``certify`` raise; ValueError for a log that is not one.

    In a training loop of your own, with the weights as arrays (``SelectiveSSM.weights()`` if it trains that model):

    >>> import tempfile, numpy as np
    >>> ones = np.ones((2, 2))
    >>> weights = Weights(A=-ones, W_B=ones, W_C=ones, q=ones[0], p=0.0, W=ones)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     monitor = BoundMonitor(Path(folder) / "log", lambda weights: {"s_A": weights.A.max()})
    ...     for epoch in range(1, 3):
    ...         row = monitor(weights, epoch, loss=1 / epoch)  # after the epoch's last step
    ...     print((Path(folder) / "log.csv").read_text())
    epoch,loss,s_A
    1,1.0,-1.0
    2,0.5,-1.0
    <BLANKLINE>
    """

    def __init__(
        self, path: Path | str, measure: Measure, *, certify: Measure = lambda weights: {}, every: int = 0
    ) -> None:
        if every < 0:
            raise ValueError(f"every: expected a number of epochs >= 0, got {every}")
        self.table, self.lines = (Path(f"{path}{suffix}") for suffix in (".csv", ".jsonl"))
        self._measure, self._certify, self._every = measure, certify, every
        self._rows: list[dict[str, Value]] = read_log(self.lines) if self.lines.exists() else []

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows so far."""
        return tuple(self._rows)

    def __call__(self, weights: Weights, epoch: int, *, certify: bool = False, **reported: Value) -> Row:
        """Log the weights at the end of ``epoch``; with ``certify`` also the bounds, whatever the epoch. The row."""
        row: dict[str, Value] = {"epoch": epoch, **reported, **_plain(self._measure(weights))}
        if certify or (self._every and epoch % self._every == 0):
            row |= _plain(self._certify(weights))
        self._rows = [earlier for earlier in self._rows if _epoch(earlier) < epoch] + [row]
        self._write()
        return row

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        with replacing(self.table) as temporary, temporary.open("x", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows)
        with replacing(self.lines) as temporary, temporary.open("x", encoding="utf-8") as stream:
            for row in self._rows:
                stream.write(json.dumps({name: _json(value) for name, value in row.items()}, allow_nan=False) + "\n")


def read_log(path: Path | str) -> list[dict[str, Value]]:
    """The rows of a ``.jsonl`` log. Raises: ValueError naming the line; OSError."""
    rows = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            rows.append({name: float(value) if isinstance(value, str) else value for name, value in row.items()})
            _epoch(rows[-1])
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a row of a training log; move the file away") from error
    return rows


def _epoch(row: Row) -> int:
    value = row["epoch"]
    if not isinstance(value, int):
        raise TypeError
    return value


def _plain(values: Row) -> dict[str, Value]:
    """NumPy's numbers as Python's."""
    return {name: value if value is None or type(value) is int else float(value) for name, value in values.items()}


def _json(value: Value) -> Value | str:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
