"""A command out of an entry of the list of experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from ssm_bounds.experiments.catalogue import Listed


def described(entry: Listed, run: Callable[..., None], options: Sequence[Callable[[Any], Any]]) -> click.Command:
    """With its options, its line of help and its examples."""
    examples = "\n".join(f"  ssm-bounds experiment {entry.name} {example}".rstrip() for example in entry.examples)
    decorated: Callable[..., None] = run
    for option in reversed(options):
        decorated = option(decorated)
    return click.command(entry.name, help=f"{entry.text}\n\n\b\nExamples:\n{examples}")(decorated)
