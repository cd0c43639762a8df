"""Text forms of a report: rich tables for people, Markdown and LaTeX for documents."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bounds.decimals import decimal_string
from bounds.rung import Certificate
from bounds.typeset import markdown_row, tex
from ssm_bounds.report.document import Row, Subject, claim, outcome, rows, shared_condition, unchecked

Report = tuple[Certificate, Subject]
_COLUMNS = ("rung", "value", "kind", "status", "why")
_PATH_WIDTH = 16
_STYLES = {"CERTIFIED": "bold green", "CONDITIONAL": "yellow", "vacuous": "dim", "does not apply": "red"}


def _title(subject: Subject, certificate: Certificate) -> str:
    setting = certificate.setting
    measured = setting.measured
    sizes = f"m = {setting.sample.m}, T = {setting.sample.T}, d = {measured.d}, N = {measured.N}, k = {measured.k}"
    return f"{subject.path} ({subject.format}; {sizes}; s_A = {float(measured.s_A):.4g}; embedding {setting.embedding})"


def _labelled(certificate: Certificate, subject: Subject) -> list[tuple[str, str]]:
    condition = shared_condition(certificate)
    return [
        ("claim", claim(certificate)),
        ("verdict", f"{certificate.verdict.value} ({certificate.best.name}, at delta/{certificate.compared})"),
        *([("condition", condition)] if condition else []),
        *outcome(certificate),
        *(("assumed", line) for line in unchecked(certificate, subject)),
    ]


def _cells(row: Row) -> tuple[str, ...]:
    return (row.rung, row.value, row.kind, row.status, row.why)


def table(reports: Sequence[Report], console: Console) -> None:
    """Print one ladder in full, or several checkpoints as one table."""
    if len(reports) == 1:
        _ladder(*reports[0], console)
    elif reports:
        _overview(reports, console)


def _ladder(certificate: Certificate, subject: Subject, console: Console) -> None:
    console.print(escape(_title(subject, certificate)), style="bold", highlight=False, soft_wrap=True)
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for column in _COLUMNS:
        grid.add_column(column, justify="right" if column == "value" else "left", no_wrap=column != "why")
    for row in rows(certificate):
        grid.add_row(*map(escape, _cells(row)), style=_STYLES[row.status])
    console.print(grid)
    labels = Table(box=None, pad_edge=False, show_header=False)
    labels.add_column(style="dim", no_wrap=True)
    labels.add_column()
    for label, text in _labelled(certificate, subject):
        labels.add_row(label, escape(text), style="bold" if label in ("verdict", "certified", "conditional") else None)
    console.print(labels)


def _overview(reports: Sequence[Report], console: Console) -> None:
    grid = Table(box=None, pad_edge=False, header_style="dim")
    header, body = _overview_cells(reports)
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
    console.print("†        does not apply: its condition fails for this model", style="dim", highlight=False)
    for line in dict.fromkeys(line for certificate, subject in reports for line in unchecked(certificate, subject)):
        console.print(f"assumed  {escape(line)}", style="dim", highlight=False)


def _overview_cells(reports: Sequence[Report]) -> tuple[list[str], list[list[str]]]:
    names = list(dict.fromkeys(rung.name for certificate, _ in reports for rung in certificate.rungs))
    risk = any(certificate.train_risk is not None for certificate, _ in reports)
    header = ["checkpoint", "s_A", *names, *(["risk"] if risk else []), "verdict"]
    body = []
    for certificate, subject in reports:
        values = {row.rung: row.value + (" †" if row.status == "does not apply" else "") for row in rows(certificate)}
        train_risk = certificate.train_risk
        body.append(
            [
                subject.path,
                f"{float(certificate.setting.measured.s_A):.4g}",
                *(values.get(name, "-") for name in names),
                *([decimal_string(train_risk.upper) if train_risk is not None else "-"] if risk else []),
                certificate.verdict.value,
            ]
        )
    return header, body


def markdown(reports: Sequence[Report]) -> str:
    """One section per checkpoint, or one table for several."""
    row = markdown_row
    if len(reports) > 1:
        header, body = _overview_cells(reports)
        return "\n".join([row(header), row(["---"] * len(header)), *map(row, body), "", "† does not apply"]) + "\n"
    lines = []
    for certificate, subject in reports:
        lines += [f"## {_title(subject, certificate)}", "", row(_COLUMNS), row(["---"] * len(_COLUMNS))]
        lines += [row(_cells(r)) for r in rows(certificate)]
        lines += ["", *(f"- **{label}**: {text}" for label, text in _labelled(certificate, subject))]
    return "\n".join(lines) + "\n"


def latex(reports: Sequence[Report]) -> str:
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

    if len(reports) > 1:
        header, body = _overview_cells(reports)
        return tabular("l" + "r" * (len(header) - 2) + "l", header, body) + "\n"
    parts = []
    for certificate, subject in reports:
        parts.append("% " + _title(subject, certificate))
        parts.append(tabular("lrllp{8cm}", _COLUMNS, [_cells(r) for r in rows(certificate)]))
        parts.append(r"\begin{description}")
        parts += [rf"\item[{tex(label)}] {tex(text)}" for label, text in _labelled(certificate, subject)]
        parts.append(r"\end{description}")
    return "\n".join(parts) + "\n"
