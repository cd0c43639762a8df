"""What every figure shares: an empty one, colours that survive colour blindness and grey print, and saving."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import atomic

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, without the yellow that vanishes on paper."""

FORMATS = ("png", "pdf", "svg")
# the same figure gives the same bytes
_METADATA = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


def canvas(width: float = 6.4, height: float = 4.0) -> Figure:
    """An empty figure, in inches; drawn without pyplot, so without a screen or any state."""
    return Figure(figsize=(width, height), layout="constrained")


def form_of(path: Path) -> str:
    """One of ``FORMATS``. Raises: DomainError (another suffix)."""
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise DomainError(f"{path.name}: a figure is saved as .png, .pdf or .svg")
    return form


def rendered(figure: Figure, form: str) -> bytes:
    """The same bytes for the same figure."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "ssm-bounds"}):
        figure.savefig(buffer, format=form, dpi=200, metadata=_METADATA[form])
    return buffer.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a .png, .pdf or .svg. Raises: DomainError (another suffix), OSError."""
    atomic.write(path, rendered(figure, form_of(path)))


def svg(figure: Figure) -> str:
    """The figure as one SVG element, to be put in a page."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "ssm-bounds"}):
        figure.savefig(buffer, format="svg", metadata=_METADATA["svg"], transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
