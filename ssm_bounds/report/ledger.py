"""Text forms of what was found of the statements: rows for people, Markdown, a LaTeX document."""

from __future__ import annotations

from collections.abc import Sequence

import sympy
from rich.console import Console

from ssm_bounds.bounds.evaluate.typeset import tex
from ssm_bounds.proofs.check import Entry
from ssm_bounds.proofs.statement import Verdict
from ssm_bounds.report.table import Table

_STYLES = {Verdict.REFUTED: "red", Verdict.REPAIRED: "yellow", Verdict.CHECKED: "dim"}


def table(entries: Sequence[Entry], console: Console) -> None:
    """One line a statement, and below, where Coq was asked, one a theorem that its kernel checked."""
    header = ("label", "statement", "verdict", "worst ratio", "seconds", "method")
    rows = [
        (
            entry.statement.label,
            entry.statement.title,
            _verdict(entry),
            entry.worst_ratio,
            _seconds(entry),
            entry.method,
        )
        for entry in entries
    ]
    Table(header, rows, "lllrrl").show(console, [_STYLES.get(entry.verdict, "green") for entry in entries])
    if marks := [(entry.statement.label, mark) for entry in entries for mark in entry.kernel or ()]:
        console.print()
        Table(("label", "kernel of Coq"), marks).show(console)


def _verdict(entry: Entry) -> str:
    return f"{entry.verdict} by {entry.statement.repaired_by}" if entry.verdict is Verdict.REPAIRED else entry.verdict


def _seconds(entry: Entry) -> str:
    return f"{entry.seconds:.1f}"


def _searched(entry: Entry) -> tuple[str, ...]:
    if entry.finding is None:
        return ()
    return (f"{entry.statement.kind}; largest left/right found: {entry.worst_ratio}, at {entry.finding.point}",)


def markdown(entries: Sequence[Entry]) -> str:
    header = ("label", "statement", "verdict", "method", "worst ratio", "seconds")
    rows = []
    for entry in entries:
        s = entry.statement
        verdict = f"{entry.verdict} (by {s.repaired_by})" if entry.verdict is Verdict.REPAIRED else entry.verdict
        rows.append((s.label, s.title, verdict, entry.method, entry.worst_ratio, _seconds(entry)))
    lines = Table(header, rows).markdown().splitlines()
    for entry in entries:
        s = entry.statement
        lines += ["", f"### {s.label}: {s.title}", "", f"$${sympy.latex(s.claim)}$$", "", f"Source: {s.source}."]
        lines += [f"- hypothesis: ${sympy.latex(h)}$" for h in s.hypotheses]
        lines += [f"- hypothesis: {text}" for text in s.prose]
        lines += [f"- step *{step.name}* ({step.by.method}): ${sympy.latex(step.claim)}$" for step in s.derivation]
        lines += [f"- counterexample: {entry.counterexample}"] if entry.counterexample else []
        lines += [f"- {remark}" for remark in (*entry.remarks, *_searched(entry), *(entry.kernel or ()))]
        lines += [f"- not claimed: {text}" for text in s.not_claimed]
    return "\n".join(lines) + "\n"


def latex(entries: Sequence[Entry]) -> str:
    """A complete document with claims, derivations and counterexamples."""
    body = []
    for entry in entries:
        s = entry.statement
        body += [rf"\section*{{{tex(s.label)}: {tex(s.title)} \hfill {tex(entry.verdict.value)}}}"]
        body += [rf"\[ {sympy.latex(s.claim)} \]", rf"Source: {tex(s.source)}."]
        items = [rf"hypothesis: ${sympy.latex(h)}$" for h in s.hypotheses]
        items += [f"hypothesis: {tex(text)}" for text in s.prose]
        items += [f"{tex(x.name)} ({tex(x.by.method)}): ${sympy.latex(x.claim)}$" for x in s.derivation]
        items += [f"counterexample: {tex(entry.counterexample)}"] if entry.counterexample else []
        items += [tex(remark) for remark in (*entry.remarks, *_searched(entry), *(entry.kernel or ()))]
        items += [f"not claimed: {tex(text)}" for text in s.not_claimed]
        if items:
            body += [r"\begin{itemize}", *(rf"\item {item}" for item in items), r"\end{itemize}"]
    head = [
        r"\documentclass{article}",
        r"\usepackage{amsmath,amssymb}",
        r"\usepackage[landscape,margin=15mm]{geometry}",
        r"\begin{document}\sloppy\small",
    ]
    return "\n".join([*head, *body, r"\end{document}"]) + "\n"
