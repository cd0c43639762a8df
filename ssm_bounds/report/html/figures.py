"""A matplotlib figure as an SVG element that follows the page: its text, its colours, its ids."""

from __future__ import annotations

import re

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from ssm_bounds.report.plots import canvas

_DROPPED = re.compile(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", re.DOTALL)
_NAMESPACES = re.compile(r'\sxmlns(?::\w+)?="[^"]*"|\s(?:width|height|version)="[^"]*"')


def inline(figure: Figure, prefix: str, label: str) -> Markup:
    """The figure for a page: black and white become the page's, ids begin with ``prefix``, ``label`` says what it is.

    Text stays text. ``prefix`` must differ between the figures of a page. The same figure gives the same text.
    """
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        text = _DROPPED.sub("", canvas.svg(figure))
    opening, rest = text.split(">", 1)
    opening = f'{_NAMESPACES.sub("", opening)} role="img" aria-label="{escape(label)}"'
    return Markup(re.sub(r"<[^>]*>", lambda tag: _adapted(tag.group(), prefix), f"{opening}>{rest}"))


def _adapted(tag: str, prefix: str) -> str:
    safe = str(escape(prefix))
    if tag.startswith("<image"):  # two colour bars are one image, and no one refers to it
        tag = re.sub(r'\sid="[^"]*"', "", tag)
    for old, new in (
        (' id="', f' id="{safe}-'),
        (' xlink:href="#', f' href="#{safe}-'),
        (' xlink:href="data:', ' href="data:'),
        ("url(#", f"url(#{safe}-"),
        ("#000000", "currentColor"),
        ("#ffffff", "var(--page)"),
    ):
        tag = tag.replace(old, new)
    return tag
