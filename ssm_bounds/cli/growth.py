"""``ssm-bounds growth``."""

from __future__ import annotations

import json

import click

from ssm_bounds.cli.options import FORMATS, fail


@click.command()
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def growth(form: str) -> None:
    """Table 1 recomputed: how each bound grows with T, d and B_u, for each sign of s_A; and those of a Mamba layer.

    Every entry is a limit taken from the symbolic bound, and is printed only where values at large arguments confirm
    it. The JSON shows both.

    \b
    Examples:
      ssm-bounds growth
      ssm-bounds growth --format markdown
      ssm-bounds growth --format json
    """
    from ssm_bounds.bounds.evaluate.asymptotics import GrowthError
    from ssm_bounds.bounds.explain.growth import derive
    from ssm_bounds.report import growth as table

    try:
        cells = derive()
    except GrowthError as problem:
        fail(problem)
    if form == "table":
        from rich.console import Console

        table.table(cells, Console())
    elif form == "json":
        click.echo(json.dumps([cell.as_dict() for cell in cells], indent=2))
    else:
        click.echo({"markdown": table.markdown, "latex": table.latex}[form](cells), nl=False)
