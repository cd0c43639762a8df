"""What the commands share: one-line failures, and exact numbers as options."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import click

FORMATS = ("table", "json", "markdown", "latex")


def fail(problem: object) -> NoReturn:
    """One line on stderr, exit code 2."""
    click.echo(f"ssm-bounds: {problem}", err=True)
    sys.exit(2)


def located(path: Path, problem: Exception) -> str:
    """A problem with a file, in one line that names it."""
    text = " ".join(str(problem).split())
    return text if str(path) in text else f"{path}: {text}"


def number(lower: Fraction | None, what: str, *, upper: Fraction | None = None, word: str | None = None) -> Any:
    """Option callback: an exact number in an open interval, or the given word."""

    def parse(context: click.Context, parameter: click.Parameter, value: str | None) -> Fraction | str | None:
        if value is None or value == word:
            return value
        try:
            number = Fraction(value)
        except (ValueError, ZeroDivisionError):
            raise click.BadParameter(f"{value!r} is not {what}") from None
        if (lower is not None and number <= lower) or (upper is not None and number >= upper):
            raise click.BadParameter(f"{value} is not {what}")
        return number

    return parse


def seconds(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Option callback: FloatRange lets NaN through, which no clock ever reaches."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number of seconds")
    return value


POSITIVE = number(Fraction(0), "a number > 0")
