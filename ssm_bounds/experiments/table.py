"""The tidy table of an experiment: one row a trained model, one column a variable."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from ssm_bounds.experiments.comparison import Compared
from ssm_bounds.models.files.atomic import replacing


def write_table(path: Path, found: Sequence[Compared]) -> None:
    """Settings, outcome, scores, measured gaps, constants, bounds. Raises: OSError."""
    rows = [each.row() for each in found]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, temporary.open("x", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
