"""What the commands share: one-line failures, and numbers as options."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import NoReturn

import click

_LONGEST = 1000  # characters of a message: what a file says in it may have any length
FORMATS = ("table", "json", "markdown", "latex")


def fail(problem: object) -> NoReturn:
    """One line on stderr, exit code 2."""
    click.echo(f"ssm-bounds: {problem}", err=True)
    sys.exit(2)


def located(path: Path, problem: Exception) -> str:
    """A problem with a file, in one printable line that names it."""
    from ssm_bounds.models.files.container import printable

    text = " ".join(str(problem).split())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return printable(text if str(path) in text else f"{path}: {text}")


def seconds(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Option callback: FloatRange lets NaN through, which no clock ever reaches."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number of seconds")
    return value
