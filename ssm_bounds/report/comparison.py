"""The table of architectures at equal constants: for people, Markdown, CSV, and the JSON of ``docs/compare.md``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ssm_bounds.bounds.evaluate.balls import Enclosure, exact
from ssm_bounds.bounds.evaluate.decimals import decimal_string, number, said
from ssm_bounds.comparison import PAID_STANDING, READ, STANDING, Comparison, Row, Trained, Value
from ssm_bounds.models.files.container import printable
from ssm_bounds.report import origin
from ssm_bounds.report.table import Table

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1
RADII = ("B_A", "norm", "p", "B_u")
PAID = "with theory 7 paid"
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
    yield from (f"assumed of every row: {line}" for line in STANDING)
    yield from conditions(found)
    yield f"may be read: {READ}"
    yield from (f"not to be read: {line}" for line in found.not_read)


def conditions(found: Comparison) -> Iterator[str]:
    """Whom the rows of trained models are about, on what they rest, and what theory 7 leaves of each."""
    for row in found.rows:
        if row.model is not None:
            yield from _of_model(row, row.model)
    if any(value.paid is not None for row in found.rows for value in row.values):
        yield (
            f"{PAID}: each sentence holds by itself at delta = {said(found.delta)}; that several hold at once is not "
            "claimed"
        )
        yield from (f"{PAID}, assumed: {line}" for line in PAID_STANDING)


def _of_model(row: Row, model: Trained) -> Iterator[str]:
    yield f"{row.name}: {model.named}; {origin.words(model.facts)}"
    word = verdict(row)
    if row.conditions and any(value.bound is not None for value in row.values):
        yield (
            f"{row.name}: {word}: each number in its row is about every model of the class of its norms, and holds "
            f"if {'; if '.join(row.conditions)}"
        )
    for value in row.values:
        if value.paid is not None and value.paid_claim is not None:
            empty = ", vacuous" * row.vacuous(value.paid)
            yield f"{row.name}, {PAID}, T = {value.T}: {row.paid_verdict(value)}{empty}: {value.paid_claim}"
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
    """One line for each row and length, which can be read alone."""
    return Table.of_records([_record(found, row, value) for row in found.rows for value in row.values]).csv()


def _record(found: Comparison, row: Row, value: Value) -> dict[str, Any]:
    equal, model = found.equal, row.model
    own = dict.fromkeys(("constants", *RADII)) | ({} if model is not None else {"constants": found.constants})
    if model is None:
        own |= {name: said(getattr(equal, name)) for name in RADII}
    return {
        "row": row.name,
        "constant": row.which,
        "kind": row.kind,
        "path": None if model is None else printable(model.path),
        "sha256": None if model is None else model.sha256,
        "facts": None if model is None else origin.words(model.facts),
        "m": found.m,
        "T": value.T,
        "delta": said(found.delta),
        "loss": found.loss.words,
        **dict(zip(("d", "N", "k"), row.sizes, strict=True)),
        **own,
        "parameters": row.parameters,
        **_judged(row, value),
        "conditions": "; ".join(row.conditions),
        "assumed": "; ".join(STANDING),
        "claim": found.claim(row, value),
        "refusal": value.refusal,
        "rule": row.rule,
        "source": row.source,
        **_paid(row, value),
        "paid_conditions": None if model is None else "; ".join(row.paid_conditions),
        "paid_assumed": None if model is None else "; ".join(PAID_STANDING),
    }


def _judged(row: Row, value: Value) -> dict[str, Any]:
    """A bound, before theory 7."""
    return {
        "bound": _number(value.bound),
        "at_most": None if value.bound is None else number(row.capped(value.bound)),
        "vacuous": None if value.bound is None else row.vacuous(value.bound),
        "verdict": row.verdict(value).value,
    }


def _paid(row: Row, value: Value) -> dict[str, Any]:
    """What theory 7 leaves of it."""
    verdict = row.paid_verdict(value)
    return {
        "paid": _number(value.paid),
        "paid_vacuous": None if value.paid is None else row.vacuous(value.paid),
        "paid_verdict": None if verdict is None else verdict.value,
        "paid_claim": value.paid_claim,
    }


def document(found: Comparison, failed: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The JSON. A key's meaning never changes; bounds are rounded up."""
    equal = found.equal
    return {
        **origin.head(SCHEMA),
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
            **{name: number(exact(getattr(equal, name))) for name in RADII},
            **{name: [said(value) for value in getattr(equal, name)] for name in ("s_A", "beta")},
            "words": found.constants,
        },
        "claim": found.sentence,
        "assumed": list(STANDING),
        "paid_assumed": list(PAID_STANDING),
        "rows": [_row(found, row) for row in found.rows],
        "may_be_read": READ,
        "not_to_be_read": list(found.not_read),
        "failed": [{"path": path, "error": error} for path, error in failed],
    }


def _row(found: Comparison, row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "constant": row.which,
        "kind": row.kind,
        "path": None if row.model is None else row.model.path,
        "sha256": None if row.model is None else row.model.sha256,
        "facts": [] if row.model is None else origin.told(row.model.facts),
        **dict(zip(("d", "N", "k"), row.sizes, strict=True)),
        "parameters": row.parameters,
        "rule": row.rule,
        "source": row.source,
        "conditions": list(row.conditions),
        "paid_conditions": list(row.paid_conditions),
        "values": [
            {
                "T": value.T,
                **_judged(row, value),
                "claim": found.claim(row, value),
                "refusal": value.refusal,
                **_paid(row, value),
            }
            for value in row.values
        ],
    }


def _number(bound: Enclosure | None) -> float | str | None:
    return None if bound is None else number(bound.upper)
