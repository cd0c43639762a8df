"""The one table writer: terminal, Markdown, LaTeX, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ssm_bounds.bounds.evaluate.typeset import markdown_row, tex

if TYPE_CHECKING:
    from rich.console import Console

_RULES = {"r": "---:"}
_SPECS = {"w": "p{8cm}", "f": "l"}


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of plain text. ``align``: a letter for each column, "l" left, "r" right, and for one that wraps on a
    terminal, down to the width ``least``, "w" (at blanks) or "f" (anywhere). Default: all left.

    >>> print(Table(("n", "what"), [("1", "a|b")], "rl").markdown(), end="")
    | n | what |
    | ---: | --- |
    | 1 | a\\|b |
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str = ""
    least: int = 0
    title: str = ""

    @classmethod
    def of_records(cls, records: Sequence[Mapping[str, Any]]) -> Self:
        """One row a record, one column a key of any of them; None is an empty cell."""
        header = list(dict.fromkeys(key for record in records for key in record))
        values = [[record.get(key) for key in header] for record in records]
        return cls(header, [["" if value is None else str(value) for value in row] for row in values])

    @property
    def _letters(self) -> str:
        return self.align or "l" * len(self.header)

    def show(self, console: Console, styles: Sequence[str] = ()) -> None:
        """Print, each row in its style. Where no column wraps, the table is as wide as the terminal. One narrower than
        the cells need wraps whole lines: a number cut short would be another number."""
        from rich import table
        from rich.markup import escape

        grid = table.Table(title=self.title or None, title_justify="left", box=None, pad_edge=False, header_style="dim")
        for column, letter in zip(self.header, self._letters, strict=True):
            grid.add_column(
                column,
                justify="right" if letter == "r" else "left",
                no_wrap=letter in "lr",
                overflow="fold" if letter == "f" else "ellipsis",
            )
        for i, cells in enumerate(self.rows):
            grid.add_row(*map(escape, cells), style=styles[i] if styles else None)
        needed = self._width()
        if console.width < needed or not set(self._letters) & set("wf"):
            grid.width = max(console.width, needed)
        console.print(grid, crop=False, soft_wrap=True)

    def _width(self) -> int:
        """In columns of a terminal, the one that wraps at its least."""
        columns = zip(self._letters, zip(self.header, *self.rows, strict=True), strict=True)
        fixed = [column for letter, column in columns if letter in "lr"]
        return self.least + sum(2 + max(len(line) for cell in column for line in cell.split("\n")) for column in fixed)

    def markdown(self) -> str:
        rules = [_RULES.get(letter, "---") for letter in self._letters]
        return "".join(f"{markdown_row(cells)}\n" for cells in (self.header, rules, *self.rows))

    def latex(self, text: Callable[[str], str] = tex) -> str:
        """A tabular environment (booktabs). ``text``: what makes LaTeX of a cell."""
        lines = [" & ".join(map(text, cells)) + r" \\" for cells in (self.header, *self.rows)]
        spec = "".join(_SPECS.get(letter, letter) for letter in self._letters)
        head = [rf"\begin{{tabular}}{{{spec}}}", r"\toprule", lines[0], r"\midrule"]
        return "\n".join([*head, *lines[1:], r"\bottomrule", r"\end{tabular}"]) + "\n"

    def csv(self) -> str:
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([self.header, *self.rows])
        return stream.getvalue()


def labelled(lines: Iterable[tuple[str, str]], console: Console) -> None:
    """Print labels in a column of their own, beside what they stand for."""
    from rich import table
    from rich.markup import escape

    grid = table.Table(box=None, pad_edge=False, show_header=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for label, text in lines:
        grid.add_row(label, escape(text))
    console.print(grid)
