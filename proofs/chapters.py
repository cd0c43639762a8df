"""The chapters of the theory: prose that is written by hand, with boxes that are printed from the objects.

A box lies between ``<!-- statement 5.1 -->``, ``<!-- formula DUDLEY = gaps.chaining.DUDLEY -->`` or ``<!-- contents
-->`` and ``<!-- end -->``. ``python -m ssm_bounds.proofs.chapters docs/theory`` prints all of them anew and leaves the
prose alone. A formula is named by its module under ``bounds``, its name there, and a key where the name is that of a
table; the left side is LaTeX, and gets the keys as subscripts where the whole table is meant.
"""

from __future__ import annotations

import pkgutil
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import sympy

from ssm_bounds.proofs.check import statements
from ssm_bounds.proofs.pages import anchor, display, inline, latex, plain, verdict
from ssm_bounds.proofs.statement import Statement

_BOX = re.compile(r"<!-- (statement|formula|contents)(?: (.*?))? -->\n(?:.*?)<!-- end -->", re.S)
_FORMULA = re.compile(r"(.+?) (=|<=) ([\w.]+)(?:\[(\w+)\])?")
_LABEL = r"(?:M?\d+(?:\.\d+)?|[A-Z]\.\d+|Table 1)"
_HEADING = re.compile(rf"^#+ (?:(?:Theorem|Remark) )?({_LABEL}(?:, {_LABEL})*)\.?(?= |$)", re.M)


def printed(text: str, known: Mapping[str, Statement], chapters: Mapping[str, str]) -> str:
    """A chapter with every box as the objects print it now. Raises: KeyError, AttributeError, ValueError for a box that
    names nothing."""

    def box(found: re.Match[str]) -> str:
        kind, argument = found[1], found[2]
        match kind:
            case "statement":
                lines = _statement(known[argument])
            case "formula":
                lines = _formula(argument)
            case _:
                lines = _contents(chapters)
        return "\n".join([found[0].partition("\n")[0], *lines, "<!-- end -->"])

    return _BOX.sub(box, text)


def labels(text: str) -> list[str]:
    """What can be cited of a chapter: the labels that its headings begin with."""
    return [label for found in _HEADING.findall(text) for label in found.split(", ")]


def prose(text: str) -> str:
    """A chapter without what is printed in its boxes."""
    return _BOX.sub("", text)


def headings(text: str) -> list[tuple[int, str]]:
    """Depth and text of every heading."""
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.*)$", text, re.M)]


def read(folder: Path) -> dict[str, str]:
    """File name to text, in the order of the names. Raises: OSError."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}


def write(folder: Path) -> None:
    """Print every box of every chapter anew. Raises: OSError, and as :func:`printed`."""
    known, chapters = statements(), read(folder)
    for name, text in chapters.items():
        (folder / name).write_text(printed(text, known, chapters), encoding="utf-8")


def _statement(s: Statement) -> list[str]:
    lines = [f"**{plain(s.label)} {plain(s.title)}.** {plain(verdict(s))} ([ledger](../ledger.md#{anchor(s.label)}))"]
    lines += ["", *display(s.claim)]
    if s.hypotheses:
        lines += ["", f"for {', '.join(map(inline, s.hypotheses))}"]
    if s.prose:
        lines += ["", *(f"- {plain(text)}" for text in s.prose)]
    if s.counterexample is not None:
        lines += ["", f"Counterexample: {plain(s.counterexample.description)}."]
    return lines


def _formula(argument: str) -> list[str]:
    found = _FORMULA.fullmatch(argument)
    if found is None:
        raise ValueError(f"a formula box is LEFT = MODULE.NAME or LEFT <= MODULE.NAME, got {argument!r}")
    left, sign, name, key = found.groups()
    value = pkgutil.resolve_name(f"ssm_bounds.bounds.{name}")
    if key is not None:
        value = {str(k): v for k, v in value.items()}[key]
    relation = {"=": "=", "<=": r"\leq"}[sign]
    rows = [(left, value)] if isinstance(value, sympy.Expr) else [(f"{left}_{{{k}}}", v) for k, v in value.items()]
    body = [rf"{name} &{relation} {latex(right)}" for name, right in rows]
    if len(body) == 1:
        return ["```math", body[0].replace("&", "", 1), "```"]
    return ["```math", r"\begin{aligned}", " \\\\\n".join(body), r"\end{aligned}", "```"]


def _contents(chapters: Mapping[str, str]) -> list[str]:
    lines = []
    for file, text in chapters.items():
        if file != "index.md":
            lines += [
                f"{'  ' * (depth - 1)}- [{title}]({file}{f'#{anchor(title)}' if depth > 1 else ''})"
                for depth, title in headings(text)
                if depth < 3
            ]
    return lines


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/theory"))
