"""Text forms of the table of growth: one grid for each sign of s_A."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from ssm_bounds.bounds.evaluate.typeset import tex
from ssm_bounds.bounds.explain.growth import HEADER, NOTES, ConfirmedGrowth, rows
from ssm_bounds.report.table import Table


def table(cells: Sequence[ConfirmedGrowth], console: Console) -> None:
    for regime, body in rows(cells, ConfirmedGrowth.text):
        Table(HEADER, body, title=regime.value).show(console)
    for note in NOTES:
        console.print(escape(note), style="dim", highlight=False)


def markdown(cells: Sequence[ConfirmedGrowth]) -> str:
    grids = [
        f"## {regime.value}\n\n{Table(HEADER, body).markdown()}\n" for regime, body in rows(cells, ConfirmedGrowth.text)
    ]
    return "".join([*grids, *(f"- {note}\n" for note in NOTES)])


def latex(cells: Sequence[ConfirmedGrowth]) -> str:
    """One tabular environment (booktabs) per sign of s_A, notes as comments."""
    notes = [f"% {note}\n" for note in NOTES]
    header = list(map(tex, HEADER))
    grids = [
        f"% {regime.value}\n{Table(header, body).latex(str)}"
        for regime, body in rows(cells, ConfirmedGrowth.latex, tex)
    ]
    return "".join([*notes, *grids])
