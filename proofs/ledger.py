"""Runs statements and collects verdicts; prints them as rows, JSON, Markdown or a LaTeX document."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import proofs.published
import proofs.repaired
from bounds.constants import DomainError
from bounds.render import tex
from proofs.statement import Outcome, Statement, Verdict


@dataclass(frozen=True, slots=True)
class Entry:
    """What the machine found for one statement, and how; ``remarks`` name steps that fail, axioms and assumptions."""

    statement: Statement
    verdict: Verdict
    method: str
    seconds: float
    remarks: tuple[str, ...]

    @property
    def as_recorded(self) -> bool:
        return self.verdict is self.statement.recorded

    def as_dict(self) -> dict[str, Any]:
        """The JSON of one line; ``ratio`` is null until an adversarial search has been run."""
        counterexample = self.statement.counterexample
        return {
            "label": self.statement.label,
            "verdict": self.verdict.value,
            "method": self.method,
            "ratio": None,
            "seconds": round(self.seconds, 3),
            "counterexample": counterexample.description if counterexample is not None else None,
        }


def statements() -> dict[str, Statement]:
    """Every statement by label: published ones first, each in the order of its file name."""
    found = {}
    for package in (proofs.published, proofs.repaired):
        for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
            statement: Statement = importlib.import_module(f"{package.__name__}.{module}").STATEMENT
            if statement.label in found:
                raise DomainError(f"two statements are labelled {statement.label}")
            found[statement.label] = statement
    return found


def select(labels: Sequence[str]) -> list[Statement]:
    """The statements with these labels, all for none. Raises: DomainError naming an unknown label."""
    known = statements()
    if unknown := [label for label in labels if label not in known]:
        raise DomainError(f"unknown label {unknown[0]!r}; known: {', '.join(known)}")
    return [known[label] for label in labels] if labels else list(known.values())


def outcomes(statement: Statement) -> Iterator[tuple[str, Outcome]]:
    """Each step of a derivation as its solver decides it, from the hypotheses and the steps it uses."""
    claims = {step.name: step.claim for step in statement.derivation}
    for step in statement.derivation:
        facts = tuple(claims[name] for name in step.using)
        # a chain joins exactly the named steps; other solvers may also use the hypotheses
        given = facts if step.by.method == "chain" else (*statement.hypotheses, *facts)
        yield step.name, step.by.decide(step.claim, given)


def check(statement: Statement) -> Entry:
    """Run one statement: its counterexample, or its derivation step by step."""
    start = time.perf_counter()
    if statement.counterexample is not None:
        refuted = statement.counterexample.refutes()
        verdict = Verdict.CHECKED if not refuted else Verdict.REPAIRED if statement.repaired_by else Verdict.REFUTED
        remarks = () if refuted else ("the counterexample does not refute",)
        return Entry(statement, verdict, "interval counterexample", time.perf_counter() - start, remarks)
    found = list(outcomes(statement))
    failed = tuple(f"{name} is not decided: {outcome.remark}" for name, outcome in found if not outcome.holds)
    bases = {outcome.basis for _, outcome in found}
    if failed or not found or "assumed" in bases:
        verdict = Verdict.CHECKED
    else:
        verdict = Verdict.PROVED_FROM_AXIOMS if "axiom" in bases else Verdict.PROVED
    cited = tuple(outcome.remark for _, outcome in found if outcome.basis != "decided")
    methods = dict.fromkeys(step.by.method.split(":")[0] for step in statement.derivation)
    return Entry(statement, verdict, ", ".join(methods), time.perf_counter() - start, failed + cited)


_STYLES = {Verdict.REFUTED: "red", Verdict.REPAIRED: "yellow", Verdict.CHECKED: "dim"}


def table(entries: Sequence[Entry], console: Console) -> None:
    """One line a statement."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("label", "statement", "verdict", "method", "seconds"):
        grid.add_column(column, justify="right" if column == "seconds" else "left", no_wrap=column == "label")
    for entry in entries:
        s = entry.statement
        repaired = f" by {s.repaired_by}" if entry.verdict is Verdict.REPAIRED else ""
        cells = (s.label, s.title, f"{entry.verdict}{repaired}", entry.method, f"{entry.seconds:.2f}")
        grid.add_row(*map(escape, cells), style=_STYLES.get(entry.verdict, "green"))
    console.print(grid)


def markdown(entries: Sequence[Entry]) -> str:
    lines = ["| label | statement | verdict | method | seconds |", "| --- | --- | --- | --- | --- |"]
    for entry in entries:
        s = entry.statement
        repaired = f" (by {s.repaired_by})" if entry.verdict is Verdict.REPAIRED else ""
        lines.append(f"| {s.label} | {s.title} | {entry.verdict}{repaired} | {entry.method} | {entry.seconds:.2f} |")
    for entry in entries:
        s = entry.statement
        lines += ["", f"### {s.label}: {s.title}", "", f"$${sympy.latex(s.claim)}$$", "", f"Source: {s.source}."]
        lines += [f"- hypothesis: ${sympy.latex(h)}$" for h in s.hypotheses]
        lines += [f"- hypothesis: {text}" for text in s.prose]
        lines += [f"- step *{step.name}* ({step.by.method}): ${sympy.latex(step.claim)}$" for step in s.derivation]
        if s.counterexample is not None:
            lines.append(f"- counterexample: {s.counterexample.description}")
        lines += [f"- {remark}" for remark in entry.remarks]
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
        items += [f"counterexample: {tex(s.counterexample.description)}"] if s.counterexample else []
        items += [tex(remark) for remark in entry.remarks]
        items += [f"not claimed: {tex(text)}" for text in s.not_claimed]
        if items:
            body += [r"\begin{itemize}", *(rf"\item {item}" for item in items), r"\end{itemize}"]
    head = [r"\documentclass{article}", r"\usepackage{amsmath,amssymb}", r"\begin{document}"]
    return "\n".join([*head, *body, r"\end{document}"]) + "\n"
