"""Text forms of an explanation: a table for people, Markdown, CSV."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.explain.elasticity import Explanation, reading, records, signed
from ssm_bounds.report.table import Table, labelled

_HEADER = ("constant", "value", "elasticity", "halved", "doubled", "what moves")


def _cells(found: Explanation) -> list[tuple[str, ...]]:
    rows = []
    for row in found.rows:
        elasticity = "infinite" if row.elasticity is None else signed(float(row.elasticity.ball().mid()))
        certified = ("-" if value is None else decimal_string(value.upper) for value in (row.down, row.up))
        what = row.meaning
        if row.per == "unit":
            what += "; per unit, one less and one more"
        if row.slope is not None:
            what += f"; d ln/ds = {signed(float(row.slope.ball().mid()))}"
        rows.append((row.constant, f"{float(row.value):.5g}", elasticity, *certified, what))
    return rows


def _lines(found: Explanation) -> list[tuple[str, str]]:
    rung = found.rung
    value = float(rung.value.upper)
    share = found.setting.delta / found.delta
    difference = float(found.relaxed.upper) / value - 1
    lines = [("explained", f"{rung.name}, {rung.kind} {decimal_string(rung.value.upper)}, at delta/{share}")]
    if (best := found.passed_over) is not None:
        lines.append(
            ("instead of", f"{best.name} ({decimal_string(best.value.upper)}): it depends on the weights, not on norms")
        )
    return [
        *lines,
        ("elasticity", f"of the bound without grids and ceilings, here {difference:+.1e} relative from its enclosure"),
        ("halved", "and doubled: recomputed, upper ends of enclosures; every norm of a matrix moves with it"),
        ("verdict", "; if ".join((rung.verdict.value, *rung.conditions))),
    ]


def table(found: Explanation, console: Console) -> None:
    console.print(escape(reading(found)), style="bold", highlight=False, soft_wrap=True)
    Table(_HEADER, _cells(found), "lrrrrw").show(console)
    labelled(_lines(found), console)


def markdown(found: Explanation) -> str:
    lines = [f"- **{name}**: {text}\n" for name, text in _lines(found)]
    return "".join([f"**{reading(found)}**\n\n", Table(_HEADER, _cells(found)).markdown(), "\n", *lines])


def csv(found: Explanation) -> str:
    return Table.of_records(records(found)).csv()
