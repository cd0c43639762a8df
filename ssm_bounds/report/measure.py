"""tau by layer and channel: for people, as a table of records, and as the JSON document of ``docs/measure.md``.

Everything was measured in float64 and is printed to the nearest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ssm_bounds.measure import MeasureReport
from ssm_bounds.models.files.container import printable
from ssm_bounds.models.s4d.tally import Tally
from ssm_bounds.report import origin
from ssm_bounds.report.table import Table

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1
HEADING = "measure, not a bound"
COLUMNS = ("tau", "E y^2", "E y^2/tau", "a", "b")
MOST_ROWS = 64
"""Above it people see the channels of a layer by their smallest, their median and their largest."""
NOT_CLAIMED = (
    "Anything about new rows: mean and deviation are those of the rows at hand.",
    "Anything about the output of the model, or about a gap: certify has bounds, of one linear layer.",
)


def title(report: MeasureReport) -> str:
    file = report.file
    return printable(
        f"{HEADING}: {file.path} ({len(file.layers)} S4D layer{'s' * (len(file.layers) > 1)}), "
        f"{report.m:,} rows of length {report.T} in {report.source}"
    )


def show(report: MeasureReport, console: Console, *, channels: bool) -> None:
    console.print(title(report), style="bold", highlight=False, markup=False, soft_wrap=True)
    for line in _lines(report):
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)
    _table(report, channels).show(console)


def markdown(report: MeasureReport, *, channels: bool) -> str:
    lines = "\n".join(f"- {line}" for line in _lines(report))
    return f"# {title(report)}\n\n{lines}\n\n{_table(report, channels).markdown()}"


def csv(report: MeasureReport) -> str:
    """Every channel of every layer, in as many digits as float64 has."""
    return Table(
        ("measure, not a bound", "layer", "channel", *COLUMNS),
        [
            (HEADING, layer.name, str(j), *("" if math.isnan(v) else repr(v) for v in values))
            for layer in report.layers
            for j, values in enumerate(_values(layer).T.tolist())
        ],
    ).csv()


def _lines(report: MeasureReport) -> Iterator[str]:
    yield f"taken as given: {report.between}"
    yield (
        "tau = (a + b)^2 is, up to rounding, at least the mean square E y^2 of a channel's last output over these "
        "rows, before any activation (theory 16.2); a ratio far below 1: the inputs cancel; no ratio: tau is 0, or "
        "its sums cancel and rounding decides"
    )
    for line in NOT_CLAIMED:
        yield f"not claimed: {line}"


def _table(report: MeasureReport, channels: bool) -> Table:
    every = channels or sum(len(layer.tau) for layer in report.layers) <= MOST_ROWS
    rows = [row for layer in report.layers for row in (_each(layer) if every else _summary(layer))]
    return Table(("layer", "channel", *COLUMNS), rows, "llrrrrr")


def _each(layer: Tally) -> Iterator[tuple[str, ...]]:
    for j, values in enumerate(_values(layer).T):
        yield (layer.name, str(j), *map(_short, values))


def _summary(layer: Tally) -> Iterator[tuple[str, ...]]:
    """Column by column, so a line is no channel's."""
    values = _values(layer)
    for name, of in (("smallest", np.nanmin), ("median", np.nanmedian), ("largest", np.nanmax)):
        found = [math.nan if np.isnan(row).all() else float(of(row)) for row in values]
        yield (layer.name, f"{name} of {len(layer.tau)}", *map(_short, found))


def _values(layer: Tally) -> Any:
    """In the order of ``COLUMNS`` (5,d)."""
    return np.stack([layer.tau, layer.square, layer.ratio, layer.a, layer.b])


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"


def document(report: MeasureReport) -> Mapping[str, Any]:
    """One file as JSON. A key's meaning never changes."""
    file = report.file
    keys = ("tau", "mean_square", "ratio", "a", "b")
    return {
        **origin.head(SCHEMA),
        "heading": HEADING,
        "file": {"path": str(file.path), "sha256": file.sha256},
        "rows": {"source": report.source, "m": report.m, "T": report.T},
        "between": report.between,
        "layers": [
            {
                "name": layer.name,
                "d": own.d,
                "N": own.N,
                "channels": {
                    key: [None if math.isnan(v) else v for v in row]
                    for key, row in zip(keys, _values(layer).tolist(), strict=True)
                },
            }
            for layer, own in zip(report.layers, file.layers, strict=True)
        ],
        "not_claimed": list(NOT_CLAIMED),
    }
