"""A formula in LaTeX as MathML, which browsers lay out by themselves."""

from __future__ import annotations

import re

from latex2mathml.converter import convert

_BRACKETS = re.compile(r"<mi>(&#x0(?:2308|2309|230A|230B);)</mi>")
"""Ceilings and floors, which grow with what they enclose as operators only."""

_FUNCTIONS = re.compile(r"(?<=>)<mi>(log|ln)</mi>")
_THIN = '<mspace width="0.167em" />'


def inline(latex: str) -> str:
    """``<math>`` within a line."""
    return _FUNCTIONS.sub(rf"{_THIN}<mi>\1</mi>", _BRACKETS.sub(r"<mo>\1</mo>", convert(latex)))


def display(latex: str) -> str:
    """``<math>`` that stands alone. Lines end with two backslashes, in an ``aligned`` or without one."""
    if r"\begin{aligned}" in latex:
        latex = latex.replace("{aligned}", "{split}")
    elif r"\\" in latex and r"\begin{" not in latex:
        latex = r"\begin{split} & " + latex.replace(r"\\", r"\\ &") + r" \end{split}"
    return f'<div class="formula">{inline(latex).replace("inline", "block", 1)}</div>'
