"""Text made safe for the cells of Markdown and LaTeX tables."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_row(cells: Sequence[str]) -> str:
    """One row of a table, with its bars escaped."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{char: "\\" + char for char in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "†": r"$\dagger$",
}


def tex(text: str) -> str:
    return "".join(_LATEX_SPECIAL.get(char, char) for char in text)
