"""The table of architectures at equal constants: for people, Markdown, CSV, and the JSON of ``docs/compare.md``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ssm_bounds.bounds.evaluate.balls import Enclosure, exact
from ssm_bounds.bounds.evaluate.decimals import decimal_string, number
from ssm_bounds.bounds.ladder.equal import said
from ssm_bounds.comparison import NOT_READ, READ, STANDING, Comparison, Row, Value
from ssm_bounds.report.table import Table

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1
ANY = "any"
"""Of a class in which the number of parameters does not enter."""


def table(found: Comparison, *, least: int = 24) -> Table:
    """A row for each model and class, a column for each length; numbers are rounded up."""
    lengths = [f"T = {T}" if len(found.lengths) > 1 else f"bound at T = {T}" for T in found.lengths]
    header = ("row", "constant", *lengths, "verdict", "parameters", "rule")
    rows = [
        (row.name, row.which, *(_cell(row, value) for value in row.values), verdict(row), _size(row), row.rule)
        for row in found.rows
    ]
    return Table(header, rows, f"ll{'r' * len(lengths)}lrw", least=least)


def _cell(row: Row, value: Value) -> str:
    """What a row says at one length; of a vacuous one, ``min(c, .)`` beside it."""
    if value.bound is None:
        return "refused"
    shown = decimal_string(value.bound.upper)
    return f"{shown} (vacuous: {decimal_string(row.capped(value.bound))})" if row.vacuous(value.bound) else shown


def verdict(row: Row) -> str:
    """One word where it is the same at every length; which of them say nothing is in their cells."""
    words = list(dict.fromkeys(row.verdict(value).value for value in row.values))
    empty = [row.vacuous(value.bound) for value in row.values if value.bound is not None]
    return f"{' or '.join(words)}, vacuous" if empty and all(empty) else " or ".join(words)


def _size(row: Row) -> str:
    return ANY if row.parameters is None else f"{row.parameters:,}"


def notes(found: Comparison) -> Iterator[str]:
    """What the table says, on what it rests, what each model's row rests on, and what must not be read."""
    yield found.sentence
    yield f"equal constants: {found.constants}"
    yield "in brackets: min(c, value) of a number that says nothing, c the range of the loss"
    yield from (f"assumed: {line}" for line in STANDING)
    yield from conditions(found)
    yield f"may be read: {READ}"
    yield from (f"not to be read: {line}" for line in NOT_READ)


def conditions(found: Comparison) -> Iterator[str]:
    """What the rows of trained models rest on, and what theory 7 leaves of each."""
    for row in found.rows:
        yield from _of_model(row)


def _of_model(row: Row) -> Iterator[str]:
    if row.conditions and any(value.bound is not None for value in row.values):
        yield f"{row.name}: CONDITIONAL: if {'; if '.join(row.conditions)}"
    paid = [
        f"{decimal_string(value.paid.upper)}{' (vacuous)' * row.vacuous(value.paid)} at T = {value.T}"
        for value in row.values
        if value.paid is not None
    ]
    if paid:
        under = f"CONDITIONAL: if {'; if '.join(row.paid_conditions)}" if row.paid_conditions else "CERTIFIED"
        yield f"{row.name}: with theory 7 paid, the two-sided gap of this model is at most {', '.join(paid)}; {under}"
    for reason in dict.fromkeys(value.refusal for value in row.values if value.refusal is not None):
        lengths = ", ".join(str(value.T) for value in row.values if value.refusal == reason)
        yield f"{row.name}: REFUSED at T = {lengths}: {reason}"


def show(found: Comparison, console: Console) -> None:
    console.print("Gaps at equal constants, before theory 7", style="bold", highlight=False, markup=False)
    table(found).show(console)
    for line in notes(found):
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)


def markdown(found: Comparison) -> str:
    from ssm_bounds.proofs.pages import plain

    return table(found).markdown() + "\n" + "".join(f"- {plain(line)}\n" for line in notes(found))


def csv(found: Comparison) -> str:
    """One line for each row and length."""
    return Table.of_records(
        [
            {
                "row": row.name,
                "constant": row.which,
                "kind": row.kind,
                "m": found.m,
                "delta": said(found.delta),
                "parameters": row.parameters,
                "T": value.T,
                "bound": _number(value.bound),
                "at_most": None if value.bound is None else number(row.capped(value.bound)),
                "vacuous": None if value.bound is None else row.vacuous(value.bound),
                "verdict": row.verdict(value).value,
                "conditions": "; ".join(row.conditions),
                "refusal": value.refusal,
                "paid": _number(value.paid),
                "source": row.source,
                "rule": row.rule,
            }
            for row in found.rows
            for value in row.values
        ]
    ).csv()


def document(found: Comparison, failed: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The JSON. A key's meaning never changes; bounds are rounded up."""
    equal = found.equal
    return {
        "schema": SCHEMA,
        "tool": {"name": "ssm-bounds", "version": version("ssm-bounds")},
        "setting": {
            "m": found.m,
            "T": list(found.lengths),
            "delta": number(exact(found.delta)),
            "loss": found.loss.words,
            "range": number(exact(found.loss.range)),
            "two_sided": True,
            "selection_paid": False,
        },
        "constants": {
            "d": equal.d,
            "N": equal.N,
            "k": 1,
            **{name: number(exact(getattr(equal, name))) for name in ("B_A", "norm", "p", "B_u")},
            **{name: [said(value) for value in getattr(equal, name)] for name in ("s_A", "beta")},
        },
        "claim": found.sentence,
        "assumed": list(STANDING),
        "rows": [_row(row) for row in found.rows],
        "may_be_read": READ,
        "not_to_be_read": list(NOT_READ),
        "failed": [{"path": path, "error": error} for path, error in failed],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "constant": row.which,
        "kind": row.kind,
        "sha256": row.sha256,
        "parameters": row.parameters,
        "rule": row.rule,
        "source": row.source,
        "conditions": list(row.conditions),
        "paid_conditions": list(row.paid_conditions),
        "values": [
            {
                "T": value.T,
                "bound": _number(value.bound),
                "at_most": None if value.bound is None else number(row.capped(value.bound)),
                "vacuous": None if value.bound is None else row.vacuous(value.bound),
                "verdict": row.verdict(value).value,
                "refusal": value.refusal,
                "paid": _number(value.paid),
            }
            for value in row.values
        ],
    }


def _number(bound: Enclosure | None) -> float | str | None:
    return None if bound is None else number(bound.upper)
