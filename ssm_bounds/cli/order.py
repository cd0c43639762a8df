"""``ssm-bounds order``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ssm_bounds.cli.options import fail, located


@click.command(no_args_is_help=True)
@click.argument("path", type=click.Path(path_type=Path), metavar="MODEL")
@click.option("--data", type=click.Path(path_type=Path), help="Cut the sequences from the training rows of this file.")
@click.option("--random-tokens", is_flag=True, help="Draw the sequences uniformly from the vocabulary.")
@click.option("--quadruples", type=click.IntRange(1, 10**7), default=10_000, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Of the draws.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
def order(path: Path, data: Path | None, random_tokens: bool, quadruples: int, seed: int, form: str) -> None:
    """What order a model of one selective layer cannot see, whatever its size and training.

    What another order of a block of tokens changes in the logits does not depend on what stands before the block: a
    theorem, seen here on this file within what rounding can make of it, with what follows from it for every such
    model. With --data, rows that ask for the opposite are counted: each four of them cost at least one error.

    \b
    Examples:
      ssm-bounds order model.pth --random-tokens
      ssm-bounds order model.pth --data train.npz
      ssm-bounds order model.pth --data train.npz --quadruples 1000 --seed 1 --format json

    Exit codes: 0; 2 where the file cannot be read, or holds a model that the theorem is not about: the hypothesis that
    it breaks is named.
    """
    if random_tokens == (data is not None):
        raise click.UsageError("give either --data FILE or --random-tokens")
    try:
        from ssm_bounds.order import order as ordered
        from ssm_bounds.report.order import document, show

        found = ordered(path, data=data, quadruples=quadruples, seed=seed)
    except OSError as problem:
        fail(f"{problem.filename or path}: {problem.strerror or problem}")
    except (ValueError, ArithmeticError) as problem:
        fail(located(path, problem))
    if form == "json":
        click.echo(json.dumps(document(found), indent=2, allow_nan=False))
    else:
        from rich.console import Console

        show(found, Console())
