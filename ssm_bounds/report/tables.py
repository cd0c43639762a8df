"""Text forms of certificates: rich tables for people, Markdown and LaTeX for documents.

What comes from a file, its name included, is printed as one line of printable characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console
from rich.markup import escape

from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.typeset import tex
from ssm_bounds.bounds.ladder.rung import Setting
from ssm_bounds.certificate import Certificate, Headline
from ssm_bounds.models.files.container import printable
from ssm_bounds.report import origin
from ssm_bounds.report.constants import of_model
from ssm_bounds.report.document import Row, of_all, outcome, rows
from ssm_bounds.report.table import Table, labelled

SEVERAL = "each certificate holds by itself; that all of them hold at once is not claimed"
_COLUMNS = ("rung", "value", "kind", "risk", "verdict", "why")
_PATH_WIDTH, _WHY_WIDTH = 16, 24
_STYLES = {"CERTIFIED": "bold green", "CONDITIONAL": "yellow", "REFUSED": "red"}


def _title(certificate: Certificate) -> str:
    setting, checkpoint = certificate.setting, certificate.question.checkpoint
    found = of_model(certificate.question)
    outputs = found.outputs or f"k = {found.k}"
    sizes = f"m = {setting.sample.m}, T = {setting.sample.T}, d = {found.d}, N = {found.N}, {outputs}"
    return printable(f"{checkpoint.path} ({checkpoint.format}; {sizes}; {found.title})")


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
    lines = [
        *outcome(certificate),
        ("facts", origin.words(question.facts)),
        *(("note", line) for line in question.notes),
        *(("assumed", line) for line in question.standing),
    ]
    return [(label, printable(text)) for label, text in lines]


def _cells(row: Row, *, risks: bool) -> tuple[str, ...]:
    verdict = f"{row.verdict}, vacuous" if row.vacuous else row.verdict
    return (row.rung, row.value, row.kind, *([row.risk] if risks else []), verdict, printable(row.why))


def _rungs(certificate: Certificate) -> Table:
    """The ladder as a table; the column of risks where there are training rows."""
    risks = certificate.train is not None
    header = [column for column in _COLUMNS if risks or column != "risk"]
    body = [_cells(row, risks=risks) for row in rows(certificate)]
    return Table(header, body, "lrlrlw" if risks else "lrllw", _WHY_WIDTH)


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
    styles = ["dim" if row.vacuous else _STYLES[row.verdict] for row in rows(certificate)]
    _rungs(certificate).show(console, styles)
    labelled(_beside(certificate), console)


def _overview(certificates: Sequence[Certificate], console: Console) -> None:
    header, body = _overview_cells(certificates)
    align = ["f", *("l" if column == "verdict" else "r" for column in header[1:])]
    Table([name.replace("-", "-\n") for name in header], body, "".join(align), _PATH_WIDTH).show(console)
    for path, lines in _below(certificates):
        console.print(escape(path), style="bold", highlight=False, soft_wrap=True)
        for line in lines:
            console.print(f"  {escape(line)}", style="dim", highlight=False)


def _below(certificates: Sequence[Certificate]) -> Iterator[tuple[str, list[str]]]:
    """What stands under the table of several checkpoints: each one's sentences, notes and what is assumed of it alone,
    then what all assume."""
    shared = of_all(certificates)
    for certificate in certificates:
        question = certificate.question
        notes = [f"note: {printable(note)}" for note in question.notes]
        notes += [f"assumed: {line}" for line in question.standing if line not in shared]
        sentences = [f"{verdict}: {sentence}" for verdict, sentence in _headlines(certificate)]
        yield printable(str(question.checkpoint.path)), sentences + notes
    yield "assumed of each", [*shared, SEVERAL]


def _abscissa(certificate: Certificate) -> str:
    setting = certificate.setting
    return f"{float(setting.measured.s_A):.4g}" if isinstance(setting, Setting) else "-"


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
                _abscissa(certificate),
                _value(headline),
                _verdict(headline),
                *([_value(certificate.headline_conditional)] if second else []),
                *(values.get(name, "-") for name in names),
            ]
        )
    return header, body


def markdown(certificates: Sequence[Certificate]) -> str:
    """One section per checkpoint, or one table for several."""
    if len(certificates) > 1:
        below = [line for path, lines in _below(certificates) for line in ("", f"**{path}**", "", *_bullets(lines))]
        return Table(*_overview_cells(certificates)).markdown() + "\n".join(below) + "\n"
    lines = []
    for certificate in certificates:
        lines += [f"## {_title(certificate)}", ""]
        lines += [f"**{verdict}**: {sentence}\n" for verdict, sentence in _headlines(certificate)]
        lines += [replace(_rungs(certificate), align="").markdown()]
        lines += [f"- **{label}**: {text}" for label, text in _beside(certificate)]
    return "\n".join(lines) + "\n"


def _bullets(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def latex(certificates: Sequence[Certificate]) -> str:
    """Standalone tabular environments (booktabs), one per checkpoint, or one for several."""

    if len(certificates) > 1:
        header, body = _overview_cells(certificates)
        notes = [
            note
            for path, lines in _below(certificates)
            for note in (rf"\par\textbf{{{tex(path)}}}", *(rf"\par {tex(line)}" for line in lines))
        ]
        return Table(header, body, "l" + "r" * (len(header) - 1)).latex() + "\n".join(notes) + "\n"
    parts = []
    for certificate in certificates:
        parts.append("% " + _title(certificate))
        parts += [
            rf"\par\textbf{{{tex(verdict)}}} {tex(sentence)}\par" for verdict, sentence in _headlines(certificate)
        ]
        parts.append(_rungs(certificate).latex() + r"\begin{description}")
        parts += [rf"\item[{tex(label)}] {tex(text)}" for label, text in _beside(certificate)]
        parts.append(r"\end{description}")
    return "\n".join(parts) + "\n"
