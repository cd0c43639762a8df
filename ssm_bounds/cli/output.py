"""Where a command writes: a file is the old one or the new one, and never the one that was read."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console


class OutputError(ValueError):
    """A place that cannot be written."""


def require_writable(path: Path | None, option: str, *read: Path) -> None:
    """Before the work rather than after it. Raises: OutputError."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise OutputError(f"{option} {path}: there is no directory {path.parent}; create it first")
    if any(path.absolute() == other.absolute() or _same(path, other) for other in read):
        raise OutputError(f"{option} {path}: this file is read or written already; name another")


def _same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def require_figure(path: Path | None, *read: Path) -> None:
    """The same for --plot, with a suffix that a figure can have. Raises: OutputError."""
    if path is None:
        return
    from ssm_bounds.report.plots.canvas import form_of

    form_of(path)
    require_writable(path, "--plot", *read)


def write(path: Path, content: str | bytes) -> None:
    """All of it or nothing; a device or a pipe as it is. Raises: OutputError."""
    from ssm_bounds.models.files import atomic

    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        atomic.write(path, data)
    except OSError as problem:
        raise OutputError(f"cannot write {path}: {problem.strerror or problem}") from problem


def emit(text: str, out: Path | None) -> None:
    """To stdout, or to a file. Raises: OutputError."""
    if out is None:
        click.echo(text, nl=False)
    else:
        write(out, text)


def emit_table(print_to: Callable[[Console], None], out: Path | None) -> None:
    """What prints itself to a console: to the terminal, or to a file in 160 columns. Raises: OutputError."""
    from rich.console import Console

    if out is None:
        print_to(Console())
        return
    stream = io.StringIO()
    print_to(Console(file=stream, width=160))
    write(out, stream.getvalue())


def draw(figure: Figure, path: Path) -> None:
    """Raises: OutputError, DomainError."""
    from ssm_bounds.report.plots.canvas import form_of, rendered

    write(path, rendered(figure, form_of(path)))
