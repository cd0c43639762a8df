"""Text forms of certificates: rich tables for people, Markdown and LaTeX for documents.

What comes from a file, its name included, is printed as one line of printable characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.typeset import markdown_row, tex
from ssm_bounds.certificate import Certificate, Headline
from ssm_bounds.models.files.container import printable
from ssm_bounds.question import STANDING
from ssm_bounds.report.document import Row, outcome, rows

SEVERAL = "each certificate holds by itself; that all of them hold at once is not claimed"
_COLUMNS = ("rung", "value", "kind", "risk", "verdict", "why")
_PATH_WIDTH, _WHY_WIDTH = 16, 24
_STYLES = {"CERTIFIED": "bold green", "CONDITIONAL": "yellow", "REFUSED": "red"}


def _title(certificate: Certificate) -> str:
    setting, checkpoint = certificate.setting, certificate.question.checkpoint
    measured = setting.measured
    sizes = f"m = {setting.sample.m}, T = {setting.sample.T}, d = {measured.d}, N = {measured.N}, k = {measured.k}"
    return printable(f"{checkpoint.path} ({checkpoint.format}; {sizes}; s_A = {float(measured.s_A):.4g})")


def _verdict(headline: Headline) -> str:
    return f"{headline.verdict.value}{', vacuous' if headline.vacuous and headline.rung else ''}"


def _value(headline: Headline | None) -> str:
    return "-" if headline is None or headline.value is None else decimal_string(headline.value.upper)


def _headlines(certificate: Certificate) -> list[tuple[str, str]]:
    lines = [(_verdict(certificate.headline), printable(certificate.headline.sentence))]
    if (below := certificate.headline_conditional) is not None:
        lines.append((_verdict(below), printable(below.sentence)))
    return lines


def _beside(certificate: Certificate) -> list[tuple[str, str]]:
    """What stands under the ladder."""
    question = certificate.question
    facts = "; ".join(f"{fact.name} = {fact.value} ({fact.evidence.value})" for fact in question.facts)
    lines = [
        *outcome(certificate),
        ("facts", facts),
        *(("note", line) for line in question.notes),
        *(("assumed", line) for line in STANDING),
    ]
    return [(label, printable(text)) for label, text in lines]


def _cells(row: Row, *, risks: bool) -> tuple[str, ...]:
    verdict = f"{row.verdict}, vacuous" if row.vacuous else row.verdict
    return (row.rung, row.value, row.kind, *([row.risk] if risks else []), verdict, printable(row.why))


def _columns(*, risks: bool) -> tuple[str, ...]:
    return tuple(column for column in _COLUMNS if risks or column != "risk")


def table(certificates: Sequence[Certificate], console: Console) -> None:
    """Print one ladder in full, or several checkpoints as one table."""
    if len(certificates) == 1:
        _ladder(certificates[0], console)
    elif certificates:
        _overview(certificates, console)


def _ladder(certificate: Certificate, console: Console) -> None:
    console.print(escape(_title(certificate)), style="bold", highlight=False, soft_wrap=True)
    for verdict, sentence in _headlines(certificate):
        style = "dim" if "vacuous" in verdict else _STYLES[verdict]
        console.print(f"[{style}]{verdict}[/]  {escape(sentence)}", highlight=False)
    grid = Table(box=None, pad_edge=False, header_style="dim")
    risks = certificate.train is not None
    for column in _columns(risks=risks):
        grid.add_column(column, justify="right" if column in ("value", "risk") else "left", no_wrap=column != "why")
    shown = [_cells(row, risks=risks) for row in rows(certificate)]
    least = _WHY_WIDTH + sum(
        2 + max(map(len, column)) for column in list(zip(_columns(risks=risks), *shown, strict=True))[:-1]
    )
    if console.width < least:
        grid.width = least
    for row, cells in zip(rows(certificate), shown, strict=True):
        style = "dim" if row.vacuous else _STYLES[row.verdict]
        grid.add_row(*map(escape, cells), style=style)
    console.print(grid, crop=False, soft_wrap=True)
    labelled(_beside(certificate), console)


def labelled(lines: Iterable[tuple[str, str]], console: Console) -> None:
    """Print labels in a column of their own, beside what they stand for."""
    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for label, text in lines:
        grid.add_row(label, escape(text))
    console.print(grid)


def _overview(certificates: Sequence[Certificate], console: Console) -> None:
    grid = Table(box=None, pad_edge=False, header_style="dim")
    header, body = _overview_cells(certificates)
    header = [name.replace("-", "-\n") for name in header]
    grid.add_column(header[0], overflow="fold")
    for column in header[1:]:
        grid.add_column(column, justify="left" if column == "verdict" else "right", no_wrap=True)
    for cells in body:
        grid.add_row(*map(escape, cells))
    columns = list(zip(header, *body, strict=True))[1:]
    least = _PATH_WIDTH + sum(2 + max(len(line) for cell in column for line in cell.split("\n")) for column in columns)
    if console.width < least:  # let the terminal wrap the lines: a number cut short would be another number
        grid.width = least
    console.print(grid, crop=False, soft_wrap=True)
    for path, lines in _below(certificates):
        console.print(escape(path), style="bold", highlight=False, soft_wrap=True)
        for line in lines:
            console.print(f"  {escape(line)}", style="dim", highlight=False)


def _below(certificates: Sequence[Certificate]) -> Iterator[tuple[str, list[str]]]:
    """What stands under the table of several checkpoints: each one's sentences and notes, then what all assume."""
    for certificate in certificates:
        notes = [f"note: {printable(note)}" for note in certificate.question.notes]
        sentences = [f"{verdict}: {sentence}" for verdict, sentence in _headlines(certificate)]
        yield printable(str(certificate.question.checkpoint.path)), sentences + notes
    yield "assumed of each", [*STANDING, SEVERAL]


def _overview_cells(certificates: Sequence[Certificate]) -> tuple[list[str], list[list[str]]]:
    names = list(dict.fromkeys(rung.name for certificate in certificates for rung in certificate.rungs))
    second = any(certificate.headline_conditional is not None for certificate in certificates)
    header = ["checkpoint", "s_A", "headline", "verdict", *(["conditional"] if second else []), *names]
    body = []
    for certificate in certificates:
        values = {row.rung: row.risk or row.value for row in rows(certificate)}
        headline = certificate.headline
        body.append(
            [
                printable(str(certificate.question.checkpoint.path)),
                f"{float(certificate.setting.measured.s_A):.4g}",
                _value(headline),
                _verdict(headline),
                *([_value(certificate.headline_conditional)] if second else []),
                *(values.get(name, "-") for name in names),
            ]
        )
    return header, body


def markdown(certificates: Sequence[Certificate]) -> str:
    """One section per checkpoint, or one table for several."""
    row = markdown_row
    if len(certificates) > 1:
        header, body = _overview_cells(certificates)
        overview = [row(header), row(["---"] * len(header)), *map(row, body)]
        below = [line for path, lines in _below(certificates) for line in ("", f"**{path}**", "", *_bullets(lines))]
        return "\n".join([*overview, *below]) + "\n"
    lines = []
    for certificate in certificates:
        risks = certificate.train is not None
        columns = _columns(risks=risks)
        lines += [f"## {_title(certificate)}", ""]
        lines += [f"**{verdict}**: {sentence}\n" for verdict, sentence in _headlines(certificate)]
        lines += [row(columns), row(["---"] * len(columns))]
        lines += [row(_cells(each, risks=risks)) for each in rows(certificate)]
        lines += ["", *(f"- **{label}**: {text}" for label, text in _beside(certificate))]
    return "\n".join(lines) + "\n"


def _bullets(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def latex(certificates: Sequence[Certificate]) -> str:
    """Standalone tabular environments (booktabs), one per checkpoint, or one for several."""

    def tabular(spec: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
        lines = [" & ".join(map(tex, cells)) + r" \\" for cells in body]
        return "\n".join(
            [
                rf"\begin{{tabular}}{{{spec}}}",
                r"\toprule",
                " & ".join(map(tex, header)) + r" \\",
                r"\midrule",
                *lines,
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )

    if len(certificates) > 1:
        header, body = _overview_cells(certificates)
        notes = [
            note
            for path, lines in _below(certificates)
            for note in (rf"\par\textbf{{{tex(path)}}}", *(rf"\par {tex(line)}" for line in lines))
        ]
        return "\n".join([tabular("l" + "r" * (len(header) - 1), header, body), *notes]) + "\n"
    parts = []
    for certificate in certificates:
        risks = certificate.train is not None
        columns = _columns(risks=risks)
        parts.append("% " + _title(certificate))
        parts += [
            rf"\par\textbf{{{tex(verdict)}}} {tex(sentence)}\par" for verdict, sentence in _headlines(certificate)
        ]
        spec = "lrl" + ("r" if risks else "") + "lp{8cm}"
        parts.append(tabular(spec, columns, [_cells(each, risks=risks) for each in rows(certificate)]))
        parts.append(r"\begin{description}")
        parts += [rf"\item[{tex(label)}] {tex(text)}" for label, text in _beside(certificate)]
        parts.append(r"\end{description}")
    return "\n".join(parts) + "\n"
